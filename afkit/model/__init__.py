"""The network, its targets and losses, and its weights on disk."""
