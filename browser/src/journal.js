// Labels that a kernel keeps in a journal (`Labeller` of afkit/workbench/labelling/widget.py): each change is sent, one
// after the other, and counts as kept when the kernel says so. Until then the page says so where nobody overlooks it.

import { reportEditing } from "./edit_report.js";
import { correctRun } from "./run.js";

const PATIENCE_MS = 4000, // until a kernel that does not answer is called silent
  AGAIN_MS = 2000;

export function takeLabels(model, source, ask) {
  const { info } = source,
    begun = model.get("labelling");
  const unjudged = !info.videos.some((video) => video.predictions);
  const queue = []; // questions about changes that are not kept yet, in their order
  let sending = false;
  Object.assign(source, { readOnly: begun.read_only, keeps: { waiting: 0, error: "", name: begun.journal, at: null } });
  Object.assign(source.settings, {
    editing: !begun.read_only,
    unjudged,
    ...(unjudged ? { what: "actions" } : {}), // there are no errors to list
    states: new Map(Object.entries(begun.states)),
    undo: begun.undo.map((edit) => readEdit(info, edit)),
    redo: begun.redo.map((edit) => readEdit(info, edit)),
  });
  info.comments = begun.comments;
  source.restore = (run) => {
    for (const [video, rows] of Object.entries(begun.segments)) correctRun(run, video, readRows(info, rows));
  };
  const tell = (changes = {}) => {
    Object.assign(source.keeps, { waiting: queue.length, ...changes });
    reportEditing(source.panel);
  };
  const send = async () => {
    if (sending || !queue.length) return;
    sending = true;
    const late = setTimeout(() => tell({ error: "afkit does not answer, perhaps it was ended" }), PATIENCE_MS);
    const { error, refused = "", read_only: readOnly } = await ask(queue[0]);
    clearTimeout(late);
    sending = false;
    if (readOnly) return lose(readOnly);
    if (!error) queue.shift();
    tell(error ? { error } : { error: "", refused, at: refused ? source.keeps.at : new Date() });
    setTimeout(send, error ? AGAIN_MS : 0);
  };
  const lose = (reason) => {
    const lost = queue.splice(0).length;
    source.readOnly = reason;
    source.panel.set({ editing: false });
    tell({ error: "", lost });
  };
  const listOf = (video) => source.panel.run.edited.get(video);
  const enqueue = (video, segments, step) => {
    const state = source.panel.state.states.get(video) ?? "to do";
    queue.push({ track: "keep", run: 0, video, segments, state, step });
    tell();
    send();
  };
  const rowsOf = (list) => list.map((one) => [one.start, one.end, info.label_ids[one.label], one.comment ?? ""]);
  source.pick = (rows) => {
    model.set({ picked: rows });
    model.save_changes();
  };
  source.correct = (video, list, step = "edit") => enqueue(video, rowsOf(list), step);
  source.keepState = (video) => enqueue(video, listOf(video) ? rowsOf(listOf(video)) : null, "state");
  source.addClass = (name) => ask({ track: "label", run: 0, name });
  // Another page may have been opened meanwhile, which then writes.
  const look = async () => {
    if (document.hidden || source.readOnly) return;
    const { read_only: reason } = await ask({ track: "turn", run: 0 });
    if (reason) lose(reason);
  };
  const stay = (event) => queue.length && event.preventDefault(); // asks whether to leave
  document.addEventListener("visibilitychange", look);
  window.addEventListener("focus", look);
  window.addEventListener("beforeunload", stay);
  return () => {
    document.removeEventListener("visibilitychange", look);
    window.removeEventListener("focus", look);
    window.removeEventListener("beforeunload", stay);
  };
}

export function readRows({ label_ids: ids }, rows) {
  return rows.map(([start, end, id, comment]) => ({ start, end, label: ids.indexOf(id), comment: comment ?? "" }));
}

function readEdit(info, [video, before, after]) {
  return { video, before: before && readRows(info, before), after: readRows(info, after) };
}
