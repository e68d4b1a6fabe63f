"""Vectors in as they come, detections out, as they would be of the whole recording."""
