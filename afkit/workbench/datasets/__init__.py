"""The data sets that come with afkit or are prepared by it, and generated twins of the published ones."""
