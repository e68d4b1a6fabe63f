// Pointer, fingers and wheel on the canvas and the overview.

import { segmentLines } from "./controls.js";
import { dragHeld, editCursor, letGo, takeHold } from "./dragging.js";
import { choose, look, pan, pick, zoom } from "./looking.js";
import { rowUnder, timeAt } from "./places.js";

function hover(panel, row, event) {
  const {
    scene,
    state,
    canvas,
    parts: { tooltip, stage },
  } = panel;
  tooltip.hidden = row < 0;
  if (row >= 0) {
    if (row !== state.hovered) {
      tooltip.textContent = segmentLines(panel, row).join("\n");
    }
    const right = event.offsetX > scene.width / 2;
    tooltip.style.left = right ? "" : `${event.offsetX + 14}px`;
    tooltip.style.right = right ? `${stage.clientWidth - event.offsetX + 14}px` : "";
    tooltip.style.top = `${event.offsetY + 12}px`;
  }
  panel.set({ hovered: row });
  canvas.style.cursor = editCursor(panel, row, event) || (row >= 0 ? "pointer" : "grab");
}

// Dragging moves the view, or in edit mode what it took hold of; a click picks; two fingers zoom.
export function listenToPointer(panel) {
  const { canvas, scene } = panel,
    fingers = new Map(); // pointer -> x
  let drag = null; // { x, from, to, moved, held }
  const begin = (event) => {
    drag = { x: event.offsetX, from: scene.view.from, to: scene.view.to, moved: false, held: takeHold(panel, event) };
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !scene.segments) return;
    fingers.set(event.pointerId, event.offsetX);
    canvas.setPointerCapture(event.pointerId);
    if (fingers.size === 1) return begin(event);
    drag = null;
    return letGo(panel, false);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (fingers.size > 1) return pinch(panel, fingers, event);
    if (!drag) return void hover(panel, rowUnder(panel, event), event);
    const moved = event.offsetX - drag.x;
    drag.moved ||= Math.abs(moved) > 3;
    if (!drag.moved) return;
    hover(panel, -1, event);
    if (drag.held) return void dragHeld(panel, drag.held, event);
    const span = drag.to - drag.from,
      by = (-moved / (scene.width - scene.left)) * span;
    const from = Math.min(Math.max(drag.from + by, scene.view.begin), scene.view.end - span);
    look(panel, from, from + span);
  });
  const end = (keep) => (event) => {
    fingers.delete(event.pointerId);
    if (keep && drag && !drag.moved) clickOn(panel, rowUnder(panel, event), event);
    drag = null;
    letGo(panel, keep);
  };
  canvas.addEventListener("pointerup", end(true));
  canvas.addEventListener("pointercancel", end(false));
  canvas.addEventListener("pointerleave", (event) => hover(panel, -1, event));
}

// What lies between two fingers stays between them.
function pinch(panel, fingers, event) {
  if (!fingers.has(event.pointerId)) return;
  const { scene } = panel,
    ends = () => [...fingers.values()].slice(0, 2).sort((a, b) => a - b);
  const [low, high] = ends().map((x) => timeAt(scene, x));
  fingers.set(event.pointerId, event.offsetX);
  const [left, right] = ends(),
    perPx = (high - low) / Math.max(right - left, 20);
  const from = low - (left - scene.left) * perPx;
  look(panel, from, from + (scene.width - scene.left) * perPx);
}

// With Shift, Ctrl or Cmd a click adds to what is picked, or takes out of it.
function clickOn(panel, row, event) {
  const { picked } = panel.state,
    more = event.shiftKey || event.ctrlKey || event.metaKey;
  const others = more ? picked.filter((one) => one !== row) : [];
  const off = more && picked.includes(row);
  if (row < 0 || off) pick(panel, others);
  else choose(panel, [...others, row]);
}

// The plain wheel is the page's; with Ctrl or Cmd it zooms (a touchpad's pinch comes as such), with Shift or sideways it
// moves in time.
export function listenToWheel(panel) {
  const { canvas, scene } = panel;
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!scene.segments) return;
      if (event.ctrlKey || event.metaKey) {
        zoom(panel, Math.exp(Math.min(Math.max(event.deltaY, -240), 240) * 0.002), timeAt(scene, event.offsetX));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        pan(panel, Math.sign(event.deltaX || event.deltaY) * 0.1);
      } else return;
      event.preventDefault();
    },
    { passive: false },
  );
}

export function listenToOverview(panel) {
  const {
    scene,
    parts: { overview },
  } = panel;
  const centre = (event) => {
    if (!event.buttons || !scene.segments) return;
    const { begin, end, from, to } = scene.view,
      half = (to - from) / 2;
    const share = (event.offsetX - scene.left) / (scene.width - scene.left);
    const middle = begin + share * (end - begin);
    look(panel, middle - half, middle + half);
  };
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    centre(event);
  });
  overview.addEventListener("pointermove", centre);
}
