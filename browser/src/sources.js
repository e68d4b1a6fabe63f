// Where the segments come from: a kernel (anywidget), or the page itself.

import { closeInspector, createComparison, openInspector } from "./compare.js";
import { ORDERS } from "./controls.js";
import { countCorrections, truthOf } from "./correcting.js";
import { keepCorrections } from "./saving.js";
import { segmentColumns } from "./segments.js";

const NUM_FACTS = 5,
  NUM_MATCHING = 3;

// Segments of a video from the bytes of a kernel: facts, then matching.
function unpackSegments(view, n) {
  const bytes = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength); // aligned
  return [new Float64Array(bytes, 0, NUM_FACTS * n), new Float32Array(bytes, NUM_FACTS * 8 * n, NUM_MATCHING * n)];
}

// Questions by message, each with its own number; `answer_questions` in afkit/workbench/inspector/tracks.py answers.
function kernelQuestions(model) {
  const waiting = new Map();
  const receive = (content, buffers) => {
    waiting.get(content.answer)?.({
      ...content,
      data: (buffers ?? []).map(({ buffer, byteOffset, byteLength }) => {
        return buffer.slice(byteOffset, byteOffset + byteLength);
      }),
    });
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

function kernelSource(model) {
  const questions = kernelQuestions(model);
  const settings = () => sharedSettings(model);
  const listeners = [];
  const on = (name, call) => {
    model.on(`change:${name}`, call);
    listeners.push([name, call]);
  };
  const source = {
    info: model.get("info"),
    settings: { video: model.get("video"), tiou: model.get("tiou"), ...settings() },
    slowCurves: true,
    track: (track, video) => questions.ask({ track, video, run: 0 }),
    ask(video, tiou) {
      if (video === model.get("video") && tiou === model.get("tiou")) return source.deliver();
      model.set({ video, tiou });
      return model.save_changes();
    },
    tell({ minScore, topK }) {
      model.set({ min_score: minScore, top_k: topK });
      model.save_changes();
    },
    pick(rows) {
      model.set("picked", rows);
      model.save_changes();
    },
    correct(video, list) {
      const rows = list.map(({ start, end, label }) => [start, end, source.info.label_ids[label]]);
      saveChanges(model, { corrections: { ...model.get("corrections"), [video]: rows } });
    },
    isCorrected: (video) => video in model.get("corrections"),
    numCorrected: () => Object.keys(model.get("corrections")).length,
    deliver() {
      const shown = model.get("shown"),
        columns = unpackSegments(model.get("segments"), shown.segments);
      const read = (rows) => rows.map(([start, end, id]) => ({ start, end, label: source.info.label_ids.indexOf(id) }));
      const original = read(shown.original),
        wanted = model.get("corrections")[shown.video];
      const isStale = countCorrections(wanted ? read(wanted) : original, truthOf(segmentColumns(...columns))) > 0;
      if (!isStale) source.panel.receive({ ...shown, original }, ...columns); // or a later edit is on its way
    },
    connect(panel) {
      source.panel = panel;
      on("shown", () => source.deliver());
      on("min_score", () => panel.settings(settings()));
      on("top_k", () => panel.settings(settings()));
    },
    dispose() {
      listeners.forEach(([name, call]) => model.off(`change:${name}`, call));
      questions.dispose();
    },
  };
  return source;
}

// One of several runs behind one widget; the first one's controls are seen, and tell the kernel.
function kernelRun(model, questions, info, run) {
  const source = {
    info,
    settings: { ...sharedSettings(model), video: model.get("video"), tiou: model.get("tiou") },
    slowCurves: true,
    track: (track, video) => questions.ask({ track, video, run }),
    async ask(video, tiou) {
      source.asked = JSON.stringify([video, tiou]);
      if (run === 0) saveChanges(model, { video, tiou });
      const { data, ...shown } = await questions.ask({ track: "segments", video, tiou, run });
      source.panel.receive(shown, ...unpackSegments(new DataView(data[0]), shown.segments));
    },
    tell: ({ minScore, topK }) => saveChanges(model, { min_score: minScore, top_k: topK }),
    pick() {},
    connect: (panel) => (source.panel = panel),
  };
  return source;
}

function sharedSettings(model) {
  return { minScore: model.get("min_score"), topK: model.get("top_k") };
}

function saveChanges(model, changes) {
  model.set(changes);
  model.save_changes();
}

// The bytes of a base64 text. A plain loop: a function called for each letter takes ten times as long.
function decode(text) {
  const letters = atob(text),
    bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes.buffer;
}

// data: { runs: [...] }, or of one run { info, segments: [{ facts, matching }], tracks: [{ kind: facts and data }] },
// segments and tracks in the order of info.videos, matching by threshold; numbers are base64.
export function openPage(root, data) {
  if (data.runs)
    return createComparison(
      root,
      data.runs.map((run) => pageSource(run)),
    ); // without corrections
  return openInspector(root, keepCorrections(pageSource(data), data));
}

function pageSource(data) {
  const { info } = data;
  const number = new Map(info.videos.map((video, i) => [video.video, i]));
  const first = [...info.videos].sort(ORDERS.errors[1])[0];
  const source = {
    info,
    settings: { video: first?.video ?? "", tiou: info.tiou, minScore: info.min_score, topK: 0 },
    ask: (video, tiou) => source.panel.receive(...source.read(video, tiou)),
    read(video, tiou) {
      const i = number.get(video);
      const { facts, matching } = data.segments[i] ?? { facts: "", matching: {} };
      const shown = { video, tiou, duration_sec: info.videos[i]?.duration_sec ?? 0 };
      const matched = decode(matching[info.tious.indexOf(tiou)] ?? "");
      return [shown, new Float64Array(decode(facts)), new Float32Array(matched)];
    },
    track(kind, video) {
      const track = data.tracks[number.get(video)][kind];
      return Promise.resolve({ ...track, data: track.data.map(decode) });
    },
    tell() {},
    pick() {},
    connect: (panel) => (source.panel = panel),
  };
  return source;
}

function render({ model, el }) {
  const root = document.createElement("div");
  el.append(root);
  return model.get("runs") ? renderComparison(model, root) : renderInspector(model, root);
}

function renderInspector(model, root) {
  const source = kernelSource(model),
    panel = openInspector(root, source);
  return () => {
    closeInspector(panel);
    source.dispose();
  };
}

function renderComparison(model, root) {
  const questions = kernelQuestions(model);
  const sources = model.get("runs").map((info, run) => kernelRun(model, questions, info, run));
  const comparison = createComparison(root, sources);
  root.inspector = comparison;
  const follow = () => {
    // what was set in Python
    const [video, tiou] = [model.get("video"), model.get("tiou")],
      { panel } = sources[0];
    comparison.leader = panel;
    if (sources[0].asked !== JSON.stringify([video, tiou])) sources[0].ask(video, tiou);
    panel.settings(sharedSettings(model));
  };
  for (const name of ["video", "tiou", "min_score", "top_k"]) model.on(`change:${name}`, follow);
  return () => {
    for (const name of ["video", "tiou", "min_score", "top_k"]) model.off(`change:${name}`, follow);
    comparison.dispose();
    questions.dispose();
  };
}

export default { render };
