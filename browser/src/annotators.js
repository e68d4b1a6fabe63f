// Two annotators in one panel: the segments of the one stand where the ground truth does, those of the other where
// predictions do, and what differs was told with them (`compared` of afkit/workbench/inspector/inspected.py).

import { FOUND, HIT, isTruth, KINDS, MISS, NOTHING, WRONG_LABEL } from "./segments.js";

const ENDS = KINDS.indexOf("localisation");

// The columns of a video with the kind, partner and tiou of each segment, and in words how the two differ; pairs: places
// of both (-1 for none) and the words.
export function pairSegments(segments, pairs) {
  const { n, start, end, label, score, place } = segments,
    kind = Int8Array.from(score, (one) => (Number.isNaN(one) ? FOUND : HIT)),
    partner = new Int32Array(n).fill(-1),
    tiou = new Float32Array(n),
    what = new Array(n).fill(""),
    rows = [[], []];
  for (let i = 0; i < n; i++) rows[isTruth(segments, i) ? 0 : 1][place[i]] = i;
  for (const [one, other, words] of pairs) {
    const i = one < 0 ? -1 : rows[0][one],
      j = other < 0 ? -1 : rows[1][other];
    if (j < 0) kind[i] = MISS;
    else if (i < 0) kind[j] = NOTHING;
    else {
      const both = Math.max(Math.min(end[i], end[j]) - Math.max(start[i], start[j]), 0);
      tiou[i] = tiou[j] = both / (end[i] - start[i] + end[j] - start[j] - both);
      [partner[i], partner[j], what[i], what[j]] = [j, i, words, words];
      if (words) kind[i] = kind[j] = label[i] === label[j] ? ENDS : WRONG_LABEL;
    }
  }
  const near = new Int32Array(n).fill(-1);
  return { n, start, end, label, score, place, kind, partner, tiou, near, nearTiou: tiou, what, isTold: true };
}

// What may be listed, and what each kind is called.
export function differenceWords([one, other]) {
  return [
    ["errors", "all differences"],
    ["miss", `only in ${one}`],
    ["background", `only in ${other}`],
    ["wrong label", "other class"],
    ["localisation", "other ends"],
  ];
}

export function kindWords([one, other]) {
  return new Map([
    [FOUND, `${one}, as in ${other}`],
    [HIT, `${other}, as in ${one}`],
    [MISS, `only in ${one}`],
    [NOTHING, `only in ${other}`],
    [WRONG_LABEL, "other class"],
    [ENDS, "other ends"],
  ]);
}

// Lines on a segment beside its class and times.
export function differenceLines({ annotators }, segments, names, i) {
  const { kind, partner, what, tiou } = segments,
    own = isTruth(segments, i) ? 0 : 1,
    lines = [`annotation of ${annotators[own]}`],
    j = partner[i];
  if (j < 0) return kind[i] === FOUND || kind[i] === HIT ? lines : [...lines, kindWords(annotators).get(kind[i])];
  lines.push(what[i] ? `${kindWords(annotators).get(kind[i])}${kind[i] === ENDS ? `: ${what[i]}` : ""}` : "both agree");
  const times = `${segments.start[j].toFixed(2)} to ${segments.end[j].toFixed(2)} s`;
  return [...lines, `${annotators[1 - own]}: ${names[segments.label[j]]}, ${times}`, `tIoU ${tiou[i].toFixed(3)}`];
}

// A row of the list: "only in ann: walk", "other class: walk, sit", "end differs by 2 s: walk".
export function differenceName({ annotators, classes }, { label, kind, partner, what }, i) {
  const words = kind[i] === ENDS ? what[i] : kindWords(annotators).get(kind[i]);
  return `${words}: ${classes[label[i]]}${kind[i] === WRONG_LABEL ? `, ${classes[label[partner[i]]]}` : ""}`;
}
