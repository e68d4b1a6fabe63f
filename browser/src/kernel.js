// A kernel as the source of each run's segments and tracks. The model (anywidget) holds what is set on either side:
// video, thresholds, corrections, picks. Segments and tracks are asked for by messages, each with its own number, which
// `Inspector` of afkit/workbench/inspector/widget.py answers one after the other.

import { openInspectors } from "./compare.js";
import { countCorrections, truthOf } from "./correcting.js";
import { reportEditing } from "./editing.js";

const NUM_FACTS = 5;
const NUM_MATCHING = 3;

// What anywidget calls to show a widget; what it returns ends that.
export function render({ model, el }) {
  const root = document.createElement("div");
  el.append(root);
  const questions = askByMessages(model);
  const sources = model.get("runs").map((info, run) => kernelSource(model, questions.ask, info, run));
  if (sources.length === 1) takeCorrections(model, sources[0]);
  const inspectors = openInspectors(root, sources);
  const stop = followModel(model, sources, inspectors);
  return () => {
    stop();
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

// The first run's controls tell the kernel. Of several questions for segments the answer to the last one counts.
function kernelSource(model, ask, info, run) {
  const source = {
    info,
    settings: { ...settingsOf(model), video: model.get("video"), tiou: model.get("tiou") },
    slowCurves: true,
    wanted: null, // { video, tiou } of the last question
    waits: false, // for its answer
    track: (track, video) => ask({ track, video, run }),
    async ask(video, tiou) {
      const wanted = { video, tiou };
      Object.assign(source, { wanted, waits: true });
      if (run === 0) save(model, wanted);
      const { data, original, segments, ...shown } = await ask({ track: "segments", video, tiou, run });
      if (source.wanted !== wanted) return;
      source.waits = false;
      const [facts, matching] = unpackSegments(data[0], segments);
      source.panel.receive({ ...shown, original: readRows(info, original) }, facts, matching);
    },
    tell({ minScore, topK }) {
      if (minScore !== model.get("min_score") || topK !== model.get("top_k"))
        save(model, { min_score: minScore, top_k: topK });
    },
    pick() {},
    connect(panel) {
      source.panel = panel;
    },
  };
  return source;
}

// Of a single run, what is picked and corrected reaches Python.
function takeCorrections(model, source) {
  let saves = false; // a change of the corrections that was made here is shown already
  source.pick = (rows) => save(model, { picked: rows });
  source.correct = (video, list) => {
    const rows = list.map(({ start, end, label }) => [start, end, source.info.label_ids[label]]);
    saves = true;
    save(model, { corrections: { ...model.get("corrections"), [video]: rows } });
    saves = false;
    if (source.waits) source.ask(source.wanted.video, source.wanted.tiou); // the answer does not know of it
  };
  source.isCorrected = (video) => video in model.get("corrections");
  source.numCorrected = () => Object.keys(model.get("corrections")).length;
  source.hearCorrections = () => {
    const { panel, info } = source;
    if (saves || !panel.scene.segments) return;
    const rows = model.get("corrections")[panel.state.video];
    const list = rows ? readRows(info, rows) : panel.scene.original;
    if (countCorrections(list, truthOf(panel.scene.segments))) source.ask(source.wanted.video, source.wanted.tiou);
    else reportEditing(panel);
  };
}

// What is set in Python is shown.
function followModel(model, sources, inspectors) {
  const [source] = sources;
  const follow = () => {
    const [video, tiou] = [model.get("video"), model.get("tiou")];
    inspectors.leader = source.panel;
    if (source.wanted.video !== video || source.wanted.tiou !== tiou) source.ask(video, tiou);
    source.panel.set(settingsOf(model));
  };
  const calls = ["video", "tiou", "min_score", "top_k"].map((name) => [`change:${name}`, follow]);
  if (source.hearCorrections) calls.push(["change:corrections", source.hearCorrections]);
  for (const [event, call] of calls) model.on(event, call);
  return () => calls.forEach(([event, call]) => model.off(event, call));
}

function settingsOf(model) {
  return { minScore: model.get("min_score"), topK: model.get("top_k") };
}

function save(model, changes) {
  model.set(changes);
  model.save_changes();
}

function readRows({ label_ids: ids }, rows) {
  return rows.map(([start, end, id]) => ({ start, end, label: ids.indexOf(id) }));
}

// Segments of a video from bytes: facts, then matching.
function unpackSegments(bytes, n) {
  return [new Float64Array(bytes, 0, NUM_FACTS * n), new Float32Array(bytes, NUM_FACTS * 8 * n, NUM_MATCHING * n)];
}
