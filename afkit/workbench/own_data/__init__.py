"""Recordings of one's own: annotations of other tools, signals of sensors, corrected segments."""
