// Editing the ground truth: what the buttons and keys do. Every edit is a new list, kept for undo and redo.

import { byOnset, keyOf, leftOver, moved, rounded, SHORTEST_SEC, segmentOf, truthOf, truthRows } from "./correcting.js";
import { goTo, pick } from "./looking.js";
import { correctRun } from "./run.js";
import { HIDDEN, isTruth } from "./segments.js";
import { refresh, showVideo } from "./showing.js";

const STEP_SEC = 0.1,
  LONG_STEP_SEC = 1;

export function toggleEditing(panel) {
  panel.set({ editing: !panel.state.editing, part: null });
  panel.canvas.focus();
}

export function say(panel, text) {
  panel.parts.said.textContent = text;
}

// Row of the ground truth that was picked last, -1 for none.
function pickedTruth({ scene, state }) {
  return state.picked.findLast((row) => isTruth(scene.segments, row)) ?? -1;
}

// Where the shown video ends, as far as it is known.
export function limitSec({ info, state }) {
  return info.videos.find((one) => one.video === state.video)?.known_sec ?? Infinity;
}

// Another ground truth of the shown video; `chosen` is picked in it.
function commitEdit(panel, list, chosen) {
  const { state, scene } = panel,
    before = truthOf(scene.segments),
    after = byOnset(list);
  if (!leftOver(after, before).length && after.length === before.length) return;
  panel.set({ undo: [...state.undo, { video: state.video, before, after }], redo: [] });
  setTruth(panel, state.video, after, chosen);
}

function setTruth(panel, video, list, chosen) {
  const { scene, state, source, run } = panel;
  correctRun(run, video, list);
  source.correct(video, list);
  if (video !== state.video) return showVideo(panel, video);
  if (chosen && state.hidden.has(chosen.label))
    panel.set({ hidden: new Set([...state.hidden].filter((label) => label !== chosen.label)) });
  refresh(panel);
  const same = (row) => keyOf(segmentOf(scene.segments, row)) === keyOf(chosen);
  pick(panel, chosen ? truthRows(scene.segments).filter(same).slice(0, 1) : []);
}

// Put `segment` in the place of the ground truth in a row; null deletes, row -1 adds.
export function replaceTruth(panel, row, segment) {
  const { segments } = panel.scene,
    { label_ids: ids } = panel.info;
  const isLong = !segment || segment.end - segment.start >= SHORTEST_SEC / 2;
  if (!isLong) return say(panel, "That is too short to be an action.");
  if (segment && !(ids[segment.label] >= 0)) return say(panel, "Its class is not known: choose another one.");
  const kept = truthRows(segments)
    .filter((one) => one !== row)
    .map((one) => segmentOf(segments, one));
  return commitEdit(panel, segment ? [...kept, segment] : kept, segment);
}

export function undo(panel, from = "undo", to = "redo", which = "before") {
  const { [from]: edits, [to]: others } = panel.state,
    edit = edits.at(-1);
  if (!edit) return say(panel, `There is nothing to ${from}.`);
  panel.set({ [from]: edits.slice(0, -1), [to]: [...others, edit] });
  const other = which === "before" ? edit.after : edit.before,
    list = edit[which];
  return setTruth(panel, edit.video, list, list[leftOver(list, other)[0]]);
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
  const { scene, state } = panel,
    row = state.picked.findLast((one) => !isTruth(scene.segments, one)) ?? -1;
  if (row < 0) return say(panel, "Select a prediction first.");
  const { start, end, label } = segmentOf(scene.segments, row),
    limit = limitSec(panel);
  const accepted = { start: rounded(start, limit), end: rounded(end, limit), label };
  const there = truthOf(scene.segments).some((one) => keyOf(one) === keyOf(accepted));
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
  if (row >= 0) replaceTruth(panel, row, { ...segmentOf(panel.scene.segments, row), label });
}

function choosePart(panel, part) {
  if (pickedTruth(panel) < 0) return say(panel, "Select an annotation first.");
  return panel.set({ part });
}

function nudge(panel, bySec) {
  const row = pickedTruth(panel),
    { part } = panel.state;
  replaceTruth(panel, row, moved(segmentOf(panel.scene.segments, row), part, bySec, limitSec(panel)));
  panel.set({ part });
}

// To the next annotation shown, round at the end.
function stepTruth(panel, direction) {
  const { segments, shown } = panel.scene,
    rows = truthRows(segments).filter((row) => shown[row] !== HIDDEN);
  if (!rows.length) return say(panel, "No annotation is shown.");
  const at = rows.indexOf(pickedTruth(panel)),
    first = direction > 0 ? 0 : rows.length - 1;
  return goTo(panel, at < 0 ? rows[first] : rows[(at + direction + rows.length) % rows.length]);
}

const EDIT_KEYS = {
  a: acceptPrediction,
  i: insertTruth,
  Delete: deleteTruth,
  Backspace: deleteTruth,
  "[": (panel) => choosePart(panel, "start"),
  "]": (panel) => choosePart(panel, "end"),
  m: (panel) => choosePart(panel, "whole"),
  j: (panel) => stepTruth(panel, 1),
  k: (panel) => stepTruth(panel, -1),
};

// True if the key was one of editing.
export function editKey(panel, event) {
  const { state } = panel,
    { key } = event,
    command = event.ctrlKey || event.metaKey;
  const plain = event.getModifierState("AltGraph") || !(command || event.altKey); // brackets may need AltGr
  if (plain && key === "e" && panel.source.correct) toggleEditing(panel);
  else if (!state.editing) return false;
  else if (command && key.toLowerCase() === "z") (event.shiftKey ? redo : undo)(panel);
  else if (plain && EDIT_KEYS[key]) EDIT_KEYS[key](panel);
  else if (plain && state.part && (key === "ArrowLeft" || key === "ArrowRight")) {
    nudge(panel, (key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? LONG_STEP_SEC : STEP_SEC));
  } else if (key === "Escape" && state.part) choosePart(panel, null);
  else return false;
  return true;
}

// The controls of editing as they stand, and the number of corrections in words.
export function reportEditing(panel) {
  const { state, parts, scene, run } = panel,
    row = scene.segments ? pickedTruth(panel) : -1;
  parts.edit.setAttribute("aria-pressed", state.editing);
  parts.row.hidden = !state.editing;
  parts.undo.disabled = !state.undo.length;
  parts.redo.disabled = !state.redo.length;
  const videos = run?.edited.size ?? 0,
    plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  parts.save.disabled = !videos;
  parts.label.value = row >= 0 ? scene.segments.label[row] : state.newLabel;
  const here = plural(scene.segments?.numCorrections ?? 0, "correction");
  parts.corrected.textContent = `${here} in this video (◤), ${plural(videos, "video")} corrected`;
  parts.corrected.hidden = !state.editing && !videos;
}
