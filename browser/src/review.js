// The list of a whole run: which of its segments are listed, in which order, and the table of classes.

import { gainsOf } from "./gains.js";
import { segmentsOf } from "./run.js";
import { counts, FOUND, HIT, isError, KINDS, MISS, shownKinds, WRONG_LABEL } from "./segments.js";
import { rising } from "./sorting.js";

const isKind = (wanted) => (kind) => kind === wanted;
// What may be listed: its words, and whether a segment of a kind is.
export const LISTED = {
  errors: ["all errors", isError],
  ...Object.fromEntries(KINDS.map((name, kind) => [name, [name, isKind(kind)]]).slice(HIT + 1)),
  miss: ["missed actions", isKind(MISS)],
  false: ["false detections", (kind) => kind > HIT],
  hit: ["hits", isKind(HIT)],
  detections: ["all detections", (kind) => kind >= HIT],
  actions: ["all actions", (kind) => kind === FOUND || kind === MISS],
};
export const SORTED = {
  time: "by recording and time",
  score: "highest score first",
  gain: "most to gain first",
  doubt: "most doubtful first",
};
export const FILTERS = ["whose", "what", "sorted", "videoPart", "maxScore", "minSec", "maxSec", "cell"];

export function wholeList() {
  return { what: "errors", sorted: "time", videoPart: "", maxScore: 1, minSec: 0, maxSec: Infinity, cell: null };
}

// Which run is listed, by its position among those that are shown; of what changed between two, both.
export function listedRuns({ whose }) {
  return whose.split(" ").map(Number);
}

// The score that says how sure the network was of an action: of the prediction that found it or came nearest; NaN where
// there is none. Of a prediction its own.
export function scoreOf({ score, partner, near }, kind, i) {
  if (!Number.isNaN(score[i])) return score[i];
  const other = kind === FOUND ? partner[i] : near[i];
  return other >= 0 ? score[other] : Number.NaN;
}

// Row and column of the table of classes in which a segment counts; the last row is "nothing", the last column "missed".
// -1 for none: an action that was found counts with its hit. Of classes alone: a hit and a prediction of the wrong label stand in the row of the action that they lie on.
function cellOf({ label, partner, isTold }, kind, i, numClasses) {
  if (isTold && partner[i] >= 0) return label[i] * (numClasses + 1) + label[partner[i]];
  if (kind === FOUND) return -1;
  if (kind === MISS) return label[i] * (numClasses + 1) + numClasses;
  const truth = kind === HIT || kind === WRONG_LABEL ? label[partner[i]] : numClasses;
  return truth * (numClasses + 1) + label[i];
}

// Each order's key of a segment, from 0 (first) to 1; null for the order in which they come.
function keyOf(run, { sorted, tiou, minScore }) {
  const gains = sorted === "gain" ? gainsOf(run, tiou) : null;
  const keys = {
    time: null,
    score: (segments, kind, i) => 1 - (scoreOf(segments, kind, i) || 0),
    doubt: (segments, kind, i) => {
      const score = scoreOf(segments, kind, i);
      return Number.isNaN(score) ? 1 : Math.abs(score - minScore);
    },
    gain: (segments, kind, i, entry) => 1 - gainOf(gains, segments, kind, i, entry),
  };
  return keys[sorted];
}

// What a segment would gain, as a share of 1; what is no error gains nothing. entry: its place in the run.
export function gainOf(gains, { label }, kind, i, entry) {
  if (kind > HIT) return gains.ofPrediction[entry];
  return kind === MISS ? gains.ofMiss[label[i]] : 0;
}

// Whether a segment is listed: a function of it, its kind, its row and its cell.
function chooser(state) {
  const wanted = LISTED[state.what][1],
    isKept = isWithin(state),
    { cell } = state;
  return (segments, kind, i, own) => (cell === null ? wanted(kind) : own === cell) && isKept(segments, kind, i);
}

// Whether a segment is as long, and as sure, as is asked for.
export function isWithin({ maxScore, minSec, maxSec }) {
  return (segments, kind, i) => {
    const length = segments.end[i] - segments.start[i];
    return length >= minSec && length <= maxSec && (maxScore >= 1 || scoreOf(segments, kind, i) <= maxScore);
  };
}

// state: see `wholeList`, and minScore, topK, hidden, tiou; side: the run's position among those that are shown. Returns
// { n, video, row, kind, entry, side (columns, as listed: entry is the place in the run), errors (of each video, whatever
// is listed), total (their sum), cells (of the table, row by row) }.
export function reviewRun(run, state, side = 0) {
  const numClasses = run.info.classes.length,
    part = state.videoPart.trim().toLowerCase(),
    key = keyOf(run, state),
    isListed = chooser(state);
  const capacity = run.counts.reduce((sum, _, v) => sum + segmentsOf(run, v, state.tiou).n, 0);
  const [video, row, entry] = [1, 2, 3].map(() => new Uint32Array(capacity)),
    kinds = new Int8Array(capacity),
    keys = new Float64Array(key ? capacity : 0);
  const errors = new Uint32Array(run.counts.length),
    cells = new Uint32Array((numClasses + 1) ** 2);
  let n = 0,
    first = 0;
  for (let v = 0; v < run.counts.length; v++) {
    const segments = segmentsOf(run, v, state.tiou),
      shown = shownKinds(segments, state),
      named = !part || run.info.videos[v].video.toLowerCase().includes(part);
    for (let i = 0; i < segments.n; i++) {
      const kind = shown[i];
      if (!counts(segments, kind, i)) continue;
      const own = cellOf(segments, kind, i, numClasses);
      if (isError(kind)) errors[v] += 1;
      if (own >= 0) cells[own] += 1;
      if (!named || !isListed(segments, kind, i, own)) continue;
      if (key) keys[n] = key(segments, kind, i, first + i);
      video[n] = v;
      row[n] = i;
      kinds[n] = kind;
      entry[n++] = first + i;
    }
    first += segments.n;
  }
  const order = key ? rising(keys.subarray(0, n)) : null;
  const columns = { video, row, kind: kinds, entry };
  for (const name of Object.keys(columns)) columns[name] = take(columns[name].subarray(0, n), order);
  return { n, ...columns, side: new Uint8Array(n).fill(side), errors, total: errors.reduce((a, b) => a + b, 0), cells };
}

function take(column, order) {
  if (!order) return column;
  const taken = new column.constructor(order.length);
  for (let k = 0; k < order.length; k++) taken[k] = column[order[k]];
  return taken;
}

// The position of a segment of a run in a list, -1 where it is not listed.
export function placeInList({ n, video, row, side }, v, i, own) {
  for (let k = 0; k < n; k++) if (row[k] === i && video[k] === v && side[k] === own) return k;
  return -1;
}

// The first of a list by time that lies after (or, with direction -1, the last before) a time of a video; round at the
// end. Lists in another order begin at their beginning. startOf(k): when an entry begins.
export function nextInList({ n, video }, sorted, startOf, v, sec, direction) {
  if (sorted !== "time") return direction > 0 ? 0 : n - 1;
  const isAfter = (k) => video[k] > v || (video[k] === v && startOf(k) >= sec);
  let low = 0,
    high = n;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isAfter(middle)) high = middle;
    else low = middle + 1;
  }
  return direction > 0 ? low % n : (low - 1 + n) % n;
}
