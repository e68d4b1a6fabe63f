// src/segments.js
var KINDS = [
  "ground truth",
  "miss",
  "hit",
  "localisation",
  "double detection",
  "wrong label",
  "confusion",
  "background"
];
var FOUND = 0;
var MISS = 1;
var HIT = 2;
var WRONG_LABEL = 5;
var NOTHING = 7;
var HIDDEN = -1;
function segmentColumns(facts, first = 0, n = facts.length / 5) {
  const total = facts.length / 5;
  const column = (i) => facts.subarray(i * total + first, i * total + first + n);
  return { n, start: column(0), end: column(1), label: column(2), score: column(3), place: column(4) };
}
function isTruth(segments, i) {
  return Number.isNaN(segments.score[i]);
}
function shownKinds({ n, label, score, place, kind, partner, isTold }, { minScore, topK, hidden, unjudged }) {
  const passes = (i) => score[i] >= minScore && (topK === 0 || place[i] < topK);
  const shown = new Int8Array(n).fill(HIDDEN);
  for (let i = 0; i < n; i++) {
    if (hidden.size && hidden.has(label[i])) continue;
    if (isTold) shown[i] = kind[i];
    else if (Number.isNaN(score[i])) shown[i] = unjudged || partner[i] >= 0 && passes(partner[i]) ? FOUND : MISS;
    else if (passes(i)) shown[i] = kind[i];
  }
  return shown;
}
function isError(kind) {
  return kind !== HIDDEN && kind !== FOUND && kind !== HIT;
}
function counts(segments, kind, i) {
  return kind !== HIDDEN && (!segments.isTold || isTruth(segments, i) || kind === NOTHING);
}
function counterpartOf({ partner, near }, shown, i) {
  return shown[i] === MISS ? near[i] : partner[i];
}
function firstReaching(row, time) {
  let low = 0, high = row.reach.length;
  while (low < high) {
    const middle = low + high >> 1;
    if (row.reach[middle] > time) high = middle;
    else low = middle + 1;
  }
  return low;
}

// src/annotators.js
var ENDS = KINDS.indexOf("localisation");
function pairSegments(segments, pairs) {
  const { n, start, end, label, score, place } = segments, kind = Int8Array.from(score, (one) => Number.isNaN(one) ? FOUND : HIT), partner = new Int32Array(n).fill(-1), tiou = new Float32Array(n), what = new Array(n).fill(""), rows = [[], []];
  for (let i = 0; i < n; i++) rows[isTruth(segments, i) ? 0 : 1][place[i]] = i;
  for (const [one, other, words] of pairs) {
    const i = one < 0 ? -1 : rows[0][one], j = other < 0 ? -1 : rows[1][other];
    if (j < 0) kind[i] = MISS;
    else if (i < 0) kind[j] = NOTHING;
    else {
      const both = Math.max(Math.min(end[i], end[j]) - Math.max(start[i], start[j]), 0);
      tiou[i] = tiou[j] = both / (end[i] - start[i] + end[j] - start[j] - both);
      [partner[i], partner[j], what[i], what[j]] = [j, i, words, words];
      if (words) kind[i] = kind[j] = label[i] === label[j] ? ENDS : WRONG_LABEL;
    }
  }
  const near = new Int32Array(n).fill(-1);
  return { n, start, end, label, score, place, kind, partner, tiou, near, nearTiou: tiou, what, isTold: true };
}
function differenceWords([one, other]) {
  return [
    ["errors", "all differences"],
    ["miss", `only in ${one}`],
    ["background", `only in ${other}`],
    ["wrong label", "other class"],
    ["localisation", "other ends"]
  ];
}
function kindWords([one, other]) {
  return /* @__PURE__ */ new Map([
    [FOUND, `${one}, as in ${other}`],
    [HIT, `${other}, as in ${one}`],
    [MISS, `only in ${one}`],
    [NOTHING, `only in ${other}`],
    [WRONG_LABEL, "other class"],
    [ENDS, "other ends"]
  ]);
}
function differenceLines({ annotators }, segments, names, i) {
  const { kind, partner, what, tiou } = segments, own = isTruth(segments, i) ? 0 : 1, lines = [`annotation of ${annotators[own]}`], j = partner[i];
  if (j < 0) return kind[i] === FOUND || kind[i] === HIT ? lines : [...lines, kindWords(annotators).get(kind[i])];
  lines.push(what[i] ? `${kindWords(annotators).get(kind[i])}${kind[i] === ENDS ? `: ${what[i]}` : ""}` : "both agree");
  const times = `${segments.start[j].toFixed(2)} to ${segments.end[j].toFixed(2)} s`;
  return [...lines, `${annotators[1 - own]}: ${names[segments.label[j]]}, ${times}`, `tIoU ${tiou[i].toFixed(3)}`];
}
function differenceName({ annotators, classes }, { label, kind, partner, what }, i) {
  const words = kind[i] === ENDS ? what[i] : kindWords(annotators).get(kind[i]);
  return `${words}: ${classes[label[i]]}${kind[i] === WRONG_LABEL ? `, ${classes[label[partner[i]]]}` : ""}`;
}

// src/pens.js
var AXIS_PX = 26;
var STEPS_SEC = [
  1e-3,
  2e-3,
  5e-3,
  0.01,
  0.02,
  0.05,
  0.1,
  0.2,
  0.5,
  1,
  2,
  5,
  10,
  30,
  60,
  120,
  300,
  600,
  1800,
  3600
];
function fitCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return pen;
}
function stepOfAxis(pxPerSec) {
  return STEPS_SEC.find((sec) => sec * pxPerSec >= 74) ?? 3600 * Math.ceil(74 / (3600 * pxPerSec));
}
function shorten(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let low = 0, high = text.length;
  while (low < high) {
    const middle = low + high + 1 >> 1;
    if (pen.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low)}…`;
}

// src/looks.js
var LETTERS = ["", "M", "", "L", "D", "W", "C", "B"];
var FEWEST_LETTERS = 3;
var HATCHES = ["", "rise", "", "fall", "flat", "cross", "dots", "upright"];
var LIGHT = {
  paper: "#ffffff",
  ink: "#222222",
  quiet: "#5c5c5c",
  line: "#d8d8d8",
  window: "rgba(0, 114, 178, 0.14)",
  mark: "#000000",
  beside: "#d55e00",
  fill: ["#cfcfcf", "#ffffff", "#0072b2", "#f7dca0", "#cbe6f7", "#e6cdf0", "#c3e8dd", "#fde3c4"],
  edge: ["#555555", "#a8447c", "#00324f", "#8a5d00", "#1f6f9c", "#6b2b86", "#00674b", "#c04f00"]
};
var DARK = {
  paper: "#16181b",
  ink: "#e6e6e6",
  quiet: "#a8a8a8",
  line: "#3b4046",
  window: "rgba(86, 180, 233, 0.22)",
  mark: "#ffffff",
  beside: "#ff9a55",
  fill: ["#575c63", "#16181b", "#4aa3dc", "#4d3a0c", "#183c52", "#3f2450", "#0f4234", "#54290c"],
  edge: ["#c8c8c8", "#f09cc8", "#d5edff", "#f2bd4a", "#7cc4ee", "#d49bee", "#57d3b0", "#ff9a55"]
};
function isDark(element) {
  const themed = element.closest("[data-jp-theme-light]");
  if (themed) return themed.getAttribute("data-jp-theme-light") === "false";
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}
function makePatterns(context, palette) {
  return KINDS.map((_, kind) => {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.fillStyle = palette.fill[kind];
    pen.fillRect(0, 0, 8, 8);
    pen.strokeStyle = pen.fillStyle = palette.edge[kind];
    pen.globalAlpha = 0.55;
    drawHatch(pen, HATCHES[kind]);
    return context.createPattern(tile, "repeat");
  });
}
function drawHatch(pen, hatch) {
  const line = (x, y, toX, toY) => {
    pen.moveTo(x, y);
    pen.lineTo(toX, toY);
  };
  pen.beginPath();
  if (hatch === "rise" || hatch === "cross") [-8, 0, 8].forEach((x) => line(x - 1, 9, x + 9, -1));
  if (hatch === "fall" || hatch === "cross") [-8, 0, 8].forEach((x) => line(x - 1, -1, x + 9, 9));
  if (hatch === "flat") [1.5, 5.5].forEach((y) => line(0, y, 8, y));
  if (hatch === "upright") [1.5, 5.5].forEach((x) => line(x, 0, x, 8));
  if (hatch === "dots")
    [
      [1, 1],
      [5, 5]
    ].forEach(([x, y]) => pen.fillRect(x, y, 2, 2));
  pen.stroke();
}
function drawBar(pen, looks, kind, x, y, width, height) {
  const { palette, patterns } = looks;
  pen.save();
  pen.translate(x, y);
  pen.fillStyle = width >= 5 && HATCHES[kind] ? patterns[kind] : palette.fill[kind];
  pen.fillRect(0, 0, width, height);
  pen.strokeStyle = palette.edge[kind];
  pen.setLineDash(kind === MISS ? [3, 2] : []);
  pen.lineWidth = 1;
  pen.strokeRect(0.5, 0.5, Math.max(width - 1, 0.5), Math.max(height - 1, 0.5));
  pen.restore();
}
function drawLetter(pen, looks, kind, x, y, width, height) {
  if (!LETTERS[kind] || width < 15 || height < 9) return;
  const size = Math.min(height - 2, 11);
  pen.fillStyle = looks.palette.paper;
  pen.fillRect(x + width / 2 - size / 2, y + (height - size) / 2, size, size);
  pen.fillStyle = looks.palette.edge[kind];
  pen.font = `bold ${size}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(LETTERS[kind], x + width / 2, y + height / 2 + 0.5);
}
function drawName(pen, looks, kind, name, x, y, width, height) {
  pen.font = "11px system-ui, sans-serif";
  const whole = LETTERS[kind] ? `${LETTERS[kind]}: ${name}` : name, text = shorten(pen, whole, width - 12);
  const tooShort = text !== whole && text.length < whole.length - name.length + FEWEST_LETTERS + 1;
  if (height < 11 || tooShort) return drawLetter(pen, looks, kind, x, y, width, height);
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillStyle = looks.palette.paper;
  pen.fillRect(x + 4, y + height / 2 - 5.5, pen.measureText(text).width + 4, 11);
  pen.fillStyle = looks.palette.ink;
  return pen.fillText(text, x + 6, y + height / 2 + 0.5);
}
function plainColor(palette, kind) {
  return kind === FOUND || kind === HIT ? palette.fill[kind] : palette.edge[kind];
}

// src/controls.js
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
function labelled(text, title, control, ...more) {
  return make("label", { title }, make("span", {}, text), control, ...more);
}
function button(text, role, title, action) {
  return make("button", { type: "button", "data-role": role, title, onclick: action }, text);
}
function selection(role, pairs, attributes = {}) {
  const select = make("select", { "data-role": role, ...attributes });
  select.append(...options(pairs));
  return select;
}
function options(pairs) {
  return pairs.map(([value, text]) => make("option", { value }, text));
}
var ORDERS = {
  name: ["by name", (a, b) => a.video.localeCompare(b.video, void 0, { numeric: true })],
  ap: ["worst AP first", (a, b) => (a.ap ?? 2) - (b.ap ?? 2)],
  errors: ["most errors first", (a, b) => b.errors - a.errors]
};
function plural(count, word, words = `${word}s`) {
  return `${count} ${count === 1 ? word : words}`;
}
function describeVideo({ video, ap, errors, pairs }, corrected, state) {
  if (state) return `${video} (${state})`;
  if (pairs) return `${video} (${plural(errors, "difference")})`;
  const score = ap === null ? "no ground truth" : `AP ${Math.round(100 * ap)} %${corrected ? " before editing" : ""}`;
  return `${video} (${score}, ${plural(errors, "error")})`;
}
function videoControls(info, choose2, isCorrected, countErrors, stateOf2) {
  let videos = info.videos;
  const select = selection("video", [], { "aria-label": "recording", title: "the recording that is shown" });
  const orders = info.annotators ? [
    ["name", ORDERS.name[0]],
    ["errors", "most differences first"]
  ] : Object.entries(ORDERS).map(([key, [text]]) => [key, text]);
  const order = selection("order", orders, {
    "aria-label": "order of the recordings",
    title: "order of the recordings"
  });
  const search = make("input", {
    type: "search",
    placeholder: "find a recording",
    title: "part of a recording's name: the list beside holds those that have it",
    "aria-label": "find a recording",
    "data-role": "search",
    size: 14
  });
  const fill = (current = select.value) => {
    const wanted = search.value.trim().toLowerCase();
    const found = videos.filter((video) => video.video.toLowerCase().includes(wanted));
    const known = found.some((video) => video.video === current);
    const options2 = [...found].sort(ORDERS[order.value][1]).map((video) => {
      return make(
        "option",
        { value: video.video },
        describeVideo(video, isCorrected(video.video), stateOf2(video.video))
      );
    });
    if (!known) options2.unshift(make("option", { value: current, hidden: "" }, current));
    select.replaceChildren(...options2);
    select.value = current;
    return known ? "" : options2[1]?.value ?? "";
  };
  const recount = () => {
    const errors = countErrors();
    if (errors) videos = info.videos.map((video, v) => ({ ...video, errors: errors[v] }));
    fill();
  };
  const tell = (errors) => {
    const video = videos.find((one) => one.video === select.value), option = select.selectedOptions[0];
    if (video && option)
      option.textContent = describeVideo({ ...video, errors }, isCorrected(video.video), stateOf2(video.video));
  };
  select.addEventListener("change", () => choose2(select.value));
  order.addEventListener("change", recount);
  for (const type of ["focus", "pointerdown"]) select.addEventListener(type, recount);
  search.addEventListener("input", () => {
    const first = fill();
    if (first) choose2(first);
  });
  return { elements: [search, order, select], fill, tell };
}
function classControls(names, panel) {
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
    "none"
  );
  const list = make("div", { class: "list" }, ...boxes.map((entry) => entry.item));
  const drop = make("div", { class: "drop" }, search, all, none, list);
  const add = (name, label) => {
    boxes.push(boxOf(name, label));
    list.append(boxes.at(-1).item);
  };
  return { element: make("details", { class: "classes" }, summary, drop), show, add };
}
function legend(looks, { annotators }) {
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
var plainTime = (seconds) => seconds.toFixed(2);
function segmentLines({ info, scene: { segments, shown, names } }, i) {
  const { start, end, label, score } = segments;
  const times = (k) => `${plainTime(start[k])} to ${plainTime(end[k])} s`;
  const kind = shown[i], lines = [names[label[i]], `${times(i)} (${plainTime(end[i] - start[i])} s)`];
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
  const truth = Number.isNaN(score[i]), missed = shown[i] === MISS, which = label[other] === label[i] ? "" : `${names[label[other]]}, `;
  const what = missed ? "nearest prediction:" : truth ? "found by the prediction" : partner[other] === i ? "matches" : "nearest:";
  const sure = truth ? `, score ${score[other].toFixed(3)}` : "", low = missed && shown[other] < 0 ? " (hidden: below the score, or not among the best)" : "";
  const over = missed ? nearTiou[i] : tiou[i];
  return [`tIoU ${over.toFixed(3)}`, `${what} ${which}${times(other)}${sure}${low}`];
}

// src/lanes.js
var GT_ROW_PX = 17;
var ROW_PX = 19;
var FOLDED_PX = 10;
var LANE_GAP_PX = 8;
var FULL_ROWS = 3;
var MIN_ROW_PX = 7;
var MAX_ROWS = 12;
var NARROWEST = 1 / 4e3;
function arrangeLanes(segments, shown, spanSec, { stacked, hidden }, rowNames) {
  if (stacked) return stackLanes(segments, shown, spanSec, rowNames);
  const ofClass = /* @__PURE__ */ new Map();
  for (let i = 0; i < segments.n; i++) {
    const label = segments.label[i];
    if (hidden.has(label)) continue;
    if (!ofClass.has(label)) ofClass.set(label, { truth: [], found: [] });
    if (shown[i] !== HIDDEN) ofClass.get(label)[isTruth(segments, i) ? "truth" : "found"].push(i);
  }
  const narrowest = spanSec * NARROWEST;
  let top = LANE_GAP_PX / 2;
  return [...ofClass.keys()].sort((a, b) => a - b).map((label) => {
    const { truth, found } = ofClass.get(label);
    const rows = placeRows(segments, truth, narrowest, top, GT_ROW_PX, 2);
    const below = placeRows(segments, found, narrowest, top + rows.height, ROW_PX, FULL_ROWS);
    const height = rows.height + below.height || FOLDED_PX;
    const lane = { label, top, height: Math.max(height, FOLDED_PX), rows: [...rows, ...below] };
    top += lane.height + LANE_GAP_PX;
    return lane;
  });
}
function stackLanes(segments, shown, spanSec, rowNames) {
  let top = LANE_GAP_PX / 2;
  return rowNames.map((name, p) => {
    const truth = p === 0, ids = [...shown.keys()].filter((i) => shown[i] !== HIDDEN && isTruth(segments, i) === truth);
    const rowPx = truth ? GT_ROW_PX : ROW_PX;
    const rows = placeRows(segments, ids, spanSec * NARROWEST, top, rowPx, MAX_ROWS);
    const lane = { label: -1, name, truth, top, height: Math.max(rows.height, rowPx), rows: [...rows] };
    top += lane.height + LANE_GAP_PX;
    return lane;
  });
}
function placeRows(segments, ids, narrowest, top, rowPx, fullRows) {
  const ends = [], rows = [];
  for (const i of ids) {
    let row = ends.findIndex((end2) => end2 <= segments.start[i]);
    if (row < 0) row = ends.length < MAX_ROWS ? ends.length : ends.indexOf(Math.min(...ends));
    if (row === rows.length) rows.push({ ids: [], reach: [] });
    const end = Math.max(segments.end[i], segments.start[i] + narrowest);
    ends[row] = Math.max(end, ends[row] ?? -Infinity);
    rows[row].ids.push(i);
    rows[row].reach.push(ends[row]);
  }
  const height = Math.max(rowPx * Math.min(1, fullRows / Math.max(rows.length, 1)), MIN_ROW_PX);
  rows.forEach((row, r) => Object.assign(row, { top: top + r * height, height }));
  rows.height = rows.length * height;
  return rows;
}
function segmentAt(segments, lanes, time, y, slack) {
  const lane = lanes.find((one) => y >= one.top && y < one.top + one.height);
  const row = lane?.rows.find((one) => y >= one.top && y < one.top + one.height);
  if (!row) return -1;
  let best = -1, bestKey = Infinity;
  for (let p = firstReaching(row, time - slack); p < row.ids.length; p++) {
    const i = row.ids[p];
    if (segments.start[i] > time + slack) break;
    const away = Math.max(segments.start[i] - time, time - segments.end[i], 0);
    const key = away * 1e6 + (segments.end[i] - segments.start[i]);
    if (away <= slack && key < bestKey) [best, bestKey] = [i, key];
  }
  return best;
}
function rowOf(lanes, segments, id) {
  const lane = lanes.find((one) => one.label === segments.label[id] || one.truth === isTruth(segments, id));
  return lane?.rows.find((row) => row.ids.includes(id)) ?? lane;
}

// src/edit_marks.js
function drawEdits(pen, scene, xOf) {
  const { segments, shown, lanes, looks, left } = scene;
  for (const row of segments.edited) {
    const place = shown[row] === HIDDEN ? null : rowOf(lanes, segments, row), x = xOf(segments.start[row]);
    if (place && x >= left - 8) drawFlag(pen, looks.palette, x, place.top);
  }
  if (scene.editing) {
    const row = scene.picked.findLast((one) => isTruth(segments, one)), place = row >= 0 && rowOf(lanes, segments, row);
    if (place && !scene.draft) drawHandles(pen, scene, xOf(segments.start[row]), xOf(segments.end[row]), place);
  }
  if (scene.draft) drawDraft(pen, scene, xOf);
  if (scene.begunSec !== null) drawBegun(pen, scene, xOf(scene.begunSec));
}
function drawBegun(pen, { looks, left, height, scrollTop }, x) {
  if (x < left) return;
  pen.strokeStyle = looks.palette.mark;
  pen.lineWidth = 2;
  pen.setLineDash([5, 3]);
  pen.beginPath();
  pen.moveTo(x, scrollTop);
  pen.lineTo(x, scrollTop + height);
  pen.stroke();
  pen.setLineDash([]);
}
function drawFlag(pen, palette, x, top) {
  pen.beginPath();
  pen.moveTo(x, top);
  pen.lineTo(x + 9, top);
  pen.lineTo(x, top + 9);
  pen.closePath();
  pen.fillStyle = palette.mark;
  pen.fill();
  pen.strokeStyle = palette.paper;
  pen.lineWidth = 1;
  pen.stroke();
}
function drawHandles(pen, { looks, part: held }, from, to, { top, height }) {
  for (const [part, x] of [
    ["start", from],
    ["end", to]
  ]) {
    const chosen = held === part || held === "whole", half = chosen ? 4 : 2.5;
    pen.fillStyle = chosen ? looks.palette.mark : looks.palette.paper;
    pen.strokeStyle = looks.palette.mark;
    pen.lineWidth = 1.5;
    pen.fillRect(x - half, top + 0.7 * height - half, 2 * half, 2 * half);
    pen.strokeRect(x - half, top + 0.7 * height - half, 2 * half, 2 * half);
  }
}
function drawDraft(pen, { draft, lanes, segments, looks }, xOf) {
  const { after, row, y } = draft, lane = lanes.find((one) => y >= one.top && y < one.top + one.height);
  const { top, height } = row >= 0 ? rowOf(lanes, segments, row) : lane?.rows[0] ?? { top: y - 8, height: GT_ROW_PX };
  pen.strokeStyle = looks.palette.mark;
  pen.lineWidth = 2;
  pen.setLineDash([5, 3]);
  pen.strokeRect(xOf(after.start), top, Math.max(xOf(after.end) - xOf(after.start), 1), height - 1);
  pen.setLineDash([]);
}

// src/drawing.js
var NARROW_PX = 3;
var LOWEST = 0.45;
function drawScene(canvas, scene) {
  const { looks, left, width, height, view } = scene;
  const pen = fitCanvas(canvas, width, height);
  pen.fillStyle = looks.palette.paper;
  pen.fillRect(0, 0, width, height);
  const perSec = (width - left) / (view.to - view.from);
  const xOf = (time) => left + (time - view.from) * perSec;
  drawAxis(pen, scene, xOf);
  drawIgnored(pen, scene, xOf);
  pen.save();
  pen.beginPath();
  pen.rect(0, AXIS_PX, width, height - AXIS_PX);
  pen.clip();
  pen.translate(0, AXIS_PX - scene.scrollTop);
  const inView = (part) => part.top + part.height >= scene.scrollTop && part.top <= scene.scrollTop + height - AXIS_PX;
  for (const lane of scene.lanes.filter(inView)) {
    for (const row of lane.rows.filter(inView)) drawRow(pen, scene, row, xOf);
    drawLaneName(pen, scene, lane);
  }
  for (const id of /* @__PURE__ */ new Set([...scene.picked, scene.hovered])) outline(pen, scene, id, xOf);
  outline(pen, scene, scene.counterpart, xOf, true);
  pen.beginPath();
  pen.rect(scene.left - 5, 0, width, scene.scrollTop + height);
  pen.clip();
  drawEdits(pen, scene, xOf);
  pen.restore();
}
function drawIgnored(pen, { ignored, looks, view, left, width, height }, xOf) {
  for (const [start, end] of ignored) {
    const from = Math.max(xOf(Math.max(start, view.from)), left);
    const wide = Math.min(xOf(Math.min(end, view.to)), width) - from;
    if (wide <= 0) continue;
    pen.save();
    pen.beginPath();
    pen.rect(from, AXIS_PX, wide, height - AXIS_PX);
    pen.clip();
    pen.strokeStyle = looks.palette.line;
    pen.setLineDash([]);
    pen.lineWidth = 3;
    pen.beginPath();
    for (let x = from - height; x < from + wide; x += 12) {
      pen.moveTo(x, height);
      pen.lineTo(x + height, 0);
    }
    pen.stroke();
    pen.restore();
  }
}
function drawRow(pen, scene, row, xOf) {
  const { segments, shown, looks, view, left, width } = scene;
  const run = { kind: HIDDEN, from: 0, to: 0, height: 0 };
  const flush = () => {
    if (run.kind === HIDDEN) return;
    pen.fillStyle = plainColor(looks.palette, run.kind);
    pen.fillRect(run.from, row.top + row.height - 1 - run.height, run.to - run.from, run.height);
    run.kind = HIDDEN;
  };
  for (let p = firstReaching(row, view.from); p < row.ids.length; p++) {
    const i = row.ids[p];
    if (segments.start[i] > view.to) break;
    const kind = shown[i], x = xOf(segments.start[i]), end = xOf(segments.end[i]);
    const score = isTruth(segments, i) ? 1 : Math.min(Math.max(segments.score[i], 0), 1);
    const height = Math.max((row.height - 1) * (LOWEST + (1 - LOWEST) * score), 3);
    if (end - x < NARROW_PX) {
      const from = Math.floor(Math.min(x, (x + end) / 2 - 1)), to = Math.max(Math.ceil(end), from + 2);
      const same = kind === run.kind || to <= run.to && run.to - run.from <= 2;
      if (from <= run.to && run.kind !== HIDDEN && same) {
        Object.assign(run, { to: Math.max(run.to, to), height: Math.max(run.height, height) });
        run.kind = Math.max(run.kind, kind);
      } else {
        flush();
        Object.assign(run, { kind, from, to, height });
      }
    } else {
      flush();
      const from = Math.max(x, left - 20), to = Math.min(end, width + 20), y = row.top + row.height - 1 - height;
      drawBar(pen, looks, kind, from, y, to - from, height);
      const visible = Math.max(from, left), wide = Math.min(to, width) - visible;
      if (scene.stacked) drawName(pen, looks, kind, scene.names[segments.label[i]], visible, y, wide, height);
      else drawLetter(pen, looks, kind, visible, y, wide, height);
    }
  }
  flush();
}
function outline(pen, scene, id, xOf, counterpart = false) {
  if (id < 0 || scene.shown[id] === HIDDEN && !counterpart) return;
  const row = rowOf(scene.lanes, scene.segments, id);
  if (!row) return;
  const x = Math.max(xOf(scene.segments.start[id]), scene.left - 20);
  const end = Math.min(xOf(scene.segments.end[id]), scene.width + 20);
  if (end < scene.left || x > scene.width) return;
  const { mark, beside } = scene.looks.palette;
  pen.strokeStyle = counterpart ? beside : mark;
  pen.lineWidth = counterpart || scene.picked.includes(id) ? 2.5 : 1.5;
  pen.setLineDash(counterpart ? [6, 3] : []);
  const middle = (x + end) / 2, half = Math.max((end - x) / 2, 3) + 1;
  const from = Math.max(middle - half, scene.left);
  pen.strokeRect(from, row.top - 1, middle + half - from, row.height + 1);
  pen.setLineDash([]);
}
function drawLaneName(pen, scene, lane) {
  const { palette } = scene.looks;
  pen.fillStyle = palette.paper;
  pen.fillRect(0, lane.top - LANE_GAP_PX / 2, scene.left - 1, lane.height + LANE_GAP_PX);
  pen.fillStyle = palette.line;
  pen.fillRect(0, lane.top + lane.height + LANE_GAP_PX / 2 - 0.5, scene.width, 1);
  pen.fillStyle = palette.ink;
  const folded = lane.height <= FOLDED_PX;
  pen.font = `${folded ? 10 : 13}px system-ui, sans-serif`;
  if (folded) pen.fillStyle = palette.quiet;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  const name = shorten(pen, lane.name ?? scene.names[lane.label], scene.left - 14);
  pen.fillText(name, 6, lane.top + Math.min(lane.height, 32) / 2);
}
function drawAxis(pen, scene, xOf) {
  const { view, left, width, height, looks } = scene;
  const perSec = (width - left) / (view.to - view.from);
  const step2 = stepOfAxis(perSec);
  pen.font = "12px system-ui, sans-serif";
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillStyle = looks.palette.quiet;
  pen.fillText(view.end >= 120 ? "time [min:s]" : "time [s]", 6, AXIS_PX / 2);
  pen.textAlign = "center";
  for (let k = Math.ceil(view.from / step2); k * step2 <= view.to; k++) {
    const x = Math.round(xOf(k * step2));
    pen.fillStyle = looks.palette.line;
    pen.fillRect(x, AXIS_PX - 6, 1, height);
    const text = clock(k * step2, view.end, step2);
    const half = pen.measureText(text).width / 2;
    pen.fillStyle = looks.palette.quiet;
    pen.fillText(text, Math.min(Math.max(x, left + half), width - half - 1), AXIS_PX / 2 - 2);
  }
}
function clock(seconds, endSec, step2) {
  const digits = step2 >= 1 ? 0 : Math.ceil(-Math.log10(step2));
  if (endSec < 120) return seconds.toFixed(digits);
  const rounded2 = Number(Math.abs(seconds).toFixed(digits)), rest = (rounded2 % 60).toFixed(digits);
  return `${seconds < 0 ? "−" : ""}${Math.floor(rounded2 / 60)}:${rest.padStart(digits ? digits + 3 : 2, "0")}`;
}
function drawOverview(canvas, scene, kept) {
  const { view, left, width, looks } = scene, height = 36;
  if (kept.width !== width || kept.looks !== looks || kept.shown !== scene.shown) {
    Object.assign(kept, { width, looks, shown: scene.shown, picture: overviewPicture(scene, width - left, height) });
  }
  const pen = fitCanvas(canvas, width, height);
  pen.fillStyle = looks.palette.paper;
  pen.fillRect(0, 0, width, height);
  pen.drawImage(kept.picture, left, 0);
  pen.fillStyle = looks.palette.quiet;
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.fillText("overview", 6, height / 2);
  const scale = (width - left) / (view.end - view.begin);
  const from = Math.round(left + (view.from - view.begin) * scale);
  const wide = Math.max(Math.round(left + (view.to - view.begin) * scale) - from, 3);
  pen.fillStyle = looks.palette.window;
  pen.fillRect(from, 0, wide, height);
  pen.strokeStyle = looks.palette.ink;
  pen.strokeRect(from + 0.5, 0.5, Math.max(wide - 1, 1), height - 1);
}
function overviewPicture({ segments, shown, view, looks }, width, height) {
  const picture = document.createElement("canvas");
  picture.width = Math.max(Math.round(width), 1);
  picture.height = height;
  const pen = picture.getContext("2d"), scale = width / (view.end - view.begin);
  const bands = [
    [FOUND, 3, 9],
    [MISS, 3, 9],
    [HIT, 14, 9],
    [HIT + 1, 25, 9]
  ];
  for (const [band, top, bandHeight] of bands) {
    pen.fillStyle = band > HIT ? looks.palette.edge[KINDS.length - 1] : plainColor(looks.palette, band);
    let done = -1;
    for (let i = 0; i < segments.n; i++) {
      if (shown[i] === HIDDEN || Math.min(shown[i], HIT + 1) !== band) continue;
      const from = Math.max(Math.floor((segments.start[i] - view.begin) * scale), done);
      const to = Math.max(Math.ceil((segments.end[i] - view.begin) * scale), from + 1);
      if (to <= done) continue;
      pen.fillRect(from, top, to - from, bandHeight);
      done = to;
    }
  }
  return picture;
}

// src/looking.js
var MOST_LANES_PX = 520;
var LEAST_LANES_PX = 180;
function fitSize(panel) {
  const { scene, parts } = panel;
  scene.width = Math.max(parts.stage.clientWidth, 200);
  scene.left = scene.width < 700 ? 116 : 168;
  const room = (window.innerHeight - 330) / panel.group.number;
  scene.height = Math.min(scene.contentHeight + AXIS_PX, Math.max(Math.min(MOST_LANES_PX, room), LEAST_LANES_PX));
  parts.scroller.style.height = `${scene.height}px`;
  parts.spacer.style.height = `${scene.contentHeight + AXIS_PX - scene.height}px`;
  scene.width = Math.max(parts.scroller.clientWidth, 200);
  applyTheme(panel);
}
function applyTheme(panel) {
  const { root, scene, canvas } = panel, dark = isDark(root), ratio = window.devicePixelRatio;
  if (!scene.looks || scene.looks.dark !== dark || scene.looks.ratio !== ratio) {
    const palette = dark ? DARK : LIGHT;
    scene.looks = { dark, ratio, palette, patterns: makePatterns(canvas.getContext("2d"), palette) };
    root.classList.toggle("dark", dark);
    panel.parts.key.replaceChildren(...legend(scene.looks, panel.info));
  }
  redraw(panel);
}
function redraw(panel) {
  if (panel.waiting || !panel.scene.segments) return;
  panel.waiting = true;
  requestAnimationFrame(() => {
    panel.waiting = false;
    drawPanel(panel);
  });
}
function drawPanel({ root, canvas, scene, parts, kept }) {
  scene.scrollTop = parts.scroller.scrollTop;
  drawScene(canvas, scene);
  drawOverview(parts.overview, scene, kept);
  root.dispatchEvent(new CustomEvent("drawn"));
}
function look(panel, from, to) {
  const { view } = panel.state, longest = view.end - view.begin;
  const span = Math.min(Math.max(to - from, Math.max(longest * 1e-5, 0.02)), longest);
  const start = Math.min(Math.max((from + to - span) / 2, view.begin), view.end - span);
  panel.set({ view: { ...view, from: start, to: start + span } });
}
function zoom(panel, factor, around = (panel.state.view.from + panel.state.view.to) / 2) {
  const { from, to } = panel.state.view;
  look(panel, around + (from - around) * factor, around + (to - around) * factor);
}
function pan(panel, share) {
  const { from, to } = panel.state.view, by = share * (to - from);
  look(panel, from + by, to + by);
}
function pick(panel, rows) {
  const { source, parts } = panel;
  panel.set({ picked: rows, part: null });
  markCounterpart(panel);
  source.pick(rows);
  const lines = rows.length ? segmentLines(panel, rows.at(-1)) : [];
  parts.said.textContent = lines.join(", ");
}
function markCounterpart({ scene, state }) {
  const row = state.picked.at(-1) ?? -1;
  scene.counterpart = row >= 0 ? counterpartOf(scene.segments, scene.shown, row) : -1;
}
function choose(panel, rows) {
  pick(panel, rows);
  if (rows.length) restCursor(panel, Math.max(panel.scene.segments.start[rows.at(-1)], 0));
}
function restCursor(panel, seconds) {
  panel.set({ restSec: seconds, cursorSec: seconds });
}
function goTo(panel, row) {
  const { segments, shown, view } = panel.scene, other = counterpartOf(segments, shown, row);
  const both = other >= 0 ? [row, other] : [row];
  const start = Math.min(...both.map((one) => segments.start[one])), end = Math.max(...both.map((one) => segments.end[one]));
  const width = Math.max(Math.min(view.to - view.from, Math.max(20 * (end - start), 5)), 2 * (end - start));
  look(panel, (start + end - width) / 2, (start + end + width) / 2);
  for (const one of both.reverse()) scrollToRow(panel, one);
  choose(panel, [row]);
}
function scrollToRow({ scene, parts: { scroller } }, row) {
  const place = rowOf(scene.lanes, scene.segments, row), height = scene.height - AXIS_PX;
  if (!place) return;
  if (place.top < scroller.scrollTop || place.top + place.height > scroller.scrollTop + height) {
    scroller.scrollTop = place.top - height / 2;
  }
}

// src/correcting.js
var SHORTEST_SEC = 0.01;
function byOnset(list) {
  return [...list].sort((a, b) => a.start - b.start || a.end - b.end || a.label - b.label);
}
function segmentOf({ start, end, label, score, comment }, row) {
  return { start: start[row], end: end[row], label: label[row], score: score[row], comment: comment?.[row] ?? "" };
}
function truthRows(segments) {
  return [...segments.score.keys()].filter((row) => isTruth(segments, row));
}
function truthOf(segments) {
  return byOnset(truthRows(segments).map((row) => segmentOf(segments, row)));
}
function keyOf({ start, end, label, comment }) {
  return `${start} ${end} ${label} ${comment ?? ""}`;
}
function overlapOf(one, other) {
  const both = Math.max(Math.min(one.end, other.end) - Math.max(one.start, other.start), 0);
  return both / Math.max(one.end - one.start + (other.end - other.start) - both, 1e-9);
}
function leftOver(list, other) {
  const there = /* @__PURE__ */ new Map();
  for (const key of other.map(keyOf)) there.set(key, (there.get(key) ?? 0) + 1);
  return [...list.keys()].filter((i) => {
    const key = keyOf(list[i]), times = there.get(key) ?? 0;
    if (times) there.set(key, times - 1);
    return !times;
  });
}
function editedRows(segments, original) {
  const rows = truthRows(segments);
  return leftOver(
    rows.map((row) => segmentOf(segments, row)),
    original
  ).map((i) => rows[i]);
}
function sameRow(segments, wanted, row) {
  const same = (one) => {
    const { score, ...other } = segmentOf(segments, one);
    return Object.is(score, wanted.score) && keyOf(other) === keyOf(wanted);
  };
  return row < segments.n && same(row) ? row : [...segments.start.keys()].find(same) ?? -1;
}
function countCorrections(original, list) {
  return Math.max(leftOver(original, list).length, leftOver(list, original).length);
}
function withTruth(segments, list) {
  const truth = byOnset(list), found = [...segments.score.keys()].filter((row) => !isTruth(segments, row));
  const n = truth.length + found.length, facts = new Float64Array(5 * n), comment = [];
  let [t, p] = [0, 0];
  for (let i = 0; i < n; i++) {
    const isNext = t < truth.length && (p === found.length || truth[t].start <= segments.start[found[p]]);
    const { start, end, label, score } = isNext ? { ...truth[t], score: NaN } : segmentOf(segments, found[p]);
    if (isNext && truth[t].comment) comment[i] = truth[t].comment;
    const place = isNext ? t++ : segments.place[found[p++]];
    [start, end, label, score, place].forEach((value, column) => facts[column * n + i] = value);
  }
  return { ...segmentColumns(facts), comment };
}
function rounded(time, limit) {
  return Math.min(Math.max(Math.round(time * 1e3) / 1e3, 0), limit);
}
function moved(segment, part, bySec, limit) {
  const { start, end } = segment;
  if (part === "start") return { ...segment, start: rounded(Math.min(start + bySec, end - SHORTEST_SEC), limit) };
  if (part === "end") return { ...segment, end: rounded(Math.max(end + bySec, start + SHORTEST_SEC), limit) };
  const by = Math.min(Math.max(bySec, -start), limit - end);
  return { ...segment, start: rounded(start + by, limit), end: rounded(end + by, limit) };
}

// src/matching.js
var JUDGED_FROM = 0.1;
var [OVER_OWN, OVER_OTHER, NEAR_OWN, NEAR_OTHER] = [
  "double detection",
  "wrong label",
  "localisation",
  "confusion"
].map((name) => KINDS.indexOf(name));
function matchSegments(segments, threshold) {
  const { n, start, end, label, score, place } = segments;
  const kind = new Int8Array(n).fill(MISS), partner = new Int32Array(n).fill(-1), tiou = new Float32Array(n), near = new Int32Array(n).fill(-1), nearTiou = new Float64Array(n);
  const { truths, reach, byPlace } = sortRows(segments);
  for (const i of byPlace) {
    let found = -1, nearest = -1, foundTiou = 0, nearestTiou = 0;
    for (let t = firstReaching({ reach }, start[i]); t < truths.length; t++) {
      const j = truths[t];
      if (start[j] >= end[i]) break;
      const overlap = Math.min(end[i], end[j]) - Math.max(start[i], start[j]);
      if (!(overlap > 0)) continue;
      const over = overlap / (end[i] - start[i] + (end[j] - start[j]) - overlap), own = label[i] === label[j];
      if (isNearer(segments, i, j, nearest, over - nearestTiou)) [nearest, nearestTiou] = [j, over];
      if (over > nearTiou[j] || over === nearTiou[j] && own && label[near[j]] !== label[j]) {
        [near[j], nearTiou[j]] = [i, over];
      }
      if (!own || kind[j] === FOUND || over < threshold) continue;
      if (over > foundTiou || over === foundTiou && place[j] > place[found]) [found, foundTiou] = [j, over];
    }
    if (found >= 0) {
      [kind[i], partner[i], tiou[i]] = [HIT, found, foundTiou];
      [kind[found], partner[found], tiou[found]] = [FOUND, i, foundTiou];
    } else {
      [kind[i], partner[i], tiou[i]] = [
        falseKind(nearestTiou, label[nearest] === label[i], threshold),
        nearest,
        nearestTiou
      ];
    }
  }
  return { n, start, end, label, score, place, kind, partner, tiou, near, nearTiou };
}
function sortRows(segments) {
  const { n, end, place } = segments, truths = [], reach = [];
  let last = -Infinity;
  for (let i = 0; i < n; i++) {
    if (!isTruth(segments, i)) continue;
    last = Math.max(last, end[i]);
    truths.push(i);
    reach.push(last);
  }
  const byPlace = new Int32Array(n - truths.length);
  for (let i = 0; i < n; i++) if (!isTruth(segments, i)) byPlace[place[i]] = i;
  return { truths, reach, byPlace };
}
function isNearer({ label, place }, i, j, nearest, gain) {
  if (gain !== 0) return gain > 0;
  const own = label[j] === label[i], before = label[nearest] === label[i];
  return own === before ? place[j] > place[nearest] : own;
}
function falseKind(tiou, own, threshold) {
  if (tiou >= threshold) return own ? OVER_OWN : OVER_OTHER;
  if (tiou >= JUDGED_FROM) return own ? NEAR_OWN : NEAR_OTHER;
  return NOTHING;
}

// src/run.js
function openRun(info, buffer) {
  const counts2 = info.videos.map((video) => video.ground_truths + video.predictions);
  const firsts = [];
  counts2.reduce((first, count, v) => {
    firsts[v] = first;
    return first + count;
  }, 0);
  const numbers = new Map(info.videos.map((video, v) => [video.video, v]));
  return { info, facts: new Float64Array(buffer), counts: counts2, firsts, numbers, edited: /* @__PURE__ */ new Map(), edits: 0, kept: [] };
}
function givenSegments(run, v) {
  const segments = segmentColumns(run.facts, run.firsts[v] ?? 0, run.counts[v] ?? 0), comments = run.info.comments?.[run.info.videos[v]?.video];
  if (!comments) return segments;
  const { score, place } = segments;
  return { ...segments, comment: [...score].map((one, i) => Number.isNaN(one) ? comments[place[i]] : "") };
}
function originalOf(run, video) {
  return truthOf(givenSegments(run, run.numbers.get(video)));
}
function correctRun(run, video, list) {
  run.edits += 1;
  if (list && countCorrections(originalOf(run, video), list)) run.edited.set(video, list);
  else run.edited.delete(video);
}
function segmentsOf(run, v, tiou) {
  const list = run.edited.get(run.info.videos[v]?.video), kept = run.kept[v];
  if (kept && kept.tiou === tiou && kept.list === list) return kept.segments;
  const given = givenSegments(run, v), columns = list ? withTruth(given, list) : given, { pairs } = run.info.videos[v] ?? {}, segments = { ...pairs ? pairSegments(columns, pairs) : matchSegments(columns, tiou), comment: columns.comment };
  const original = list ? truthOf(given) : null;
  segments.edited = list ? editedRows(segments, original) : [];
  segments.numCorrections = list ? countCorrections(original, list) : 0;
  run.kept[v] = { tiou, list, segments };
  return segments;
}

// src/sorting.js
function rising(keys) {
  const n = keys.length, whole = new Uint32Array(n);
  for (let i = 0; i < n; i++) whole[i] = Math.min(Math.max(keys[i], 0), 1) * (2 ** 32 - 1);
  let order = new Uint32Array(n), sorted = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  for (const shift of [0, 16]) {
    const place = new Uint32Array(2 ** 16 + 1);
    for (let i = 0; i < n; i++) place[(whole[i] >>> shift & 65535) + 1] += 1;
    for (let digit = 1; digit < place.length; digit++) place[digit] += place[digit - 1];
    for (let k = 0; k < n; k++) sorted[place[whole[order[k]] >>> shift & 65535]++] = order[k];
    [order, sorted] = [sorted, order];
  }
  return order;
}

// src/gains.js
function gainsOf(run, tiou) {
  if (run.gains?.tiou === tiou && run.gains.edits === run.edits) return run.gains;
  const { key, label, hit, entry, numTruths, total } = collectPredictions(run, tiou);
  const known = numTruths.reduce((sum, count) => sum + (count > 0), 0);
  const order = rising(key);
  const ofPrediction = new Float64Array(total), ofMiss = Float64Array.from(numTruths, (count) => count ? 1 / (count * known) : 0);
  for (let from = 0; from < order.length; ) {
    const own = label[order[from]], share = ofMiss[own];
    let to = from;
    while (to < order.length && label[order[to]] === own) to++;
    const tell = (i, gain) => ofPrediction[entry[i]] = share * gain;
    ofMiss[own] = share * gainOfClass(order.subarray(from, to), hit, tell);
    from = to;
  }
  run.gains = { tiou, edits: run.edits, ofPrediction, ofMiss };
  return run.gains;
}
function collectPredictions(run, tiou) {
  const numTruths = new Float64Array(run.info.classes.length), total = run.counts.reduce((sum, _, v) => sum + segmentsOf(run, v, tiou).n, 0);
  const key = new Float64Array(total), label = new Int32Array(total), hit = new Uint8Array(total), entry = new Uint32Array(total);
  let n = 0, first = 0;
  for (let v = 0; v < run.counts.length; v++) {
    const segments = segmentsOf(run, v, tiou);
    for (let i = 0; i < segments.n; i++) {
      const own = segments.label[i];
      if (isTruth(segments, i)) {
        numTruths[own] += 1;
        continue;
      }
      key[n] = (own + 1 - Math.min(Math.max(segments.score[i], 0), 1)) / (numTruths.length + 1);
      label[n] = own;
      hit[n] = segments.kind[i] === HIT;
      entry[n++] = first + i;
    }
    first += segments.n;
  }
  return { key: key.subarray(0, n), label, hit, entry, numTruths, total };
}
function gainOfClass(order, hit, tell) {
  const hitsUpTo = new Float64Array(order.length);
  let hits = 0;
  for (let r = 0; r < order.length; r++) hitsUpTo[r] = hits += hit[order[r]];
  let removed = 0, added = 1;
  for (let r = order.length - 1; r >= 0; r--) {
    const rank = r + 1;
    if (!hit[order[r]]) tell(order[r], removed);
    else {
      removed += hitsUpTo[r] / (rank - 1) - hitsUpTo[r] / rank;
      added += (hitsUpTo[r] + 1) / (rank + 1) - hitsUpTo[r] / rank;
    }
  }
  return added;
}

// src/review.js
var isKind = (wanted) => (kind) => kind === wanted;
var LISTED = {
  errors: ["all errors", isError],
  ...Object.fromEntries(KINDS.map((name, kind) => [name, [name, isKind(kind)]]).slice(HIT + 1)),
  miss: ["missed actions", isKind(MISS)],
  false: ["false detections", (kind) => kind > HIT],
  hit: ["hits", isKind(HIT)],
  detections: ["all detections", (kind) => kind >= HIT],
  actions: ["all actions", (kind) => kind === FOUND || kind === MISS]
};
var SORTED = {
  time: "by recording and time",
  score: "highest score first",
  gain: "most to gain first",
  doubt: "most doubtful first"
};
var FILTERS = ["whose", "what", "sorted", "videoPart", "maxScore", "minSec", "maxSec", "cell"];
function wholeList() {
  return { what: "errors", sorted: "time", videoPart: "", maxScore: 1, minSec: 0, maxSec: Infinity, cell: null };
}
function listedRuns({ whose }) {
  return whose.split(" ").map(Number);
}
function scoreOf({ score, partner, near }, kind, i) {
  if (!Number.isNaN(score[i])) return score[i];
  const other = kind === FOUND ? partner[i] : near[i];
  return other >= 0 ? score[other] : Number.NaN;
}
function cellOf({ label, partner, isTold }, kind, i, numClasses) {
  if (isTold && partner[i] >= 0) return label[i] * (numClasses + 1) + label[partner[i]];
  if (kind === FOUND) return -1;
  if (kind === MISS) return label[i] * (numClasses + 1) + numClasses;
  const truth = kind === HIT || kind === WRONG_LABEL ? label[partner[i]] : numClasses;
  return truth * (numClasses + 1) + label[i];
}
function keyOf2(run, { sorted, tiou, minScore }) {
  const gains = sorted === "gain" ? gainsOf(run, tiou) : null;
  const keys = {
    time: null,
    score: (segments, kind, i) => 1 - (scoreOf(segments, kind, i) || 0),
    doubt: (segments, kind, i) => {
      const score = scoreOf(segments, kind, i);
      return Number.isNaN(score) ? 1 : Math.abs(score - minScore);
    },
    gain: (segments, kind, i, entry) => 1 - gainOf(gains, segments, kind, i, entry)
  };
  return keys[sorted];
}
function gainOf(gains, { label }, kind, i, entry) {
  if (kind > HIT) return gains.ofPrediction[entry];
  return kind === MISS ? gains.ofMiss[label[i]] : 0;
}
function chooser(state) {
  const wanted = LISTED[state.what][1], isKept = isWithin(state), { cell } = state;
  return (segments, kind, i, own) => (cell === null ? wanted(kind) : own === cell) && isKept(segments, kind, i);
}
function isWithin({ maxScore, minSec, maxSec }) {
  return (segments, kind, i) => {
    const length = segments.end[i] - segments.start[i];
    return length >= minSec && length <= maxSec && (maxScore >= 1 || scoreOf(segments, kind, i) <= maxScore);
  };
}
function reviewRun(run, state, side = 0) {
  const numClasses = run.info.classes.length, part = state.videoPart.trim().toLowerCase(), key = keyOf2(run, state), isListed = chooser(state);
  const capacity = run.counts.reduce((sum, _, v) => sum + segmentsOf(run, v, state.tiou).n, 0);
  const [video, row, entry] = [1, 2, 3].map(() => new Uint32Array(capacity)), kinds = new Int8Array(capacity), keys = new Float64Array(key ? capacity : 0);
  const errors = new Uint32Array(run.counts.length), cells = new Uint32Array((numClasses + 1) ** 2);
  let n = 0, first = 0;
  for (let v = 0; v < run.counts.length; v++) {
    const segments = segmentsOf(run, v, state.tiou), shown = shownKinds(segments, state), named = !part || run.info.videos[v].video.toLowerCase().includes(part);
    for (let i = 0; i < segments.n; i++) {
      const kind = shown[i];
      if (!counts(segments, kind, i)) continue;
      const own = cellOf(segments, kind, i, numClasses);
      if (isError(kind)) errors[v] += 1;
      if (own >= 0) cells[own] += 1;
      if (!named || !isListed(segments, kind, i, own)) continue;
      if (key) keys[n] = key(segments, kind, i, first + i);
      video[n] = v;
      row[n] = i;
      kinds[n] = kind;
      entry[n++] = first + i;
    }
    first += segments.n;
  }
  const order = key ? rising(keys.subarray(0, n)) : null;
  const columns = { video, row, kind: kinds, entry };
  for (const name of Object.keys(columns)) columns[name] = take(columns[name].subarray(0, n), order);
  return { n, ...columns, side: new Uint8Array(n).fill(side), errors, total: errors.reduce((a, b) => a + b, 0), cells };
}
function take(column, order) {
  if (!order) return column;
  const taken = new column.constructor(order.length);
  for (let k = 0; k < order.length; k++) taken[k] = column[order[k]];
  return taken;
}
function placeInList({ n, video, row, side }, v, i, own) {
  for (let k = 0; k < n; k++) if (row[k] === i && video[k] === v && side[k] === own) return k;
  return -1;
}
function nextInList({ n, video }, sorted, startOf, v, sec, direction) {
  if (sorted !== "time") return direction > 0 ? 0 : n - 1;
  const isAfter = (k) => video[k] > v || video[k] === v && startOf(k) >= sec;
  let low = 0, high = n;
  while (low < high) {
    const middle = low + high >> 1;
    if (isAfter(middle)) high = middle;
    else low = middle + 1;
  }
  return direction > 0 ? low % n : (low - 1 + n) % n;
}

// src/changes.js
var CHANGED = {
  errors: [() => "all that changed", () => true],
  found0: [(one) => `found in ${one} alone`, (kind, second) => kind === FOUND && !second],
  found1: [(_, other) => `found in ${other} alone`, (kind, second) => kind === FOUND && second],
  false0: [(one) => `false in ${one} alone`, (kind, second) => kind !== FOUND && !second],
  false1: [(_, other) => `false in ${other} alone`, (kind, second) => kind !== FOUND && second]
};
function findChanges(panels, whose) {
  const sides = whose.split(" ").map(Number), { videos } = panels[sides[0]].info;
  const errors = new Uint32Array(videos.length), changes = [];
  for (let v = 0; v < videos.length; v++) {
    const both = sides.map((side) => sideOf(panels[side], side, v));
    const found = [...foundAlone(both), ...falseAlone(...both), ...falseAlone(both[1], both[0])].map(([own, row]) => {
      const { side, segments, shown } = own, { start, score, partner } = segments, kind = shown[row];
      const sure = score[kind === FOUND ? partner[row] : row];
      return { video: v, row, kind, side, segments, start: start[row], score: sure, isSecond: side === sides[1] };
    });
    errors[v] = found.length;
    for (const one of found.sort(byTime)) changes.push(one);
  }
  return { whose, changes, errors };
}
function changesOf({ changes, errors }, { videos }, state) {
  const part = state.videoPart.trim().toLowerCase(), isListed = CHANGED[state.what][1], isKept = isWithin(state);
  const found = changes.filter(({ video, row, kind, segments, isSecond }) => {
    if (!isListed(kind, isSecond) || !isKept(segments, kind, row)) return false;
    return !part || videos[video].video.toLowerCase().includes(part);
  });
  if (ORDERS2[state.sorted]) found.sort(ORDERS2[state.sorted](state));
  const columns = ["video", "row", "kind", "side"].map((name) => [name, found.map((one) => one[name])]);
  return { n: found.length, ...Object.fromEntries(columns), errors, total: changes.length };
}
var byTime = (a, b) => a.start - b.start;
var ORDERS2 = {
  score: () => (a, b) => b.score - a.score,
  doubt: ({ minScore }) => (a, b) => Math.abs(a.score - minScore) - Math.abs(b.score - minScore)
};
function sideOf({ run, state, info }, side, v) {
  const segments = segmentsOf(run, v, state.tiou);
  return { side, segments, shown: shownKinds(segments, state), ids: info.label_ids, tiou: state.tiou };
}
function rowsOf(shown, isWanted) {
  const rows = [];
  for (let i = 0; i < shown.length; i++) if (isWanted(shown[i], i)) rows.push(i);
  return rows;
}
function foundAlone(both) {
  const [ones, others] = both.map(({ segments, shown, ids }) => {
    const { start, end, label } = segments;
    return rowsOf(shown, (kind, i) => kind !== HIDDEN && isTruth(segments, i)).sort(
      (i, j) => start[i] - start[j] || end[i] - end[j] || ids[label[i]] - ids[label[j]]
    );
  });
  const changes = [];
  for (let k = 0; k < Math.min(ones.length, others.length); k++) {
    const [first, second] = [both[0].shown[ones[k]] === FOUND, both[1].shown[others[k]] === FOUND];
    if (first !== second) changes.push(first ? [both[0], ones[k]] : [both[1], others[k]]);
  }
  return changes;
}
function falseAlone(one, other) {
  const falseRows = ({ shown }) => rowsOf(shown, (kind) => kind > HIT);
  const rows = falseRows(other), { start, end, label } = other.segments;
  let last = -Infinity;
  const reach = rows.map((i) => last = Math.max(last, end[i]));
  const isThere = (i) => {
    const [from, to, id] = [one.segments.start[i], one.segments.end[i], one.ids[one.segments.label[i]]];
    for (let k = firstReaching({ reach }, from); k < rows.length && start[rows[k]] < to; k++) {
      const j = rows[k], both = Math.min(to, end[j]) - Math.max(from, start[j]);
      if (other.ids[label[j]] === id && both >= one.tiou * (to - from + end[j] - start[j] - both)) return true;
    }
    return false;
  };
  return falseRows(one).filter((i) => !isThere(i)).map((i) => [one, i]);
}
function sameAction(panel, row, other) {
  const { start, end, label } = panel.scene.segments, id = panel.info.label_ids[label[row]], there = other.scene.segments;
  const isSame = (i) => isTruth(there, i) && there.start[i] === start[row] && there.end[i] === end[row];
  return [...there.start.keys()].find((i) => isSame(i) && other.info.label_ids[there.label[i]] === id) ?? -1;
}

// src/showing.js
function showVideo(panel, video, tiou = panel.state.tiou) {
  const { state, run, scene } = panel;
  const other = !scene.segments || video !== state.video;
  panel.parts.said.textContent = "";
  panel.set({ video, tiou });
  if (!run) return;
  if (other) beginVideo(panel);
  panel.parts.videos.fill(video);
  refresh(panel);
}
function refresh(panel) {
  const { scene, state, run } = panel;
  const picked = state.picked.map((row) => segmentOf(scene.segments, row));
  takeSegments(panel, segmentsOf(run, run.numbers.get(state.video), state.tiou));
  const rows = state.picked.map((row, i) => sameRow(scene.segments, picked[i], row)).filter((row) => row >= 0);
  filterSegments(panel);
  if (String(rows) !== String(state.picked)) pick(panel, rows);
}
function takeSegments(panel, segments) {
  const { scene, state } = panel;
  scene.segments = segments;
  const { end } = wholeOf(panel, segments), { view } = state;
  if (end > view.end) panel.set({ view: { ...view, end } });
  panel.set({ hovered: -1, draft: null });
}
function beginVideo(panel) {
  const { scene, state, run } = panel, v = run.numbers.get(state.video);
  scene.segments = segmentsOf(run, v, state.tiou);
  scene.ignored = run.info.videos[v]?.ignored_sec ?? [];
  const { begin, end } = wholeOf(panel, scene.segments);
  scene.shown = shownKinds(scene.segments, state);
  panel.parts.scroller.scrollTop = 0;
  panel.set({ view: { begin, end, from: begin, to: end }, begunSec: null });
  restCursor(panel, null);
  pick(panel, []);
}
function wholeOf({ run, state }, { start, end }) {
  const begin = start.length ? Math.min(0, start[0]) : 0, known = run.info.videos[run.numbers.get(state.video)]?.duration_sec ?? 0;
  return {
    begin,
    end: Math.max(
      end.reduce((a, b) => Math.max(a, b), begin),
      known
    ) || 1
  };
}
function filterSegments(panel) {
  const { scene, state } = panel;
  if (!scene.segments) return;
  scene.shown = shownKinds(scene.segments, state);
  const rowNames = panel.info.annotators ?? ["ground truth", "predictions"];
  scene.lanes = arrangeLanes(scene.segments, scene.shown, scene.view.end - scene.view.begin, state, rowNames);
  const last = scene.lanes.at(-1);
  scene.contentHeight = last ? last.top + last.height + LANE_GAP_PX : 60;
  scene.numErrors = scene.shown.reduce((sum, kind, i) => sum + (isError(kind) && counts(scene.segments, kind, i)), 0);
  forgetList(panel);
  markCounterpart(panel);
  panel.report();
  fitSize(panel);
}
function forgetList(panel) {
  const [first] = panel.group.panels;
  first.list = first.changes = null;
  if (first !== panel) redraw(first);
}
function listOf(panel) {
  const { panels } = panel.group, [first] = panels, [one, other] = listedRuns(first.state);
  if (!panels[one].run || other !== void 0 && !panels[other].run) return null;
  first.list ??= other === void 0 ? reviewOne(panels, one) : reviewChanges(panels);
  return first.list;
}
function reviewOne(panels, one) {
  const { minScore, topK, hidden, tiou, unjudged } = panels[one].state;
  return reviewRun(panels[one].run, { ...panels[0].state, minScore, topK, hidden, tiou, unjudged }, one);
}
function reviewChanges(panels) {
  const [first] = panels, { whose } = first.state;
  if (first.changes?.whose !== whose) first.changes = findChanges(panels, whose);
  return changesOf(first.changes, first.info, first.state);
}
function errorsOf(panel) {
  if (!panel.run) return null;
  return (panel.state.whose === "0" ? listOf(panel) : reviewRun(panel.run, panel.state)).errors;
}
function currentPlace(panel, list) {
  const { panels, leader } = panel.group;
  for (const own of [leader, ...panels]) {
    const row = own.run ? own.state.picked.at(-1) ?? -1 : -1;
    const k = row >= 0 ? placeInList(list, own.run.numbers.get(own.state.video), row, panels.indexOf(own)) : -1;
    if (k >= 0) return k;
  }
  return -1;
}
function step(panel, direction) {
  const { scene, state, run, parts, group } = panel, list = run && listOf(panel);
  if (!list) return;
  const { what, sorted } = group.panels[0].state;
  if (!list.n) {
    const none = `: no ${panel.info.annotators ? "difference" : "error"} is shown`;
    parts.said.textContent = `There is nothing in the list${what === "errors" ? none : ""}.`;
    return;
  }
  const place = currentPlace(panel, list), row = state.picked.at(-1) ?? -1, from = row >= 0 ? scene.segments.start[row] : scene.view.from;
  const startOf = (k) => {
    const own = group.panels[list.side[k]];
    return segmentsOf(own.run, list.video[k], own.state.tiou).start[list.row[k]];
  };
  const next = () => nextInList(list, sorted, startOf, run.numbers.get(state.video), from, direction);
  goToEntry(panel, place < 0 ? next() : (place + direction + list.n) % list.n);
}
function goToEntry(panel, k) {
  const { video, row, side } = listOf(panel), { group } = panel, own = group.panels[side[k]], name = own.run.info.videos[video[k]].video;
  group.leader = own;
  if (name !== own.state.video) showVideo(own, name);
  goTo(own, row[k]);
  if (group.panels.length > 1) own.canvas.scrollIntoView({ block: "nearest" });
  for (const other of group.panels) {
    if (other === own || !other.run) continue;
    if (other.state.video !== name) showVideo(other, name, own.state.tiou);
    const same = isTruth(own.scene.segments, row[k]) ? sameAction(own, row[k], other) : -1;
    pick(other, same >= 0 ? [same] : []);
  }
}

// src/editing.js
var STATES = ["to do", "done", "unsure"];
function toggleEditing(panel) {
  if (panel.source.readOnly) return say(panel, panel.source.readOnly);
  panel.set({ editing: !panel.state.editing, part: null, begunSec: null });
  return panel.canvas.focus();
}
function stateOf({ state }, video = state.video) {
  return state.states.get(video) ?? STATES[0];
}
function say(panel, text) {
  panel.parts.said.textContent = text;
}
function pickedTruth({ scene, state }) {
  return state.picked.findLast((row) => isTruth(scene.segments, row)) ?? -1;
}
function pickedFound({ scene, state }) {
  return state.picked.findLast((row) => !isTruth(scene.segments, row)) ?? -1;
}
function limitSec({ info, state }) {
  return info.videos.find((one) => one.video === state.video)?.known_sec ?? Infinity;
}
function commitEdit(panel, list, chosen) {
  const { state, scene, source } = panel, before = truthOf(scene.segments), after = byOnset(list);
  if (!leftOver(after, before).length && after.length === before.length) return;
  if (source.readOnly) return void say(panel, source.readOnly);
  panel.set({ undo: [...state.undo, { video: state.video, before, after }], redo: [] });
  setTruth(panel, state.video, after, chosen);
}
function setTruth(panel, video, list, chosen, step2 = "edit") {
  const { scene, state, source, run } = panel;
  correctRun(run, video, list);
  source.correct(video, list, step2);
  if (video !== state.video) return showVideo(panel, video);
  if (chosen && state.hidden.has(chosen.label))
    panel.set({ hidden: new Set([...state.hidden].filter((label) => label !== chosen.label)) });
  refresh(panel);
  const same = (row) => keyOf(segmentOf(scene.segments, row)) === keyOf(chosen);
  pick(panel, chosen ? truthRows(scene.segments).filter(same).slice(0, 1) : []);
}
function replaceTruth(panel, row, segment) {
  return replaceTruths(panel, [row], segment ? [segment] : []);
}
function addTruths(panel, news) {
  return replaceTruths(panel, [], news);
}
function replaceTruths(panel, rows, news) {
  const { segments } = panel.scene, { label_ids: ids } = panel.info;
  if (news.some((one) => !(one.end - one.start >= SHORTEST_SEC / 2))) {
    return say(panel, "That is too short to be an action.");
  }
  if (news.some((one) => !(ids[one.label] >= 0))) return say(panel, "Its class is not known: choose another one.");
  const kept = truthRows(segments).filter((one) => !rows.includes(one)).map((one) => segmentOf(segments, one));
  return commitEdit(panel, [...kept, ...news], news[0]);
}
function undo(panel, from = "undo", to = "redo", which = "before") {
  const { [from]: edits, [to]: others } = panel.state, edit = edits.at(-1);
  if (!edit) return say(panel, `There is nothing to ${from}.`);
  if (panel.source.readOnly) return say(panel, panel.source.readOnly);
  panel.set({ [from]: edits.slice(0, -1), [to]: [...others, edit] });
  const before = edit.before ?? originalOf(panel.run, edit.video), [list, other] = which === "before" ? [before, edit.after] : [edit.after, before];
  return setTruth(panel, edit.video, list, list[leftOver(list, other)[0]], from);
}
function redo(panel) {
  return undo(panel, "redo", "undo", "after");
}
function deleteTruth(panel) {
  const row = pickedTruth(panel);
  if (row < 0) return say(panel, "Select an annotation first.");
  return replaceTruth(panel, row, null);
}
function acceptPrediction(panel) {
  const { scene } = panel, row = pickedFound(panel);
  if (row < 0) return say(panel, "Select a prediction first.");
  const { start, end, label } = segmentOf(scene.segments, row), limit = limitSec(panel);
  const accepted = { start: rounded(start, limit), end: rounded(end, limit), label };
  const there = truthOf(scene.segments).some((one) => keyOf({ ...one, comment: "" }) === keyOf(accepted));
  return there ? say(panel, "This is annotated already.") : replaceTruth(panel, -1, accepted);
}
function insertTruth(panel) {
  const { from, to } = panel.state.view, limit = limitSec(panel), label = panel.state.newLabel;
  const [start, end] = [0.45, 0.55].map((share) => rounded(from + share * (to - from), limit));
  replaceTruth(panel, -1, { start, end, label });
}
function chooseLabel(panel, label) {
  const row = pickedTruth(panel);
  panel.set({ newLabel: label });
  say(panel, `class of the next new annotation: ${panel.info.classes[label]}`);
  if (row >= 0) replaceTruth(panel, row, { ...segmentOf(panel.scene.segments, row), label });
}

// src/edit_report.js
function reportEditing(panel) {
  const { state, parts, scene, run, source } = panel, row = scene.segments ? pickedTruth(panel) : -1;
  parts.edit.setAttribute("aria-pressed", state.editing);
  parts.row.hidden = !state.editing;
  parts.undo.disabled = !state.undo.length;
  parts.redo.disabled = !state.redo.length;
  const videos = run?.edited.size ?? 0;
  parts.save.disabled = !videos && ![...state.states.values()].some((one) => one !== "to do");
  parts.label.value = row >= 0 ? scene.segments.label[row] : state.newLabel;
  parts.state.value = stateOf(panel);
  const here = plural(scene.segments?.numCorrections ?? 0, "correction"), done = [...state.states.values()].filter((one) => one === "done").length;
  const words = [`${here} in this video (◤), ${plural(videos, "video")} corrected`];
  if (source.keepState) words.push(`${done} of ${panel.info.videos.length} done`);
  if (source.keeps) words.push(keptWords(source.keeps));
  parts.corrected.textContent = words.join("; ");
  parts.corrected.hidden = !state.editing && !videos && !source.keeps;
  const alarm = alarmWords(source);
  if (parts.alarm.textContent !== alarm) parts.alarm.textContent = alarm;
  parts.alarm.hidden = !alarm;
}
function keptWords({ waiting, at, name }) {
  if (waiting) return `${waiting} being kept …`;
  return at ? `kept in ${name} at ${at.toLocaleTimeString()}` : `kept in ${name}`;
}
function alarmWords({ keeps, readOnly }) {
  const changes = (count) => count === 1 ? "1 change is" : `${count} changes are`;
  if (readOnly) {
    const lost = keeps?.lost ? ` ${changes(keeps.lost)} not kept.` : "";
    return `Only to look at: ${readOnly}.${lost}`;
  }
  if (keeps?.refused) return `The last change CANNOT BE KEPT: ${keeps.refused}. Undo it (Ctrl+Z).`;
  if (!keeps?.error) return "";
  const left = keeps.waiting ? `${changes(keeps.waiting)} NOT SAVED` : "CHANGES ARE NOT SAVED";
  return `${left}: ${keeps.error}. It is tried again; leave this page open.`;
}

// src/focus.js
var TAKES_KEYS = "input, textarea, select, [contenteditable=true], dialog, [role=dialog], [role=menu], [role=listbox]";
function listenToHover({ root, canvas }) {
  let lent = null;
  root.addEventListener("pointermove", (event) => {
    const there = document.activeElement;
    if (event.pointerType !== "mouse" || !event.movementX && !event.movementY) return;
    if (!there || there === document.body || root.contains(there) || isTyping(there)) return;
    lent = there;
    canvas.focus({ preventScroll: true });
  });
  root.addEventListener("pointerdown", () => lent = null);
  root.addEventListener("pointerleave", () => {
    if (lent?.isConnected && document.activeElement === canvas) lent.focus({ preventScroll: true });
    lent = null;
  });
}
function isTyping(element) {
  return element.isContentEditable || Boolean(element.closest(TAKES_KEYS));
}

// src/places.js
function timeAt({ view, left, width }, x) {
  return view.from + (x - left) / (width - left) * (view.to - view.from);
}
function rowUnder({ scene, parts }, event) {
  if (!scene.segments || event.offsetX < scene.left || event.offsetY < AXIS_PX) return -1;
  const slack = 3 * (scene.view.to - scene.view.from) / (scene.width - scene.left);
  const y = event.offsetY - AXIS_PX + parts.scroller.scrollTop;
  return segmentAt(scene.segments, scene.lanes, timeAt(scene, event.offsetX), y, slack);
}

// src/snapping.js
var REACH_PX = 6;
function snapped({ scene }, time, row) {
  const { segments, shown, view, left, width } = scene;
  let away = REACH_PX * (view.to - view.from) / (width - left), best = time;
  for (let i = 0; i < segments.n; i++) {
    if (i === row || shown[i] === HIDDEN) continue;
    for (const end of [segments.start[i], segments.end[i]]) {
      if (Math.abs(end - time) < away) [best, away] = [end, Math.abs(end - time)];
    }
  }
  return best;
}
function snappedShift(panel, { start, end }, bySec, row) {
  const shifts = [start, end].map((one) => snapped(panel, one + bySec, row) - one);
  const better = shifts.filter((shift) => shift !== bySec).sort((a, b) => Math.abs(a - bySec) - Math.abs(b - bySec));
  return better[0] ?? bySec;
}

// src/dragging.js
var EDGE_PX = 6;
function takeHold(panel, event) {
  const { scene } = panel;
  if (!scene.editing || event.offsetX < scene.left || event.offsetY < AXIS_PX) return null;
  const row = rowUnder(panel, event), { segments: of } = scene, at = timeAt(scene, event.offsetX);
  if (row >= 0) {
    const before = segmentOf(of, row);
    return isTruth(of, row) ? { row, of, part: partAt(panel, row, event.offsetX), at, before } : null;
  }
  const y = event.offsetY - AXIS_PX + panel.parts.scroller.scrollTop;
  const lane = scene.lanes.find((one) => y >= one.top && y < one.top + one.height);
  const label = lane && lane.label >= 0 ? lane.label : scene.newLabel;
  return scene.names.length ? { row, of, part: "end", at, before: { start: at, end: at, label }, y } : null;
}
function partAt({ scene }, row, x) {
  const { view, left, width, segments } = scene, perSec = (width - left) / (view.to - view.from);
  const from = left + (segments.start[row] - view.from) * perSec, to = left + (segments.end[row] - view.from) * perSec;
  const edge = Math.min(EDGE_PX, (to - from) / 3);
  return x <= from + edge ? "start" : x >= to - edge ? "end" : "whole";
}
function dragHeld(panel, held, event) {
  const { scene } = panel;
  if (held.of !== scene.segments) return;
  const limit = limitSec(panel), time = timeAt(scene, Math.max(event.offsetX, scene.left)), near = (one) => event.altKey ? one : snapped(panel, one, held.row);
  const draft = held.row < 0 ? drawn(held, near, time, limit) : moved(held.before, held.part, shiftOf(panel, held, time, event), limit);
  const cursorSec = draft[held.part === "end" && draft.end !== held.before.end ? "end" : "start"];
  panel.set({ draft: { ...held, after: draft }, cursorSec });
  const { start, end, label } = draft;
  say(panel, `${scene.names[label]}: ${start.toFixed(2)} to ${end.toFixed(2)} s (${(end - start).toFixed(2)} s)`);
  redraw(panel);
}
function drawn({ at, before }, near, time, limit) {
  const [start, end] = [at, time].map((one) => rounded(near(one), limit)).sort((a, b) => a - b);
  return { ...before, start, end };
}
function shiftOf(panel, { row, part, at, before }, time, { altKey }) {
  if (altKey) return time - at;
  if (part === "whole") return snappedShift(panel, before, time - at, row);
  return snapped(panel, before[part] + time - at, row) - before[part];
}
function letGo(panel, keep) {
  const { draft } = panel.scene;
  panel.set({ draft: null });
  if (!draft) return;
  if (keep) replaceTruth(panel, draft.row, draft.after);
  redraw(panel);
}
function editCursor(panel, row, event) {
  const { scene } = panel;
  if (!scene.editing || event.offsetX < scene.left || event.offsetY < AXIS_PX) return "";
  if (row < 0) return "crosshair";
  if (!isTruth(scene.segments, row)) return "";
  return partAt(panel, row, event.offsetX) === "whole" ? "move" : "ew-resize";
}

// src/gestures.js
function hover(panel, row, event) {
  const {
    scene,
    state,
    canvas,
    parts: { tooltip, stage }
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
function listenToPointer(panel) {
  const { canvas, scene } = panel, fingers = /* @__PURE__ */ new Map();
  let drag = null;
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
    const moved2 = event.offsetX - drag.x;
    drag.moved ||= Math.abs(moved2) > 3;
    if (!drag.moved) return;
    hover(panel, -1, event);
    if (drag.held) return void dragHeld(panel, drag.held, event);
    const span = drag.to - drag.from, by = -moved2 / (scene.width - scene.left) * span;
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
function pinch(panel, fingers, event) {
  if (!fingers.has(event.pointerId)) return;
  const { scene } = panel, ends = () => [...fingers.values()].slice(0, 2).sort((a, b) => a - b);
  const [low, high] = ends().map((x) => timeAt(scene, x));
  fingers.set(event.pointerId, event.offsetX);
  const [left, right] = ends(), perPx = (high - low) / Math.max(right - left, 20);
  const from = low - (left - scene.left) * perPx;
  look(panel, from, from + (scene.width - scene.left) * perPx);
}
function clickOn(panel, row, event) {
  const { picked } = panel.state, more = event.shiftKey || event.ctrlKey || event.metaKey;
  const others = more ? picked.filter((one) => one !== row) : [];
  const off = more && picked.includes(row);
  if (row < 0 || off) pick(panel, others);
  else choose(panel, [...others, row]);
}
function listenToWheel(panel) {
  const { canvas, scene } = panel;
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!scene.segments) return;
      if (event.ctrlKey || event.metaKey) {
        zoom(panel, Math.exp(Math.min(Math.max(event.deltaY, -240), 240) * 2e-3), timeAt(scene, event.offsetX));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        pan(panel, Math.sign(event.deltaX || event.deltaY) * 0.1);
      } else return;
      event.preventDefault();
    },
    { passive: false }
  );
}
function listenToOverview(panel) {
  const {
    scene,
    parts: { overview }
  } = panel;
  const centre = (event) => {
    if (!event.buttons || !scene.segments) return;
    const { begin, end, from, to } = scene.view, half = (to - from) / 2;
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

// src/prompts.js
function openPrompt(panel, words, fill) {
  return new Promise((answer) => {
    const box = make("dialog", { class: "prompt", "aria-label": words });
    const close = (value) => {
      box.remove();
      panel.canvas.focus({ preventScroll: true });
      answer(value);
    };
    box.addEventListener("keydown", (event) => event.stopPropagation());
    box.addEventListener("cancel", () => close(null));
    box.append(make("p", {}, words), ...fill(close));
    panel.root.append(box);
    box.showModal();
    box.querySelector("input")?.select();
  });
}
var act = (text, role, action) => make("button", { type: "button", "data-role": role, onclick: action }, text);
function askText(panel, words, value) {
  return openPrompt(panel, words, (close) => {
    const field = make("input", { type: "search", value, "data-role": "asked", maxlength: 500, "aria-label": words });
    field.addEventListener("keydown", (event) => event.key === "Enter" && close(field.value.trim()));
    return [field, act("keep", "ok", () => close(field.value.trim())), act("cancel", "cancel", () => close(null))];
  });
}
function askNumber(panel, words, value, say2) {
  return openPrompt(panel, words, (close) => {
    const field = make("input", { type: "number", min: 0, max: 1, step: 0.05, value, "data-role": "asked" });
    const ok = act("", "ok", () => close(Number(field.value)));
    const show = () => [ok.textContent, ok.disabled] = say2(Number(field.value));
    field.addEventListener("input", show);
    field.addEventListener("keydown", (event) => event.key === "Enter" && !ok.disabled && close(Number(field.value)));
    show();
    return [field, ok, act("cancel", "cancel", () => close(null))];
  });
}
function askName(panel, words, names) {
  return openPrompt(panel, words, (close) => {
    const field = make("input", { type: "search", "data-role": "asked", maxlength: 200, "aria-label": words });
    const list = make("div", { class: "found" });
    const show = () => {
      const wanted = field.value.trim().toLowerCase();
      const places = [...names.keys()].filter((place) => names[place].toLowerCase().includes(wanted));
      const begins = (place) => names[place].toLowerCase().startsWith(wanted);
      places.sort((a, b) => begins(b) - begins(a));
      const found = places.slice(0, 12).map((place) => act(names[place], "found", () => close({ place })));
      const isNew = wanted && !names.some((name) => name.toLowerCase() === wanted);
      const add = act(`new class “${field.value.trim()}”`, "new-class", () => close({ name: field.value.trim() }));
      list.replaceChildren(...found, ...isNew ? [add] : []);
    };
    field.addEventListener("input", show);
    field.addEventListener("keydown", (event) => event.key === "Enter" && list.firstChild?.click());
    show();
    return [field, list];
  });
}

// src/labelling.js
var SAME_ACTION = 0.5;
function nowSec(panel) {
  const { cursorSec, view } = panel.state;
  return rounded(cursorSec ?? (view.from + view.to) / 2, limitSec(panel));
}
function markStart(panel) {
  const row = pickedTruth(panel), now = nowSec(panel);
  if (row >= 0 && now < panel.scene.segments.end[row]) {
    return replaceTruth(panel, row, { ...segmentOf(panel.scene.segments, row), start: now });
  }
  panel.pick([]);
  panel.set({ begunSec: now });
  return say(panel, `${panel.info.classes[panel.state.newLabel]} from ${now.toFixed(2)} s: o sets its end.`);
}
function markEnd(panel) {
  const row = pickedTruth(panel), now = nowSec(panel), { begunSec, newLabel } = panel.state;
  if (begunSec !== null) {
    if (now <= begunSec) return say(panel, `It began at ${begunSec.toFixed(2)} s: its end must be later.`);
    panel.set({ begunSec: null });
    return replaceTruth(panel, -1, { start: begunSec, end: now, label: newLabel });
  }
  if (row < 0) return say(panel, "Set the start first (i), or select an annotation.");
  if (now <= panel.scene.segments.start[row]) return say(panel, "Its end must be later than its start.");
  return replaceTruth(panel, row, { ...segmentOf(panel.scene.segments, row), end: now });
}
function replaceByPrediction(panel) {
  const { segments } = panel.scene, picked = pickedTruth(panel);
  const found = pickedFound(panel) >= 0 ? pickedFound(panel) : picked >= 0 ? segments.partner[picked] ?? -1 : -1, row = picked >= 0 ? picked : found >= 0 ? segments.partner[found] : -1;
  if (found < 0) return say(panel, "Select a prediction, which then replaces the annotation below it.");
  if (row < 0) return say(panel, "No annotation overlaps this prediction: a accepts it.");
  const { start, end, label } = segmentOf(segments, found), limit = limitSec(panel);
  const after = { ...segmentOf(segments, row), start: rounded(start, limit), end: rounded(end, limit), label };
  return replaceTruth(panel, row, after);
}
function splitTruth(panel) {
  const row = pickedTruth(panel), now = nowSec(panel);
  if (row < 0) return say(panel, "Select an annotation first.");
  const whole = segmentOf(panel.scene.segments, row);
  if (!(now > whole.start && now < whole.end))
    return say(panel, "Put the cursor into the annotation to split it there.");
  return replaceTruths(
    panel,
    [row],
    [
      { ...whole, end: now },
      { ...whole, start: now }
    ]
  );
}
function mergeWithNext(panel) {
  const row = pickedTruth(panel), { segments } = panel.scene;
  if (row < 0) return say(panel, "Select an annotation first.");
  const next = truthRows(segments).find((one2) => one2 > row && segments.label[one2] === segments.label[row]);
  if (next === void 0) return say(panel, "No later annotation is of its class.");
  const [one, other] = [row, next].map((each) => segmentOf(segments, each));
  const comment = [.../* @__PURE__ */ new Set([one.comment, other.comment])].filter(Boolean).join("; ");
  return replaceTruths(panel, [row, next], [{ ...one, end: Math.max(one.end, other.end), comment }]);
}
async function acceptMany(panel) {
  const { scene, state } = panel, { segments, shown } = scene, truths = truthOf(segments);
  const isNew = (row) => {
    const one = segmentOf(segments, row);
    return !truths.some((truth) => truth.label === one.label && overlapOf(truth, one) >= SAME_ACTION);
  };
  const rows = [...segments.score.keys()].filter((row) => {
    const isKnown = panel.info.label_ids[segments.label[row]] >= 0;
    return !isTruth(segments, row) && shown[row] !== HIDDEN && shown[row] !== HIT && isKnown && isNew(row);
  });
  if (!rows.length) return say(panel, "No prediction is shown that is not annotated already.");
  const above = (score2) => rows.filter((row) => segments.score[row] >= score2);
  const words = "Accept the predictions of this recording that are shown, with a score from here on:";
  const score = await askNumber(panel, words, state.minScore.toFixed(2), (from) => {
    const count = above(from).length;
    return [`accept ${count}`, count === 0];
  });
  if (score === null) return null;
  const limit = limitSec(panel);
  return addTruths(
    panel,
    above(score).map((row) => {
      const { start, end, label } = segmentOf(segments, row);
      return { start: rounded(start, limit), end: rounded(end, limit), label };
    })
  );
}
async function commentOn(panel) {
  const row = pickedTruth(panel);
  if (!panel.source.keepState)
    return say(panel, "Comments are kept by the pages of afkit label and afkit view --html.");
  if (row < 0) return say(panel, "Select an annotation first.");
  const before = segmentOf(panel.scene.segments, row);
  const comment = await askText(panel, "Comment on this annotation:", before.comment);
  return comment === null ? null : replaceTruth(panel, row, { ...before, comment });
}
async function searchClass(panel, choose2) {
  const { info, source } = panel, { picked } = panel.state;
  const found = await askName(panel, "Class (type a part of its name, Enter takes the first):", info.classes);
  if (!found) return;
  if ("place" in found) {
    choose2(panel, found.place);
    return;
  }
  if (!source.addClass) {
    say(panel, `There is no class “${found.name}”, and none can be added here.`);
    return;
  }
  const { label_id: id, error } = await source.addClass(found.name);
  if (error) {
    say(panel, `The class was not added: ${error}.`);
    return;
  }
  const place = placeOfClass(panel, found.name, id);
  if (panel.state.picked === picked) choose2(panel, place);
  else say(panel, `The class “${found.name}” was added; the annotation that was selected meanwhile keeps its own.`);
}
function placeOfClass(panel, name, id) {
  const { info, parts } = panel;
  if (info.label_ids.includes(id)) return info.label_ids.indexOf(id);
  info.classes.push(name);
  info.label_ids.push(id);
  parts.addClass(name, info.classes.length - 1);
  if (panel.run && panel.scene.segments) panel.filter();
  return info.classes.length - 1;
}
function setRecordingState(panel, value) {
  const { state, source } = panel;
  if (!source.keepState) return;
  if (source.readOnly) {
    say(panel, source.readOnly);
    return;
  }
  panel.set({ states: new Map(state.states).set(state.video, value) });
  source.keepState(state.video, value);
  panel.parts.videos.fill(state.video);
  say(panel, `${state.video}: ${value}`);
}
function toggleRecordingState(panel, value) {
  setRecordingState(panel, stateOf(panel) === value ? STATES[0] : value);
}

// src/edit_keys.js
var STEP_SEC = 0.1;
var LONG_STEP_SEC = 1;
function choosePart(panel, part) {
  if (pickedTruth(panel) < 0) return say(panel, "Select an annotation first.");
  return panel.set({ part });
}
function nudge(panel, bySec) {
  const row = pickedTruth(panel), { part } = panel.state;
  replaceTruth(panel, row, moved(segmentOf(panel.scene.segments, row), part, bySec, limitSec(panel)));
  panel.set({ part });
}
function stepTruth(panel, direction) {
  const { segments, shown } = panel.scene, rows = truthRows(segments).filter((row) => shown[row] !== HIDDEN);
  if (!rows.length) return say(panel, "No annotation is shown.");
  const at = rows.indexOf(pickedTruth(panel)), first = direction > 0 ? 0 : rows.length - 1;
  return goTo(panel, at < 0 ? rows[first] : rows[(at + direction + rows.length) % rows.length]);
}
var EDIT_KEYS = {
  a: acceptPrediction,
  A: acceptMany,
  Insert: insertTruth,
  i: markStart,
  o: markEnd,
  x: replaceByPrediction,
  b: splitTruth,
  g: mergeWithNext,
  c: commentOn,
  d: (panel) => toggleRecordingState(panel, "done"),
  u: (panel) => toggleRecordingState(panel, "unsure"),
  "/": (panel) => searchClass(panel, chooseLabel),
  Delete: deleteTruth,
  Backspace: deleteTruth,
  "[": (panel) => choosePart(panel, "start"),
  "]": (panel) => choosePart(panel, "end"),
  m: (panel) => choosePart(panel, "whole"),
  j: (panel) => stepTruth(panel, 1),
  k: (panel) => stepTruth(panel, -1)
};
function editKey(panel, event) {
  const { state } = panel, { key } = event, command = event.ctrlKey || event.metaKey;
  const plain = event.getModifierState("AltGraph") || !(command || event.altKey);
  if (plain && key === "e" && panel.source.correct) toggleEditing(panel);
  else if (!state.editing) return false;
  else if (command && key.toLowerCase() === "z") (event.shiftKey ? redo : undo)(panel);
  else if (plain && EDIT_KEYS[key]) EDIT_KEYS[key](panel);
  else if (plain && /^[1-9]$/.test(key) && key <= panel.info.classes.length) chooseLabel(panel, Number(key) - 1);
  else if (plain && state.part && (key === "ArrowLeft" || key === "ArrowRight")) {
    nudge(panel, (key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? LONG_STEP_SEC : STEP_SEC));
  } else if (key === "Escape" && state.begunSec !== null) panel.set({ begunSec: null });
  else if (key === "Escape" && state.part) choosePart(panel, null);
  else return false;
  return true;
}

// src/keys.js
var toggle = (name) => (panel) => panel.set({ [name]: !panel.state[name] });
var toggleSide = (name) => (panel) => toggle(name)(panel.group.panels[0]);
var scroll = (by) => (panel) => panel.parts.scroller.scrollBy(0, by);
var GROUPS = {
  "Look around": [
    [["ArrowLeft"], (panel) => pan(panel, -0.2), "back in time"],
    [["ArrowRight"], (panel) => pan(panel, 0.2), "on in time"],
    [["ArrowUp"], scroll(-40), "up through the lanes"],
    [["ArrowDown"], scroll(40), "down through the lanes"],
    [["+", "="], (panel) => zoom(panel, 0.5), "look closer (also Ctrl and the wheel, or two fingers)"],
    [["-"], (panel) => zoom(panel, 2), "look wider"],
    [["0"], (panel) => look(panel, panel.scene.view.begin, panel.scene.view.end), "the whole recording"]
  ],
  Review: [
    [["n"], (panel) => step(panel, 1), "the next in the list, also of another recording"],
    [["p"], (panel) => step(panel, -1), "the one before in the list"],
    [["l"], toggleSide("listOpen"), "show or hide the list of the run"],
    [["t"], toggleSide("tableOpen"), "show or hide the table of classes"],
    [["Escape"], (panel) => pick(panel, []), "close what is open, then select nothing"],
    [["?"], (panel) => showHelp(panel), "these keys"]
  ],
  "Film and sound": [
    [[" "], (panel) => panel.film?.toggle(), "play and pause"],
    [[","], (panel) => panel.film?.stepFrame(-1), "one frame back"],
    [["."], (panel) => panel.film?.stepFrame(1), "one frame on"],
    [["r"], toggle("loops"), "repeat the selected segment"],
    [["s"], toggle("sound"), "sound on and off"]
  ]
};
var EDITING = [
  ["e", "begin and end editing; then drag an end or the middle, or draw on empty space"],
  ["j k", "next annotation, the one before"],
  ["[ ] m", "take hold of its start, its end, or all of it"],
  ["← →", "move that by 0.1 s (with Shift 1 s)"],
  ["1 … 9 /", "its class, or that of the next new one; find a class by typing"],
  ["Insert", "add an annotation in the middle of what is seen"],
  ["i o", "start and end at the cursor, also while it plays: of the selected one, else of a new one"],
  ["a x", "accept the selected prediction; let it replace the annotation below"],
  ["A", "accept all predictions shown from a score on"],
  ["b g", "split at the cursor; merge with the next of its class"],
  ["c", "comment on it"],
  ["Delete", "delete the annotation"],
  ["d u", "this recording is done; is unsure"],
  ["Alt", "held while dragging: ends do not stop at those of others"],
  ["Ctrl+Z", "undo (with Shift: do again)"]
];
var SIGNS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", " ": "Space", Escape: "Esc", "-": "−" };
var ACTIONS = new Map(
  Object.values(GROUPS).flat().flatMap(([keys, action]) => keys.map((key) => [key, action]))
);
function listenToKeys(panel) {
  const { root } = panel;
  const onRoot = (event) => handleKey(panel, event);
  const onPage = (event) => {
    const first = document.querySelector(".afkit-inspector") === root;
    if (first && event.target === document.body) handleKey(panel, event);
  };
  root.addEventListener("keydown", onRoot);
  document.addEventListener("keydown", onPage);
  root.addEventListener("click", (event) => leaveControl(panel, event));
  root.addEventListener("change", (event) => leaveControl(panel, event));
  return () => document.removeEventListener("keydown", onPage);
}
function leaveControl({ canvas, root }, event) {
  const control = event.target;
  const done = event.type === "click" ? event.detail > 0 && control.closest("button, .rows, input[type=checkbox]") : control.matches("select");
  if (done && root.contains(document.activeElement)) canvas.focus({ preventScroll: true });
}
function isTyping2({ target, key }) {
  if (target.matches("input[type=search], input[type=number], textarea")) return key !== "Escape";
  if (target.matches("select, input[type=range]")) {
    return /^(Arrow|Home|End|Page)/.test(key) || target.matches("select") && key.length === 1;
  }
  return target.matches("button, summary, input") && (key === " " || key === "Enter");
}
function handleKey(panel, event) {
  const { scene } = panel, command = event.ctrlKey || event.metaKey || event.altKey;
  if (!scene.segments || event.defaultPrevented || isTyping2(event)) return;
  const closes = event.key === "Escape" && closeOpen(panel);
  if (!closes && !editKey(panel, event)) {
    if (!ACTIONS.has(event.key) || command && !event.getModifierState("AltGraph")) return;
    ACTIONS.get(event.key)(panel);
  }
  event.preventDefault();
  event.stopPropagation();
}
function closeOpen({ root, parts, canvas }, target = null) {
  const open = [...root.querySelectorAll("details[open]")].filter((one) => !one.contains(target));
  for (const one of open) one.removeAttribute("open");
  const helped = !parts.help.hidden && !parts.help.contains(target);
  if (helped) parts.help.hidden = true;
  if ((open.length || helped) && !target) canvas.focus({ preventScroll: true });
  return open.length > 0 || helped;
}
function showHelp({ parts }) {
  parts.help.hidden = !parts.help.hidden;
}
function helpPanel(panel) {
  const lines = (rows) => make("dl", {}, ...rows.flatMap(([keys, words]) => [make("dt", {}, keys), make("dd", {}, words)]));
  const parts = Object.entries(GROUPS).map(([title, rows]) => {
    const named = rows.map(([keys, , words]) => [keys.map((key) => SIGNS[key] ?? key).join(" "), words]);
    return make("section", {}, make("h3", {}, title), lines(named));
  });
  if (panel.source.correct) parts.push(make("section", {}, make("h3", {}, "Correct annotations"), lines(EDITING)));
  const where = "Keys are the inspector's as soon as its page is there; in a notebook, while the pointer is over it, or once something in it was clicked.";
  parts.push(make("p", { class: "help" }, where));
  const close = make("button", { type: "button", onclick: () => closeOpen(panel) }, "close (Esc)");
  const help = make("div", { class: "keys", role: "dialog", "aria-label": "keys", hidden: "" }, ...parts, close);
  return help;
}

// src/events.js
function listen(panel) {
  listenToPointer(panel);
  listenToWheel(panel);
  listenToOverview(panel);
  listenToHover(panel);
  panel.parts.scroller.addEventListener("scroll", () => redraw(panel));
  const stops = [listenToKeys(panel), listenToSurroundings(panel), listenToOutside(panel)];
  return () => stops.forEach((stop) => stop());
}
function listenToOutside(panel) {
  const press = (event) => closeOpen(panel, event.target);
  document.addEventListener("pointerdown", press);
  return () => document.removeEventListener("pointerdown", press);
}
function listenToSurroundings(panel) {
  const {
    scene,
    parts: { stage }
  } = panel;
  const sizes = new ResizeObserver(() => {
    if (!scene.segments || stage.clientWidth === scene.stageWidth) return;
    scene.stageWidth = stage.clientWidth;
    fitSize(panel);
  });
  sizes.observe(stage);
  const theme = () => scene.segments && applyTheme(panel);
  const themes = new MutationObserver(theme);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", theme);
  return () => {
    sizes.disconnect();
    themes.disconnect();
    dark.removeEventListener("change", theme);
  };
}

// src/edit_controls.js
function editControls(panel) {
  const { source, info } = panel;
  const edit = button("edit", "edit", "correct the annotations (e)", () => toggleEditing(panel));
  edit.hidden = !source.correct;
  const label = selection("label", info.classes.map(classWords).entries(), { "aria-label": "class" });
  label.addEventListener("change", () => chooseLabel(panel, Number(label.value)));
  const state = selection(
    "state",
    STATES.map((one) => [one, one]),
    { "aria-label": "state of this recording", title: "of this recording: done (d), unsure (u)" }
  );
  state.addEventListener("change", () => setRecordingState(panel, state.value));
  state.hidden = !source.keepState;
  const act2 = (text, role, title, action) => button(text, role, title, () => action(panel));
  const write2 = async () => say(panel, await source.save());
  const save2 = act2("save annotations", "save", "write a new annotation file", write2);
  save2.hidden = !source.save;
  const search = act2(
    "/",
    "search-class",
    "find a class by typing, or add one (/)",
    () => searchClass(panel, chooseLabel)
  );
  const undoing = act2("undo", "undo", "take the last edit back (Ctrl+Z)", undo), redoing = act2("redo", "redo", "do it again (Ctrl+Shift+Z)", redo);
  const row = make(
    "div",
    { class: "controls edits", role: "group", "aria-label": "editing" },
    labelled("class", "of the selected annotation, else of new ones (1 to 9)", label, search),
    act2("add", "add", "a new annotation in the middle of what is seen (Insert; i and o: at the cursor)", insertTruth),
    act2("accept", "accept", "the selected prediction becomes an annotation (a)", acceptPrediction),
    act2("replace", "replace", "the annotation gets the selected prediction's class and ends (x)", replaceByPrediction),
    act2("accept all …", "accept-all", "all predictions of this recording from a score on (Shift+A)", acceptMany),
    act2("split", "split", "split the annotation at the cursor (b)", splitTruth),
    act2("merge", "merge", "join the annotation with the next of its class (g)", mergeWithNext),
    act2("comment", "comment", "comment on the annotation (c)", commentOn),
    act2("delete", "delete", "delete the selected annotation (Delete)", deleteTruth),
    undoing,
    redoing,
    state,
    save2
  );
  const corrected = make("p", { class: "count", "data-role": "corrected" });
  const alarm = make("p", { class: "alarm", role: "alert", "data-role": "alarm", hidden: "" });
  const addClass = (name, place) => label.append(make("option", { value: place }, classWords(name, place)));
  return { edit, row, label, state, save: save2, undo: undoing, redo: redoing, corrected, alarm, addClass };
}
function classWords(name, place) {
  return place < 9 ? `${place + 1} ${name}` : name;
}

// src/grip.js
function createGrip(element, below, title) {
  const grip = make("div", {
    class: below ? "grip below" : "grip beside",
    title,
    "data-role": below ? "height" : "width"
  });
  let held = null;
  const placeOf = (event) => below ? event.clientY : event.clientX;
  grip.addEventListener("pointerdown", (event) => {
    held = { from: placeOf(event), size: below ? element.offsetHeight : element.offsetWidth };
    grip.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  grip.addEventListener("pointermove", (event) => {
    if (held) element.style[below ? "height" : "width"] = `${Math.max(held.size + placeOf(event) - held.from, 0)}px`;
  });
  for (const type of ["pointerup", "pointercancel"]) grip.addEventListener(type, () => held = null);
  return grip;
}

// src/list_filters.js
function filterControls(panel) {
  const whose = selection("whose", [], { "aria-label": "whose list it is", title: "of which run, or what changed" }), what = selection("what", [], { "aria-label": "what is listed" });
  const sorted = selection("sorted", Object.entries(SORTED), { "aria-label": "order of the list" });
  const part = make("input", { type: "search", placeholder: "any recording", size: 12, "data-role": "list-video" });
  const number = (role, most) => make("input", { type: "number", min: 0, max: most, step: "any", "data-role": role });
  const maxScore = number("max-score", 1), [minSec, maxSec] = [number("min-sec", ""), number("max-sec", "")];
  const valueOr = (input, otherwise) => input.value === "" || !(input.value >= 0) ? otherwise : Number(input.value);
  whose.addEventListener("change", () => panel.set({ whose: whose.value, what: "errors", cell: null }));
  what.addEventListener("change", () => panel.set({ what: what.value, cell: null }));
  sorted.addEventListener("change", () => panel.set({ sorted: sorted.value }));
  part.addEventListener("input", () => panel.set({ videoPart: part.value }));
  maxScore.addEventListener("input", () => panel.set({ maxScore: valueOr(maxScore, 1) }));
  minSec.addEventListener("input", () => panel.set({ minSec: valueOr(minSec, 0) }));
  maxSec.addEventListener("input", () => panel.set({ maxSec: valueOr(maxSec, Infinity) }));
  const reset = () => {
    for (const input of [part, maxScore, minSec, maxSec]) input.value = "";
    panel.set({ ...wholeList(), ...panel.state.unjudged ? { what: "actions" } : {} });
  };
  const more = make("details", { class: "more" }, make("summary", { title: "recording, score and length" }, "filters"));
  more.append(
    make(
      "div",
      { class: "drop" },
      labelled("recordings with", "part of a recording's name", part),
      labelled("score up to", "the lowest score is set above the lanes: score from", maxScore),
      labelled("seconds from", "shorter ones are left out", minSec),
      labelled("to", "longer ones are left out", maxSec),
      button("all again", "all-again", "take all filters of the list back", reset)
    )
  );
  const element = make("div", { class: "controls" }, whose, what, sorted, more);
  return { element, whose, what, sorted, more };
}
function offerLists(list) {
  const { panel, filters } = list, { panels } = panel.group, letters = panels.map(({ source }) => source.letter), [one, other] = listedRuns(panel.state);
  filters.whose.hidden = panels.length < 2;
  filters.whose.value = panel.state.whose;
  filters.sorted.querySelector("[value=gain]").disabled = other !== void 0;
  const offered = `${letters} ${panel.state.whose}`;
  if (offered === list.offered) return;
  list.offered = offered;
  const runs = letters.map((letter, i) => [String(i), `of ${letter}`]), changes = letters.slice(1).map((letter, i) => [`0 ${i + 1}`, `${letters[0]} against ${letter}`]);
  filters.whose.replaceChildren(...options([...runs, ...changes]));
  filters.whose.value = panel.state.whose;
  filters.what.replaceChildren(...options(wordsOf(panel, letters[one], letters[other])));
}
function wordsOf({ info: { annotators }, state }, one, other) {
  if (state.unjudged) return [["actions", "all annotations"]];
  if (annotators) return differenceWords(annotators);
  if (other) return Object.entries(CHANGED).map(([key, [text]]) => [key, text(one, other)]);
  return Object.entries(LISTED).map(([key, [text]]) => [key, text]);
}

// src/list.js
var ROW_PX2 = 40;
var MOST_PX = 8e6;
var NOTES = {
  gain: "Points of mAP at this tIoU, if this one alone were gone: a false detection taken away, a missed action found.",
  changes: "At this score and tIoU. False in one alone: where the other says nothing false of that class.",
  doubt: "By how near their score is to the threshold; of a missed action, that of the nearest prediction."
};
function createList(panel) {
  const filters = filterControls(panel);
  const said = make("p", { class: "count", "data-role": "listed", "aria-live": "polite" }), note = make("p", { class: "help" });
  const chip = button("", "cell", "list all again, not this cell of the table alone", () => panel.set({ cell: null }));
  const rows = make("div", { class: "rows", role: "listbox", tabindex: -1, "aria-label": "segments of the whole run" });
  const scroller = make("div", { class: "entries" }, rows);
  const element = make("section", { class: "list-pane", "aria-label": "list of the run" });
  element.append(filters.element, make("div", { class: "controls" }, said, chip), note, scroller);
  const list = {
    panel,
    element,
    filters,
    said,
    note,
    chip,
    rows,
    scroller,
    drawn: null,
    from: -1,
    at: -1,
    offered: ""
  };
  scroller.addEventListener("scroll", () => drawRows(list));
  rows.addEventListener("click", (event) => {
    const entry = event.target.closest("[data-entry]");
    if (entry) goToEntry(panel, Number(entry.dataset.entry));
  });
  return list;
}
function drawList(list) {
  const { panel, element, filters, said, note, chip } = list, { state, run } = panel;
  element.hidden = !state.listOpen;
  const found = element.hidden || !run ? null : listOf(panel);
  if (!found) return;
  offerLists(list);
  const listed = panel.group.panels[listedRuns(state)[0]];
  filters.what.value = state.what;
  filters.sorted.value = state.sorted;
  note.textContent = (found.cells ? "" : NOTES.changes) || (NOTES[state.sorted] ?? "");
  note.hidden = !note.textContent;
  chip.hidden = state.cell === null;
  chip.textContent = state.cell === null ? "" : `${cellName(listed, state.cell)} ×`;
  const at = currentPlace(panel, found);
  const number = (count) => count.toLocaleString("en").replaceAll(",", " ");
  const errors = panel.info.annotators ? "differences in all" : `errors in ${listed.source.letter ?? "the run"}`, whole = found.cells ? errors : "changes";
  said.textContent = `${at >= 0 ? `${number(at + 1)} of ` : ""}${number(found.n)} listed${state.unjudged ? "" : `; ${number(found.total)} ${whole}`}`;
  if (found === list.drawn && at === list.at) return;
  const moved2 = at !== list.at;
  Object.assign(list, {
    drawn: found,
    at,
    from: -1,
    shares: state.sorted === "gain" && found.cells ? gainsOf(listed.run, listed.state.tiou) : null
  });
  list.rows.style.height = `${Math.min(found.n * ROW_PX2, MOST_PX)}px`;
  if (moved2 && at >= 0) bringIntoView(list, at);
  drawRows(list);
}
function cellName({ info }, cell) {
  const size = info.classes.length + 1, [truth, found] = [Math.floor(cell / size), cell % size];
  if (info.annotators) {
    const [one, other] = [truth, found].map((k, who) => `${info.classes[k] ?? "nothing"} in ${info.annotators[who]}`);
    return `${one}, ${other}`;
  }
  if (found === size - 1) return `${info.classes[truth]}, missed`;
  if (truth === size - 1) return `${info.classes[found]} where none is`;
  return truth === found ? `${info.classes[truth]}, hits` : `${info.classes[truth]} taken for ${info.classes[found]}`;
}
function firstRow({ scroller, drawn: drawn2 }) {
  const most = Math.max(drawn2.n - Math.floor(scroller.clientHeight / ROW_PX2), 0), way = Math.max(scroller.scrollHeight - scroller.clientHeight, 1);
  const exact = drawn2.n * ROW_PX2 <= MOST_PX;
  return Math.min(Math.floor(exact ? scroller.scrollTop / ROW_PX2 : scroller.scrollTop / way * most), most);
}
function bringIntoView(list, at) {
  const { scroller, drawn: drawn2 } = list, rows = Math.floor(scroller.clientHeight / ROW_PX2), first = firstRow(list);
  if (at > first && at < first + rows - 1) return;
  const wanted = Math.max(at - Math.floor(rows / 2), 0);
  const exact = drawn2.n * ROW_PX2 <= MOST_PX, way = scroller.scrollHeight - scroller.clientHeight;
  scroller.scrollTop = exact ? wanted * ROW_PX2 : wanted / Math.max(drawn2.n - rows, 1) * way;
}
function drawRows(list) {
  const { panel, rows, scroller, drawn: drawn2, at } = list;
  if (!drawn2 || !panel.scene.looks) return;
  const first = firstRow(list);
  if (first === list.from && rows.childElementCount) return;
  list.from = first;
  const exact = drawn2.n * ROW_PX2 <= MOST_PX, top = exact ? first * ROW_PX2 : scroller.scrollTop;
  const last = Math.min(first + Math.ceil(scroller.clientHeight / ROW_PX2) + 2, drawn2.n), made = [];
  for (let k = first; k < last; k++) made.push(makeRow(list, k, top + (k - first) * ROW_PX2));
  rows.replaceChildren(...made);
  if (at >= first && at < last) rows.setAttribute("aria-activedescendant", rowId(list, at));
  else rows.removeAttribute("aria-activedescendant");
}
function rowId({ panel }, k) {
  return `${panel.id}-entry-${k}`;
}
function makeRow(list, k, top) {
  const { panel, drawn: drawn2, shares } = list, own = panel.group.panels[drawn2.side[k]], { run, state, info } = own;
  const v = drawn2.video[k], i = drawn2.row[k], kind = drawn2.kind[k], segments = segmentsOf(run, v, state.tiou);
  const name = info.classes[segments.label[i]], score = scoreOf(segments, kind, i), { isTold } = segments;
  const facts = [info.videos[v].video, `${segments.start[i].toFixed(1)} to ${segments.end[i].toFixed(1)} s`];
  if (kind === MISS && !isTold) facts.push(Number.isNaN(score) ? "nothing near" : `nearest ${score.toFixed(2)}`);
  else if (!Number.isNaN(score) && !isTold) facts.push(score.toFixed(2));
  if (shares) facts.unshift(`+${(100 * gainOf(shares, segments, kind, i, drawn2.entry[k])).toPrecision(2)} points`);
  const canvas = make("canvas", { "aria-hidden": "true" }), pen = fitCanvas(canvas, 26, 14);
  drawBar(pen, panel.scene.looks, kind, 0, 0, 26, 14);
  drawLetter(pen, panel.scene.looks, kind, 0, 0, 26, 14);
  const selected = k === list.at, alone = drawn2.cells ? "" : own.source.letter, text = state.unjudged ? name : isTold ? differenceName(info, segments, i) : whatIs(segments, kind, i, info.classes, alone) + name;
  return make(
    "div",
    {
      class: "entry-row",
      role: "option",
      id: rowId(list, k),
      "data-entry": k,
      "aria-selected": selected,
      title: text,
      style: `top: ${top}px`
    },
    canvas,
    make("span", { class: "what" }, text),
    make("span", { class: "where" }, facts.join(", "))
  );
}
function whatIs(segments, kind, i, names, alone) {
  if (kind === FOUND) return alone ? `found in ${alone} alone: ` : "found: ";
  if (alone) return `false in ${alone} alone, ${whatIs(segments, kind, i, names, "")}`;
  const shown = { [i]: kind }, other = counterpartOf(segments, shown, i);
  const mixed = other >= 0 && kind !== MISS && segments.label[other] !== segments.label[i];
  return mixed && KINDS[kind] !== "background" ? `${KINDS[kind]}: ${names[segments.label[other]]} as ` : `${KINDS[kind]}: `;
}

// src/table.js
var MOST_CLASSES = 40;
function createTable(panel) {
  const body = make("div", { class: "table-scroll" }), said = make("p", { class: "help" });
  const element = make("section", { class: "table-pane", "aria-label": "table of classes" }, said, body);
  body.addEventListener("click", (event) => {
    const cell = event.target.closest("[data-cell]")?.dataset.cell;
    if (cell !== void 0)
      panel.set({ cell: panel.state.cell === Number(cell) ? null : Number(cell), listOpen: true });
  });
  return { panel, element, body, said, drawn: null, cell: null, whose: "" };
}
function drawTable(table) {
  const { panel, element } = table, { state, run } = panel;
  element.hidden = !state.tableOpen;
  if (element.hidden || !run) return;
  const listed = listOf(panel);
  if (!listed) return;
  const cells = listed.cells ?? [];
  const isSame = table.drawn?.length === cells.length && cells.every((count, i) => count === table.drawn[i]);
  if (isSame && table.cell === state.cell && table.whose === state.whose) return;
  Object.assign(table, { drawn: cells, cell: state.cell, whose: state.whose });
  if (cells.length) return void fillTable(table);
  table.said.textContent = "The table is of one run: choose one in the list.";
  table.body.replaceChildren();
}
function fillTable({ panel, body, said, drawn: cells }) {
  const listed = panel.group.panels[listedRuns(panel.state)[0]], { classes } = listed.info, size = classes.length + 1;
  const order = chooseClasses(cells, size), left = classes.length - order.length;
  const { annotators } = listed.info, [nothing, missed] = annotators ? [`only in ${annotators[1]}`, `only in ${annotators[0]}`] : ["nothing", "missed"];
  const axes = annotators ? `Rows: ${annotators[0]}. Columns: ${annotators[1]}. A` : "Rows: what was there. Columns: what was said. At this score and tIoU; a";
  said.textContent = `${axes} click lists what a cell counts.${left ? ` ${left} classes with fewer errors are left out.` : ""}`;
  const lines = [...order, size - 1];
  const nameOf = (k, last) => k === size - 1 ? last : classes[k];
  const head = make(
    "tr",
    {},
    make("td", {}),
    ...lines.map((k) => make("th", { scope: "col" }, make("span", {}, nameOf(k, missed))))
  );
  const most = lines.map((truth) => Math.max(1, ...lines.map((found) => cells[truth * size + found])));
  const rows = lines.map((truth, r) => {
    const counts2 = lines.map(
      (found) => countCell(listed, truth * size + found, cells[truth * size + found], truth === found, most[r])
    );
    return make("tr", {}, make("th", { scope: "row" }, nameOf(truth, nothing)), ...counts2);
  });
  body.replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
}
function chooseClasses(cells, size) {
  const errors = new Float64Array(size - 1);
  cells.forEach((count, i) => {
    const [truth, found] = [Math.floor(i / size), i % size];
    if (truth === found) return;
    if (truth < size - 1) errors[truth] += count;
    if (found < size - 1) errors[found] += count;
  });
  const worst = [...errors.keys()].sort((a, b) => errors[b] - errors[a]);
  return worst.slice(0, MOST_CLASSES).sort((a, b) => a - b);
}
function countCell(panel, cell, count, right, most) {
  if (!count) return make("td", {});
  const share = Math.round(15 + 85 * Math.sqrt(count / most)), name = `${cellName(panel, cell)}: ${count}`;
  const attributes = { type: "button", "data-cell": cell, title: name, "aria-label": name };
  if (cell === panel.group.panels[0].state.cell) attributes["aria-pressed"] = "true";
  const button2 = make(
    "button",
    { ...attributes, class: right ? "right" : "wrong", style: `--share: ${share}%` },
    String(count)
  );
  return make("td", {}, button2);
}

// src/layout.js
function layOut(panel) {
  const { root, info } = panel;
  const banner = make("p", { class: "remark", role: "status" });
  const count = make("p", { class: "count", "data-role": "count" });
  const said = make("p", { class: "said", "aria-live": "polite", "data-role": "said" });
  const canvas = make("canvas", {
    tabindex: 0,
    role: "application",
    "aria-roledescription": "timeline",
    "aria-description": "The question mark shows all keys."
  });
  const overview = make("canvas", { class: "overview", "aria-hidden": "true" });
  const spacer = make("div", { class: "spacer" });
  const scroller = make("div", { class: "scroller" }, canvas, spacer);
  const tooltip = make("div", { class: "tooltip", role: "tooltip", hidden: "" });
  const stage = make("div", { class: "stage" }, scroller, tooltip);
  const key = make("div", { class: "legend" });
  const videos = videoControls(
    info,
    (video) => showVideo(panel, video),
    (video) => panel.run?.edited.has(video),
    () => errorsOf(panel),
    (video) => panel.state.states.get(video) ?? (panel.state.unjudged ? "to do" : "")
  );
  const filters = filterControls2(panel), edits = editControls(panel), sides = sideControls(panel), help = helpPanel(panel);
  const lower = make("div", { class: "controls" }, ...filters.elements);
  const side = make("aside", { class: "side" }, sides.table.element, sides.list.element);
  side.append(createGrip(side, false, "drag: film and list become wider or narrower"));
  const work = make("div", { class: "work" }, edits.row, overview, stage, said, count, edits.corrected, key);
  root.classList.add("afkit-inspector");
  root.classList.toggle("unjudged", panel.state.unjudged);
  root.classList.toggle("annotators", Boolean(info.annotators));
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  root.replaceChildren(
    edits.alarm,
    make("h2", {}, panel.source.letter ? `${panel.source.letter}: ${info.title}` : info.title),
    banner,
    make(
      "div",
      { class: "controls" },
      ...videos.elements,
      ...lookButtons(panel),
      ...sides.buttons,
      edits.edit,
      helpButton(panel)
    ),
    lower,
    make("div", { class: "body" }, side, work),
    help
  );
  const parts = {
    banner,
    count,
    said,
    canvas,
    overview,
    spacer,
    scroller,
    tooltip,
    stage,
    key,
    videos,
    lower,
    side,
    help
  };
  const addClass = (name, place) => {
    edits.addClass(name, place);
    filters.addClass(name, place);
  };
  return { ...parts, ...filters, ...edits, addClass };
}
function helpButton(panel) {
  return button("?", "help", "all keys (?)", () => showHelp(panel));
}
function filterControls2(panel) {
  const threshold = make("select", { "data-role": "tiou" });
  threshold.addEventListener("change", () => showVideo(panel, panel.state.video, Number(threshold.value)));
  const slider = make("input", { type: "range", min: 0, max: 1, step: 0.01, "data-role": "score" });
  const scoreText = make("output", {});
  const top = make("input", { type: "number", min: 0, step: 1, placeholder: "all", "data-role": "top" });
  slider.addEventListener("input", () => panel.set({ minScore: Number(slider.value) }));
  const wholeTop = () => Math.max(Math.floor(Number(top.value)) || 0, 0);
  top.addEventListener("input", () => panel.set({ topK: wholeTop() }));
  const stacked = make("input", { type: "checkbox", "data-role": "stacked" });
  stacked.addEventListener("change", () => panel.set({ stacked: stacked.checked }));
  const classes = classControls(panel.info.classes, panel);
  const overlap = "how much of a prediction and an action must be common to both, for it to be right: their common time, divided by the time that either takes (tIoU)";
  const elements = [
    labelled("score from", "predictions that the network is less sure of are hidden", slider, scoreText),
    labelled("at most", "so many predictions of each recording, the best ones; empty for all", top),
    labelled("overlap (tIoU)", overlap, threshold),
    classes.element,
    labelled(
      "two rows",
      "all annotations in one row and all predictions below, instead of a lane for each class",
      stacked
    )
  ];
  return { threshold, slider, scoreText, top, stacked, showClasses: classes.show, addClass: classes.add, elements };
}
function lookButtons(panel) {
  const one = panel.info.annotators ? "difference" : "error";
  return [
    button(`‹ ${one}`, "previous", "the one before in the list of the run (p)", () => step(panel, -1)),
    button(`${one} ›`, "next", "the next in the list of the run, also of another recording (n)", () => step(panel, 1)),
    button("−", "out", "look wider (-)", () => zoom(panel, 2)),
    button("+", "in", "look closer (+, or Ctrl and the wheel)", () => zoom(panel, 0.5)),
    button("whole", "all", "the whole recording (0)", () => look(panel, panel.state.view.begin, panel.state.view.end))
  ];
}
function sideControls(panel) {
  const list = createList(panel), table = createTable(panel);
  const toggle2 = (name) => () => panel.set({ [name]: !panel.state[name] });
  const buttons = [
    button("list", "open-list", "all of the whole run to walk through, filtered and sorted (l)", toggle2("listOpen")),
    button("table", "open-table", "which class is taken for which, over the whole run (t)", toggle2("tableOpen"))
  ];
  panel.root.addEventListener("drawn", () => {
    buttons[0].setAttribute("aria-pressed", panel.state.listOpen);
    buttons[1].setAttribute("aria-pressed", panel.state.tableOpen);
    drawTable(table);
    drawList(list);
  });
  return { list, table, buttons };
}

// src/store.js
function createStore(state) {
  const listeners = [];
  return {
    state,
    listen: (call) => listeners.push(call),
    set(changes) {
      const names = new Set(Object.keys(changes).filter((name) => !Object.is(state[name], changes[name])));
      Object.assign(state, changes);
      if (names.size) for (const call of listeners) call(names);
    }
  };
}

// src/frames.js
var INTO_FRAME_SEC = 1e-5;
var ANSWER_MS = 2e3;
var SAME_SEC = 5e-4;
var FIRST_SEC = 0.04;
var MOST_SEEKS = 40;
async function neighbourFrame(video, sec, by, frameSec) {
  const here = await frameAt(video, sec);
  if (here === null) return null;
  const found = by < 0 ? await frameAt(video, here - SAME_SEC) : await nextFrame(video, here, frameSec);
  if (found === null || by * (found - sec) < SAME_SEC) return null;
  const passed = Math.abs(found - here);
  return { sec: Math.max(Math.ceil(1e3 * found - 0.01), 0) / 1e3, frameSec: Math.min(frameSec ?? passed, passed) };
}
async function nextFrame(video, here, frameSec) {
  let found = here;
  for (let ahead = frameSec ?? FIRST_SEC; found < here + SAME_SEC; ahead *= 2) {
    const wanted = Math.min(here + ahead + SAME_SEC, video.duration);
    found = await frameAt(video, wanted);
    if (found === null || wanted === video.duration && found < here + SAME_SEC) return null;
  }
  for (let seeks = 0; seeks < MOST_SEEKS; seeks++) {
    const before = await frameAt(video, found - SAME_SEC);
    if (before === null || before < here + SAME_SEC) break;
    found = before;
  }
  return found;
}
function frameAt(video, sec) {
  return new Promise((tell) => {
    const end = (answer) => {
      clearTimeout(late);
      video.removeEventListener("seeked", read);
      tell(answer);
    };
    const late = setTimeout(() => end(null), ANSWER_MS), read = () => video.seeking || end(shownSec(video));
    video.addEventListener("seeked", read);
    video.currentTime = Math.max(sec, 0) + INTO_FRAME_SEC;
  });
}
function shownSec(video) {
  try {
    const frame = new VideoFrame(video), sec = frame.timestamp / 1e6;
    frame.close();
    return sec;
  } catch {
    return null;
  }
}

// src/playback.js
var SPEEDS = [0.25, 0.5, 1, 1.5, 2, 4];
var REMEDY = "convert it to .mp4 (H.264) or .webm, e.g. with VLC";
var SOUND = /\.(wav|flac|mp3|og[ga]|opus|m4a|aac|wma|aiff?)$/i;
var FRAME_SEC = 0.04;
function createPlayback(panel, place) {
  const video = make("video", { preload: "auto", playsinline: "", "data-role": "film" });
  const said = make("p", { class: "track-said", role: "status", "data-role": "film-said" });
  const bar = playBar(panel);
  const frame = make("div", { class: "film" }, video), grip = createGrip(frame, true, "drag: the picture becomes larger or smaller");
  const playback = {
    panel,
    video,
    said,
    frame,
    grip,
    ...bar,
    address: "",
    zeroSec: 0,
    // what the player's clock says at second 0 of the recording
    wantedSec: 0,
    // on the player's clock
    frameSec: null,
    toldSec: null
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
  const act2 = (text, role, title) => make("button", { type: "button", "data-role": role, title }, text);
  const play = act2("play", "play", "play and pause (Space)"), back = act2("‹", "frame-back", "one frame back (,)"), on = act2("›", "frame-on", "one frame on (.)"), time = make("output", {});
  const speed = selection(
    "speed",
    SPEEDS.map((times) => [times, `× ${times}`]),
    { "aria-label": "speed", title: "how fast it plays" }
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
  video.muted = true;
  video.addEventListener("error", () => {
    if (!video.getAttribute("src")) return;
    const reasons = "it is missing, damaged, or of a format that this browser does not know";
    sayMedia(
      playback,
      `'${playback.file}' cannot be played: ${reasons} (then ${REMEDY}). Labels can be set without it.`
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
function showSound({ panel, said, frame, grip, file }) {
  frame.hidden = grip.hidden = true;
  if (!SOUND.test(file))
    said.textContent = `Of '${file}' this browser plays the sound alone, not the pictures: ${REMEDY}.`;
  if (panel.state.sound === null) panel.set({ sound: true });
}
function showMedia(playback, answer) {
  const { panel, video } = playback;
  if (playback.address.startsWith("blob:")) URL.revokeObjectURL(playback.address);
  const { fps } = panel.info.videos[panel.run.numbers.get(panel.state.video)] ?? {};
  Object.assign(playback, { address: "", file: answer?.file, zeroSec: 0, toldSec: null });
  playback.frameSec = fps > 0 ? 1 / fps : null;
  video.pause();
  video.removeAttribute("src");
  sayMedia(playback, answer ? answer.error ?? `'${answer.file}' is being opened …` : "The video is being read …");
  if (!answer || answer.error) return void video.load();
  const { url, data, type } = answer;
  playback.address = url ?? URL.createObjectURL(new Blob(data, { type }));
  video.src = playback.address;
  if (answer.zero_sec > 0) findZero(playback, playback.address, answer.zero_sec);
}
function findZero(playback, address, zeroSec) {
  const { video, panel } = playback;
  video.requestVideoFrameCallback?.((_, { mediaTime }) => {
    if (playback.address !== address) return;
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return void findZero(playback, address, zeroSec);
    if (mediaTime < zeroSec - INTO_FRAME_SEC) return;
    playback.zeroSec = zeroSec;
    seek(playback, panel.state.cursorSec ?? 0);
  });
}
function isPlayable({ video, bar }) {
  return !bar.hidden && video.readyState >= HTMLMediaElement.HAVE_METADATA;
}
function togglePlayback(playback) {
  const { video } = playback;
  if (!isPlayable(playback)) return;
  if (!video.paused) return void video.pause();
  const part = loopedPart(playback);
  if (part && (video.currentTime < part[0] || video.currentTime >= part[1])) video.currentTime = part[0];
  video.play().catch(() => {
  });
}
function stopPlayback({ video }) {
  if (!video.paused) video.pause();
}
async function stepFrame(playback, by) {
  const { panel, video } = playback, { cursorSec, view } = panel.state;
  if (playback.steps) return;
  stopPlayback(playback);
  const from = cursorSec ?? view.from, { zeroSec } = playback, last = isPlayable(playback) ? video.duration - zeroSec : view.end;
  playback.steps = true;
  const found = isPlayable(playback) && video.videoWidth ? await neighbourFrame(video, from + zeroSec, by, playback.frameSec) : null;
  playback.steps = false;
  playback.frameSec = found?.frameSec ?? playback.frameSec;
  const sec = found ? Math.max(found.sec - zeroSec, 0) : Math.min(Math.max(from + by * (playback.frameSec ?? FRAME_SEC), 0), last || Infinity);
  restCursor(panel, sec);
  keepInView(panel, sec);
}
function watchFrames(playback) {
  const { video } = playback;
  if (!video.requestVideoFrameCallback || video.paused) return;
  let before = null;
  video.requestVideoFrameCallback(function note(_, { mediaTime }) {
    const passed = before === null ? 0 : mediaTime - before;
    const { fps } = playback.panel.info.videos[playback.panel.run.numbers.get(playback.panel.state.video)] ?? {};
    if (!fps && passed > 4e-3) playback.frameSec = Math.min(playback.frameSec ?? passed, passed);
    before = mediaTime;
    if (!video.paused) video.requestVideoFrameCallback(note);
  });
}
function loopedPart({ panel: { state, scene }, zeroSec }) {
  const row = state.picked.at(-1) ?? -1;
  if (!state.loops || row < 0) return null;
  const { start, end } = scene.segments;
  return end[row] > start[row] ? [start[row] + zeroSec, end[row] + zeroSec] : null;
}
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
  const { from, to } = panel.scene.view, span = to - from;
  if (sec < from || sec > to) panel.look(sec - 0.1 * span, sec + 0.9 * span);
}
function followState(playback, names) {
  const { video, time, speed, loops, sound, panel } = playback, { state } = panel;
  if (names.has("speed")) video.playbackRate = state.speed;
  if (names.has("sound")) video.muted = !state.sound;
  [speed.value, loops.checked, sound.checked] = [state.speed, state.loops, Boolean(state.sound)];
  if (!names.has("cursorSec")) return;
  time.textContent = state.cursorSec === null ? "" : `${state.cursorSec.toFixed(2)} s`;
  if (isPlayable(playback) && state.cursorSec !== null && state.cursorSec !== playback.toldSec) {
    seek(playback, state.cursorSec);
  }
}
function seek(playback, seconds) {
  const { video, zeroSec } = playback;
  playback.wantedSec = Math.min(Math.max(seconds + zeroSec, 0), video.duration || Infinity);
  if (!video.seeking) video.currentTime = playback.wantedSec + INTO_FRAME_SEC;
}

// src/cursor.js
function listenToCursor({ panel, playback, parts }) {
  const { canvas, scene } = panel, rests = () => !isPlayable(playback) || playback.video.paused;
  const secondsAt = (event) => {
    const { stage } = panel.parts, { view, left, width } = scene;
    const x = event.clientX - stage.getBoundingClientRect().left - stage.clientLeft;
    return view && x >= left && x <= width ? view.from + (x - left) / (width - left) * (view.to - view.from) : null;
  };
  const hover2 = (event) => {
    const seconds = secondsAt(event);
    if (seconds !== null && !event.buttons && rests()) panel.set({ cursorSec: seconds });
  };
  let downX = 0;
  const press = (event) => downX = event.clientX;
  const click = (event) => {
    const seconds = secondsAt(event), inLanes = event.currentTarget === canvas && event.offsetY >= AXIS_PX;
    if (seconds !== null && !inLanes && Math.abs(event.clientX - downX) <= 3) restCursor(panel, seconds);
  };
  const leave = () => rests() && panel.set({ cursorSec: panel.state.restSec });
  for (const place of [canvas, parts.area]) {
    const calls = { pointermove: hover2, pointerdown: press, click, pointerleave: leave };
    for (const [type, call] of Object.entries(calls)) place.addEventListener(type, call);
  }
}
function placeCursor({ view, left, width, cursorSec }, lines, tracks) {
  const x = cursorSec === null ? -1 : left + (cursorSec - view.from) / (view.to - view.from) * (width - left);
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
function channelValues({ begin_sec: begin, step_sec: step2, points, names, off }, values, seconds, scale = 1) {
  const at = Math.round((seconds - begin) / step2);
  if (at < 0 || at >= points) return "";
  const shown = names.map((name, c) => [name, values[c * points + at] * scale]).filter((_, c) => !off?.has(c));
  const words = shown.slice(0, 6).map(([name, value]) => {
    const number = Number.isFinite(value) ? String(Number(value.toPrecision(3))).replace("-", "−") : "no value";
    return name ? `${name} ${number}` : number;
  });
  return words.join(", ");
}

// src/track_drawing.js
var TRACK_PX = 88;
var TRACK_PAD_PX = 9;
var TRACES = { light: ["#0072b2", "#d55e00", "#222222"], dark: ["#56b4e9", "#ff9a55", "#f2f2f2"] };
var DASHES = [[], [6, 3], [2, 2]];
var THRESHOLD_DASH = [7, 4];
function startTrack(canvas, scene, low, high) {
  const { looks, left, width, view } = scene, pen = fitCanvas(canvas, width, TRACK_PX);
  const perSec = (width - left) / (view.to - view.from), span = high - low || 1;
  const xOf = (time) => left + (time - view.from) * perSec;
  const yOf = (value) => TRACK_PX - TRACK_PAD_PX - (value - low) / span * (TRACK_PX - 2 * TRACK_PAD_PX);
  pen.fillStyle = looks.palette.paper;
  pen.fillRect(0, 0, width, TRACK_PX);
  const step2 = stepOfAxis(perSec);
  pen.fillStyle = looks.palette.line;
  for (let k = Math.ceil(view.from / step2); k * step2 <= view.to; k++) {
    pen.fillRect(Math.round(xOf(k * step2)), 0, 1, TRACK_PX);
  }
  return { pen, xOf, yOf };
}
function drawTicks(pen, scene, yOf, ticks) {
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const [value, text] of ticks) {
    pen.fillStyle = scene.looks.palette.line;
    pen.fillRect(scene.left - 4, Math.round(yOf(value)), scene.width - scene.left + 4, 1);
    pen.fillStyle = scene.looks.palette.quiet;
    pen.fillText(text, scene.left - 7, yOf(value));
  }
}
var written = (values) => values.map((value) => [value, String(value).replace("-", "−")]);
function roundTicks(low, high) {
  const power = 10 ** Math.floor(Math.log10(high - low || 1)), ticks = [];
  for (const factor of [5, 2, 1, 0.5, 0.2]) {
    const step2 = factor * power, first = Math.ceil(low / step2), last = Math.floor(high / step2);
    if (last <= first) continue;
    for (let k = first; k <= last; k++) ticks.push(Number((k * step2).toPrecision(6)));
    return ticks;
  }
  return [low];
}
function drawLabel(pen, scene, label) {
  drawTrackName(pen, scene, (label.match(/^(.*?)\s*(\[.*\])$/) ?? [label, label]).slice(1));
}
function drawTrackName(pen, scene, lines) {
  pen.font = `${scene.left < 140 ? 11 : 13}px system-ui, sans-serif`;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  lines.forEach((text, i) => {
    pen.fillStyle = i ? scene.looks.palette.quiet : scene.looks.palette.ink;
    pen.fillText(shorten(pen, text, scene.left - 40), 6, 14 + 17 * i);
  });
}
function drawTrace(pen, { view }, { xOf, yOf }, { begin_sec: begin, step_sec: step2, points }, values, scale) {
  const first = Math.max(Math.floor((view.from - begin) / step2), 0);
  const last = Math.min(Math.ceil((view.to - begin) / step2), points - 1);
  let down = false;
  pen.beginPath();
  for (let i = first; i <= last; i++) {
    const y = yOf(values[i] * scale);
    if (Number.isNaN(y)) down = false;
    else if (down) pen.lineTo(xOf(begin + i * step2), y);
    else {
      pen.moveTo(xOf(begin + i * step2), y);
      down = true;
    }
  }
  pen.stroke();
}
function clipToPlot(pen, { left, width }) {
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, width - left, TRACK_PX);
  pen.clip();
}
function drawCurve(canvas, scene, curve, facts, threshold) {
  const track = startTrack(canvas, scene, 0, 1), { pen, yOf } = track, { palette, dark } = scene.looks;
  drawTicks(pen, scene, yOf, written([0, 0.5, 1]));
  drawTrackName(pen, scene, ["score", curve.name, "- - threshold"]);
  clipToPlot(pen, scene);
  pen.strokeStyle = palette.mark;
  pen.lineWidth = 1;
  pen.setLineDash(THRESHOLD_DASH);
  pen.beginPath();
  const y = Math.floor(yOf(threshold)) + 0.5;
  pen.moveTo(scene.left, y);
  pen.lineTo(scene.width, y);
  pen.stroke();
  pen.setLineDash([]);
  pen.strokeStyle = TRACES[dark ? "dark" : "light"][0];
  pen.lineWidth = 1.6;
  drawTrace(pen, scene, track, facts, curve.values, 1 / 255);
  pen.restore();
}
function drawSpectrogram(canvas, scene, facts, values) {
  const { pen, xOf, yOf } = startTrack(canvas, scene, 0, 1), { begin_sec: begin, step_sec: step2, points } = facts, { view } = scene;
  drawTicks(pen, scene, yOf, facts.ticks);
  drawLabel(pen, scene, facts.label);
  const first = Math.min(Math.max(Math.floor((view.from - begin) / step2), 0), points - 1);
  const last = Math.min(Math.max(Math.ceil((view.to - begin) / step2), first), points - 1);
  const image = imageOf(facts, values, scene.looks), left = xOf(begin + (first - 0.5) * step2), right = xOf(begin + (last + 0.5) * step2);
  clipToPlot(pen, scene);
  pen.imageSmoothingEnabled = right - left < last - first + 1;
  pen.drawImage(image, first, 0, last - first + 1, image.height, left, yOf(1), right - left, yOf(0) - yOf(1));
  pen.restore();
}
var images = /* @__PURE__ */ new WeakMap();
function imageOf({ points }, values, looks) {
  if (images.get(values)?.looks === looks) return images.get(values).image;
  const shades = makePen(256, 1), rows = values.length / points, pen = makePen(points, rows), ramp = shades.createLinearGradient(0, 0, 256, 0);
  ramp.addColorStop(0, looks.palette.paper);
  ramp.addColorStop(1, looks.palette.ink);
  shades.fillStyle = ramp;
  shades.fillRect(0, 0, 256, 1);
  const shade = new Uint32Array(shades.getImageData(0, 0, 256, 1).data.buffer);
  const picture = pen.createImageData(points, rows), pixels = new Uint32Array(picture.data.buffer);
  values.forEach((value, i) => {
    pixels[(rows - 1 - Math.floor(i / points)) * points + i % points] = shade[value];
  });
  pen.putImageData(picture, 0, 0);
  images.set(values, { looks, image: pen.canvas });
  return pen.canvas;
}
function makePen(width, height) {
  return new OffscreenCanvas(width, height).getContext("2d");
}
function drawSignal(canvas, scene, facts, values) {
  const isOff = (i) => facts.off?.has(Math.floor(i / facts.points));
  const known = values.filter((value, i) => Number.isFinite(value) && !isOff(i));
  const extreme = (choose2) => known.reduce((a, b) => choose2(a, b));
  const range = known.length ? [extreme(Math.min), extreme(Math.max)] : [0, 1];
  const track = startTrack(canvas, scene, ...range), { pen, yOf } = track;
  drawTicks(pen, scene, yOf, written(roundTicks(...range)));
  drawLabel(pen, scene, facts.label);
  const colors = TRACES[scene.looks.dark ? "dark" : "light"], pick2 = (list, i) => list[i % list.length];
  const dress = (i) => {
    pen.strokeStyle = pick2(colors, i);
    pen.setLineDash(pick2(DASHES, i));
    pen.lineWidth = 1;
  };
  clipToPlot(pen, scene);
  facts.names.forEach((_, i) => {
    if (facts.off?.has(i)) return;
    dress(i);
    drawTrace(pen, scene, track, facts, values.subarray(i * facts.points, (i + 1) * facts.points), 1);
  });
  pen.restore();
  drawTraceLegend(pen, scene, facts.names, dress);
}
function drawTraceLegend(pen, scene, names, dress) {
  if (names.length < 2 || names.length > 6) return;
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "left";
  const columns = Math.ceil(names.length / 3), wide = (scene.left - 44) / columns;
  names.forEach((name, i) => {
    const x = 6 + wide * Math.floor(i / 3), y = 46 + 14 * (i % 3);
    dress(i);
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(x + 22, y);
    pen.stroke();
    pen.setLineDash([]);
    pen.fillStyle = scene.looks.palette.quiet;
    pen.fillText(shorten(pen, name, wide - 30), x + 27, y);
  });
}

// src/tracks.js
var TRACK_KINDS = { curves: "score over time", signal: "signal", media: "film" };
var TITLES = {
  curves: "what the network says about a class at each moment",
  signal: "what sensors measured, or the sound",
  media: "the recording itself, at the cursor"
};
var FOLLOWED = -2;
var ANY_CLASS = -1;
function createTracks(panel, source) {
  const { curves, signal, media } = source.info.tracks;
  const tracks = {
    panel,
    source,
    held: {}
    // kind -> { video, answer }; answer null while it is waited for
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
  const { panel, source } = tracks, { stage, lower, side } = panel.parts;
  const kinds = Object.keys(TRACK_KINDS).filter((kind) => source.info.tracks[kind]);
  const boxes = Object.fromEntries(
    kinds.map((kind) => {
      const box = make("input", { type: "checkbox", "data-role": `track-${kind}` });
      box.addEventListener("change", () => panel.set({ [kind]: box.checked }));
      return [kind, box];
    })
  );
  const names = [[FOLLOWED, "of the class pointed at, or of the best"], ...source.info.classes.entries()];
  const choice = selection("track-class", names, { "aria-label": "class whose score is drawn" });
  panel.parts.addClass = joined(panel.parts.addClass, (name, place) => choice.append(...options([[place, name]])));
  choice.addEventListener("change", () => panel.set({ curveOf: Number(choice.value) }));
  const channels = make(
    "details",
    { class: "channels", hidden: "" },
    make("summary", { title: "which are drawn" }, "channels")
  );
  const channelList = make("div", { class: "drop" });
  channels.append(channelList);
  for (const kind of kinds) {
    lower.append(make("label", { title: TITLES[kind] }, boxes[kind], make("span", {}, TRACK_KINDS[kind])));
    if (kind !== "media") lower.append(kind === "curves" ? choice : channels);
  }
  const screen = make("div", { class: "screen" });
  const curve = makeTrack("curve"), signals = make("div", {}), signalSaid = make("p", { class: "track-said" });
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
var joined = (one, other) => (...given) => {
  one(...given);
  other(...given);
};
function makeTrack(role) {
  const canvas = make("canvas", { role: "img", "data-role": role }), said = make("p", { class: "track-said" }), values = make("span", { class: "values" });
  return { canvas, said, values, element: make("div", { class: "track" }, canvas, said, values) };
}
function updateTracks(tracks) {
  const { panel, parts } = tracks, { video, curveOf } = panel.state;
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
  const { panel, source } = tracks, { video } = panel.state;
  tracks.held[kind] = { video, answer: null };
  if (kind === "signal") showSignals(tracks, { panels: [], data: [] }, "The signal is being read …");
  if (kind === "media") showMedia(tracks.playback, null);
  const answer = await source.track(kind, video);
  if (tracks.held[kind].video !== video) return;
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
var channelKey = (facts, name) => `${facts.label}
${name}`;
function channelsOff({ state }, facts) {
  return new Set([...facts.names.keys()].filter((c) => state.off.has(channelKey(facts, facts.names[c]))));
}
function channelBoxes(panel, facts) {
  const boxes = facts.names.map((name) => {
    const box = make("input", { type: "checkbox" }), key = channelKey(facts, name);
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
  const { panel, held, parts } = tracks, { scene, state } = panel;
  const { canvas, said } = parts.curve, answer = held.curves?.answer;
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
function openCurves(answer) {
  const { labels, points, data } = answer, values = new Uint8Array(data[0]);
  let highest = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[highest]) highest = i;
  const rows = new Map(labels.map((label, row) => [label, values.subarray(row * points, (row + 1) * points)]));
  return { ...answer, rows, best: labels[Math.floor(highest / points)] };
}
function chooseCurve({ rows, best }, { scene, state, info }) {
  if (rows.has(ANY_CLASS)) return { name: "any class", values: rows.get(ANY_CLASS) };
  const row = state.hovered >= 0 ? state.hovered : state.picked.at(-1) ?? -1;
  const followed = row >= 0 ? scene.segments.label[row] : best;
  const chosen = state.curveOf === FOLLOWED ? followed : state.curveOf;
  return { name: info.classes[chosen] ?? "Every class", values: rows.get(chosen) };
}
function moveCursor({ panel, parts, drawn: drawn2, held }) {
  const curve = held.curves?.answer;
  const read = (seconds) => {
    return drawn2?.values ? channelValues({ ...curve, names: [""] }, drawn2.values, seconds, 1 / 255) : "";
  };
  const signals = parts.panels.map(({ track, facts, values }) => {
    return { values: track.values, read: (seconds) => facts.ticks ? "" : channelValues(facts, values, seconds) };
  });
  placeCursor(panel.scene, parts.lines, [{ values: parts.curve.values, read }, ...signals]);
}

// src/panel.js
var numPanels = 0;
var SETTINGS = ["video", "tiou", "minScore", "topK"];
var FILTERS2 = ["minScore", "topK", "hidden", "stacked"];
var EDITS = ["editing", "part", "newLabel", "picked", "undo", "redo", "states"];
var CURSOR = ["cursorSec", "restSec"];
function createPanel(root, source, group) {
  const panel = {
    root,
    source,
    group,
    info: source.info,
    id: `afkit-inspector-${++numPanels}`,
    waiting: false,
    run: null,
    list: null,
    changes: null,
    ...createStore({
      ...nothingChosen(),
      ...wholeList(),
      listOpen: Boolean(source.info.annotators),
      ...source.settings
    }),
    kept: {}
    // the picture of the overview
  };
  group.panels.push(panel);
  group.leader ??= panel;
  panel.scene = Object.assign(Object.create(panel.state), {
    names: source.info.classes,
    segments: null,
    lanes: [],
    ignored: [],
    counterpart: -1
  });
  panel.parts = layOut(panel);
  panel.canvas = panel.parts.canvas;
  const actions = {
    look,
    zoom,
    pan,
    step,
    pick,
    filter: filterSegments,
    draw: drawPanel,
    report,
    showVideo,
    refresh,
    listed: listOf
  };
  for (const [name, action] of Object.entries(actions)) panel[name] = (...given) => action(panel, ...given);
  panel.listen((names) => showChange(panel, names));
  panel.dispose = listen(panel);
  source.connect(panel);
  source.open((buffer) => {
    panel.run = openRun(panel.info, buffer);
    source.restore?.(panel.run);
    showVideo(panel, panel.state.video);
  });
  return panel;
}
function nothingChosen() {
  const shown = { view: null, hidden: /* @__PURE__ */ new Set(), stacked: false, picked: [], hovered: -1, listOpen: false };
  const edits = { editing: false, part: null, newLabel: 0, draft: null, undo: [], redo: [] };
  const labels = { states: /* @__PURE__ */ new Map(), begunSec: null, unjudged: false };
  const film = { cursorSec: null, restSec: null, speed: 1, loops: false, sound: null };
  const tracks = { curves: false, signal: false, media: false, curveOf: FOLLOWED, off: /* @__PURE__ */ new Set() };
  return { ...shown, ...edits, ...labels, ...film, ...tracks, tableOpen: false, whose: "0" };
}
function showChange(panel, names) {
  if (SETTINGS.some((name) => names.has(name))) panel.source.tell(panel.state);
  if (FILTERS.some((name) => names.has(name))) panel.list = null;
  if (FILTERS2.some((name) => names.has(name))) filterSegments(panel);
  else if (EDITS.some((name) => names.has(name))) reportEditing(panel);
  if ([...names].some((name) => !CURSOR.includes(name))) redraw(panel);
}
function report(panel) {
  const { info, parts, state, scene, canvas } = panel, { shown } = scene;
  const visible = shown.reduce((sum, kind) => sum + (kind !== HIDDEN), 0);
  const text = countWords(panel, visible);
  const shaded = scene.ignored.length ? "Hatched parts were not annotated, and are not judged." : "";
  parts.count.textContent = text;
  parts.videos.tell(scene.numErrors);
  parts.banner.textContent = [info.remark, ...missing(panel, visible), shaded].filter(Boolean).join(" ");
  canvas.setAttribute("aria-label", `Timeline of ${state.video}: ${text}. ${parts.banner.textContent}`);
  const options2 = [.../* @__PURE__ */ new Set([...info.tious, state.tiou])].sort((a, b) => a - b);
  parts.threshold.replaceChildren(...options2.map((tiou) => make("option", { value: tiou }, tiou.toFixed(2))));
  parts.threshold.value = state.tiou;
  parts.slider.value = state.minScore;
  parts.scoreText.textContent = state.minScore.toFixed(2);
  parts.stacked.checked = state.stacked;
  parts.showClasses(state.hidden);
  const top = state.topK === 0 ? "" : String(state.topK);
  if (parts.top.value !== top) parts.top.value = top;
  reportEditing(panel);
}
function countWords({ info, state, scene: { segments, shown, numErrors } }, visible) {
  const part = `${visible} of ${segments.n}`;
  if (info.annotators) {
    const rows = `of each class the upper row is ${info.annotators[0]}, the lower one ${info.annotators[1]}`;
    return `${part} segments shown, ${plural(numErrors, "difference")}; ${rows}`;
  }
  if (!state.unjudged) return `${part} segments shown, ${plural(numErrors, "error")} at tIoU ${state.tiou}`;
  const classes = new Set([...segments.label].filter((_, i) => shown[i] !== HIDDEN));
  const all = visible === segments.n ? plural(visible, "annotation") : `${part} annotations shown`;
  return `${all}${visible ? ` of ${plural(classes.size, "class", "classes")}` : ""}`;
}
function missing({ info: { annotators }, state: { unjudged, editing }, scene: { segments } }, visible) {
  const truths = segments.score.reduce((sum, score) => sum + Number.isNaN(score), 0);
  const sentences = [];
  if (annotators) {
    if (!truths) sentences.push(`${annotators[0]} has nothing in this recording.`);
    if (truths === segments.n) sentences.push(`${annotators[1]} has nothing in this recording.`);
    return sentences;
  }
  if (!truths && !unjudged) sentences.push("This video has no ground truth.");
  if (!truths && editing && unjudged)
    sentences.push("i begins an action at the cursor, o ends it; or draw it on the time line.");
  if (truths === segments.n && !unjudged) sentences.push("This video has no predictions.");
  if (segments.n && !visible) sentences.push("The controls hide all segments.");
  return sentences;
}

// src/compare.js
var SHARED = ["minScore", "topK", "stacked", "curves", "curveOf", "cursorSec", "restSec"];
function openInspectors(root, sources) {
  const several = sources.length > 1;
  const roots = several ? sources.map(() => make("section", {})) : [root];
  if (several) {
    root.classList.add("afkit-compared");
    root.append(...roots);
  }
  const panels = [], inspectors = { panels, leader: null, number: sources.length, dispose: () => panels.forEach(closeInspector) };
  for (const [i, source] of sources.entries()) {
    if (several) source.letter = String.fromCharCode(65 + i);
    openInspector(roots[i], source, inspectors);
  }
  if (several) {
    root.inspector = inspectors;
    panels.forEach((panel) => shareActions(inspectors, panel));
    giveRoom(root, panels[0].parts.side);
    shareView(inspectors, panels[0]);
  }
  return inspectors;
}
function openInspector(root, source, group) {
  const panel = createPanel(root, source, group);
  panel.tracks = createTracks(panel, source);
  root.inspector = panel;
}
function closeInspector(panel) {
  panel.dispose();
  panel.tracks.dispose();
}
function giveRoom(root, side) {
  const sizes = new ResizeObserver(() => {
    root.style.setProperty("--side", `${side.offsetWidth ? side.offsetWidth + 10 : 0}px`);
    root.style.setProperty("--side-height", `${side.offsetTop + side.offsetHeight + 30}px`);
  });
  sizes.observe(side);
}
function shareActions(inspectors, panel) {
  const lead = () => {
    inspectors.leader = panel;
  };
  for (const type of ["pointerdown", "pointermove", "wheel", "keydown", "input", "change", "play"]) {
    panel.root.addEventListener(type, lead, { capture: true, passive: true });
  }
  panel.root.addEventListener("drawn", () => shareView(inspectors, panel));
  panel.listen((names) => {
    if (names.has("picked")) redraw(inspectors.panels[0]);
    if (!names.has("cursorSec") || panel !== inspectors.leader) return;
    for (const other of inspectors.panels) other.set({ cursorSec: panel.state.cursorSec });
  });
}
function shareView({ panels, leader }, drawn2) {
  if (!panels.every((panel) => panel.scene.segments)) return;
  const { video, tiou } = leader.state;
  if (panels.every((panel) => panel.state.video === video)) alignEnds(panels);
  if (drawn2 !== leader) return;
  for (const other of panels.filter((panel) => panel !== leader)) {
    if (other.state.video !== video || other.state.tiou !== tiou) other.showVideo(video, tiou);
    followLeader(other, leader);
  }
}
function alignEnds(panels) {
  const views = panels.map((panel) => panel.state.view);
  const begin = Math.min(...views.map((view) => view.begin)), end = Math.max(...views.map((view) => view.end));
  for (const [i, panel] of panels.entries()) {
    const view = views[i], whole = view.from === view.begin && view.to === view.end;
    if (view.begin === begin && view.end === end) continue;
    panel.set({ view: whole ? { begin, end, from: begin, to: end } : { ...view, begin, end } });
    panel.filter();
  }
}
function followLeader(other, { state, info }) {
  const shared = Object.fromEntries(SHARED.map((name) => [name, state[name]]));
  const hidden = [...state.hidden].map((label) => other.info.classes.indexOf(info.classes[label]));
  const same = hidden.length === other.state.hidden.size && hidden.every((label) => other.state.hidden.has(label));
  other.set({ ...shared, hidden: same ? other.state.hidden : new Set(hidden) });
  const { from, to } = state.view, { view } = other.state;
  if (Math.abs(view.from - from) + Math.abs(view.to - to) > 1e-9 * (to - from)) other.look(from, to);
}

// src/journal.js
var PATIENCE_MS = 4e3;
var AGAIN_MS = 2e3;
function takeLabels(model, source, ask) {
  const { info } = source, begun = model.get("labelling");
  const unjudged = !info.videos.some((video) => video.predictions);
  const queue = [];
  let sending = false;
  Object.assign(source, { readOnly: begun.read_only, keeps: { waiting: 0, error: "", name: begun.journal, at: null } });
  Object.assign(source.settings, {
    editing: !begun.read_only,
    unjudged,
    ...unjudged ? { what: "actions" } : {},
    // there are no errors to list
    states: new Map(Object.entries(begun.states)),
    undo: begun.undo.map((edit) => readEdit(info, edit)),
    redo: begun.redo.map((edit) => readEdit(info, edit))
  });
  info.comments = begun.comments;
  source.restore = (run) => {
    for (const [video, rows] of Object.entries(begun.segments)) correctRun(run, video, readRows(info, rows));
  };
  const tell = (changes = {}) => {
    Object.assign(source.keeps, { waiting: queue.length, ...changes });
    reportEditing(source.panel);
  };
  const send = async () => {
    if (sending || !queue.length) return;
    sending = true;
    const late = setTimeout(() => tell({ error: "afkit does not answer, perhaps it was ended" }), PATIENCE_MS);
    const { error, refused = "", read_only: readOnly } = await ask(queue[0]);
    clearTimeout(late);
    sending = false;
    if (readOnly) return lose(readOnly);
    if (!error) queue.shift();
    tell(error ? { error } : { error: "", refused, at: refused ? source.keeps.at : /* @__PURE__ */ new Date() });
    setTimeout(send, error ? AGAIN_MS : 0);
  };
  const lose = (reason) => {
    const lost = queue.splice(0).length;
    source.readOnly = reason;
    source.panel.set({ editing: false });
    tell({ error: "", lost });
  };
  const listOf2 = (video) => source.panel.run.edited.get(video);
  const enqueue = (video, segments, step2) => {
    const state = source.panel.state.states.get(video) ?? "to do";
    queue.push({ track: "keep", run: 0, video, segments, state, step: step2 });
    tell();
    send();
  };
  const rowsOf2 = (list) => list.map((one) => [one.start, one.end, info.label_ids[one.label], one.comment ?? ""]);
  source.pick = (rows) => {
    model.set({ picked: rows });
    model.save_changes();
  };
  source.correct = (video, list, step2 = "edit") => enqueue(video, rowsOf2(list), step2);
  source.keepState = (video) => enqueue(video, listOf2(video) ? rowsOf2(listOf2(video)) : null, "state");
  source.addClass = (name) => ask({ track: "label", run: 0, name });
  const look2 = async () => {
    if (document.hidden || source.readOnly) return;
    const { read_only: reason } = await ask({ track: "turn", run: 0 });
    if (reason) lose(reason);
  };
  const stay = (event) => queue.length && event.preventDefault();
  document.addEventListener("visibilitychange", look2);
  window.addEventListener("focus", look2);
  window.addEventListener("beforeunload", stay);
  return () => {
    document.removeEventListener("visibilitychange", look2);
    window.removeEventListener("focus", look2);
    window.removeEventListener("beforeunload", stay);
  };
}
function readRows({ label_ids: ids }, rows) {
  return rows.map(([start, end, id, comment]) => ({ start, end, label: ids.indexOf(id), comment: comment ?? "" }));
}
function readEdit(info, [video, before, after]) {
  return { video, before: before && readRows(info, before), after: readRows(info, after) };
}

// src/saving.js
var DRAFT_MS = 300;
var NAME = "annotations_corrected.json";
function keepCorrections(source, data) {
  const { info } = source, kept = { draft: draftKey(data), isDrafted: true, saved: "", file: null, timer: 0 };
  const contents = () => {
    const { run, state } = source.panel;
    const { undo: undo2, redo: redo2 } = state, names = info.classes.slice(source.numClasses).map((name, i) => [name, info.label_ids[source.numClasses + i]]);
    return { names, edited: [...run.edited], states: [...state.states], undo: undo2.slice(-200), redo: redo2 };
  };
  const isSaved = () => JSON.stringify(contents().edited) === kept.saved;
  const later = () => {
    clearTimeout(kept.timer);
    kept.timer = setTimeout(now, DRAFT_MS);
  };
  const now = () => {
    clearTimeout(kept.timer);
    kept.timer = 0;
    kept.isDrafted = writeDraft(kept.draft, contents());
    const error = kept.isDrafted ? "" : "this browser keeps no draft (it is full, or forbids it)";
    source.keeps = kept.isDrafted ? { waiting: 0, error, name: "a draft of this browser", at: /* @__PURE__ */ new Date() } : { error };
    reportEditing(source.panel);
  };
  source.numClasses = info.classes.length;
  source.correct = later;
  source.keepState = later;
  source.addClass = async () => ({ label_id: Math.max(-1, ...info.label_ids) + 1 });
  source.restore = (run) => {
    const draft = readDraft(kept.draft);
    kept.saved = JSON.stringify([]);
    if (!draft) return;
    for (const [name, id] of draft.names) placeOfClass(source.panel, name, id);
    for (const [video, list] of draft.edited) correctRun(run, video, list);
    source.panel.set({ undo: draft.undo, redo: draft.redo, states: new Map(draft.states) });
    const at = new Date(draft.at).toLocaleString();
    source.info.remark = [info.remark, `The draft of ${at} was read back; undo goes back through it.`].join(" ").trim();
    source.keeps = { waiting: 0, error: "", name: "a draft of this browser", at: new Date(draft.at) };
  };
  source.save = async () => {
    const { run, state } = source.panel;
    const lists = info.videos.map(({ video }) => [video, run.edited.get(video) ?? originalOf(run, video)]);
    const written2 = await write(kept, annotationFile(lists, info, data.files, state.states));
    if (!written2) return "Nothing was saved.";
    kept.saved = JSON.stringify(contents().edited);
    let count = 0;
    for (const [video, list] of run.edited) count += countCorrections(originalOf(run, video), list);
    const videos = `${lists.length} ${lists.length === 1 ? "video" : "videos"}`;
    return `Saved the annotations of ${videos}, with ${count} ${count === 1 ? "correction" : "corrections"}.`;
  };
  window.addEventListener("storage", ({ key }) => {
    if (key !== kept.draft || source.readOnly) return;
    clearTimeout(kept.timer);
    kept.timer = 0;
    source.readOnly = "this page was edited in another window; reload it to go on here";
    source.panel.set({ editing: false });
    reportEditing(source.panel);
  });
  window.addEventListener("pagehide", () => kept.timer && now());
  window.addEventListener("beforeunload", (event) => {
    if (kept.timer) now();
    if (!kept.isDrafted && !isSaved()) event.preventDefault();
  });
}
function draftKey({ info, facts }) {
  let sum = 0;
  const text = `${info.title} ${facts}`;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum, 31) + text.charCodeAt(i) | 0;
  return `afkit draft ${info.title} ${text.length} ${sum}`;
}
function writeDraft(key, contents) {
  try {
    const { edited, states, undo: undo2, redo: redo2 } = contents;
    if (!edited.length && !states.length && !undo2.length && !redo2.length) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify({ ...contents, at: Date.now() }));
    return true;
  } catch {
    return false;
  }
}
function readDraft(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}
async function write(kept, text) {
  if (!window.showSaveFilePicker) {
    download(NAME, text);
    return true;
  }
  try {
    const types = [{ description: "annotations", accept: { "application/json": [".json"] } }];
    kept.file ??= await window.showSaveFilePicker({ suggestedName: NAME, types });
    const stream = await kept.file.createWritable();
    await stream.write(text);
    await stream.close();
    return true;
  } catch (error) {
    if (error.name === "AbortError") return false;
    kept.file = null;
    download(NAME, text);
    return true;
  }
}
function annotationFile(lists, info, files, states) {
  const entry = ({ start, end, label, comment }) => {
    const known = { label: info.classes[label], segment: [start, end], label_id: info.label_ids[label] };
    return comment ? { ...known, comment } : known;
  };
  const videos = lists.map(([video, list]) => {
    const state = states.has(video) ? { state: states.get(video) } : {};
    const { annotations: hidden = [], ...facts } = files[video];
    return [video, { ...facts, ...state, annotations: [...list.map(entry), ...hidden] }];
  });
  return `${JSON.stringify({ database: Object.fromEntries(videos) }, null, 2)}
`;
}
function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1e3);
}

// src/kernel.js
function render({ model, el }) {
  const root = document.createElement("div");
  el.append(root);
  const questions = askByMessages(model);
  const sources = model.get("runs").map((info, run) => kernelSource(model, questions.ask, info, run));
  let leave = () => {
  };
  if (model.get("labelling")?.journal) leave = takeLabels(model, sources[0], questions.ask);
  else if (sources.length === 1 && !sources[0].info.annotators)
    leave = takeCorrections(model, sources[0], questions.ask);
  const inspectors = openInspectors(root, sources);
  const stop = followModel(model, sources[0], inspectors);
  return () => {
    stop();
    leave();
    inspectors.dispose();
    questions.dispose();
  };
}
function askByMessages(model) {
  const waiting = /* @__PURE__ */ new Map();
  const receive = (content, buffers) => {
    const data = (buffers ?? []).map(
      ({ buffer, byteOffset, byteLength }) => buffer.slice(byteOffset, byteOffset + byteLength)
      // aligned
    );
    waiting.get(content.answer)?.({ ...content, data });
    waiting.delete(content.answer);
  };
  model.on("msg:custom", receive);
  const ask = (question) => new Promise((resolve) => {
    const id = String(Math.random());
    waiting.set(id, resolve);
    model.send({ question, id });
  });
  return { ask, dispose: () => model.off("msg:custom", receive) };
}
function kernelSource(model, ask, info, run) {
  const source = {
    info,
    settings: settingsOf(model),
    slowCurves: true,
    track: (track, video) => ask({ track, video, run }),
    open: (receive) => ask({ track: "segments", run }).then(({ data }) => receive(data[0])),
    tell({ video, tiou, minScore, topK }) {
      const changes = { video, tiou, min_score: minScore, top_k: topK };
      const isNew = Object.entries(changes).some(([name, value]) => model.get(name) !== value);
      if (isNew && !source.follows) save(model, changes);
    },
    pick() {
    },
    connect(panel) {
      source.panel = panel;
    }
  };
  return source;
}
function takeCorrections(model, source, ask) {
  const { info } = source;
  let saves = false;
  source.pick = (rows) => save(model, { picked: rows });
  source.correct = () => {
    const rows = (list) => list.map(({ start, end, label }) => [start, end, info.label_ids[label]]);
    saves = true;
    save(model, {
      corrections: Object.fromEntries([...source.panel.run.edited].map(([video, list]) => [video, rows(list)]))
    });
    saves = false;
  };
  const kept = { file: null, saved: "[]" }, contents = () => JSON.stringify([...source.panel.run.edited]);
  source.save = async () => {
    const saving = contents(), { text, error } = await ask({ track: "save", run: 0 });
    if (error) return error;
    if (!await write(kept, text)) return "Nothing was saved.";
    kept.saved = saving;
    return "Saved a new annotation file; what was not corrected is as in the old one.";
  };
  const stay = (event) => source.panel.run && contents() !== kept.saved && event.preventDefault();
  window.addEventListener("beforeunload", stay);
  source.restore = (run, corrections = model.get("corrections")) => {
    for (const video of /* @__PURE__ */ new Set([...run.edited.keys(), ...Object.keys(corrections)])) {
      correctRun(run, video, video in corrections ? readRows(info, corrections[video]) : null);
    }
  };
  source.hearCorrections = async () => {
    const { run } = source.panel;
    if (saves || !run) return;
    const { edits } = run, { corrections } = await ask({ track: "corrections", run: 0 });
    if (run.edits !== edits) return;
    source.restore(run, corrections);
    source.panel.refresh();
  };
  return () => window.removeEventListener("beforeunload", stay);
}
function followModel(model, source, inspectors) {
  const follow = () => {
    const { video, tiou, ...settings } = settingsOf(model), { panel } = source;
    inspectors.leader = panel;
    source.follows = true;
    if (panel.state.video !== video || panel.state.tiou !== tiou) panel.showVideo(video, tiou);
    panel.set(settings);
    source.follows = false;
  };
  const calls = ["video", "tiou", "min_score", "top_k"].map((name) => [`change:${name}`, follow]);
  if (source.hearCorrections) calls.push(["change:corrections", source.hearCorrections]);
  for (const [event, call] of calls) model.on(event, call);
  return () => calls.forEach(([event, call]) => model.off(event, call));
}
function settingsOf(model) {
  const [video, tiou, minScore, topK] = ["video", "tiou", "min_score", "top_k"].map((name) => model.get(name));
  return { video, tiou, minScore, topK };
}
function save(model, changes) {
  model.set(changes);
  model.save_changes();
}

// src/page.js
function openPage(root, data) {
  const sources = (data.runs ?? [data]).map(pageSource);
  if (sources.length === 1 && !data.info.annotators) keepCorrections(sources[0], data);
  const inspectors = openInspectors(root, sources);
  inspectors.leader.canvas.focus({ preventScroll: true });
  return inspectors;
}
function pageSource(data) {
  const { info } = data;
  const number = new Map(info.videos.map((video, i) => [video.video, i]));
  const first = [...info.videos].sort(ORDERS.errors[1])[0];
  const source = {
    info,
    settings: { video: first?.video ?? "", tiou: info.tiou, minScore: info.min_score, topK: 0 },
    open: (receive) => receive(decode(data.facts)),
    track(kind, video) {
      const track = data.tracks[number.get(video)][kind];
      return Promise.resolve({ ...track, data: track.data.map(decode) });
    },
    tell() {
    },
    pick() {
    },
    connect(panel) {
      source.panel = panel;
    }
  };
  return source;
}
function decode(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text).buffer;
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes.buffer;
}

// src/main.js
var main_default = { render };
export {
  main_default as default,
  openPage
};
