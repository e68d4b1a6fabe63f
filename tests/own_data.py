"""Own data as a newcomer has it, named as in docs/own-data.md: labels in a table, two sensors with two rates."""

from pathlib import Path

import numpy as np

RATES_HZ = {"acc": 50, "gyro": 20}
LABELS = ["drink", "walk", "wave"]


def write_raw(root: Path, recordings: int = 8) -> None:
    """Write `raw/` with labelled recordings, and `new/` with one more that has no labels."""
    draws = np.random.default_rng(0)
    labels, table = ["recording,start,end,action"], ["recording,duration,person"]
    for number in range(1, recordings + 2):
        folder = root / ("raw" if number <= recordings else "new")
        seconds, actions = _write_sensors(folder, f"day{number}", draws)
        if number <= recordings:
            labels += [f"day{number},{start},{end},{label}" for start, end, label in actions]
            table.append(f"day{number},{seconds},person{(number + 1) // 2}")
    (root / "raw" / "labels.csv").write_text("\n".join(labels) + "\n")
    (root / "raw" / "recordings.csv").write_text("\n".join(table) + "\n")


def _write_sensors(folder: Path, name: str, draws: np.random.Generator) -> tuple[int, list[tuple[float, float, str]]]:
    """A recording of some action every few seconds, each of which shows in one channel."""
    seconds = int(draws.integers(60, 90))
    signals = {sensor: 0.3 * draws.normal(size=(seconds * rate, 3)) for sensor, rate in RATES_HZ.items()}
    actions, now = [], 3.0
    while now < seconds - 9:
        length, label = float(draws.uniform(4, 8)), int(draws.integers(len(LABELS)))
        start, end = round(now, 2), round(now + length, 2)
        for sensor, rate in RATES_HZ.items():
            signals[sensor][int(start * rate) : int(end * rate), label] += 2
        actions.append((start, end, LABELS[label]))
        now = end + float(draws.uniform(2, 5))
    for sensor, signal in signals.items():
        (folder / sensor).mkdir(parents=True, exist_ok=True)
        path = folder / sensor / f"{name}.csv"
        np.savetxt(path, signal, fmt="%.4f", delimiter=",", header="x,y,z", comments="")
    return seconds, actions
