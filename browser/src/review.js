// The list of a whole run: which of its segments are listed, in which order, and the table of classes.

import { gainsOf } from "./gains.js";
import { segmentsOf } from "./run.js";
import { FOUND, HIDDEN, HIT, isError, KINDS, MISS, shownKinds, WRONG_LABEL } from "./segments.js";
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
export const FILTERS = ["what", "sorted", "videoPart", "maxScore", "minSec", "maxSec", "cell"];

export function wholeList() {
  return { what: "errors", sorted: "time", videoPart: "", maxScore: 1, minSec: 0, maxSec: Infinity, cell: null };
}

// The score that says how sure the network was of an action: of the prediction that found it or came nearest; NaN where
// there is none. Of a prediction its own.
export function scoreOf({ score, partner, near }, kind, i) {
  if (!Number.isNaN(score[i])) return score[i];
  const other = kind === FOUND ? partner[i] : near[i];
  return other >= 0 ? score[other] : Number.NaN;
}

// Row and column of the table of classes in which a segment counts; the last row is "nothing", the last column "missed".
// Of classes alone: a hit and a prediction of the wrong label stand in the row of the action that they lie on.
function cellOf({ label, partner }, kind, i, numClasses) {
  if (kind === MISS) return label[i] * (numClasses + 1) + numClasses;
  const truth = kind === HIT || kind === WRONG_LABEL ? label[partner[i]] : numClasses;
  return truth * (numClasses + 1) + label[i];
}

// state: see `wholeList`, and minScore, topK, hidden, tiou. Returns { n, video, row, kind (columns, as listed), errors
// (of each video, whatever is listed), total (number of errors), cells (of the table, row by row) }.
export function reviewRun(run, state) {
  const { what, videoPart, maxScore, minSec, maxSec, cell, tiou } = state,
    wanted = LISTED[what][1],
    part = videoPart.trim().toLowerCase(),
    size = run.info.classes.length + 1;
  const capacity = run.counts.reduce((sum, _, v) => sum + segmentsOf(run, v, tiou).n, 0);
  const [video, row, entry] = [1, 2, 3].map(() => new Uint32Array(capacity)),
    kinds = new Int8Array(capacity);
  const errors = new Uint32Array(run.counts.length),
    cells = new Uint32Array(size * size);
  let n = 0,
    first = 0;
  for (let v = 0; v < run.counts.length; v++) {
    const segments = segmentsOf(run, v, tiou),
      { start, end } = segments,
      shown = shownKinds(segments, state);
    const named = !part || run.info.videos[v].video.toLowerCase().includes(part);
    for (let i = 0; i < segments.n; i++) {
      const kind = shown[i];
      if (kind === HIDDEN) continue;
      if (isError(kind)) errors[v] += 1;
      const own = kind === FOUND ? -1 : cellOf(segments, kind, i, size - 1),
        length = end[i] - start[i];
      if (own >= 0) cells[own] += 1;
      const listed = named && (cell === null ? wanted(kind) : own === cell) && length >= minSec && length <= maxSec;
      if (!listed || (maxScore < 1 && !(scoreOf(segments, kind, i) <= maxScore))) continue;
      video[n] = v;
      row[n] = i;
      kinds[n] = kind;
      entry[n++] = first + i;
    }
    first += segments.n;
  }
  const total = errors.reduce((a, b) => a + b, 0);
  return sortList(run, state, { n, video, row, kind: kinds, entry, errors, total, cells });
}

function sortList(run, state, list) {
  const { n, video, row, kind, entry } = list,
    { sorted, tiou, minScore } = state;
  const gains = sorted === "gain" ? gainsOf(run, tiou) : null;
  const cut = (column) => column.subarray(0, n);
  const columns = { video: cut(video), row: cut(row), kind: cut(kind), entry: cut(entry) };
  if (sorted === "time") return { ...list, ...columns };
  const score = (k) => scoreOf(segmentsOf(run, video[k], tiou), kind[k], row[k]);
  const keys = {
    score: (k) => 1 - (score(k) || 0),
    doubt: (k) => (Number.isNaN(score(k)) ? 1 : Math.abs(score(k) - minScore)),
    gain: (k) => 1 - gainOf(run, gains, { video, row, kind, entry }, k),
  };
  const order = rising(n, keys[sorted]);
  const take = (column) => order.map((k) => column[k]);
  return {
    ...list,
    video: take(video),
    row: take(row),
    kind: Int8Array.from(order, (k) => kind[k]),
    entry: take(entry),
  };
}

// What the k-th of a list would gain, as a share of 1; what is no error gains nothing.
export function gainOf(run, gains, { video, row, kind, entry }, k) {
  if (kind[k] > HIT) return gains.ofPrediction[entry[k]];
  return kind[k] === MISS ? gains.ofMiss[segmentsOf(run, video[k], gains.tiou).label[row[k]]] : 0;
}

// The position of a segment in a list, -1 where it is not listed.
export function placeInList({ n, video, row }, v, i) {
  for (let k = 0; k < n; k++) if (row[k] === i && video[k] === v) return k;
  return -1;
}

// The first of a list by time that lies after (or, with direction -1, the last before) a time of a video; round at the
// end. Lists in another order begin at their beginning.
export function nextInList(run, list, state, v, sec, direction) {
  const { n, video, row } = list,
    end = direction > 0 ? 0 : n - 1;
  if (state.sorted !== "time") return end;
  const isAfter = (k) => video[k] > v || (video[k] === v && segmentsOf(run, v, state.tiou).start[row[k]] >= sec);
  let low = 0,
    high = n;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isAfter(middle)) high = middle;
    else low = middle + 1;
  }
  return direction > 0 ? low % n : (low - 1 + n) % n;
}
