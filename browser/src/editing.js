// Editing the ground truth. Every edit is a new list, kept for undo and redo.

import { byOnset, keyOf, leftOver, rounded, SHORTEST_SEC, segmentOf, truthOf, truthRows } from "./correcting.js";
import { pick } from "./looking.js";
import { correctRun, originalOf } from "./run.js";
import { isTruth } from "./segments.js";
import { refresh, showVideo } from "./showing.js";

export const STATES = ["to do", "done", "unsure"]; // of a recording

export function toggleEditing(panel) {
  if (panel.source.readOnly) return say(panel, panel.source.readOnly);
  panel.set({ editing: !panel.state.editing, part: null, begunSec: null });
  return panel.canvas.focus();
}

export function stateOf({ state }, video = state.video) {
  return state.states.get(video) ?? STATES[0];
}

export function say(panel, text) {
  panel.parts.said.textContent = text;
}

// Row of the ground truth that was picked last, -1 for none.
export function pickedTruth({ scene, state }) {
  return state.picked.findLast((row) => isTruth(scene.segments, row)) ?? -1;
}

// Row of the prediction that was picked last, -1 for none.
export function pickedFound({ scene, state }) {
  return state.picked.findLast((row) => !isTruth(scene.segments, row)) ?? -1;
}

// Where the shown video ends, as far as it is known.
export function limitSec({ info, state }) {
  return info.videos.find((one) => one.video === state.video)?.known_sec ?? Infinity;
}

// Another ground truth of the shown video; `chosen` is picked in it.
function commitEdit(panel, list, chosen) {
  const { state, scene, source } = panel,
    before = truthOf(scene.segments),
    after = byOnset(list);
  if (!leftOver(after, before).length && after.length === before.length) return;
  if (source.readOnly) return void say(panel, source.readOnly);
  panel.set({ undo: [...state.undo, { video: state.video, before, after }], redo: [] });
  setTruth(panel, state.video, after, chosen);
}

function setTruth(panel, video, list, chosen, step = "edit") {
  const { scene, state, source, run } = panel;
  correctRun(run, video, list);
  source.correct(video, list, step);
  if (video !== state.video) return showVideo(panel, video);
  if (chosen && state.hidden.has(chosen.label))
    panel.set({ hidden: new Set([...state.hidden].filter((label) => label !== chosen.label)) });
  refresh(panel);
  const same = (row) => keyOf(segmentOf(scene.segments, row)) === keyOf(chosen);
  pick(panel, chosen ? truthRows(scene.segments).filter(same).slice(0, 1) : []);
}

// Put `segment` in the place of the ground truth in a row; null deletes, row -1 adds.
export function replaceTruth(panel, row, segment) {
  return replaceTruths(panel, [row], segment ? [segment] : []);
}

export function addTruths(panel, news) {
  return replaceTruths(panel, [], news);
}

// Other ground truths in the place of those of some rows, in one edit; the first of them is picked.
export function replaceTruths(panel, rows, news) {
  const { segments } = panel.scene,
    { label_ids: ids } = panel.info;
  if (news.some((one) => !(one.end - one.start >= SHORTEST_SEC / 2))) {
    return say(panel, "That is too short to be an action.");
  }
  if (news.some((one) => !(ids[one.label] >= 0))) return say(panel, "Its class is not known: choose another one.");
  const kept = truthRows(segments)
    .filter((one) => !rows.includes(one))
    .map((one) => segmentOf(segments, one));
  return commitEdit(panel, [...kept, ...news], news[0]);
}

export function undo(panel, from = "undo", to = "redo", which = "before") {
  const { [from]: edits, [to]: others } = panel.state,
    edit = edits.at(-1);
  if (!edit) return say(panel, `There is nothing to ${from}.`);
  if (panel.source.readOnly) return say(panel, panel.source.readOnly);
  panel.set({ [from]: edits.slice(0, -1), [to]: [...others, edit] });
  const before = edit.before ?? originalOf(panel.run, edit.video), // null: of a time before this page
    [list, other] = which === "before" ? [before, edit.after] : [edit.after, before];
  return setTruth(panel, edit.video, list, list[leftOver(list, other)[0]], from);
}

export function redo(panel) {
  return undo(panel, "redo", "undo", "after");
}

export function deleteTruth(panel) {
  const row = pickedTruth(panel);
  if (row < 0) return say(panel, "Select an annotation first.");
  return replaceTruth(panel, row, null);
}

// The picked prediction becomes an annotation, with its ends and class.
export function acceptPrediction(panel) {
  const { scene } = panel,
    row = pickedFound(panel);
  if (row < 0) return say(panel, "Select a prediction first.");
  const { start, end, label } = segmentOf(scene.segments, row),
    limit = limitSec(panel);
  const accepted = { start: rounded(start, limit), end: rounded(end, limit), label };
  const there = truthOf(scene.segments).some((one) => keyOf({ ...one, comment: "" }) === keyOf(accepted));
  return there ? say(panel, "This is annotated already.") : replaceTruth(panel, -1, accepted);
}

// A new annotation in the middle of the view, a tenth of it long, to be moved by keys.
export function insertTruth(panel) {
  const { from, to } = panel.state.view,
    limit = limitSec(panel),
    label = panel.state.newLabel;
  const [start, end] = [0.45, 0.55].map((share) => rounded(from + share * (to - from), limit));
  replaceTruth(panel, -1, { start, end, label });
}

// The class of the picked annotation; without one, that of new annotations.
export function chooseLabel(panel, label) {
  const row = pickedTruth(panel);
  panel.set({ newLabel: label });
  say(panel, `class of the next new annotation: ${panel.info.classes[label]}`);
  if (row >= 0) replaceTruth(panel, row, { ...segmentOf(panel.scene.segments, row), label });
}
