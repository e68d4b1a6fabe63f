// What is asked before something is done, in a box over the page; a key closes it as it does elsewhere.

import { make } from "./controls.js";

// Show a box; `fill(close)` gives its elements, of which the first field gets the focus. Promises what `close` is given,
// null where the box was left.
export function openPrompt(panel, words, fill) {
  return new Promise((answer) => {
    const box = make("dialog", { class: "prompt", "aria-label": words });
    const close = (value) => {
      box.remove();
      panel.canvas.focus({ preventScroll: true });
      answer(value);
    };
    box.addEventListener("keydown", (event) => event.stopPropagation()); // the keys of the page do not count here
    box.addEventListener("cancel", () => close(null));
    box.append(make("p", {}, words), ...fill(close));
    panel.root.append(box);
    box.showModal();
    box.querySelector("input")?.select();
  });
}

const act = (text, role, action) => make("button", { type: "button", "data-role": role, onclick: action }, text);

// Text that is typed; null where the box was left.
export function askText(panel, words, value) {
  return openPrompt(panel, words, (close) => {
    const field = make("input", { type: "search", value, "data-role": "asked", maxlength: 500, "aria-label": words });
    field.addEventListener("keydown", (event) => event.key === "Enter" && close(field.value.trim()));
    return [field, act("keep", "ok", () => close(field.value.trim())), act("cancel", "cancel", () => close(null))];
  });
}

// A number, with `say(number)` below it as it changes, and what the button then does: [words, whether it can].
export function askNumber(panel, words, value, say) {
  return openPrompt(panel, words, (close) => {
    const field = make("input", { type: "number", min: 0, max: 1, step: 0.05, value, "data-role": "asked" });
    const ok = act("", "ok", () => close(Number(field.value)));
    const show = () => ([ok.textContent, ok.disabled] = say(Number(field.value)));
    field.addEventListener("input", show);
    field.addEventListener("keydown", (event) => event.key === "Enter" && !ok.disabled && close(Number(field.value)));
    show();
    return [field, ok, act("cancel", "cancel", () => close(null))];
  });
}

// A name out of a list, found by typing a part of it, or a new one: { place } in the list or { name }.
export function askName(panel, words, names) {
  return openPrompt(panel, words, (close) => {
    const field = make("input", { type: "search", "data-role": "asked", maxlength: 200, "aria-label": words });
    const list = make("div", { class: "found" });
    const show = () => {
      const wanted = field.value.trim().toLowerCase();
      const places = [...names.keys()].filter((place) => names[place].toLowerCase().includes(wanted));
      const begins = (place) => names[place].toLowerCase().startsWith(wanted);
      places.sort((a, b) => begins(b) - begins(a)); // stable: else as in the list
      const found = places.slice(0, 12).map((place) => act(names[place], "found", () => close({ place })));
      const isNew = wanted && !names.some((name) => name.toLowerCase() === wanted);
      const add = act(`new class “${field.value.trim()}”`, "new-class", () => close({ name: field.value.trim() }));
      list.replaceChildren(...found, ...(isNew ? [add] : []));
    };
    field.addEventListener("input", show);
    field.addEventListener("keydown", (event) => event.key === "Enter" && list.firstChild?.click());
    show();
    return [field, list];
  });
}
