// The inspector itself: state, events, and when to draw.
//
// A source says where the segments come from: `info` (see `describe` in inspector_data.py), `settings`, `ask(video,
// tiou)`, which leads to a later `panel.receive`, `tell(settings)` and `pick(rows)`.

function createPanel(root, source) {
  const { info } = source, names = info.classes, id = `afkit-inspector-${++numPanels}`;
  const state = { ...source.settings, hidden: new Set(), picked: [], hovered: -1 };
  const scene = { names, segments: null, shown: null, lanes: [], picked: [], hovered: -1, scrollTop: 0 };
  const kept = {}; // the picture of the overview
  let waiting = false;

  const banner = make("p", { class: "remark", role: "status" });
  const count = make("p", { class: "count", "data-role": "count" });
  const said = make("p", { class: "said", "aria-live": "polite", "data-role": "said" });
  const help = make("p", { class: "help", id: `${id}-keys` }, KEYS);
  const canvas = make("canvas", {
    tabindex: 0, role: "application", "aria-roledescription": "timeline", "aria-describedby": `${id}-keys`,
  });
  const overview = make("canvas", { class: "overview", "aria-hidden": "true" });
  const spacer = make("div", { class: "spacer" });
  const scroller = make("div", { class: "scroller" }, canvas, spacer);
  const tooltip = make("div", { class: "tooltip", role: "tooltip", hidden: "" });
  const stage = make("div", { class: "stage" }, scroller, tooltip);
  const key = make("div", { class: "legend" });

  const videos = videoControls(info, (video) => ask(video, state.tiou));
  const threshold = make("select", { "data-role": "tiou", onchange: () => ask(state.video, Number(threshold.value)) });
  const slider = make("input", { type: "range", min: 0, max: 1, step: 0.01, "data-role": "score" });
  const scoreText = make("output", {});
  const top = make("input", { type: "number", min: 0, step: 1, "data-role": "top", title: "0: all" });
  const classes = classControls(names, state.hidden, () => filter());
  const button = (text, role, action) => make("button", { type: "button", "data-role": role, onclick: action }, text);
  slider.addEventListener("input", () => change({ minScore: Number(slider.value) }));
  top.addEventListener("input", () => change({ topK: Math.max(Math.floor(Number(top.value)) || 0, 0) }));
  root.classList.add("afkit-inspector");
  root.setAttribute("data-lm-suppress-shortcuts", "true"); // the keys are ours, not JupyterLab's
  root.replaceChildren(
    make("h2", {}, info.title),
    banner,
    make("div", { class: "controls" }, ...videos.elements),
    make("div", { class: "controls" },
      labelled("score from", slider, scoreText), labelled("best", top), labelled("tIoU", threshold), classes,
      button("previous error", "previous", () => step(-1)), button("next error", "next", () => step(1)),
      button("zoom in", "in", () => zoom(0.5)), button("zoom out", "out", () => zoom(2)),
      button("whole video", "all", () => look(scene.view.begin, scene.view.end))),
    overview, stage, count, said, key, help,
  );

  function ask(video, tiou) {
    said.textContent = "";
    source.ask(video, tiou);
  }

  function change(settings) {
    Object.assign(state, settings);
    source.tell(state);
    filter();
  }

  // Segments of a video, as asked for; those of another video begin with a view of the whole.
  function receive(shown, facts, matching) {
    const other = !scene.segments || shown.video !== state.video;
    Object.assign(state, { video: shown.video, tiou: shown.tiou });
    scene.segments = segmentColumns(facts, matching);
    if (other) {
      const { start, end } = scene.segments;
      const begin = start.length ? Math.min(0, start[0]) : 0; // by onset
      const last = Math.max(end.reduce((a, b) => Math.max(a, b), begin), shown.duration_sec) || 1;
      scene.view = { begin, end: last, from: begin, to: last };
      scroller.scrollTop = 0;
      pick([]);
    }
    videos.fill(state.video);
    filter();
  }

  function filter() {
    if (!scene.segments) return;
    scene.shown = shownKinds(scene.segments, state);
    scene.lanes = arrangeLanes(scene.segments, scene.shown, scene.view.end - scene.view.begin);
    const last = scene.lanes.at(-1);
    scene.contentHeight = last ? last.top + last.height + LANE_GAP_PX : 60;
    scene.errors = shownErrors(scene.segments, scene.shown);
    report();
    resize();
  }

  function report() {
    const { segments, shown } = scene;
    let visible = 0;
    for (const kind of shown) visible += kind !== HIDDEN;
    const word = scene.errors.length === 1 ? "error" : "errors";
    count.textContent = `${visible} of ${segments.n} segments shown, ${scene.errors.length} ${word} at tIoU ${state.tiou}`;
    const truths = segments.score.reduce((sum, score) => sum + Number.isNaN(score), 0);
    const missing = [];
    if (!truths) missing.push("This video has no ground truth.");
    if (truths === segments.n) missing.push("This video has no predictions.");
    if (segments.n && !visible) missing.push("The controls hide all segments.");
    banner.textContent = [info.remark, ...missing].filter(Boolean).join(" ");
    canvas.setAttribute("aria-label", `Timeline of ${state.video}: ${count.textContent}. ${banner.textContent}`);
    const options = [...new Set([...info.tious, state.tiou])].sort((a, b) => a - b);
    threshold.replaceChildren(...options.map((tiou) => make("option", { value: tiou }, tiou.toFixed(2))));
    threshold.value = state.tiou;
    slider.value = state.minScore;
    scoreText.textContent = state.minScore.toFixed(2);
    if (Number(top.value) !== state.topK || top.value === "") top.value = state.topK;
  }

  function resize() {
    scene.width = Math.max(stage.clientWidth, 200);
    scene.left = scene.width < 700 ? 116 : 168;
    scene.height = Math.min(scene.contentHeight + AXIS_PX, 520);
    scroller.style.height = `${scene.height}px`;
    spacer.style.height = `${scene.contentHeight + AXIS_PX - scene.height}px`;
    scene.width = Math.max(scroller.clientWidth, 200); // less a scroll bar
    theme();
  }

  function theme() {
    const dark = isDark(root), ratio = window.devicePixelRatio;
    if (!scene.looks || scene.looks.dark !== dark || scene.looks.ratio !== ratio) {
      const palette = dark ? DARK : LIGHT;
      scene.looks = { dark, ratio, palette, patterns: makePatterns(canvas.getContext("2d"), palette) };
      root.classList.toggle("dark", dark);
      key.replaceChildren(...legend(scene.looks));
    }
    redraw();
  }

  function redraw() {
    if (waiting || !scene.segments) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  }

  function draw() {
    Object.assign(scene, { picked: state.picked, hovered: state.hovered, scrollTop: scroller.scrollTop });
    drawScene(canvas, scene);
    drawOverview(overview, scene, kept);
    root.dispatchEvent(new CustomEvent("drawn"));
  }

  function look(from, to) {
    const { begin, end } = scene.view, longest = end - begin;
    const span = Math.min(Math.max(to - from, Math.max(longest * 1e-5, 0.02)), longest);
    scene.view.from = Math.min(Math.max((from + to - span) / 2, begin), end - span);
    scene.view.to = scene.view.from + span;
    redraw();
  }

  function zoom(factor, around = (scene.view.from + scene.view.to) / 2) {
    look(around + (scene.view.from - around) * factor, around + (scene.view.to - around) * factor);
  }

  function pan(share) {
    const by = share * (scene.view.to - scene.view.from);
    const { from, to, begin, end } = scene.view;
    const least = Math.min(Math.max(by, begin - from), end - to);
    look(from + least, to + least);
  }

  function pick(rows) {
    state.picked = rows;
    source.pick(rows);
    said.textContent = rows.length ? segmentLines(scene.segments, scene.shown, names, rows.at(-1)).join(", ") : "";
    redraw();
  }

  // To the next error after the picked segment, or after the left edge of the view; round at the end.
  function step(direction) {
    if (!scene.errors?.length) {
      said.textContent = "There is no error among the segments shown.";
      return;
    }
    const { start } = scene.segments, from = state.picked.at(-1);
    const after = from ?? scene.segments.start.findIndex((time) => time >= scene.view.from) - 0.5;
    const ahead = scene.errors.filter((row) => (row - after) * direction > 0);
    const next = direction > 0 ? (ahead[0] ?? scene.errors[0]) : (ahead.at(-1) ?? scene.errors.at(-1));
    const length = scene.segments.end[next] - start[next], span = scene.view.to - scene.view.from;
    const middle = start[next] + length / 2, width = Math.max(Math.min(span, Math.max(20 * length, 5)), 2 * length);
    look(middle - width / 2, middle + width / 2);
    show(next);
    pick([next]);
  }

  function show(row) {
    const place = rowOf(scene.lanes, scene.segments, row), height = scene.height - AXIS_PX;
    if (place.top < scroller.scrollTop || place.top + place.height > scroller.scrollTop + height) {
      scroller.scrollTop = place.top - height / 2;
    }
  }

  const panel = { receive, draw, look, zoom, pan, step, pick, filter, state, scene, canvas, root };
  panel.settings = (settings) => Object.assign(state, settings) && filter();
  panel.dispose = listen(panel, { scroller, overview, tooltip, stage, resize, theme, redraw });
  source.connect(panel);
  ask(source.settings.video, source.settings.tiou);
  return panel;
}
