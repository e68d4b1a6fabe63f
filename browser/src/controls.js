// What stands around the canvas. Names from outside become text nodes or canvas text, never markup.

import { fitCanvas } from "./drawing.js";
import { drawBar, drawLetter } from "./looks.js";
import { FOUND, HIT, isTruth, KINDS, MISS } from "./segments.js";

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function labelled(text, control, ...more) {
  return make("label", {}, make("span", {}, text), control, ...more);
}

export const ORDERS = {
  name: ["by name", (a, b) => a.video.localeCompare(b.video, undefined, { numeric: true })],
  ap: ["worst AP first", (a, b) => (a.ap ?? 2) - (b.ap ?? 2)],
  errors: ["most errors first", (a, b) => b.errors - a.errors],
};

function describeVideo(video, corrected) {
  const ap = video.ap === null ? "no ground truth" : `AP ${Math.round(100 * video.ap)} %`;
  const errors = `${video.errors} ${video.errors === 1 ? "error" : "errors"}${corrected ? " before editing" : ""}`;
  return `${video.video} (${ap}, ${errors})`;
}

// The video picker: a search field, an order, and the list. `choose` is called with a video's id.
export function videoControls(info, choose, isCorrected = () => false) {
  const select = make("select", { "data-role": "video", onchange: () => choose(select.value) });
  const order = make("select", { "data-role": "order", onchange: () => fill() });
  for (const [key, [text]] of Object.entries(ORDERS)) order.append(make("option", { value: key }, text));
  const search = make("input", { type: "search", placeholder: "part of its name", "data-role": "search", size: 14 });
  search.addEventListener("input", () => fill());
  const fill = (current = select.value) => {
    const wanted = search.value.trim().toLowerCase();
    const found = info.videos.filter((video) => video.video.toLowerCase().includes(wanted));
    const known = found.some((video) => video.video === current);
    const options = [...found].sort(ORDERS[order.value][1]).map((video) => {
      return make("option", { value: video.video }, describeVideo(video, isCorrected(video.video)));
    });
    if (!known) options.unshift(make("option", { value: current, hidden: "" }, current));
    select.replaceChildren(...options);
    select.value = current;
    if (!known && found.length) choose(options[1].value);
  };
  const elements = [labelled("find a video", search), labelled("order", order), labelled("video", select)];
  return { elements, fill };
}

// A list of classes to tick; its search narrows the list, and "all" and "none" act on what is listed.
export function classControls(names, panel) {
  const summary = make("summary", {}, "classes: all");
  const search = make("input", { type: "search", placeholder: "part of a class name", "aria-label": "find a class" });
  const boxes = names.map((name, label) => {
    const box = make("input", { type: "checkbox", "data-label": label });
    box.checked = true;
    box.addEventListener("change", () => set([label], box.checked));
    return { box, name: name.toLowerCase(), item: make("label", { class: "class" }, box, make("span", {}, name)) };
  });
  const set = (labels, on) => {
    const others = [...panel.state.hidden].filter((label) => !labels.includes(label));
    panel.set({ hidden: new Set(on ? others : [...others, ...labels]) });
  };
  const show = (hidden) => {
    summary.textContent = hidden.size ? `classes: ${names.length - hidden.size} of ${names.length}` : "classes: all";
    for (const [label, { box }] of boxes.entries()) box.checked = !hidden.has(label);
  };
  const listed = () => [...boxes.keys()].filter((label) => !boxes[label].item.hidden);
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const entry of boxes) entry.item.hidden = !entry.name.includes(wanted);
  });
  const all = make("button", { type: "button", "data-role": "all-classes", onclick: () => set(listed(), true) }, "all");
  const none = make(
    "button",
    { type: "button", "data-role": "no-classes", onclick: () => set(listed(), false) },
    "none",
  );
  const list = make("div", { class: "list" }, ...boxes.map((entry) => entry.item));
  const drop = make("div", { class: "drop" }, search, all, none, list);
  return { element: make("details", { class: "classes" }, summary, drop), show };
}

// Each kind with its bar as the canvas draws it.
export function legend(looks) {
  const entries = KINDS.map((name, kind) => {
    const canvas = make("canvas", { "aria-hidden": "true" });
    const pen = fitCanvas(canvas, 26, 14);
    drawBar(pen, looks, kind, 0, 0, 26, 14);
    drawLetter(pen, looks, kind, 0, 0, 26, 14);
    const text = kind === FOUND ? "ground truth, found" : kind === MISS ? "ground truth, missed" : name;
    return make("span", { class: "entry" }, canvas, text);
  });
  return entries;
}

export const KEYS =
  "Keys: arrows move, + and − zoom, 0 shows all, n and p step to the next and previous error, Escape clears";
export const HOW_TO_EDIT =
  "Drag an end, the middle, or on empty space to add. Keys: , and . choose an annotation, [ ] m its " +
  "start, end or all, arrows move that by 0.1 s (with Shift 1 s), i adds, a accepts a prediction, Delete, Ctrl+Z.";

// Everything about one segment, a line each.
export function segmentLines(segments, shown, names, i) {
  const { start, end, label, score, partner, tiou } = segments;
  const times = (k) => `${start[k].toFixed(2)} to ${end[k].toFixed(2)} s`;
  const kind = shown[i],
    truth = isTruth(segments, i);
  const lines = [names[label[i]], `${times(i)} (${(end[i] - start[i]).toFixed(2)} s)`];
  if (truth) lines.push(kind === FOUND ? "ground truth, found" : "ground truth, missed");
  else lines.push(`prediction, ${kind === HIT ? "hit" : `error: ${KINDS[kind]}`}`, `score ${score[i].toFixed(3)}`);
  const other = partner[i];
  if (other >= 0 && kind !== MISS) {
    const what = truth ? "found by the prediction" : kind === HIT ? "matches" : "nearest:";
    const which = label[other] === label[i] ? "" : `${names[label[other]]}, `;
    const sure = truth ? `, score ${score[other].toFixed(3)}` : "";
    lines.push(`tIoU ${tiou[i].toFixed(3)}`, `${what} ${which}${times(other)}${sure}`);
  }
  return lines;
}
