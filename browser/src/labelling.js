// What a labeller does beside moving ends: start and end at the cursor, replace, split, merge, accept many, comment, new
// classes, and the state of a recording.

import { overlapOf, rounded, segmentOf, truthOf, truthRows } from "./correcting.js";
import {
  addTruths,
  limitSec,
  pickedFound,
  pickedTruth,
  replaceTruth,
  replaceTruths,
  STATES,
  say,
  stateOf,
} from "./editing.js";
import { askName, askNumber, askText } from "./prompts.js";
import { HIDDEN, HIT, isTruth } from "./segments.js";

const SAME_ACTION = 0.5; // tIoU with an annotation of its class from which a prediction is not accepted beside it

// Where the film or the pointer is.
function nowSec(panel) {
  const { cursorSec, view } = panel.state;
  return rounded(cursorSec ?? (view.from + view.to) / 2, limitSec(panel));
}

// The start of the selected annotation, if it ends later; else the start of a new one, whose end is still to come.
export function markStart(panel) {
  const row = pickedTruth(panel),
    now = nowSec(panel);
  if (row >= 0 && now < panel.scene.segments.end[row]) {
    return replaceTruth(panel, row, { ...segmentOf(panel.scene.segments, row), start: now });
  }
  panel.pick([]);
  panel.set({ begunSec: now });
  return say(panel, `${panel.info.classes[panel.state.newLabel]} from ${now.toFixed(2)} s: o sets its end.`);
}

export function markEnd(panel) {
  const row = pickedTruth(panel),
    now = nowSec(panel),
    { begunSec, newLabel } = panel.state;
  if (begunSec !== null) {
    if (now <= begunSec) return say(panel, `It began at ${begunSec.toFixed(2)} s: its end must be later.`);
    panel.set({ begunSec: null });
    return replaceTruth(panel, -1, { start: begunSec, end: now, label: newLabel });
  }
  if (row < 0) return say(panel, "Set the start first (i), or select an annotation.");
  if (now <= panel.scene.segments.start[row]) return say(panel, "Its end must be later than its start.");
  return replaceTruth(panel, row, { ...segmentOf(panel.scene.segments, row), end: now });
}

// The annotation that a prediction is judged by gets its ends and its class: it is corrected, not doubled.
export function replaceByPrediction(panel) {
  const { segments } = panel.scene,
    picked = pickedTruth(panel);
  const found = pickedFound(panel) >= 0 ? pickedFound(panel) : picked >= 0 ? (segments.partner[picked] ?? -1) : -1,
    row = picked >= 0 ? picked : found >= 0 ? segments.partner[found] : -1;
  if (found < 0) return say(panel, "Select a prediction, which then replaces the annotation below it.");
  if (row < 0) return say(panel, "No annotation overlaps this prediction: a accepts it.");
  const { start, end, label } = segmentOf(segments, found),
    limit = limitSec(panel);
  const after = { ...segmentOf(segments, row), start: rounded(start, limit), end: rounded(end, limit), label };
  return replaceTruth(panel, row, after);
}

export function splitTruth(panel) {
  const row = pickedTruth(panel),
    now = nowSec(panel);
  if (row < 0) return say(panel, "Select an annotation first.");
  const whole = segmentOf(panel.scene.segments, row);
  if (!(now > whole.start && now < whole.end))
    return say(panel, "Put the cursor into the annotation to split it there.");
  return replaceTruths(
    panel,
    [row],
    [
      { ...whole, end: now },
      { ...whole, start: now },
    ],
  );
}

export function mergeWithNext(panel) {
  const row = pickedTruth(panel),
    { segments } = panel.scene;
  if (row < 0) return say(panel, "Select an annotation first.");
  const next = truthRows(segments).find((one) => one > row && segments.label[one] === segments.label[row]);
  if (next === undefined) return say(panel, "No later annotation is of its class.");
  const [one, other] = [row, next].map((each) => segmentOf(segments, each));
  const comment = [...new Set([one.comment, other.comment])].filter(Boolean).join("; ");
  return replaceTruths(panel, [row, next], [{ ...one, end: Math.max(one.end, other.end), comment }]);
}

// All predictions that are shown become annotations, from a score on that is asked for, in one edit.
export async function acceptMany(panel) {
  const { scene, state } = panel,
    { segments, shown } = scene,
    truths = truthOf(segments);
  const isNew = (row) => {
    const one = segmentOf(segments, row);
    return !truths.some((truth) => truth.label === one.label && overlapOf(truth, one) >= SAME_ACTION);
  };
  const rows = [...segments.score.keys()].filter((row) => {
    const isKnown = panel.info.label_ids[segments.label[row]] >= 0;
    return !isTruth(segments, row) && shown[row] !== HIDDEN && shown[row] !== HIT && isKnown && isNew(row);
  });
  if (!rows.length) return say(panel, "No prediction is shown that is not annotated already.");
  const above = (score) => rows.filter((row) => segments.score[row] >= score);
  const words = "Accept the predictions of this recording that are shown, with a score from here on:";
  const score = await askNumber(panel, words, state.minScore.toFixed(2), (from) => {
    const count = above(from).length;
    return [`accept ${count}`, count === 0];
  });
  if (score === null) return null;
  const limit = limitSec(panel);
  return addTruths(
    panel,
    above(score).map((row) => {
      const { start, end, label } = segmentOf(segments, row);
      return { start: rounded(start, limit), end: rounded(end, limit), label };
    }),
  );
}

export async function commentOn(panel) {
  const row = pickedTruth(panel);
  if (!panel.source.keepState)
    return say(panel, "Comments are kept by the pages of afkit label and afkit view --html.");
  if (row < 0) return say(panel, "Select an annotation first.");
  const before = segmentOf(panel.scene.segments, row);
  const comment = await askText(panel, "Comment on this annotation:", before.comment);
  return comment === null ? null : replaceTruth(panel, row, { ...before, comment });
}

// A class by typing a part of its name; a name that is none becomes one.
export async function searchClass(panel, choose) {
  const { info, source } = panel,
    { picked } = panel.state;
  const found = await askName(panel, "Class (type a part of its name, Enter takes the first):", info.classes);
  if (!found) return;
  if ("place" in found) {
    choose(panel, found.place);
    return;
  }
  if (!source.addClass) {
    say(panel, `There is no class “${found.name}”, and none can be added here.`);
    return;
  }
  const { label_id: id, error } = await source.addClass(found.name);
  if (error) {
    say(panel, `The class was not added: ${error}.`);
    return;
  }
  const place = placeOfClass(panel, found.name, id);
  if (panel.state.picked === picked) choose(panel, place);
  else say(panel, `The class “${found.name}” was added; the annotation that was selected meanwhile keeps its own.`);
}

// The place of a class, which is made where there is none of this id.
export function placeOfClass(panel, name, id) {
  const { info, parts } = panel;
  if (info.label_ids.includes(id)) return info.label_ids.indexOf(id);
  info.classes.push(name);
  info.label_ids.push(id);
  parts.addClass(name, info.classes.length - 1);
  if (panel.run && panel.scene.segments) panel.filter(); // what counts by class
  return info.classes.length - 1;
}

export function setRecordingState(panel, value) {
  const { state, source } = panel;
  if (!source.keepState) return;
  if (source.readOnly) {
    say(panel, source.readOnly);
    return;
  }
  panel.set({ states: new Map(state.states).set(state.video, value) });
  source.keepState(state.video, value);
  panel.parts.videos.fill(state.video);
  say(panel, `${state.video}: ${value}`);
}

// A second time, the recording is to do again.
export function toggleRecordingState(panel, value) {
  setRecordingState(panel, stateOf(panel) === value ? STATES[0] : value);
}
