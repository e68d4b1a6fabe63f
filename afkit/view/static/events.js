// Pointer, wheel, keys, size and theme.

function listen(panel, { scroller, overview, tooltip, stage, resize, theme, redraw }) {
  const { canvas, scene, state } = panel;
  let drag = null; // { x, from, to, moved }
  const timeAt = (x) => {
    const { from, to } = scene.view;
    return from + ((x - scene.left) / (scene.width - scene.left)) * (to - from);
  };
  const under = (event) => {
    if (!scene.segments || event.offsetX < scene.left || event.offsetY < AXIS_PX) return -1;
    const slack = (3 * (scene.view.to - scene.view.from)) / (scene.width - scene.left); // 3 pixels
    const y = event.offsetY - AXIS_PX + scroller.scrollTop;
    return segmentAt(scene.segments, scene.lanes, timeAt(event.offsetX), y, slack);
  };
  const hover = (row, event) => {
    tooltip.hidden = row < 0;
    if (row >= 0) {
      if (row !== state.hovered) {
        tooltip.textContent = segmentLines(scene.segments, scene.shown, scene.names, row).join("\n");
      }
      const right = event.offsetX > scene.width / 2;
      tooltip.style.left = right ? "" : `${event.offsetX + 14}px`;
      tooltip.style.right = right ? `${stage.clientWidth - event.offsetX + 14}px` : "";
      tooltip.style.top = `${event.offsetY + 12}px`;
    }
    if (row !== state.hovered) {
      state.hovered = row;
      redraw();
    }
    canvas.style.cursor = row >= 0 ? "pointer" : "grab";
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !scene.segments) return;
    drag = { x: event.offsetX, from: scene.view.from, to: scene.view.to, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return void hover(under(event), event);
    const moved = event.offsetX - drag.x;
    drag.moved ||= Math.abs(moved) > 3;
    if (!drag.moved) return;
    hover(-1, event);
    const span = drag.to - drag.from, by = (-moved / (scene.width - scene.left)) * span;
    const from = Math.min(Math.max(drag.from + by, scene.view.begin), scene.view.end - span);
    panel.look(from, from + span);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved) {
      const row = under(event), more = event.shiftKey || event.ctrlKey || event.metaKey;
      const others = more ? state.picked.filter((one) => one !== row) : [];
      const off = more && state.picked.includes(row);
      panel.pick(row < 0 ? others : off ? others : [...others, row]);
    }
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => (drag = null));
  canvas.addEventListener("pointerleave", (event) => hover(-1, event));
  canvas.addEventListener("wheel", (event) => {
    if (!scene.segments || event.offsetX < scene.left) return; // over the names it scrolls
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      panel.pan(Math.sign(event.deltaX || event.deltaY) * 0.1);
    } else {
      panel.zoom(Math.exp(Math.min(Math.max(event.deltaY, -240), 240) * 0.002), timeAt(event.offsetX));
    }
  }, { passive: false });

  const keys = {
    ArrowLeft: () => panel.pan(-0.2), ArrowRight: () => panel.pan(0.2),
    ArrowUp: () => scroller.scrollBy(0, -40), ArrowDown: () => scroller.scrollBy(0, 40),
    "+": () => panel.zoom(0.5), "=": () => panel.zoom(0.5), "-": () => panel.zoom(2),
    0: () => panel.look(scene.view.begin, scene.view.end),
    n: () => panel.step(1), p: () => panel.step(-1), Escape: () => panel.pick([]),
  };
  canvas.addEventListener("keydown", (event) => {
    if (!scene.segments || !keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    keys[event.key]();
    event.preventDefault();
    event.stopPropagation();
  });

  const centre = (event) => {
    if (!event.buttons || !scene.segments) return;
    const { begin, end, from, to } = scene.view, half = (to - from) / 2;
    const share = (event.offsetX - scene.left) / (scene.width - scene.left);
    const middle = Math.min(Math.max(begin + share * (end - begin), begin + half), end - half);
    panel.look(middle - half, middle + half);
  };
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    centre(event);
  });
  overview.addEventListener("pointermove", centre);
  scroller.addEventListener("scroll", redraw);

  const sizes = new ResizeObserver(() => scene.segments && stage.clientWidth !== scene.stageWidth && fit());
  const fit = () => {
    scene.stageWidth = stage.clientWidth;
    resize();
  };
  sizes.observe(stage);
  const themes = new MutationObserver(() => scene.segments && theme());
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  const dark = window.matchMedia("(prefers-color-scheme: dark)"), onDark = () => scene.segments && theme();
  dark.addEventListener("change", onDark);
  return () => {
    sizes.disconnect();
    themes.disconnect();
    dark.removeEventListener("change", onDark);
  };
}
