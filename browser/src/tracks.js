// What lies below the lanes and shares their time axis: the score of a class over time, the signal, the video.
//
// A source's `track(kind, video)` promises what `read_track` in afkit/workbench/inspector/tracks.py describes;
// `info.tracks` says which kinds there are. A track that takes the kernel time (`source.slowCurves`) is asked for when
// its box is ticked.

import { make } from "./controls.js";
import { createPlayback, listenToCursor, showMedia, stopPlayback } from "./playback.js";
import { drawCurve, drawSignal, drawSpectrogram } from "./track_drawing.js";

const TRACK_KINDS = { curves: "score over time", signal: "signal", media: "video" };
export const FOLLOWED = -2,
  ANY_CLASS = -1; // in place of a class's position

export function createTracks(panel, source) {
  const { curves, signal, media } = source.info.tracks;
  const tracks = {
    panel,
    source,
    held: {}, // kind -> { video, answer }; answer null while it is waited for
  };
  tracks.parts = layOutTracks(tracks);
  tracks.playback = createPlayback(tracks);
  panel.set({ curves: curves && !source.slowCurves, signal, media });
  panel.listen((names) => names.has("cursorSec") && panel.state.view && placeCursor(tracks));
  panel.root.addEventListener("drawn", () => updateTracks(tracks));
  listenToCursor(tracks);
  tracks.dispose = () => stopPlayback(tracks);
  return tracks;
}

function layOutTracks(tracks) {
  const { panel, source } = tracks,
    { stage, overview } = panel.parts;
  const kinds = Object.keys(TRACK_KINDS).filter((kind) => source.info.tracks[kind]);
  const boxes = Object.fromEntries(
    kinds.map((kind) => {
      const box = make("input", { type: "checkbox", "data-role": `track-${kind}` });
      box.addEventListener("change", () => panel.set({ [kind]: box.checked }));
      return [kind, box];
    }),
  );
  const choice = make("select", { "data-role": "track-class", "aria-label": "class whose score is drawn" });
  const classes = source.info.classes.map((name, i) => [name, i]);
  const names = [["of the class pointed at, or of the best", FOLLOWED], ...classes];
  choice.append(...names.map(([text, value]) => make("option", { value }, text)));
  choice.addEventListener("change", () => panel.set({ curveOf: Number(choice.value) }));
  const labels = kinds.flatMap((kind) => {
    const label = make("label", {}, boxes[kind], make("span", {}, TRACK_KINDS[kind]));
    return kind === "curves" ? [label, choice] : [label];
  });
  const controls = make("div", { class: "controls tracks-controls" }, ...labels);
  controls.hidden = !kinds.length;
  const screen = make("div", { class: "screen" });
  const curve = makeTrack("curve"),
    signals = make("div", {}),
    signalSaid = make("p", { class: "track-said" });
  const area = make("div", { class: "tracks" }, curve.element, signalSaid, signals);
  const lines = [stage, area].map((place) => {
    const line = make("div", { class: "cursor", hidden: "" });
    place.append(line);
    return line;
  });
  overview.before(controls, screen);
  stage.after(area);
  return { boxes, choice, screen, curve, signals, signalSaid, area, lines, panels: [] };
}

function makeTrack(role) {
  const canvas = make("canvas", { role: "img", "data-role": role }),
    said = make("p", { class: "track-said" });
  return { canvas, said, element: make("div", { class: "track" }, canvas, said) };
}

// Ask for what is not there yet, and draw what is.
function updateTracks(tracks) {
  const { panel, parts } = tracks,
    { video, curveOf } = panel.state;
  const offered = Object.entries(tracks.source.info.tracks).filter(([, there]) => there);
  const on = Object.fromEntries(offered.map(([kind]) => [kind, panel.state[kind]]));
  if (!panel.scene.segments || !panel.scene.looks) return;
  for (const kind of Object.keys(TRACK_KINDS)) {
    if (parts.boxes[kind]) parts.boxes[kind].checked = on[kind];
    if (on[kind] && video && tracks.held[kind]?.video !== video) askForTrack(tracks, kind);
  }
  parts.choice.value = curveOf;
  parts.curve.element.hidden = !on.curves;
  parts.signals.hidden = parts.signalSaid.hidden = !on.signal;
  parts.screen.hidden = !on.media;
  parts.area.hidden = !on.curves && !on.signal;
  if (!on.media) stopPlayback(tracks);
  if (on.curves) drawCurveTrack(tracks);
  for (const { canvas, facts, values } of on.signal ? parts.panels : []) {
    (facts.ticks ? drawSpectrogram : drawSignal)(canvas, panel.scene, facts, values);
  }
  placeCursor(tracks);
}

async function askForTrack(tracks, kind) {
  const { panel, source, parts } = tracks,
    { video } = panel.state;
  tracks.held[kind] = { video, answer: null };
  if (kind === "signal") showSignals(parts, { panels: [], data: [] }, "The signal is being read …");
  if (kind === "media") showMedia(tracks, null);
  const answer = await source.track(kind, video);
  if (tracks.held[kind].video !== video) return; // another video was chosen meanwhile
  tracks.held[kind].answer = kind === "curves" && !answer.error ? openCurves(answer) : answer;
  if (kind === "signal") showSignals(parts, { panels: [], data: [], ...answer }, answer.error ?? "");
  if (kind === "media") showMedia(tracks, answer);
  updateTracks(tracks);
}

function showSignals(parts, { panels, data }, sentence) {
  parts.signalSaid.textContent = sentence || panels.map(({ remark }) => remark ?? "").join("");
  parts.panels = panels.map((facts, i) => {
    const values = new (facts.ticks ? Uint8Array : Float32Array)(data[i]);
    return { facts, values, ...makeTrack(facts.ticks ? "spectrogram" : "signal") };
  });
  for (const { canvas, facts } of parts.panels) canvas.setAttribute("aria-label", `${facts.label} over time`);
  parts.signals.replaceChildren(...parts.panels.map(({ element }) => element));
}

function drawCurveTrack(tracks) {
  const { panel, held, parts } = tracks,
    { scene, state } = panel;
  const { canvas, said } = parts.curve,
    answer = held.curves?.answer;
  const curve = answer && !answer.error ? chooseCurve(answer, panel) : null;
  tracks.drawn = curve;
  canvas.hidden = !curve?.values;
  if (curve?.values) {
    said.textContent = "";
    drawCurve(canvas, scene, curve, answer, state.minScore);
    canvas.setAttribute("aria-label", `Score of ${curve.name} over time, threshold ${state.minScore.toFixed(2)}`);
  } else if (curve) {
    said.textContent = `${curve.name} has no score of 0.01 or more in this video.`;
  } else {
    said.textContent = answer ? answer.error : "The score is being computed …";
  }
}

// The rows of values by class, and the class with the highest score.
function openCurves(answer) {
  const { labels, points, data } = answer,
    values = new Uint8Array(data[0]);
  let highest = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[highest]) highest = i;
  const rows = new Map(labels.map((label, row) => [label, values.subarray(row * points, (row + 1) * points)]));
  return { ...answer, rows, best: labels[Math.floor(highest / points)] };
}

// The curve to be drawn: { name, values }, values undefined where the class has none.
function chooseCurve({ rows, best }, { scene, state, info }) {
  if (rows.has(ANY_CLASS)) return { name: "any class", values: rows.get(ANY_CLASS) };
  const row = state.hovered >= 0 ? state.hovered : (state.picked.at(-1) ?? -1);
  const followed = row >= 0 ? scene.segments.label[row] : best;
  const chosen = state.curveOf === FOLLOWED ? followed : state.curveOf;
  return { name: info.classes[chosen] ?? "Every class", values: rows.get(chosen) };
}

// The cursor: a line over lanes and tracks, where a video stands.
function placeCursor({ panel, parts }) {
  const { view, left, width, cursorSec } = panel.scene;
  const x = cursorSec === null ? -1 : left + ((cursorSec - view.from) / (view.to - view.from)) * (width - left);
  for (const line of parts.lines) {
    line.hidden = !(x >= left && x <= width);
    line.style.left = `${x}px`;
  }
}
