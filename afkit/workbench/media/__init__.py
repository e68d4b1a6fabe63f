"""Films and sound become feature vectors whose times are exact, and films get their detections drawn in."""
