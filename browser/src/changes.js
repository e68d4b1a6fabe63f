// What changed from one run to another of the same recordings: the actions that one of the two found, and the false
// detections that one of the two has.

import { isWithin } from "./review.js";
import { segmentsOf } from "./run.js";
import { FOUND, firstReaching, HIDDEN, HIT, isTruth, shownKinds } from "./segments.js";

// What may be listed: its words by the names of both runs, and whether a change is: its kind, and whether the other run
// has it.
export const CHANGED = {
  errors: [() => "all that changed", () => true],
  found0: [(one) => `found in ${one} alone`, (kind, second) => kind === FOUND && !second],
  found1: [(_, other) => `found in ${other} alone`, (kind, second) => kind === FOUND && second],
  false0: [(one) => `false in ${one} alone`, (kind, second) => kind !== FOUND && !second],
  false1: [(_, other) => `false in ${other} alone`, (kind, second) => kind !== FOUND && second],
};

// panels: of all runs; sides: the positions of the two; state: as of `reviewRun`. Returns a list as `reviewRun`, without
// a table of classes.
export function changesOf(panels, sides, state) {
  const part = state.videoPart.trim().toLowerCase(),
    isListed = CHANGED[state.what][1],
    isKept = isWithin(state),
    { videos } = panels[sides[0]].info;
  const errors = new Uint32Array(videos.length),
    found = [];
  for (const [v, { video }] of videos.entries()) {
    const both = sides.map((side) => sideOf(panels[side], side, v));
    const changes = [...foundAlone(both), ...falseAlone(...both), ...falseAlone(both[1], both[0])];
    errors[v] = changes.length;
    if (part && !video.toLowerCase().includes(part)) continue;
    for (const [{ side, segments, shown }, row] of changes) {
      const kind = shown[row];
      if (!isListed(kind, side === sides[1]) || !isKept(segments, kind, row)) continue;
      const { start, score, partner } = segments;
      found.push({ video: v, row, kind, side, start: start[row], score: score[kind === FOUND ? partner[row] : row] });
    }
  }
  found.sort(ORDERS[state.sorted](state));
  const columns = ["video", "row", "kind", "side"].map((name) => [name, found.map((one) => one[name])]);
  return { n: found.length, ...Object.fromEntries(columns), errors, total: errors.reduce((a, b) => a + b, 0) };
}

const byTime = (a, b) => a.video - b.video || a.start - b.start;
const ORDERS = {
  time: () => byTime,
  score: () => (a, b) => b.score - a.score || byTime(a, b),
  doubt: (state) => (a, b) => Math.abs(a.score - state.minScore) - Math.abs(b.score - state.minScore) || byTime(a, b),
  gain: () => byTime, // it is of one run
};

function sideOf({ run, state, info }, side, v) {
  const segments = segmentsOf(run, v, state.tiou);
  return { side, segments, shown: shownKinds(segments, state), ids: info.label_ids, tiou: state.tiou };
}

// Actions that one of both found. The two have the same ones, and each by onset.
function foundAlone(both) {
  const [ones, others] = both.map(({ segments, shown, ids }) => {
    const { start, end, label } = segments;
    const rows = [...shown.keys()].filter((i) => isTruth(segments, i) && shown[i] !== HIDDEN);
    return rows.sort((i, j) => start[i] - start[j] || end[i] - end[j] || ids[label[i]] - ids[label[j]]);
  });
  const changes = [];
  for (let k = 0; k < Math.min(ones.length, others.length); k++) {
    const [first, second] = [both[0].shown[ones[k]] === FOUND, both[1].shown[others[k]] === FOUND];
    if (first !== second) changes.push(first ? [both[0], ones[k]] : [both[1], others[k]]);
  }
  return changes;
}

// False detections of one run which no false detection of the other, of the same class, overlaps by the tIoU.
function falseAlone(one, other) {
  const falseRows = ({ shown }) => [...shown.keys()].filter((i) => shown[i] > HIT);
  const rows = falseRows(other),
    { start, end, label } = other.segments;
  let last = -Infinity;
  const reach = rows.map((i) => (last = Math.max(last, end[i]))); // none up to here ends later
  const isThere = (i) => {
    const [from, to, id] = [one.segments.start[i], one.segments.end[i], one.ids[one.segments.label[i]]];
    for (let k = firstReaching({ reach }, from); k < rows.length && start[rows[k]] < to; k++) {
      const j = rows[k],
        both = Math.min(to, end[j]) - Math.max(from, start[j]);
      if (other.ids[label[j]] === id && both >= one.tiou * (to - from + end[j] - start[j] - both)) return true;
    }
    return false;
  };
  return falseRows(one)
    .filter((i) => !isThere(i))
    .map((i) => [one, i]);
}

// The row of the same action in the other run's segments, -1 for none.
export function sameAction(panel, row, other) {
  const { start, end, label } = panel.scene.segments,
    id = panel.info.label_ids[label[row]],
    there = other.scene.segments;
  const isSame = (i) => isTruth(there, i) && there.start[i] === start[row] && there.end[i] === end[row];
  return [...there.start.keys()].find((i) => isSame(i) && other.info.label_ids[there.label[i]] === id) ?? -1;
}
