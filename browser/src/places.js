// What lies where on the canvas.

import { segmentAt } from "./lanes.js";
import { AXIS_PX } from "./pens.js";

export function timeAt({ view, left, width }, x) {
  return view.from + ((x - left) / (width - left)) * (view.to - view.from);
}

// The row of the segment below the pointer, -1 for none.
export function rowUnder({ scene, parts }, event) {
  if (!scene.segments || event.offsetX < scene.left || event.offsetY < AXIS_PX) return -1;
  const slack = (3 * (scene.view.to - scene.view.from)) / (scene.width - scene.left); // 3 pixels
  const y = event.offsetY - AXIS_PX + parts.scroller.scrollTop;
  return segmentAt(scene.segments, scene.lanes, timeAt(scene, event.offsetX), y, slack);
}
