// What stands around the canvas. Names from outside become text nodes or canvas text, never markup.

import { differenceLines, kindWords } from "./annotators.js";
import { drawBar, drawLetter } from "./looks.js";
import { fitCanvas } from "./pens.js";
import { counterpartOf, FOUND, HIT, isTruth, KINDS, MISS } from "./segments.js";

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

// `title` is what the pointer is told of it.
export function labelled(text, title, control, ...more) {
  return make("label", { title }, make("span", {}, text), control, ...more);
}

export function button(text, role, title, action) {
  return make("button", { type: "button", "data-role": role, title, onclick: action }, text);
}

// A list of pairs [value, words] to choose from.
export function selection(role, pairs, attributes = {}) {
  const select = make("select", { "data-role": role, ...attributes });
  select.append(...options(pairs));
  return select;
}

export function options(pairs) {
  return pairs.map(([value, text]) => make("option", { value }, text));
}

export const ORDERS = {
  name: ["by name", (a, b) => a.video.localeCompare(b.video, undefined, { numeric: true })],
  ap: ["worst AP first", (a, b) => (a.ap ?? 2) - (b.ap ?? 2)],
  errors: ["most errors first", (a, b) => b.errors - a.errors],
};

export function plural(count, word, words = `${word}s`) {
  return `${count} ${count === 1 ? word : words}`;
}

function describeVideo({ video, ap, errors, pairs }, corrected, state) {
  if (state) return `${video} (${state})`;
  if (pairs) return `${video} (${plural(errors, "difference")})`;
  const score = ap === null ? "no ground truth" : `AP ${Math.round(100 * ap)} %${corrected ? " before editing" : ""}`;
  return `${video} (${score}, ${plural(errors, "error")})`;
}

// The video picker: a search field, an order, and the list. `choose` is called with a video's id; `countErrors` gives the
// errors of each as they are now, which is asked for when somebody looks; `stateOf` says how far it is labelled, or "".
export function videoControls(info, choose, isCorrected, countErrors, stateOf) {
  let videos = info.videos;
  const select = selection("video", [], { "aria-label": "recording", title: "the recording that is shown" });
  const orders = info.annotators
    ? [
        ["name", ORDERS.name[0]],
        ["errors", "most differences first"],
      ]
    : Object.entries(ORDERS).map(([key, [text]]) => [key, text]);
  const order = selection("order", orders, {
    "aria-label": "order of the recordings",
    title: "order of the recordings",
  });
  const search = make("input", {
    type: "search",
    placeholder: "find a recording",
    title: "part of a recording's name: the list beside holds those that have it",
    "aria-label": "find a recording",
    "data-role": "search",
    size: 14,
  });
  const fill = (current = select.value) => {
    const wanted = search.value.trim().toLowerCase();
    const found = videos.filter((video) => video.video.toLowerCase().includes(wanted));
    const known = found.some((video) => video.video === current);
    const options = [...found].sort(ORDERS[order.value][1]).map((video) => {
      return make(
        "option",
        { value: video.video },
        describeVideo(video, isCorrected(video.video), stateOf(video.video)),
      );
    });
    if (!known) options.unshift(make("option", { value: current, hidden: "" }, current));
    select.replaceChildren(...options);
    select.value = current;
    return known ? "" : (options[1]?.value ?? ""); // the first that is found, where the current one is not among them
  };
  const recount = () => {
    const errors = countErrors();
    if (errors) videos = info.videos.map((video, v) => ({ ...video, errors: errors[v] }));
    fill();
  };
  // The errors of the video that is shown have been counted.
  const tell = (errors) => {
    const video = videos.find((one) => one.video === select.value),
      option = select.selectedOptions[0];
    if (video && option)
      option.textContent = describeVideo({ ...video, errors }, isCorrected(video.video), stateOf(video.video));
  };
  select.addEventListener("change", () => choose(select.value));
  order.addEventListener("change", recount);
  for (const type of ["focus", "pointerdown"]) select.addEventListener(type, recount);
  search.addEventListener("input", () => {
    const first = fill();
    if (first) choose(first);
  });
  return { elements: [search, order, select], fill, tell };
}

// A list of classes to tick; its search narrows the list, and "all" and "none" act on what is listed.
export function classControls(names, panel) {
  const summary = make("summary", { title: "which classes are shown, and listed" }, "classes: all");
  const search = make("input", { type: "search", placeholder: "part of a class name", "aria-label": "find a class" });
  const boxOf = (name, label) => {
    const box = make("input", { type: "checkbox", "data-label": label });
    box.checked = true;
    box.addEventListener("change", () => set([label], box.checked));
    return { box, name: name.toLowerCase(), item: make("label", { class: "class" }, box, make("span", {}, name)) };
  };
  const set = (labels, on) => {
    const others = [...panel.state.hidden].filter((label) => !labels.includes(label));
    panel.set({ hidden: new Set(on ? others : [...others, ...labels]) });
  };
  const boxes = names.map(boxOf);
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
  const add = (name, label) => {
    boxes.push(boxOf(name, label));
    list.append(boxes.at(-1).item);
  };
  return { element: make("details", { class: "classes" }, summary, drop), show, add };
}

// Each kind with its bar as the canvas draws it.
export function legend(looks, { annotators }) {
  const told = annotators ? kindWords(annotators) : null;
  const kinds = [...KINDS.entries()].filter(([kind]) => !told || told.has(kind));
  return kinds.map(([kind, name]) => {
    const canvas = make("canvas", { "aria-hidden": "true" });
    const pen = fitCanvas(canvas, 26, 14);
    drawBar(pen, looks, kind, 0, 0, 26, 14);
    drawLetter(pen, looks, kind, 0, 0, 26, 14);
    const text = kind === FOUND ? "ground truth, found" : kind === MISS ? "ground truth, missed" : name;
    return make("span", { class: "entry" }, canvas, told?.get(kind) ?? text);
  });
}

const plainTime = (seconds) => seconds.toFixed(2);

// Everything about one segment, a line each.
export function segmentLines({ info, scene: { segments, shown, names } }, i) {
  const { start, end, label, score } = segments;
  const times = (k) => `${plainTime(start[k])} to ${plainTime(end[k])} s`;
  const kind = shown[i],
    lines = [names[label[i]], `${times(i)} (${plainTime(end[i] - start[i])} s)`];
  if (segments.comment?.[i]) lines.push(`“${segments.comment[i]}”`);
  if (segments.isTold) return [...lines, ...differenceLines(info, segments, names, i)];
  if (isTruth(segments, i) && kind === FOUND && segments.partner[i] < 0) lines.push("annotation");
  else if (isTruth(segments, i)) lines.push(kind === FOUND ? "ground truth, found" : "ground truth, missed");
  else lines.push(`prediction, ${kind === HIT ? "hit" : `error: ${KINDS[kind]}`}`, `score ${score[i].toFixed(3)}`);
  const other = counterpartOf(segments, shown, i);
  if (other >= 0) lines.push(...counterpartLines(segments, shown, names, i, other, times));
  else if (kind === MISS) lines.push("no prediction overlaps it");
  return lines;
}

function counterpartLines({ label, score, tiou, nearTiou, partner }, shown, names, i, other, times) {
  const truth = Number.isNaN(score[i]),
    missed = shown[i] === MISS,
    which = label[other] === label[i] ? "" : `${names[label[other]]}, `;
  const what = missed
    ? "nearest prediction:"
    : truth
      ? "found by the prediction"
      : partner[other] === i
        ? "matches"
        : "nearest:";
  const sure = truth ? `, score ${score[other].toFixed(3)}` : "",
    low = missed && shown[other] < 0 ? " (hidden: below the score, or not among the best)" : "";
  const over = missed ? nearTiou[i] : tiou[i];
  return [`tIoU ${over.toFixed(3)}`, `${what} ${which}${times(other)}${sure}${low}`];
}
