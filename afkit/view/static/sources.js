// Where the segments come from: a kernel (anywidget), or the page itself.

const NUM_FACTS = 5, NUM_MATCHING = 3;

function kernelSource(model) {
  const settings = () => ({ minScore: model.get("min_score"), topK: model.get("top_k") });
  const listeners = [];
  const on = (name, call) => {
    model.on(`change:${name}`, call);
    listeners.push([name, call]);
  };
  const source = {
    info: model.get("info"),
    settings: { video: model.get("video"), tiou: model.get("tiou"), ...settings() },
    ask(video, tiou) {
      if (video === model.get("video") && tiou === model.get("tiou")) return source.deliver();
      model.set({ video, tiou });
      return model.save_changes();
    },
    tell({ minScore, topK }) {
      model.set({ min_score: minScore, top_k: topK });
      model.save_changes();
    },
    pick(rows) {
      model.set("picked", rows);
      model.save_changes();
    },
    deliver() {
      const view = model.get("segments"), shown = model.get("shown"), n = shown.segments;
      const bytes = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength); // aligned
      source.panel.receive(
        shown, new Float64Array(bytes, 0, NUM_FACTS * n), new Float32Array(bytes, NUM_FACTS * 8 * n, NUM_MATCHING * n),
      );
    },
    connect(panel) {
      source.panel = panel;
      on("shown", () => source.deliver());
      on("min_score", () => panel.settings(settings()));
      on("top_k", () => panel.settings(settings()));
    },
    dispose: () => listeners.forEach(([name, call]) => model.off(`change:${name}`, call)),
  };
  return source;
}

// data: { info, segments: [{ facts, matching: { tIoU: ... } }] }, in the order of info.videos; base64.
function pageSource(data) {
  const { info } = data, decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  const number = new Map(info.videos.map((video, i) => [video.video, i]));
  const first = [...info.videos].sort(ORDERS.errors[1])[0];
  const source = {
    info,
    settings: { video: first?.video ?? "", tiou: info.tiou, minScore: info.min_score, topK: 0 },
    ask(video, tiou) {
      const i = number.get(video);
      const { facts, matching } = data.segments[i] ?? { facts: "", matching: {} };
      const shown = { video, tiou, duration_sec: info.videos[i]?.duration_sec ?? 0 };
      const matched = decode(matching[info.tious.indexOf(tiou)] ?? "");
      source.panel.receive(shown, new Float64Array(decode(facts)), new Float32Array(matched));
    },
    tell() {},
    pick() {},
    connect: (panel) => (source.panel = panel),
  };
  return source;
}

function render({ model, el }) {
  const source = kernelSource(model), root = document.createElement("div");
  el.append(root);
  const panel = createPanel(root, source);
  root.inspector = panel; // for the console, tests and benchmarks
  return () => {
    panel.dispose();
    source.dispose();
  };
}

export default { render };
