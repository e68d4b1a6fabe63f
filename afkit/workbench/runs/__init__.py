"""The run folder, its provenance, and the notebooks run by papermill."""
