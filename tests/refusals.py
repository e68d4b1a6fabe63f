"""What stands for a call to the system that is refused."""

import errno


def full(*_):
    """As on a full disk."""
    raise OSError(errno.ENOSPC, "No space left on device")


def without_locks(*_):
    """As on a file system that has none."""
    raise OSError(errno.ENOLCK, "No locks available")
