// Where the keys go in a notebook, in which a cell always has the focus: to the inspector while the pointer is over it.
// A click lets them stay, as anywhere; while somebody types, and where the notebook scrolls below a pointer that rests,
// they stay where they are.

const TAKES_KEYS =
  "input, textarea, select, [contenteditable=true], dialog, [role=dialog], [role=menu], [role=listbox]";

export function listenToHover({ root, canvas }) {
  let lent = null; // what had the focus before the pointer came
  root.addEventListener("pointermove", (event) => {
    const there = document.activeElement;
    if (event.pointerType !== "mouse" || (!event.movementX && !event.movementY)) return;
    if (!there || there === document.body || root.contains(there) || isTyping(there)) return;
    lent = there;
    canvas.focus({ preventScroll: true });
  });
  root.addEventListener("pointerdown", () => (lent = null));
  root.addEventListener("pointerleave", () => {
    if (lent?.isConnected && document.activeElement === canvas) lent.focus({ preventScroll: true });
    lent = null;
  });
}

function isTyping(element) {
  return element.isContentEditable || Boolean(element.closest(TAKES_KEYS));
}
