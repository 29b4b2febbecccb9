// Dark or light: as the system prefers, or as the user has chosen.

import { byId } from "./dom.js";
import { keepChoice, recallChoice } from "./language.js";

const KEY = "aura-theme";
const system = window.matchMedia("(prefers-color-scheme: light)");
const buttons = () => [...byId("themes").querySelectorAll("button")];
let choice = recallChoice(KEY) || "auto";

export function openTheme(changed) {
  const apply = () => {
    const light = choice === "light" || (choice === "auto" && system.matches);
    document.documentElement.dataset.theme = light ? "light" : "dark";
    for (const button of buttons()) {
      const chosen = button.dataset.themeChoice === choice;
      button.setAttribute("aria-checked", chosen);
      button.tabIndex = chosen ? 0 : -1;
    }
    changed();
  };
  const choose = (button) => {
    choice = button.dataset.themeChoice;
    keepChoice(KEY, choice);
    apply();
  };
  byId("themes").onclick = ({ target }) => target.dataset.themeChoice && choose(target);
  byId("themes").onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = buttons();
    const next = all[(all.indexOf(event.target) + step + all.length) % all.length];
    choose(next);
    next.focus();
  };
  system.addEventListener("change", apply);
  apply();
}
