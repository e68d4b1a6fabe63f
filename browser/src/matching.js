// Which prediction found which ground truth: what `match_listed` of afkit/workbench/inspector/inspected.py computes,
// for edited segments.

import { FOUND, firstReaching, HIT, isTruth, KINDS, MISS } from "./segments.js";

const JUDGED_FROM = 0.1; // tIoU; MIN_TIOU of afkit/workbench/analysis/false_positives.py

function tiouOf({ start, end }, i, j) {
  const overlap = Math.max(Math.min(end[i], end[j]) - Math.max(start[i], start[j]), 0);
  const union = end[i] - start[i] + (end[j] - start[j]) - overlap;
  return union > 0 ? overlap / union : 0;
}

// segments: columns of a video by onset. Returns Float32Array of kind, partner and tIoU, one after the other.
export function matchSegments(segments, threshold) {
  const { n, label, place } = segments,
    columns = new Float32Array(3 * n);
  const [kind, partner, tiou] = [0, 1, 2].map((i) => columns.subarray(i * n, (i + 1) * n));
  const rows = [...Array(n).keys()],
    truths = rows.filter((i) => isTruth(segments, i));
  const reach = []; // no truth up to here ends later
  truths.forEach((i, t) => reach.push(Math.max(segments.end[i], reach[t - 1] ?? -Infinity)));
  kind.fill(MISS);
  partner.fill(-1);
  for (const i of rows.filter((row) => !isTruth(segments, row)).sort((a, b) => place[a] - place[b])) {
    let found = -1,
      nearest = -1,
      foundTiou = 0,
      nearestTiou = 0;
    for (let t = firstReaching({ reach }, segments.start[i]); t < truths.length; t++) {
      const j = truths[t];
      if (segments.start[j] >= segments.end[i]) break;
      const overlap = tiouOf(segments, i, j),
        own = label[i] === label[j];
      if (overlap === 0) continue;
      if (isNearer(segments, i, j, nearest, overlap - nearestTiou)) [nearest, nearestTiou] = [j, overlap];
      if (!own || kind[j] === FOUND || overlap < threshold) continue;
      if (overlap > foundTiou || (overlap === foundTiou && place[j] > place[found])) [found, foundTiou] = [j, overlap];
    }
    if (found >= 0) {
      [kind[i], partner[i], tiou[i]] = [HIT, found, foundTiou];
      [kind[found], partner[found], tiou[found]] = [FOUND, i, foundTiou];
    } else {
      const judged = falseKind(nearestTiou, label[nearest] === label[i], threshold);
      [kind[i], partner[i], tiou[i]] = [judged, nearest, nearestTiou];
    }
  }
  return columns;
}

// Of equal tIoU, the prediction's own class is nearer; of equal class, the last of the table.
function isNearer({ label, place }, i, j, nearest, gain) {
  if (gain !== 0) return gain > 0;
  const own = label[j] === label[i],
    before = label[nearest] === label[i];
  return own === before ? place[j] > place[nearest] : own;
}

function falseKind(tiou, own, threshold) {
  const name =
    tiou >= threshold
      ? own
        ? "double detection"
        : "wrong label"
      : tiou >= JUDGED_FROM
        ? own
          ? "localisation"
          : "confusion"
        : "background";
  return KINDS.indexOf(name);
}
