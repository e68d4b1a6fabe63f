// The film: the frame at the cursor, and a cursor that moves while it plays.

import { make, selection } from "./controls.js";
import { INTO_FRAME_SEC, neighbourFrame } from "./frames.js";
import { createGrip } from "./grip.js";
import { restCursor } from "./looking.js";

const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 4];
const REMEDY = "convert it to .mp4 (H.264) or .webm, e.g. with VLC";
const SOUND = /\.(wav|flac|mp3|og[ga]|opus|m4a|aac|wma|aiff?)$/i;
const FRAME_SEC = 0.04; // where neither the annotation file nor the film has said how long a frame is

export function createPlayback(panel, place) {
  const video = make("video", { preload: "auto", playsinline: "", "data-role": "film" });
  const said = make("p", { class: "track-said", role: "status", "data-role": "film-said" });
  const bar = playBar(panel);
  const frame = make("div", { class: "film" }, video),
    grip = createGrip(frame, true, "drag: the picture becomes larger or smaller");
  const playback = {
    panel,
    video,
    said,
    frame,
    grip,
    ...bar,
    address: "",
    zeroSec: 0, // what the player's clock says at second 0 of the recording
    wantedSec: 0, // on the player's clock
    frameSec: null,
    toldSec: null,
  };
  bar.play.addEventListener("click", () => togglePlayback(playback));
  bar.back.addEventListener("click", () => stepFrame(playback, -1));
  bar.on.addEventListener("click", () => stepFrame(playback, 1));
  listenToFilm(playback);
  panel.listen((names) => followState(playback, names));
  place.append(said, frame, grip, bar.bar);
  panel.film = { toggle: () => togglePlayback(playback), stepFrame: (by) => stepFrame(playback, by) };
  sayMedia(playback, "");
  return playback;
}

function playBar(panel) {
  const act = (text, role, title) => make("button", { type: "button", "data-role": role, title }, text);
  const play = act("play", "play", "play and pause (Space)"),
    back = act("‹", "frame-back", "one frame back (,)"),
    on = act("›", "frame-on", "one frame on (.)"),
    time = make("output", {});
  const speed = selection(
    "speed",
    SPEEDS.map((times) => [times, `× ${times}`]),
    { "aria-label": "speed", title: "how fast it plays" },
  );
  speed.addEventListener("change", () => panel.set({ speed: Number(speed.value) }));
  const box = (role, name, words, title) => {
    const input = make("input", { type: "checkbox", "data-role": role });
    input.addEventListener("change", () => panel.set({ [name]: input.checked }));
    return [input, make("label", { title }, input, make("span", {}, words))];
  };
  const [loops, loopLabel] = box("loop", "loops", "repeat", "play the selected segment again and again (r)");
  const [sound, soundLabel] = box("sound", "sound", "sound", "sound on and off (s)");
  const bar = make("div", { class: "controls" }, play, back, on, speed, loopLabel, soundLabel, time);
  return { bar, play, back, on, time, speed, loops, sound };
}

function listenToFilm(playback) {
  const { panel, video, play } = playback;
  video.muted = true; // until it is asked for: browsers refuse to play others without a click
  video.addEventListener("error", () => {
    if (!video.getAttribute("src")) return;
    const reasons = "it is missing, damaged, or of a format that this browser does not know";
    sayMedia(
      playback,
      `'${playback.file}' cannot be played: ${reasons} (then ${REMEDY}). Labels can be set without it.`,
    );
  });
  video.addEventListener("loadedmetadata", () => {
    sayMedia(playback, "");
    if (!video.videoWidth) showSound(playback);
    if (panel.state.cursorSec === null) restCursor(panel, 0);
    else seek(playback, panel.state.cursorSec);
  });
  video.addEventListener("play", () => {
    play.textContent = "pause";
    video.playbackRate = panel.state.speed;
    watchFrames(playback);
    followFilm(playback);
  });
  video.addEventListener("pause", () => {
    play.textContent = "play";
    restCursor(panel, Math.max(video.currentTime - playback.zeroSec, 0));
  });
  video.addEventListener("seeked", () => {
    if (playback.steps) return;
    if (video.paused && Math.abs(video.currentTime - playback.wantedSec) > 1e-4) seek(playback, playback.wantedSec);
  });
}

function sayMedia({ said, frame, grip, bar }, sentence) {
  said.textContent = sentence;
  frame.hidden = grip.hidden = bar.hidden = sentence !== "";
}

// Of a sound there is no picture, and of a film whose pictures this browser cannot decode; who has not chosen hears it.
function showSound({ panel, said, frame, grip, file }) {
  frame.hidden = grip.hidden = true;
  if (!SOUND.test(file))
    said.textContent = `Of '${file}' this browser plays the sound alone, not the pictures: ${REMEDY}.`;
  if (panel.state.sound === null) panel.set({ sound: true });
}

// answer: { file, url }, { file, type, data }, { error }, or null while it is waited for.
export function showMedia(playback, answer) {
  const { panel, video } = playback;
  if (playback.address.startsWith("blob:")) URL.revokeObjectURL(playback.address);
  const { fps } = panel.info.videos[panel.run.numbers.get(panel.state.video)] ?? {};
  Object.assign(playback, { address: "", file: answer?.file, zeroSec: 0, toldSec: null });
  playback.frameSec = fps > 0 ? 1 / fps : null;
  video.pause();
  video.removeAttribute("src");
  sayMedia(playback, answer ? (answer.error ?? `'${answer.file}' is being opened …`) : "The video is being read …");
  if (!answer || answer.error) return void video.load();
  const { url, data, type } = answer;
  playback.address = url ?? URL.createObjectURL(new Blob(data, { type }));
  video.src = playback.address;
  if (answer.zero_sec > 0) findZero(playback, playback.address, answer.zero_sec);
}

// Where pictures and sound all begin late, some browsers count from the first of these, others as the file does, by whose
// clock second 0 is at `zeroSec`: then no picture is shown with an earlier time.
function findZero(playback, address, zeroSec) {
  const { video, panel } = playback;
  video.requestVideoFrameCallback?.((_, { mediaTime }) => {
    if (playback.address !== address) return;
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return void findZero(playback, address, zeroSec); // of another film before
    if (mediaTime < zeroSec - INTO_FRAME_SEC) return;
    playback.zeroSec = zeroSec;
    seek(playback, panel.state.cursorSec ?? 0);
  });
}

export function isPlayable({ video, bar }) {
  return !bar.hidden && video.readyState >= HTMLMediaElement.HAVE_METADATA;
}

function togglePlayback(playback) {
  const { video } = playback;
  if (!isPlayable(playback)) return;
  if (!video.paused) return void video.pause();
  const part = loopedPart(playback);
  if (part && (video.currentTime < part[0] || video.currentTime >= part[1])) video.currentTime = part[0];
  video.play().catch(() => {}); // what is wrong is said by its "error" event
}

export function stopPlayback({ video }) {
  if (!video.paused) video.pause();
}

// One frame on or back from where the cursor is; where there is no picture, a step of the same length.
async function stepFrame(playback, by) {
  const { panel, video } = playback,
    { cursorSec, view } = panel.state;
  if (playback.steps) return; // one after the other
  stopPlayback(playback);
  const from = cursorSec ?? view.from,
    { zeroSec } = playback,
    last = isPlayable(playback) ? video.duration - zeroSec : view.end;
  playback.steps = true;
  const found =
    isPlayable(playback) && video.videoWidth
      ? await neighbourFrame(video, from + zeroSec, by, playback.frameSec)
      : null;
  playback.steps = false;
  playback.frameSec = found?.frameSec ?? playback.frameSec;
  const sec = found
    ? Math.max(found.sec - zeroSec, 0)
    : Math.min(Math.max(from + by * (playback.frameSec ?? FRAME_SEC), 0), last || Infinity);
  restCursor(panel, sec);
  keepInView(panel, sec);
}

// How long a frame is: the shortest time between two that were shown one after the other.
function watchFrames(playback) {
  const { video } = playback;
  if (!video.requestVideoFrameCallback || video.paused) return;
  let before = null;
  video.requestVideoFrameCallback(function note(_, { mediaTime }) {
    const passed = before === null ? 0 : mediaTime - before;
    const { fps } = playback.panel.info.videos[playback.panel.run.numbers.get(playback.panel.state.video)] ?? {};
    if (!fps && passed > 0.004) playback.frameSec = Math.min(playback.frameSec ?? passed, passed);
    before = mediaTime;
    if (!video.paused) video.requestVideoFrameCallback(note);
  });
}

// [start, end] of what is repeated on the player's clock, null for nothing.
function loopedPart({ panel: { state, scene }, zeroSec }) {
  const row = state.picked.at(-1) ?? -1;
  if (!state.loops || row < 0) return null;
  const { start, end } = scene.segments;
  return end[row] > start[row] ? [start[row] + zeroSec, end[row] + zeroSec] : null;
}

// While the film plays the cursor goes with it, and the view with the cursor; a last time where it has stopped.
function followFilm(playback) {
  const { panel, video } = playback;
  if (!panel.root.isConnected) return void video.pause();
  const part = loopedPart(playback);
  if (part && !video.paused && video.currentTime >= part[1]) video.currentTime = part[0];
  playback.toldSec = Math.max(video.currentTime - playback.zeroSec, 0);
  panel.set({ cursorSec: playback.toldSec });
  keepInView(panel, playback.toldSec);
  if (!video.paused) requestAnimationFrame(() => followFilm(playback));
}

function keepInView(panel, sec) {
  const { from, to } = panel.scene.view,
    span = to - from;
  if (sec < from || sec > to) panel.look(sec - 0.1 * span, sec + 0.9 * span);
}

// What is set of the film, here or by keys, a selection or an edit.
function followState(playback, names) {
  const { video, time, speed, loops, sound, panel } = playback,
    { state } = panel;
  if (names.has("speed")) video.playbackRate = state.speed;
  if (names.has("sound")) video.muted = !state.sound;
  [speed.value, loops.checked, sound.checked] = [state.speed, state.loops, Boolean(state.sound)];
  if (!names.has("cursorSec")) return;
  time.textContent = state.cursorSec === null ? "" : `${state.cursorSec.toFixed(2)} s`;
  if (isPlayable(playback) && state.cursorSec !== null && state.cursorSec !== playback.toldSec) {
    seek(playback, state.cursorSec);
  }
}

// One seek at a time: the last place that was wanted follows when the frame before it is there.
function seek(playback, seconds) {
  const { video, zeroSec } = playback;
  playback.wantedSec = Math.min(Math.max(seconds + zeroSec, 0), video.duration || Infinity); // it may end before its annotations
  if (!video.seeking) video.currentTime = playback.wantedSec + INTO_FRAME_SEC;
}
