// The video: the frame at the cursor, and a cursor that moves while it plays.

import { make } from "./controls.js";
import { AXIS_PX } from "./drawing.js";

export function createPlayback(tracks) {
  const video = make("video", { preload: "auto", playsinline: "", "data-role": "film" });
  const said = make("p", { class: "track-said", role: "status", "data-role": "film-said" });
  const play = make("button", { type: "button", "data-role": "play", onclick: () => togglePlayback(tracks) }, "play");
  const time = make("output", {});
  const keys = "Space plays and pauses; a click on the time axis or a track sets the cursor.";
  const help = make("span", { class: "help" }, keys);
  const bar = make("div", { class: "controls" }, play, time, help);
  const playback = { video, said, play, time, bar, address: "", setSec: 0, wantedSec: 0 };
  video.muted = true; // recordings are looked at; and browsers refuse to play others without a click
  video.addEventListener("error", () => {
    if (!video.getAttribute("src")) return;
    const reasons = "it is missing, damaged, or of a format that this browser does not know";
    sayMedia(playback, `'${playback.file}' cannot be played: ${reasons}.`);
  });
  video.addEventListener("loadedmetadata", () => {
    sayMedia(playback, "");
    moveCursor(tracks, playback.setSec);
  });
  video.addEventListener("play", () => {
    play.textContent = "pause";
    followPlayback(tracks);
  });
  video.addEventListener("pause", () => {
    play.textContent = "play";
    playback.setSec = video.currentTime;
  });
  video.addEventListener("seeked", () => {
    if (video.paused && Math.abs(video.currentTime - playback.wantedSec) > 0.01) seek(playback, playback.wantedSec);
  });
  tracks.parts.screen.append(said, video, bar);
  sayMedia(playback, "");
  return playback;
}

function sayMedia({ said, video, bar }, sentence) {
  said.textContent = sentence;
  video.hidden = bar.hidden = sentence !== "";
}

// answer: { file, url }, { file, type, data }, { error }, or null while it is waited for.
export function showMedia(tracks, answer) {
  const { playback } = tracks,
    { video } = playback;
  if (playback.address.startsWith("blob:")) URL.revokeObjectURL(playback.address);
  Object.assign(playback, { address: "", file: answer?.file, setSec: 0 });
  video.pause();
  video.removeAttribute("src");
  tracks.panel.set({ cursorSec: null });
  sayMedia(playback, answer ? (answer.error ?? `'${answer.file}' is being opened …`) : "The video is being read …");
  if (!answer || answer.error) return void video.load();
  const { url, data, type } = answer;
  playback.address = url ?? URL.createObjectURL(new Blob(data, { type }));
  video.src = playback.address;
}

function playable({ video, said }) {
  return said.textContent === "" && video.readyState >= HTMLMediaElement.HAVE_METADATA;
}

function togglePlayback({ playback }) {
  if (!playable(playback)) return;
  if (playback.video.paused)
    playback.video.play().catch(() => {}); // what is wrong is said by its "error" event
  else playback.video.pause();
}

export function stopPlayback({ playback }) {
  if (!playback.video.paused) playback.video.pause();
}

// While the video plays the cursor goes with it, and the view with the cursor; a last time where it has stopped.
function followPlayback(tracks) {
  const { playback, panel } = tracks,
    { video } = playback;
  if (!panel.root.isConnected) return void video.pause();
  pointCursor(tracks, video.currentTime);
  const { from, to } = panel.scene.view,
    span = to - from;
  if (video.currentTime < from || video.currentTime > to) {
    panel.look(video.currentTime - 0.1 * span, video.currentTime + 0.9 * span);
  }
  if (!video.paused) requestAnimationFrame(() => followPlayback(tracks));
}

// The frame at a time, and the cursor there.
function moveCursor(tracks, seconds) {
  const { video } = tracks.playback;
  const time = Math.min(Math.max(seconds, 0), Number.isFinite(video.duration) ? video.duration : Infinity);
  seek(tracks.playback, time);
  pointCursor(tracks, time);
}

// One seek at a time: the last place that was wanted follows when the frame before it is there.
function seek(playback, seconds) {
  playback.wantedSec = seconds;
  if (!playback.video.seeking) playback.video.currentTime = seconds;
}

function pointCursor(tracks, seconds) {
  tracks.panel.set({ cursorSec: seconds });
  tracks.playback.time.textContent = `${seconds.toFixed(2)} s`;
  tracks.panel.root.dispatchEvent(new CustomEvent("cursor", { detail: seconds }));
}

// The pointer over lanes or tracks shows its frame while the video rests; a click in the axis or a track stays there.
export function listenToCursor(tracks) {
  const { panel, playback, parts } = tracks,
    { canvas, scene } = panel;
  const secondsAt = (event) => {
    const { stage } = panel.parts,
      { view, left, width } = scene;
    const x = event.clientX - stage.getBoundingClientRect().left - stage.clientLeft;
    const inside = playable(playback) && x >= left && x <= width;
    return inside ? view.from + ((x - left) / (width - left)) * (view.to - view.from) : null;
  };
  const hover = (event) => {
    const seconds = secondsAt(event);
    if (seconds !== null && !event.buttons && playback.video.paused) moveCursor(tracks, seconds);
  };
  let downX = 0; // where the button was pressed: a drag sets no cursor
  const press = (event) => (downX = event.clientX);
  const click = (event) => {
    const seconds = secondsAt(event),
      inLanes = event.currentTarget === canvas && event.offsetY >= AXIS_PX;
    if (seconds === null || inLanes || Math.abs(event.clientX - downX) > 3) return;
    playback.setSec = seconds;
    moveCursor(tracks, seconds);
  };
  const leave = () => playable(playback) && playback.video.paused && moveCursor(tracks, playback.setSec);
  for (const place of [canvas, parts.area]) {
    const calls = { pointermove: hover, pointerdown: press, click, pointerleave: leave };
    for (const [type, call] of Object.entries(calls)) place.addEventListener(type, call);
  }
  canvas.addEventListener("keydown", (event) => {
    if (event.key !== " " || !playable(playback)) return;
    togglePlayback(tracks);
    event.preventDefault();
    event.stopPropagation();
  });
}
