// Segments of one video in typed columns, by onset: which are shown, and in which row of which lane.

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
  HIDDEN = -1;
export const GT_ROW_PX = 17,
  ROW_PX = 19,
  LANE_GAP_PX = 8; // heights
const FULL_ROWS = 3; // rows of predictions at that height; more share the height of these, down to MIN_ROW_PX
const MIN_ROW_PX = 7,
  MAX_ROWS = 12;
const NARROWEST = 1 / 4000; // of the video: an empty or reversed segment still takes this much room in its row

// facts: Float64Array of 5 columns, matching: Float32Array of 3 columns; see FACTS and MATCHING in
// afkit/workbench/inspector/inspected.py.
export function segmentColumns(facts, matching) {
  const n = facts.length / 5;
  const [start, end, label, score, place] = [0, 1, 2, 3, 4].map((i) => facts.subarray(i * n, (i + 1) * n));
  const [kind, partner, tiou] = [0, 1, 2].map((i) => matching.subarray(i * n, (i + 1) * n));
  return { n, start, end, label, score, place, kind, partner, tiou };
}

export function isTruth(segments, i) {
  return Number.isNaN(segments.score[i]);
}

// The kind that each segment is drawn as, HIDDEN for none. What hides a prediction makes its ground truth a miss.
export function shownKinds(segments, settings) {
  const { n, label, score, place, kind, partner } = segments;
  const passes = (i) => score[i] >= settings.minScore && (settings.topK === 0 || place[i] < settings.topK);
  const shown = new Int8Array(n).fill(HIDDEN);
  for (let i = 0; i < n; i++) {
    if (settings.hidden.has(label[i])) continue;
    if (isTruth(segments, i)) shown[i] = partner[i] >= 0 && passes(partner[i]) ? FOUND : MISS;
    else if (passes(i)) shown[i] = kind[i];
  }
  return shown;
}

function isError(kind) {
  return kind !== HIDDEN && kind !== FOUND && kind !== HIT;
}

// Lanes from top to bottom, in the order in which the classes first happen; classes only predicted follow, best first.
export function arrangeLanes(segments, shown, spanSec, stacked = false) {
  if (stacked) return stackLanes(segments, shown, spanSec);
  const ofClass = new Map(); // label -> { truth, found, order }
  for (let i = 0; i < segments.n; i++) {
    if (shown[i] === HIDDEN) continue;
    const truth = isTruth(segments, i);
    const label = segments.label[i];
    if (!ofClass.has(label)) ofClass.set(label, { truth: [], found: [], order: Infinity });
    const lane = ofClass.get(label);
    (truth ? lane.truth : lane.found).push(i);
    lane.order = Math.min(lane.order, truth ? i : segments.n + segments.place[i]);
  }
  const narrowest = spanSec * NARROWEST;
  const lanes = [...ofClass].sort((a, b) => a[1].order - b[1].order);
  let top = LANE_GAP_PX / 2;
  return lanes.map(([label, { truth, found }]) => {
    const rows = placeRows(segments, truth, narrowest, top, GT_ROW_PX, 2);
    const below = placeRows(segments, found, narrowest, top + rows.height, ROW_PX, FULL_ROWS);
    const lane = { label, top, height: Math.max(rows.height + below.height, GT_ROW_PX), rows: [...rows, ...below] };
    top += lane.height + LANE_GAP_PX;
    return lane;
  });
}

// All ground truth in one lane, all predictions in one below.
function stackLanes(segments, shown, spanSec) {
  let top = LANE_GAP_PX / 2;
  return ["ground truth", "predictions"].map((name, p) => {
    const truth = p === 0,
      ids = [...shown.keys()].filter((i) => shown[i] !== HIDDEN && isTruth(segments, i) === truth);
    const rowPx = truth ? GT_ROW_PX : ROW_PX;
    const rows = placeRows(segments, ids, spanSec * NARROWEST, top, rowPx, MAX_ROWS);
    const lane = { label: -1, name, truth, top, height: Math.max(rows.height, rowPx), rows: [...rows] };
    top += lane.height + LANE_GAP_PX;
    return lane;
  });
}

// Rows such that no two segments of one overlap, as long as MAX_ROWS are enough.
function placeRows(segments, ids, narrowest, top, rowPx, fullRows) {
  const ends = [],
    rows = [];
  for (const i of ids) {
    let row = ends.findIndex((end) => end <= segments.start[i]);
    if (row < 0) row = ends.length < MAX_ROWS ? ends.length : ends.indexOf(Math.min(...ends));
    if (row === rows.length) rows.push({ ids: [], reach: [] });
    const end = Math.max(segments.end[i], segments.start[i] + narrowest);
    ends[row] = Math.max(end, ends[row] ?? -Infinity);
    rows[row].ids.push(i);
    rows[row].reach.push(ends[row]); // no segment up to here ends later
  }
  const height = Math.max(rowPx * Math.min(1, fullRows / Math.max(rows.length, 1)), MIN_ROW_PX);
  rows.forEach((row, r) => Object.assign(row, { top: top + r * height, height }));
  rows.height = rows.length * height;
  return rows;
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

// The segment nearest to a time in the row at a height, at most `slack` seconds away; -1 for none.
export function segmentAt(segments, lanes, time, y, slack) {
  const lane = lanes.find((one) => y >= one.top && y < one.top + one.height);
  const row = lane?.rows.find((one) => y >= one.top && y < one.top + one.height);
  if (!row) return -1;
  let best = -1,
    bestKey = Infinity;
  for (let p = firstReaching(row, time - slack); p < row.ids.length; p++) {
    const i = row.ids[p];
    if (segments.start[i] > time + slack) break;
    const away = Math.max(segments.start[i] - time, time - segments.end[i], 0);
    const key = away * 1e6 + (segments.end[i] - segments.start[i]); // the shortest of those below the pointer
    if (away <= slack && key < bestKey) [best, bestKey] = [i, key];
  }
  return best;
}

// Row (lane and height) of a segment, to bring it into view and to outline it.
export function rowOf(lanes, segments, id) {
  const lane = lanes.find((one) => one.label === segments.label[id] || one.truth === isTruth(segments, id));
  return lane?.rows.find((row) => row.ids.includes(id));
}

export function shownErrors(segments, shown) {
  const errors = [];
  for (let i = 0; i < segments.n; i++) if (isError(shown[i])) errors.push(i);
  return errors;
}
