"""Pictures: timelines, charts and curves, and pages that hold them."""
