// A kernel as the source of each run's segments and tracks. The model (anywidget) holds what is set on either side:
// video, thresholds, corrections, picks. Segments and tracks are asked for by messages, each with its own number, which
// `Inspector` of afkit/workbench/inspector/widget.py answers one after the other.

import { openInspectors } from "./compare.js";
import { readRows, takeLabels } from "./journal.js";
import { correctRun } from "./run.js";
import { write } from "./saving.js";

// What anywidget calls to show a widget; what it returns ends that.
export function render({ model, el }) {
  const root = document.createElement("div");
  el.append(root);
  const questions = askByMessages(model);
  const sources = model.get("runs").map((info, run) => kernelSource(model, questions.ask, info, run));
  let leave = () => {};
  if (model.get("labelling")?.journal) leave = takeLabels(model, sources[0], questions.ask);
  else if (sources.length === 1 && !sources[0].info.annotators)
    leave = takeCorrections(model, sources[0], questions.ask);
  const inspectors = openInspectors(root, sources);
  const stop = followModel(model, sources[0], inspectors);
  return () => {
    stop();
    leave();
    inspectors.dispose();
    questions.dispose();
  };
}

function askByMessages(model) {
  const waiting = new Map();
  const receive = (content, buffers) => {
    const data = (buffers ?? []).map(
      ({ buffer, byteOffset, byteLength }) => buffer.slice(byteOffset, byteOffset + byteLength), // aligned
    );
    waiting.get(content.answer)?.({ ...content, data });
    waiting.delete(content.answer);
  };
  model.on("msg:custom", receive);
  const ask = (question) =>
    new Promise((resolve) => {
      const id = String(Math.random()); // another view of the same widget hears the answers, too
      waiting.set(id, resolve);
      model.send({ question, id });
    });
  return { ask, dispose: () => model.off("msg:custom", receive) };
}

function kernelSource(model, ask, info, run) {
  const source = {
    info,
    settings: settingsOf(model),
    slowCurves: true,
    track: (track, video) => ask({ track, video, run }),
    open: (receive) => ask({ track: "segments", run }).then(({ data }) => receive(data[0])),
    tell({ video, tiou, minScore, topK }) {
      const changes = { video, tiou, min_score: minScore, top_k: topK };
      const isNew = Object.entries(changes).some(([name, value]) => model.get(name) !== value);
      if (isNew && !source.follows) save(model, changes);
    },
    pick() {},
    connect(panel) {
      source.panel = panel;
    },
  };
  return source;
}

// Of a single run, what is picked and corrected reaches Python, and corrections that are set there are shown. A change
// that comes from Python may be older than what was done here since, so it only leads to a question: the answer knows of
// all that was saved before it.
function takeCorrections(model, source, ask) {
  const { info } = source;
  let saves = false;
  source.pick = (rows) => save(model, { picked: rows });
  source.correct = () => {
    const rows = (list) => list.map(({ start, end, label }) => [start, end, info.label_ids[label]]);
    saves = true;
    save(model, {
      corrections: Object.fromEntries([...source.panel.run.edited].map(([video, list]) => [video, rows(list)])),
    });
    saves = false;
  };
  // Python keeps them, but that of `afkit view` ends with its page.
  const kept = { file: null, saved: "[]" },
    contents = () => JSON.stringify([...source.panel.run.edited]);
  source.save = async () => {
    const saving = contents(),
      { text, error } = await ask({ track: "save", run: 0 });
    if (error) return error;
    if (!(await write(kept, text))) return "Nothing was saved.";
    kept.saved = saving;
    return "Saved a new annotation file; what was not corrected is as in the old one.";
  };
  const stay = (event) => source.panel.run && contents() !== kept.saved && event.preventDefault();
  window.addEventListener("beforeunload", stay);
  source.restore = (run, corrections = model.get("corrections")) => {
    for (const video of new Set([...run.edited.keys(), ...Object.keys(corrections)])) {
      correctRun(run, video, video in corrections ? readRows(info, corrections[video]) : null);
    }
  };
  source.hearCorrections = async () => {
    const { run } = source.panel;
    if (saves || !run) return;
    const { edits } = run,
      { corrections } = await ask({ track: "corrections", run: 0 });
    if (run.edits !== edits) return; // the answer to what was done since then will say more
    source.restore(run, corrections);
    source.panel.refresh();
  };
  return () => window.removeEventListener("beforeunload", stay);
}

// What is set in Python is shown.
function followModel(model, source, inspectors) {
  const follow = () => {
    const { video, tiou, ...settings } = settingsOf(model),
      { panel } = source;
    inspectors.leader = panel;
    source.follows = true; // several settings change one after the other
    if (panel.state.video !== video || panel.state.tiou !== tiou) panel.showVideo(video, tiou);
    panel.set(settings);
    source.follows = false;
  };
  const calls = ["video", "tiou", "min_score", "top_k"].map((name) => [`change:${name}`, follow]);
  if (source.hearCorrections) calls.push(["change:corrections", source.hearCorrections]);
  for (const [event, call] of calls) model.on(event, call);
  return () => calls.forEach(([event, call]) => model.off(event, call));
}

function settingsOf(model) {
  const [video, tiou, minScore, topK] = ["video", "tiou", "min_score", "top_k"].map((name) => model.get(name));
  return { video, tiou, minScore, topK };
}

function save(model, changes) {
  model.set(changes);
  model.save_changes();
}
