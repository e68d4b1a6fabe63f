// Where segments stand: a lane for each class, in the order of the classes in every video, and rows within a lane.

import { firstReaching, HIDDEN, isTruth } from "./segments.js";

export const GT_ROW_PX = 17,
  ROW_PX = 19,
  FOLDED_PX = 10, // of a lane in which nothing is shown
  LANE_GAP_PX = 8; // heights
const FULL_ROWS = 3; // rows of predictions at that height; more share the height of these, down to MIN_ROW_PX
const MIN_ROW_PX = 7,
  MAX_ROWS = 12;
const NARROWEST = 1 / 4000; // of the video: an empty or reversed segment still takes this much room in its row

// Lanes from top to bottom. A class that the video has keeps its lane when nothing of it is shown: folded, at its place.
export function arrangeLanes(segments, shown, spanSec, { stacked, hidden }, rowNames) {
  if (stacked) return stackLanes(segments, shown, spanSec, rowNames);
  const ofClass = new Map(); // label -> { truth, found }
  for (let i = 0; i < segments.n; i++) {
    const label = segments.label[i];
    if (hidden.has(label)) continue;
    if (!ofClass.has(label)) ofClass.set(label, { truth: [], found: [] });
    if (shown[i] !== HIDDEN) ofClass.get(label)[isTruth(segments, i) ? "truth" : "found"].push(i);
  }
  const narrowest = spanSec * NARROWEST;
  let top = LANE_GAP_PX / 2;
  return [...ofClass.keys()]
    .sort((a, b) => a - b)
    .map((label) => {
      const { truth, found } = ofClass.get(label);
      const rows = placeRows(segments, truth, narrowest, top, GT_ROW_PX, 2);
      const below = placeRows(segments, found, narrowest, top + rows.height, ROW_PX, FULL_ROWS);
      const height = rows.height + below.height || FOLDED_PX;
      const lane = { label, top, height: Math.max(height, FOLDED_PX), rows: [...rows, ...below] };
      top += lane.height + LANE_GAP_PX;
      return lane;
    });
}

// All ground truth in one lane, all predictions in one below.
function stackLanes(segments, shown, spanSec, rowNames) {
  let top = LANE_GAP_PX / 2;
  return rowNames.map((name, p) => {
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

// Row (height and segments) of a segment, to bring it into view and to outline it; of a hidden one its lane.
export function rowOf(lanes, segments, id) {
  const lane = lanes.find((one) => one.label === segments.label[id] || one.truth === isTruth(segments, id));
  return lane?.rows.find((row) => row.ids.includes(id)) ?? lane;
}
