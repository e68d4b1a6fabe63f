// Ground truth as a list of { start, end, label, comment } by onset, and what an edit makes of it. No list is changed in place.

import { isTruth, segmentColumns } from "./segments.js";

export const SHORTEST_SEC = 0.01; // that an edit makes

export function byOnset(list) {
  return [...list].sort((a, b) => a.start - b.start || a.end - b.end || a.label - b.label);
}

export function segmentOf({ start, end, label, score, comment }, row) {
  return { start: start[row], end: end[row], label: label[row], score: score[row], comment: comment?.[row] ?? "" };
}

// Rows of the ground truths, by onset.
export function truthRows(segments) {
  return [...segments.score.keys()].filter((row) => isTruth(segments, row));
}

export function truthOf(segments) {
  return byOnset(truthRows(segments).map((row) => segmentOf(segments, row)));
}

export function keyOf({ start, end, label, comment }) {
  return `${start} ${end} ${label} ${comment ?? ""}`;
}

// tIoU of two segments.
export function overlapOf(one, other) {
  const both = Math.max(Math.min(one.end, other.end) - Math.max(one.start, other.start), 0);
  return both / Math.max(one.end - one.start + (other.end - other.start) - both, 1e-9);
}

// Positions in a list of the segments that another list does not have, as often as it lacks them.
export function leftOver(list, other) {
  const there = new Map();
  for (const key of other.map(keyOf)) there.set(key, (there.get(key) ?? 0) + 1);
  return [...list.keys()].filter((i) => {
    const key = keyOf(list[i]),
      times = there.get(key) ?? 0;
    if (times) there.set(key, times - 1);
    return !times;
  });
}

// Rows of the ground truths that are not as they were.
export function editedRows(segments, original) {
  const rows = truthRows(segments);
  return leftOver(
    rows.map((row) => segmentOf(segments, row)),
    original,
  ).map((i) => rows[i]);
}

// The row of a segment among others: `row` itself where it is the same; -1 for none.
export function sameRow(segments, wanted, row) {
  const same = (one) => {
    const { score, ...other } = segmentOf(segments, one);
    return Object.is(score, wanted.score) && keyOf(other) === keyOf(wanted);
  };
  return row < segments.n && same(row) ? row : ([...segments.start.keys()].find(same) ?? -1);
}

// How many segments were changed, added or deleted.
export function countCorrections(original, list) {
  return Math.max(leftOver(original, list).length, leftOver(list, original).length);
}

// Columns (see `segmentColumns`) of a video with another ground truth, by onset; truth before predictions.
export function withTruth(segments, list) {
  const truth = byOnset(list),
    found = [...segments.score.keys()].filter((row) => !isTruth(segments, row));
  const n = truth.length + found.length,
    facts = new Float64Array(5 * n),
    comment = [];
  let [t, p] = [0, 0];
  for (let i = 0; i < n; i++) {
    const isNext = t < truth.length && (p === found.length || truth[t].start <= segments.start[found[p]]);
    const { start, end, label, score } = isNext ? { ...truth[t], score: NaN } : segmentOf(segments, found[p]);
    if (isNext && truth[t].comment) comment[i] = truth[t].comment;
    const place = isNext ? t++ : segments.place[found[p++]];
    [start, end, label, score, place].forEach((value, column) => (facts[column * n + i] = value));
  }
  return { ...segmentColumns(facts), comment };
}

export function rounded(time, limit) {
  return Math.min(Math.max(Math.round(time * 1000) / 1000, 0), limit);
}

// A segment with one end at another time, or as a whole moved by some seconds. It stays within 0 and `limit`.
export function moved(segment, part, bySec, limit) {
  const { start, end } = segment;
  if (part === "start") return { ...segment, start: rounded(Math.min(start + bySec, end - SHORTEST_SEC), limit) };
  if (part === "end") return { ...segment, end: rounded(Math.max(end + bySec, start + SHORTEST_SEC), limit) };
  const by = Math.min(Math.max(bySec, -start), limit - end);
  return { ...segment, start: rounded(start + by, limit), end: rounded(end + by, limit) };
}
