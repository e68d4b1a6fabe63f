"""Optimiser, schedule, weight average and the training loop: the room of 02_train."""
