// The filters of the list of the run.

import { differenceWords } from "./annotators.js";
import { CHANGED } from "./changes.js";
import { button, labelled, make, options, selection } from "./controls.js";
import { LISTED, listedRuns, SORTED, wholeList } from "./review.js";

// What of the run is listed, of which run, and in which order.
export function filterControls(panel) {
  const whose = selection("whose", [], { "aria-label": "whose list it is", title: "of which run, or what changed" }),
    what = selection("what", [], { "aria-label": "what is listed" });
  const sorted = selection("sorted", Object.entries(SORTED), { "aria-label": "order of the list" });
  const part = make("input", { type: "search", placeholder: "any recording", size: 12, "data-role": "list-video" });
  const number = (role, most) => make("input", { type: "number", min: 0, max: most, step: "any", "data-role": role });
  const maxScore = number("max-score", 1),
    [minSec, maxSec] = [number("min-sec", ""), number("max-sec", "")];
  const valueOr = (input, otherwise) => (input.value === "" || !(input.value >= 0) ? otherwise : Number(input.value));
  whose.addEventListener("change", () => panel.set({ whose: whose.value, what: "errors", cell: null }));
  what.addEventListener("change", () => panel.set({ what: what.value, cell: null }));
  sorted.addEventListener("change", () => panel.set({ sorted: sorted.value }));
  part.addEventListener("input", () => panel.set({ videoPart: part.value }));
  maxScore.addEventListener("input", () => panel.set({ maxScore: valueOr(maxScore, 1) }));
  minSec.addEventListener("input", () => panel.set({ minSec: valueOr(minSec, 0) }));
  maxSec.addEventListener("input", () => panel.set({ maxSec: valueOr(maxSec, Infinity) }));
  const reset = () => {
    for (const input of [part, maxScore, minSec, maxSec]) input.value = "";
    panel.set({ ...wholeList(), ...(panel.state.unjudged ? { what: "actions" } : {}) });
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
      button("all again", "all-again", "take all filters of the list back", reset),
    ),
  );
  const element = make("div", { class: "controls" }, whose, what, sorted, more);
  return { element, whose, what, sorted, more };
}

// What there is to choose from: of several runs, whose list it is; and what is listed of one, or changed between two.
export function offerLists(list) {
  const { panel, filters } = list,
    { panels } = panel.group,
    letters = panels.map(({ source }) => source.letter),
    [one, other] = listedRuns(panel.state);
  filters.whose.hidden = panels.length < 2;
  filters.whose.value = panel.state.whose;
  filters.sorted.querySelector("[value=gain]").disabled = other !== undefined;
  const offered = `${letters} ${panel.state.whose}`;
  if (offered === list.offered) return;
  list.offered = offered;
  const runs = letters.map((letter, i) => [String(i), `of ${letter}`]),
    changes = letters.slice(1).map((letter, i) => [`0 ${i + 1}`, `${letters[0]} against ${letter}`]);
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
