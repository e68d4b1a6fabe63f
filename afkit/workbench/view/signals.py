"""The signal of a sensor, or sound, below a timeline, in panels."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from afkit.workbench.view.style import plain

LABEL = 14  # letters in a line of an axis' label
MAX_BINS = 1500  # of a drawn signal: more than the picture has columns


class Panel(NamedTuple):
    """Curves over time."""

    label: str  # of the axis, with its unit
    times_sec: np.ndarray  # (P,)
    values: np.ndarray  # (P, channels)
    names: list[str]  # of the channels


class Spectrogram(NamedTuple):
    """How loud each frequency is over time."""

    label: str  # of the axis, with its unit
    times_sec: np.ndarray  # (P,), the middle of each column, evenly spaced
    values: np.ndarray  # (P, rows) uint8, the lowest frequency first
    ticks: list[tuple[float, str]]  # share of the height, and the frequency there
    remark: str = ""  # what there is to say


def signal_panels(
    signal: np.ndarray | None,
    rate_hz: float | None,
    names: Sequence[str],
    groups: Mapping[str, Sequence[int]] | None,
    spectrogram: Spectrogram | None = None,
) -> list[Panel | Spectrogram]:
    """What each panel shows; the spectrogram is the last.

    Args:
        signal: (T, channels), reduced to P points where it is long; None: no panels.
        groups: axis label -> indices of channels; None: all in one panel.

    Raises:
        ValueError: shape, rate, names and groups do not fit together.
    """
    if signal is None:
        return [] if spectrogram is None else [spectrogram]
    signal = np.asarray(signal, np.float64)
    if signal.ndim != 2 or not signal.size:
        raise ValueError(f"a signal has the shape (samples, channels), not {signal.shape}")
    if not rate_hz or not rate_hz > 0:
        raise ValueError(f"a signal needs signal_rate_hz above 0, not {rate_hz}")
    channels = range(signal.shape[1])
    if names and len(names) != len(channels):
        raise ValueError(f"signal_names has {len(names)} names for {len(channels)} channels")
    groups = {"signal": list(channels)} if groups is None else groups
    wrong = [index for indices in groups.values() for index in indices if index not in channels]
    if wrong:
        raise ValueError(f"signal_groups names channel {wrong[0]}, but the signal has channels 0 to {channels[-1]}")
    times_sec, values = _envelope(signal, rate_hz)
    panels: list[Panel | Spectrogram] = [
        Panel(label, times_sec, values[:, list(indices)], [str(names[i]) if names else f"channel {i}" for i in indices])
        for label, indices in groups.items()
    ]
    return panels if spectrogram is None else [*panels, spectrogram]


def _envelope(signal: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Times and values to draw; of a long signal the smallest and largest value of each bin, so that peaks stay."""
    size = -(-len(signal) // MAX_BINS)  # samples per bin
    if size <= 2:
        return np.arange(len(signal)) / rate_hz, signal
    padded = np.pad(signal, ((0, -len(signal) % size), (0, 0)), mode="edge").reshape(-1, size, signal.shape[1])
    values = np.stack([np.fmin.reduce(padded, axis=1), np.fmax.reduce(padded, axis=1)], axis=1)
    times_sec = np.arange(len(padded))[:, None] * size + np.array([0.25, 0.75]) * size
    return times_sec.ravel() / rate_hz, values.reshape(-1, signal.shape[1])


def draw_panel(axes: Axes, panel: Panel | Spectrogram) -> None:
    """Draw an entry of `signal_panels`; a legend names its channels where they are two to six."""
    axes.set_ylabel("\n".join(textwrap.wrap(plain(panel.label), LABEL)))  # or it is longer than the panel
    if isinstance(panel, Spectrogram):
        _draw_spectrogram(axes, panel)
        return
    for i, name in enumerate(panel.names):
        axes.plot(panel.times_sec, panel.values[:, i], linewidth=0.8, alpha=0.85, label=plain(name, 20))
    if 1 < len(panel.names) <= 6:  # a legend of more is higher than the panel
        legend = axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), handlelength=1.2)
        for line in legend.get_lines():
            line.set_linewidth(2)


def _draw_spectrogram(axes: Axes, panel: Spectrogram) -> None:
    begin, end = panel.times_sec[[0, -1]]
    half = (end - begin) / max(len(panel.times_sec) - 1, 1) / 2 or 0.5
    extent = (begin - half, end + half, 0, 1)
    axes.imshow(panel.values.T, cmap="Greys", vmin=0, vmax=255, aspect="auto", origin="lower", extent=extent)
    axes.set_yticks(*zip(*panel.ticks, strict=True))
    axes.grid(visible=False)
    if panel.remark:
        axes.set_title("\n".join(textwrap.wrap(plain(panel.remark, 400), 90)), fontsize="small")
