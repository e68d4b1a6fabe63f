// Ends that are dragged or set stop at those of other segments that are near.

import { HIDDEN } from "./segments.js";

const REACH_PX = 6;

// A time, or the nearest end of a shown segment other than `row` that is a few pixels away from it.
export function snapped({ scene }, time, row) {
  const { segments, shown, view, left, width } = scene;
  let away = (REACH_PX * (view.to - view.from)) / (width - left),
    best = time;
  for (let i = 0; i < segments.n; i++) {
    if (i === row || shown[i] === HIDDEN) continue;
    for (const end of [segments.start[i], segments.end[i]]) {
      if (Math.abs(end - time) < away) [best, away] = [end, Math.abs(end - time)];
    }
  }
  return best;
}

// By how many seconds a segment of a row moves, so that the nearer of its ends stops at another segment's.
export function snappedShift(panel, { start, end }, bySec, row) {
  const shifts = [start, end].map((one) => snapped(panel, one + bySec, row) - one);
  const better = shifts.filter((shift) => shift !== bySec).sort((a, b) => Math.abs(a - bySec) - Math.abs(b - bySec));
  return better[0] ?? bySec;
}
