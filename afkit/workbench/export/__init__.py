"""Trained networks as files for other programs: ONNX and torch.export, and prediction from one without torch."""
