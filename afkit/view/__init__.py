"""Timelines and curves: the room of 04_visualize."""
