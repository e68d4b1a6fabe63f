"""mAP, recall, matching and the baseline: the room of 03_eval."""
