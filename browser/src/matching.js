// Which prediction found which ground truth: what `match_listed` of afkit/workbench/inspector/inspected.py computes.

import { FOUND, firstReaching, HIT, isTruth, KINDS, MISS, NOTHING } from "./segments.js";

const JUDGED_FROM = 0.1; // tIoU; MIN_TIOU of afkit/workbench/analysis/false_positives.py
const [OVER_OWN, OVER_OTHER, NEAR_OWN, NEAR_OTHER] = [
  "double detection",
  "wrong label",
  "localisation",
  "confusion",
].map((name) => KINDS.indexOf(name));

// The columns of a video by onset, with kind, partner and tiou of each segment, and of each ground truth also `near`:
// the prediction that overlaps it most, of equal ones one of its own class, of these the best (-1 for none), and
// `nearTiou`.
export function matchSegments(segments, threshold) {
  const { n, start, end, label, score, place } = segments;
  const kind = new Int8Array(n).fill(MISS),
    partner = new Int32Array(n).fill(-1),
    tiou = new Float32Array(n),
    near = new Int32Array(n).fill(-1),
    nearTiou = new Float64Array(n); // in full, as equal ones are told apart
  const { truths, reach, byPlace } = sortRows(segments);
  for (const i of byPlace) {
    let found = -1,
      nearest = -1,
      foundTiou = 0,
      nearestTiou = 0;
    for (let t = firstReaching({ reach }, start[i]); t < truths.length; t++) {
      const j = truths[t];
      if (start[j] >= end[i]) break;
      const overlap = Math.min(end[i], end[j]) - Math.max(start[i], start[j]);
      if (!(overlap > 0)) continue;
      const over = overlap / (end[i] - start[i] + (end[j] - start[j]) - overlap),
        own = label[i] === label[j];
      if (isNearer(segments, i, j, nearest, over - nearestTiou)) [nearest, nearestTiou] = [j, over];
      if (over > nearTiou[j] || (over === nearTiou[j] && own && label[near[j]] !== label[j])) {
        [near[j], nearTiou[j]] = [i, over];
      }
      if (!own || kind[j] === FOUND || over < threshold) continue;
      if (over > foundTiou || (over === foundTiou && place[j] > place[found])) [found, foundTiou] = [j, over];
    }
    if (found >= 0) {
      [kind[i], partner[i], tiou[i]] = [HIT, found, foundTiou];
      [kind[found], partner[found], tiou[found]] = [FOUND, i, foundTiou];
    } else {
      [kind[i], partner[i], tiou[i]] = [
        falseKind(nearestTiou, label[nearest] === label[i], threshold),
        nearest,
        nearestTiou,
      ];
    }
  }
  return { n, start, end, label, score, place, kind, partner, tiou, near, nearTiou };
}

// Rows of the ground truths, up to which time none of them ends later, and rows of the predictions by falling score.
function sortRows(segments) {
  const { n, end, place } = segments,
    truths = [],
    reach = [];
  let last = -Infinity;
  for (let i = 0; i < n; i++) {
    if (!isTruth(segments, i)) continue;
    last = Math.max(last, end[i]);
    truths.push(i);
    reach.push(last);
  }
  const byPlace = new Int32Array(n - truths.length);
  for (let i = 0; i < n; i++) if (!isTruth(segments, i)) byPlace[place[i]] = i;
  return { truths, reach, byPlace };
}

// Of equal tIoU, the prediction's own class is nearer; of equal class, the last of the table.
function isNearer({ label, place }, i, j, nearest, gain) {
  if (gain !== 0) return gain > 0;
  const own = label[j] === label[i],
    before = label[nearest] === label[i];
  return own === before ? place[j] > place[nearest] : own;
}

function falseKind(tiou, own, threshold) {
  if (tiou >= threshold) return own ? OVER_OWN : OVER_OTHER;
  if (tiou >= JUDGED_FROM) return own ? NEAR_OWN : NEAR_OTHER;
  return NOTHING;
}
