"""From network outputs to detections: decoding, suppression of duplicates, prediction."""
