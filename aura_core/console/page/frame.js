// A small picture of a moment that a click shows large.

import { dayTime, t } from "./language.js";
import { openPicture } from "./dialog.js";
import { el } from "./dom.js";

// Nothing is asked for that nobody sees.
const waiting = new WeakMap();
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    waiting.get(target)?.();
  }
});

function whenSeen(node, call) {
  waiting.set(node, call);
  seen.observe(node);
}

export function frame(pictures, { camera, stamp_ns, text, at_ms }, clock) {
  const button = el("button", { type: "button", class: "frame", "aria-label": t("enlarge") });
  button.dataset.name = "frame";
  if (stamp_ns == null) return button;
  whenSeen(button, async () => {
    const address = await pictures.get(camera, stamp_ns);
    if (!address) {
      button.disabled = true;
      button.textContent = t("no_picture");
      return;
    }
    const image = el("img", { src: address, alt: "" });
    image.onerror = () => button.replaceChildren(t("bad_picture"));
    button.replaceChildren(image);
  });
  button.onclick = async () => {
    const address = await pictures.get(camera, stamp_ns);
    if (address) openPicture(address, text, at_ms == null ? "" : dayTime(at_ms, clock.serverNow()));
  };
  return button;
}
