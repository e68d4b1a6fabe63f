// All segments of a run, with the corrections of its ground truth, and what each segment is at a tIoU. What was
// computed of a video is kept until its tIoU or its corrections change.

import { pairSegments } from "./annotators.js";
import { countCorrections, editedRows, truthOf, withTruth } from "./correcting.js";
import { matchSegments } from "./matching.js";
import { segmentColumns } from "./segments.js";

// buffer: 5 columns of float64 over all videos, one after the other (`pack_run` in afkit/workbench/inspector/inspected.py).
export function openRun(info, buffer) {
  const counts = info.videos.map((video) => video.ground_truths + video.predictions);
  const firsts = [];
  counts.reduce((first, count, v) => {
    firsts[v] = first;
    return first + count;
  }, 0);
  const numbers = new Map(info.videos.map((video, v) => [video.video, v]));
  return { info, facts: new Float64Array(buffer), counts, firsts, numbers, edited: new Map(), edits: 0, kept: [] };
}

// info.comments: { video: the comment of each of its ground truths, in the order of their places }.
function givenSegments(run, v) {
  const segments = segmentColumns(run.facts, run.firsts[v] ?? 0, run.counts[v] ?? 0),
    comments = run.info.comments?.[run.info.videos[v]?.video];
  if (!comments) return segments;
  const { score, place } = segments;
  return { ...segments, comment: [...score].map((one, i) => (Number.isNaN(one) ? comments[place[i]] : "")) };
}

// The ground truth of a video before any correction.
export function originalOf(run, video) {
  return truthOf(givenSegments(run, run.numbers.get(video)));
}

// Another ground truth of a video (a list as of correcting.js); null, or what it was at first, takes corrections back.
export function correctRun(run, video, list) {
  run.edits += 1;
  if (list && countCorrections(originalOf(run, video), list)) run.edited.set(video, list);
  else run.edited.delete(video);
}

// Columns of the v-th video, matched; those of corrected ground truths also as `edited`, with their number.
export function segmentsOf(run, v, tiou) {
  const list = run.edited.get(run.info.videos[v]?.video),
    kept = run.kept[v];
  if (kept && kept.tiou === tiou && kept.list === list) return kept.segments;
  const given = givenSegments(run, v),
    columns = list ? withTruth(given, list) : given,
    { pairs } = run.info.videos[v] ?? {},
    segments = { ...(pairs ? pairSegments(columns, pairs) : matchSegments(columns, tiou)), comment: columns.comment };
  const original = list ? truthOf(given) : null;
  segments.edited = list ? editedRows(segments, original) : [];
  segments.numCorrections = list ? countCorrections(original, list) : 0;
  run.kept[v] = { tiou, list, segments };
  return segments;
}
