"""What lies behind a score: errors, chance, thresholds, and files for other tools: the room of 03_eval."""
