// The button "edit", what it brings out, and what says whether changes are kept. Where corrections have nowhere to go,
// there is none of it.

import { button, labelled, make, selection } from "./controls.js";
import {
  acceptPrediction,
  chooseLabel,
  deleteTruth,
  insertTruth,
  redo,
  STATES,
  say,
  toggleEditing,
  undo,
} from "./editing.js";
import {
  acceptMany,
  commentOn,
  mergeWithNext,
  replaceByPrediction,
  searchClass,
  setRecordingState,
  splitTruth,
} from "./labelling.js";

export function editControls(panel) {
  const { source, info } = panel;
  const edit = button("edit", "edit", "correct the annotations (e)", () => toggleEditing(panel));
  edit.hidden = !source.correct;
  const label = selection("label", info.classes.map(classWords).entries(), { "aria-label": "class" });
  label.addEventListener("change", () => chooseLabel(panel, Number(label.value)));
  const state = selection(
    "state",
    STATES.map((one) => [one, one]),
    { "aria-label": "state of this recording", title: "of this recording: done (d), unsure (u)" },
  );
  state.addEventListener("change", () => setRecordingState(panel, state.value));
  state.hidden = !source.keepState;
  const act = (text, role, title, action) => button(text, role, title, () => action(panel));
  const write = async () => say(panel, await source.save());
  const save = act("save annotations", "save", "write a new annotation file", write);
  save.hidden = !source.save;
  const search = act("/", "search-class", "find a class by typing, or add one (/)", () =>
    searchClass(panel, chooseLabel),
  );
  const undoing = act("undo", "undo", "take the last edit back (Ctrl+Z)", undo),
    redoing = act("redo", "redo", "do it again (Ctrl+Shift+Z)", redo);
  const row = make(
    "div",
    { class: "controls edits", role: "group", "aria-label": "editing" },
    labelled("class", "of the selected annotation, else of new ones (1 to 9)", label, search),
    act("add", "add", "a new annotation in the middle of what is seen (Insert; i and o: at the cursor)", insertTruth),
    act("accept", "accept", "the selected prediction becomes an annotation (a)", acceptPrediction),
    act("replace", "replace", "the annotation gets the selected prediction's class and ends (x)", replaceByPrediction),
    act("accept all …", "accept-all", "all predictions of this recording from a score on (Shift+A)", acceptMany),
    act("split", "split", "split the annotation at the cursor (b)", splitTruth),
    act("merge", "merge", "join the annotation with the next of its class (g)", mergeWithNext),
    act("comment", "comment", "comment on the annotation (c)", commentOn),
    act("delete", "delete", "delete the selected annotation (Delete)", deleteTruth),
    undoing,
    redoing,
    state,
    save,
  );
  const corrected = make("p", { class: "count", "data-role": "corrected" });
  const alarm = make("p", { class: "alarm", role: "alert", "data-role": "alarm", hidden: "" });
  const addClass = (name, place) => label.append(make("option", { value: place }, classWords(name, place)));
  return { edit, row, label, state, save, undo: undoing, redo: redoing, corrected, alarm, addClass };
}

// With the key that chooses it.
function classWords(name, place) {
  return place < 9 ? `${place + 1} ${name}` : name;
}
