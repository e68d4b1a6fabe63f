// The cursor: a line through lanes and tracks at one time, and what each track says there.

import { restCursor } from "./looking.js";
import { AXIS_PX } from "./pens.js";
import { isPlayable } from "./playback.js";

// The pointer over lanes or tracks shows its time (and frame) while the film rests; a click in the axis or a track stays
// there.
export function listenToCursor({ panel, playback, parts }) {
  const { canvas, scene } = panel,
    rests = () => !isPlayable(playback) || playback.video.paused;
  const secondsAt = (event) => {
    const { stage } = panel.parts,
      { view, left, width } = scene;
    const x = event.clientX - stage.getBoundingClientRect().left - stage.clientLeft;
    return view && x >= left && x <= width ? view.from + ((x - left) / (width - left)) * (view.to - view.from) : null;
  };
  const hover = (event) => {
    const seconds = secondsAt(event);
    if (seconds !== null && !event.buttons && rests()) panel.set({ cursorSec: seconds });
  };
  let downX = 0; // where the button was pressed: a drag sets no cursor
  const press = (event) => (downX = event.clientX);
  const click = (event) => {
    const seconds = secondsAt(event),
      inLanes = event.currentTarget === canvas && event.offsetY >= AXIS_PX;
    if (seconds !== null && !inLanes && Math.abs(event.clientX - downX) <= 3) restCursor(panel, seconds);
  };
  const leave = () => rests() && panel.set({ cursorSec: panel.state.restSec });
  for (const place of [canvas, parts.area]) {
    const calls = { pointermove: hover, pointerdown: press, click, pointerleave: leave };
    for (const [type, call] of Object.entries(calls)) place.addEventListener(type, call);
  }
}

// lines: elements over lanes and tracks; tracks: [{ values: element, read: (seconds) => words }].
export function placeCursor({ view, left, width, cursorSec }, lines, tracks) {
  const x = cursorSec === null ? -1 : left + ((cursorSec - view.from) / (view.to - view.from)) * (width - left);
  const inside = x >= left && x <= width;
  for (const line of lines) {
    line.hidden = !inside;
    line.style.left = `${x}px`;
  }
  for (const { values, read } of tracks) {
    values.textContent = inside ? read(cursorSec) : "";
    const right = x > (left + width) / 2;
    values.style.left = right ? "" : `${x + 6}px`;
    values.style.right = right ? `calc(100% - ${x - 6}px)` : "";
  }
}

// The values of some channels at a time: "x 0.12, y −3.4"; facts: { begin_sec, step_sec, points, names, off }, values:
// one channel after the other.
export function channelValues({ begin_sec: begin, step_sec: step, points, names, off }, values, seconds, scale = 1) {
  const at = Math.round((seconds - begin) / step);
  if (at < 0 || at >= points) return "";
  const shown = names.map((name, c) => [name, values[c * points + at] * scale]).filter((_, c) => !off?.has(c));
  const words = shown.slice(0, 6).map(([name, value]) => {
    const number = Number.isFinite(value) ? String(Number(value.toPrecision(3))).replace("-", "−") : "no value";
    return name ? `${name} ${number}` : number;
  });
  return words.join(", ");
}
