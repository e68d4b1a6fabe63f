// How much the mAP at a tIoU would rise if one error alone were gone. Average precision here is the mean, over the
// ground truths of a class, of the precision at the score of the prediction that found each (0 where none did; not
// interpolated). A false prediction is gone when it is taken away; a miss, when a prediction above all others finds it.

import { segmentsOf } from "./run.js";
import { HIT, isTruth } from "./segments.js";
import { rising } from "./sorting.js";

// { ofPrediction: Float64Array by place in the run, ofMiss: Float64Array by class }; shares of 1.
export function gainsOf(run, tiou) {
  if (run.gains?.tiou === tiou && run.gains.edits === run.edits) return run.gains;
  const { key, label, hit, entry, numTruths, total } = collectPredictions(run, tiou);
  const known = numTruths.reduce((sum, count) => sum + (count > 0), 0);
  const order = rising(key);
  const ofPrediction = new Float64Array(total),
    ofMiss = Float64Array.from(numTruths, (count) => (count ? 1 / (count * known) : 0)); // of classes never predicted
  for (let from = 0; from < order.length; ) {
    const own = label[order[from]],
      share = ofMiss[own];
    let to = from;
    while (to < order.length && label[order[to]] === own) to++;
    const tell = (i, gain) => (ofPrediction[entry[i]] = share * gain);
    ofMiss[own] = share * gainOfClass(order.subarray(from, to), hit, tell);
    from = to;
  }
  run.gains = { tiou, edits: run.edits, ofPrediction, ofMiss };
  return run.gains;
}

// Columns of the predictions of all videos, and the number of ground truths of each class. `key` rises with the class,
// and within a class with falling score.
function collectPredictions(run, tiou) {
  const numTruths = new Float64Array(run.info.classes.length),
    total = run.counts.reduce((sum, _, v) => sum + segmentsOf(run, v, tiou).n, 0);
  const key = new Float64Array(total),
    label = new Int32Array(total),
    hit = new Uint8Array(total),
    entry = new Uint32Array(total);
  let n = 0,
    first = 0;
  for (let v = 0; v < run.counts.length; v++) {
    const segments = segmentsOf(run, v, tiou);
    for (let i = 0; i < segments.n; i++) {
      const own = segments.label[i];
      if (isTruth(segments, i)) {
        numTruths[own] += 1;
        continue;
      }
      key[n] = (own + 1 - Math.min(Math.max(segments.score[i], 0), 1)) / (numTruths.length + 1);
      label[n] = own;
      hit[n] = segments.kind[i] === HIT;
      entry[n++] = first + i;
    }
    first += segments.n;
  }
  return { key: key.subarray(0, n), label, hit, entry, numTruths, total };
}

// Predictions of a class by falling score: `tell(i, gain)` for each that is false; returns the gain of a miss that is
// found first of all. Both in units of one ground truth.
function gainOfClass(order, hit, tell) {
  const hitsUpTo = new Float64Array(order.length);
  let hits = 0;
  for (let r = 0; r < order.length; r++) hitsUpTo[r] = hits += hit[order[r]];
  let removed = 0,
    added = 1;
  for (let r = order.length - 1; r >= 0; r--) {
    const rank = r + 1;
    if (!hit[order[r]]) tell(order[r], removed);
    else {
      removed += hitsUpTo[r] / (rank - 1) - hitsUpTo[r] / rank; // of the very first, none is asked for
      added += (hitsUpTo[r] + 1) / (rank + 1) - hitsUpTo[r] / rank;
    }
  }
  return added;
}
