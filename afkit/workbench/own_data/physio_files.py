"""Recordings of physiology, as EDF, BDF and WFDB keep them: samples with their rate."""

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from afkit.data.feature_formats import listed
from afkit.opening import check_plain, read_text

PHYSIO = (".edf", ".bdf", ".hea")  # the last is the header of a WFDB record, whose samples lie beside it


def read_physio(path: Path, columns: Sequence[str] = ()) -> tuple[np.ndarray, list[str], float]:
    """Samples (samples, C) float64 in physical units, names of the channels, and samples per second.

    Args:
        columns: names of the channels to take; () for all. Of channels of several rates, those of the highest are
            taken, unless `columns` chooses.

    Raises:
        ValueError: it is damaged, has no such channel, chosen channels of several rates, or the package lacks.
    """
    check_plain(path)
    channels = _edf(path) if path.suffix.lower() != ".hea" else _wfdb(path)  # {name: (samples, rate)}
    if not channels:
        raise ValueError("it holds no channel")
    missing = next((name for name in columns if name not in channels), None)
    if missing is not None:
        raise ValueError(f"it has no column '{missing}', but {listed(channels)}; correct --columns")
    most = max(rate for _, rate in channels.values())
    chosen = list(columns) or [name for name, (_, rate) in channels.items() if rate == most]
    rates = {channels[name][1] for name in chosen}
    if len(rates) > 1:
        raise ValueError(f"its channels {listed(chosen)} have several rates; choose those of one with --columns")
    return np.stack([channels[name][0] for name in chosen], axis=1), chosen, rates.pop()


def _edf(path: Path) -> dict[str, tuple[np.ndarray, float]]:
    edfio = _package("edfio")
    read = edfio.read_bdf if path.suffix.lower() == ".bdf" else edfio.read_edf
    recording = read(path)
    return {
        signal.label: (np.asarray(signal.data, float), float(signal.sampling_frequency)) for signal in recording.signals
    }


def _wfdb(path: Path) -> dict[str, tuple[np.ndarray, float]]:
    for line in read_text(path, errors="replace").splitlines():
        if re.match(r"[^#\s]*[/\\:]", line) and not re.match(r"\S+/\d+ \d", line):  # the first names segments so
            raise ValueError(f"it names a file elsewhere ({line.split()[0][:40]!r})")
    record = _package("wfdb").rdrecord(str(path.with_suffix("")), smooth_frames=True)
    if record.p_signal is None:
        return {}
    return dict(zip(record.sig_name, ((channel, float(record.fs)) for channel in record.p_signal.T), strict=True))


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise ValueError(f"the package {name} reads it; install it with: pip install 'afkit[media]'") from None
