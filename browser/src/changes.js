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

// All changes between two runs, whatever is listed. panels: of all runs; whose: the positions of the two. Returns { whose,
// changes: by recording and time, errors (the number of each recording) }.
export function findChanges(panels, whose) {
  const sides = whose.split(" ").map(Number),
    { videos } = panels[sides[0]].info;
  const errors = new Uint32Array(videos.length),
    changes = [];
  for (let v = 0; v < videos.length; v++) {
    const both = sides.map((side) => sideOf(panels[side], side, v));
    const found = [...foundAlone(both), ...falseAlone(...both), ...falseAlone(both[1], both[0])].map(([own, row]) => {
      const { side, segments, shown } = own,
        { start, score, partner } = segments,
        kind = shown[row];
      const sure = score[kind === FOUND ? partner[row] : row];
      return { video: v, row, kind, side, segments, start: start[row], score: sure, isSecond: side === sides[1] };
    });
    errors[v] = found.length;
    for (const one of found.sort(byTime)) changes.push(one);
  }
  return { whose, changes, errors };
}

// As `reviewRun`, without a table of classes.
export function changesOf({ changes, errors }, { videos }, state) {
  const part = state.videoPart.trim().toLowerCase(),
    isListed = CHANGED[state.what][1],
    isKept = isWithin(state);
  const found = changes.filter(({ video, row, kind, segments, isSecond }) => {
    if (!isListed(kind, isSecond) || !isKept(segments, kind, row)) return false;
    return !part || videos[video].video.toLowerCase().includes(part);
  });
  if (ORDERS[state.sorted]) found.sort(ORDERS[state.sorted](state));
  const columns = ["video", "row", "kind", "side"].map((name) => [name, found.map((one) => one[name])]);
  return { n: found.length, ...Object.fromEntries(columns), errors, total: changes.length };
}

const byTime = (a, b) => a.start - b.start;
// Stable: else by recording and time. What is gained is of one run.
const ORDERS = {
  score: () => (a, b) => b.score - a.score,
  doubt:
    ({ minScore }) =>
    (a, b) =>
      Math.abs(a.score - minScore) - Math.abs(b.score - minScore),
};

function sideOf({ run, state, info }, side, v) {
  const segments = segmentsOf(run, v, state.tiou);
  return { side, segments, shown: shownKinds(segments, state), ids: info.label_ids, tiou: state.tiou };
}

function rowsOf(shown, isWanted) {
  const rows = [];
  for (let i = 0; i < shown.length; i++) if (isWanted(shown[i], i)) rows.push(i);
  return rows;
}

// Actions that one of both found. The two have the same ones, and each by onset.
function foundAlone(both) {
  const [ones, others] = both.map(({ segments, shown, ids }) => {
    const { start, end, label } = segments;
    return rowsOf(shown, (kind, i) => kind !== HIDDEN && isTruth(segments, i)).sort(
      (i, j) => start[i] - start[j] || end[i] - end[j] || ids[label[i]] - ids[label[j]],
    );
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
  const falseRows = ({ shown }) => rowsOf(shown, (kind) => kind > HIT);
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
