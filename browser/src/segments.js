// Segments of one video in typed columns, by onset, and which of them are shown.

export const KINDS = [
  "ground truth",
  "miss",
  "hit",
  "localisation",
  "double detection",
  "wrong label",
  "confusion",
  "background",
];
export const FOUND = 0,
  MISS = 1,
  HIT = 2,
  WRONG_LABEL = 5,
  NOTHING = 7, // a prediction where nothing is
  HIDDEN = -1;

// `n` segments from `first` on of Float64Array of 5 columns; see FACTS in afkit/workbench/inspector/inspected.py.
export function segmentColumns(facts, first = 0, n = facts.length / 5) {
  const total = facts.length / 5;
  const column = (i) => facts.subarray(i * total + first, i * total + first + n);
  return { n, start: column(0), end: column(1), label: column(2), score: column(3), place: column(4) };
}

export function isTruth(segments, i) {
  return Number.isNaN(segments.score[i]);
}

// The kind that each segment is drawn as, HIDDEN for none. What hides a prediction makes its ground truth a miss.
export function shownKinds({ n, label, score, place, kind, partner, isTold }, { minScore, topK, hidden, unjudged }) {
  const passes = (i) => score[i] >= minScore && (topK === 0 || place[i] < topK);
  const shown = new Int8Array(n).fill(HIDDEN);
  for (let i = 0; i < n; i++) {
    if (hidden.size && hidden.has(label[i])) continue;
    if (isTold) shown[i] = kind[i];
    else if (Number.isNaN(score[i])) shown[i] = unjudged || (partner[i] >= 0 && passes(partner[i])) ? FOUND : MISS;
    else if (passes(i)) shown[i] = kind[i];
  }
  return shown;
}

export function isError(kind) {
  return kind !== HIDDEN && kind !== FOUND && kind !== HIT;
}

// Whether a segment counts, and is listed: of two that were told to belong together, the first one does.
export function counts(segments, kind, i) {
  return kind !== HIDDEN && (!segments.isTold || isTruth(segments, i) || kind === NOTHING);
}

// What a segment is to be seen beside: its match, what it is judged by, or of a miss the prediction that came nearest.
export function counterpartOf({ partner, near }, shown, i) {
  return shown[i] === MISS ? near[i] : partner[i];
}

// Position of the first segment of a row that ends after a time: where drawing begins.
export function firstReaching(row, time) {
  let low = 0,
    high = row.reach.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (row.reach[middle] > time) high = middle;
    else low = middle + 1;
  }
  return low;
}
