"""The processes of a job of `afkit.workbench.runs.launch`, looked up in /proc, and others that tests start."""

import ipaddress
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

from afkit.workbench.runs.launch import LOOPBACK

TESTS = Path(__file__).parent
FOLDERS = (TESTS.parent, TESTS, TESTS / "train", TESTS / "workbench" / "runs")  # of what a program may import


def python(program, *arguments):
    """The command that runs a program with what the tests import."""
    return [sys.executable, "-c", f"import sys\nsys.path[:0] = {[*map(str, FOLDERS)]}\n{program}", *map(str, arguments)]


def start_rank(rank, program, *arguments, **options):
    """Start one of two processes that work together."""
    ranks = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    return subprocess.Popen(python(program, *arguments), env=os.environ | LOOPBACK | ranks, **options)


def processes(folder):
    """Ids of the processes that carry out a job of a run folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(text.startswith(f"{folder}/") and text.endswith("_job.json") for text in arguments):
            found.append(int(entry.parent.name))
    return sorted(found)


def workers(folder):
    """Those of them that do the work; by rank."""
    by_rank = {}
    for process in processes(folder):
        environment = Path(f"/proc/{process}/environ").read_bytes().decode(errors="replace").split("\0")
        by_rank |= {int(text[5:]): process for text in environment if text.startswith("RANK=")}
    return by_rank


def assert_all_ended(folder, seconds=60):
    """Nothing is left that worked for a run folder."""
    until = time.monotonic() + seconds
    while processes(folder) and time.monotonic() < until:
        time.sleep(0.1)
    assert processes(folder) == []


def listening(process):
    """[(address, port)] at which a process takes TCP connections."""
    files = Path(f"/proc/{process}/fd").iterdir()
    own = {str(file.readlink()) for file in files if file.is_symlink()}
    found = []
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{name}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in own:
                address, port = local.split(":")
                words = struct.iter_unpack(">I", bytes.fromhex(address))
                packed = b"".join(struct.pack("=I", *word) for word in words)  # in the order of this machine
                found.append((ipaddress.ip_address(packed), int(port, 16)))
    return found
