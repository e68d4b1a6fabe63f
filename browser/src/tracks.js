// What lies below the lanes and shares their time axis: the score of a class over time, the signal, the video.
//
// A source's `track(kind, video)` promises what `read_track` in afkit/workbench/inspector/tracks.py describes;
// `info.tracks` says which kinds there are. A track that takes the kernel time (`source.slowCurves`) is asked for when
// its box is ticked.

import { make, options, selection } from "./controls.js";
import { channelValues, listenToCursor, placeCursor } from "./cursor.js";
import { createPlayback, showMedia, stopPlayback } from "./playback.js";
import { drawCurve, drawSignal, drawSpectrogram } from "./track_drawing.js";

const TRACK_KINDS = { curves: "score over time", signal: "signal", media: "film" };
const TITLES = {
  curves: "what the network says about a class at each moment",
  signal: "what sensors measured, or the sound",
  media: "the recording itself, at the cursor",
};
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
  tracks.playback = createPlayback(panel, tracks.parts.screen);
  panel.set({ curves: curves && !source.slowCurves, signal, media });
  panel.listen((names) => names.has("cursorSec") && panel.state.view && moveCursor(tracks));
  panel.root.addEventListener("drawn", () => updateTracks(tracks));
  listenToCursor(tracks);
  tracks.dispose = () => stopPlayback(tracks.playback);
  return tracks;
}

function layOutTracks(tracks) {
  const { panel, source } = tracks,
    { stage, lower, side } = panel.parts;
  const kinds = Object.keys(TRACK_KINDS).filter((kind) => source.info.tracks[kind]);
  const boxes = Object.fromEntries(
    kinds.map((kind) => {
      const box = make("input", { type: "checkbox", "data-role": `track-${kind}` });
      box.addEventListener("change", () => panel.set({ [kind]: box.checked }));
      return [kind, box];
    }),
  );
  const names = [[FOLLOWED, "of the class pointed at, or of the best"], ...source.info.classes.entries()];
  const choice = selection("track-class", names, { "aria-label": "class whose score is drawn" });
  panel.parts.addClass = joined(panel.parts.addClass, (name, place) => choice.append(...options([[place, name]])));
  choice.addEventListener("change", () => panel.set({ curveOf: Number(choice.value) }));
  const channels = make(
    "details",
    { class: "channels", hidden: "" },
    make("summary", { title: "which are drawn" }, "channels"),
  );
  const channelList = make("div", { class: "drop" });
  channels.append(channelList);
  for (const kind of kinds) {
    lower.append(make("label", { title: TITLES[kind] }, boxes[kind], make("span", {}, TRACK_KINDS[kind])));
    if (kind !== "media") lower.append(kind === "curves" ? choice : channels);
  }
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
  side.prepend(screen);
  stage.after(area);
  return { boxes, choice, channels, channelList, screen, curve, signals, signalSaid, area, lines, panels: [] };
}

const joined =
  (one, other) =>
  (...given) => {
    one(...given);
    other(...given);
  };

function makeTrack(role) {
  const canvas = make("canvas", { role: "img", "data-role": role }),
    said = make("p", { class: "track-said" }),
    values = make("span", { class: "values" });
  return { canvas, said, values, element: make("div", { class: "track" }, canvas, said, values) };
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
  parts.choice.hidden = !on.curves;
  parts.channels.hidden = !on.signal || !parts.panels.length;
  parts.screen.hidden = !on.media;
  parts.area.hidden = !on.curves && !on.signal;
  if (!on.media) stopPlayback(tracks.playback);
  if (on.curves) drawCurveTrack(tracks);
  for (const { track, facts, values } of on.signal ? parts.panels : []) {
    (facts.ticks ? drawSpectrogram : drawSignal)(track.canvas, panel.scene, facts, values);
  }
  moveCursor(tracks);
}

async function askForTrack(tracks, kind) {
  const { panel, source } = tracks,
    { video } = panel.state;
  tracks.held[kind] = { video, answer: null };
  if (kind === "signal") showSignals(tracks, { panels: [], data: [] }, "The signal is being read …");
  if (kind === "media") showMedia(tracks.playback, null);
  const answer = await source.track(kind, video);
  if (tracks.held[kind].video !== video) return; // another video was chosen meanwhile
  tracks.held[kind].answer = kind === "curves" && !answer.error ? openCurves(answer) : answer;
  if (kind === "signal") showSignals(tracks, { panels: [], data: [], ...answer }, answer.error ?? "");
  if (kind === "media") showMedia(tracks.playback, answer);
  updateTracks(tracks);
}

function showSignals(tracks, { panels, data }, sentence) {
  const { parts, panel } = tracks;
  parts.signalSaid.textContent = sentence || panels.map(({ remark }) => remark ?? "").join("");
  parts.panels = panels.map((facts, i) => {
    const values = new (facts.ticks ? Uint8Array : Float32Array)(data[i]);
    return { facts, values, track: makeTrack(facts.ticks ? "spectrogram" : "signal") };
  });
  for (const { facts, track } of parts.panels) track.canvas.setAttribute("aria-label", `${facts.label} over time`);
  parts.signals.replaceChildren(...parts.panels.map(({ track }) => track.element));
  const signals = panels.filter((facts) => !facts.ticks);
  parts.channelList.replaceChildren(...signals.map((facts) => channelBoxes(panel, facts)));
  for (const facts of signals) facts.off = channelsOff(panel, facts);
}

const channelKey = (facts, name) => `${facts.label}\n${name}`;

function channelsOff({ state }, facts) {
  return new Set([...facts.names.keys()].filter((c) => state.off.has(channelKey(facts, facts.names[c]))));
}

// A box for each channel of a panel of signals; what is off stays so in other videos.
function channelBoxes(panel, facts) {
  const boxes = facts.names.map((name) => {
    const box = make("input", { type: "checkbox" }),
      key = channelKey(facts, name);
    box.checked = !panel.state.off.has(key);
    box.addEventListener("change", () => {
      const others = [...panel.state.off].filter((one) => one !== key);
      panel.set({ off: new Set(box.checked ? others : [...others, key]) });
      facts.off = channelsOff(panel, facts);
    });
    return make("label", { class: "class" }, box, make("span", {}, name));
  });
  return make("fieldset", {}, make("legend", {}, facts.label), ...boxes);
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

function moveCursor({ panel, parts, drawn, held }) {
  const curve = held.curves?.answer;
  const read = (seconds) => {
    return drawn?.values ? channelValues({ ...curve, names: [""] }, drawn.values, seconds, 1 / 255) : "";
  };
  const signals = parts.panels.map(({ track, facts, values }) => {
    return { values: track.values, read: (seconds) => (facts.ticks ? "" : channelValues(facts, values, seconds)) };
  });
  placeCursor(panel.scene, parts.lines, [{ values: parts.curve.values, read }, ...signals]);
}
