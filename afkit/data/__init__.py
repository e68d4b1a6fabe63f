"""Annotations and features on disk, items and batches, sample data: the room of 01_data."""
