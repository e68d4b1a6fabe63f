// Editing by keys.

import { moved, segmentOf, truthRows } from "./correcting.js";
import {
  acceptPrediction,
  chooseLabel,
  deleteTruth,
  insertTruth,
  limitSec,
  pickedTruth,
  redo,
  replaceTruth,
  say,
  toggleEditing,
  undo,
} from "./editing.js";
import {
  acceptMany,
  commentOn,
  markEnd,
  markStart,
  mergeWithNext,
  replaceByPrediction,
  searchClass,
  splitTruth,
  toggleRecordingState,
} from "./labelling.js";
import { goTo } from "./looking.js";
import { HIDDEN } from "./segments.js";

const STEP_SEC = 0.1,
  LONG_STEP_SEC = 1;

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
  A: acceptMany,
  Insert: insertTruth,
  i: markStart,
  o: markEnd,
  x: replaceByPrediction,
  b: splitTruth,
  g: mergeWithNext,
  c: commentOn,
  d: (panel) => toggleRecordingState(panel, "done"),
  u: (panel) => toggleRecordingState(panel, "unsure"),
  "/": (panel) => searchClass(panel, chooseLabel),
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
  else if (plain && /^[1-9]$/.test(key) && key <= panel.info.classes.length) chooseLabel(panel, Number(key) - 1);
  else if (plain && state.part && (key === "ArrowLeft" || key === "ArrowRight")) {
    nudge(panel, (key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? LONG_STEP_SEC : STEP_SEC));
  } else if (key === "Escape" && state.begunSec !== null) panel.set({ begunSec: null });
  else if (key === "Escape" && state.part) choosePart(panel, null);
  else return false;
  return true;
}
