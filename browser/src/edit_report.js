// What editing says: the controls as they stand, how much was corrected, and whether it is kept.

import { plural } from "./controls.js";
import { pickedTruth, stateOf } from "./editing.js";

export function reportEditing(panel) {
  const { state, parts, scene, run, source } = panel,
    row = scene.segments ? pickedTruth(panel) : -1;
  parts.edit.setAttribute("aria-pressed", state.editing);
  parts.row.hidden = !state.editing;
  parts.undo.disabled = !state.undo.length;
  parts.redo.disabled = !state.redo.length;
  const videos = run?.edited.size ?? 0;
  parts.save.disabled = !videos && ![...state.states.values()].some((one) => one !== "to do");
  parts.label.value = row >= 0 ? scene.segments.label[row] : state.newLabel;
  parts.state.value = stateOf(panel);
  const here = plural(scene.segments?.numCorrections ?? 0, "correction"),
    done = [...state.states.values()].filter((one) => one === "done").length;
  const words = [`${here} in this video (◤), ${plural(videos, "video")} corrected`];
  if (source.keepState) words.push(`${done} of ${panel.info.videos.length} done`);
  if (source.keeps) words.push(keptWords(source.keeps));
  parts.corrected.textContent = words.join("; ");
  parts.corrected.hidden = !state.editing && !videos && !source.keeps;
  const alarm = alarmWords(source);
  if (parts.alarm.textContent !== alarm) parts.alarm.textContent = alarm; // screen readers read what is new
  parts.alarm.hidden = !alarm;
}

function keptWords({ waiting, at, name }) {
  if (waiting) return `${waiting} being kept …`;
  return at ? `kept in ${name} at ${at.toLocaleTimeString()}` : `kept in ${name}`;
}

function alarmWords({ keeps, readOnly }) {
  const changes = (count) => (count === 1 ? "1 change is" : `${count} changes are`);
  if (readOnly) {
    const lost = keeps?.lost ? ` ${changes(keeps.lost)} not kept.` : "";
    return `Only to look at: ${readOnly}.${lost}`;
  }
  if (keeps?.refused) return `The last change CANNOT BE KEPT: ${keeps.refused}. Undo it (Ctrl+Z).`;
  if (!keeps?.error) return "";
  const left = keeps.waiting ? `${changes(keeps.waiting)} NOT SAVED` : "CHANGES ARE NOT SAVED";
  return `${left}: ${keeps.error}. It is tried again; leave this page open.`;
}
