"""Labelling recordings: what is labelled, the journal of changes, and the annotation file made of both."""
