// A bar at the edge of an element, by which mouse, pen or finger make it larger or smaller.

import { make } from "./controls.js";

// below: the height is changed, else the width.
export function createGrip(element, below, title) {
  const grip = make("div", {
    class: below ? "grip below" : "grip beside",
    title,
    "data-role": below ? "height" : "width",
  });
  let held = null; // { from: where the pointer was, size: of the element then }
  const placeOf = (event) => (below ? event.clientY : event.clientX);
  grip.addEventListener("pointerdown", (event) => {
    held = { from: placeOf(event), size: below ? element.offsetHeight : element.offsetWidth };
    grip.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  grip.addEventListener("pointermove", (event) => {
    if (held) element.style[below ? "height" : "width"] = `${Math.max(held.size + placeOf(event) - held.from, 0)}px`;
  });
  for (const type of ["pointerup", "pointercancel"]) grip.addEventListener(type, () => (held = null));
  return grip;
}
