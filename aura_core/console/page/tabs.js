// Which part stands beside or below the picture where there is no place for all of them.

import { byId } from "./dom.js";

const bar = () => byId("tabs");
const shown = () =>
  [...bar().querySelectorAll("[role=tab]")].filter((tab) => tab.offsetParent !== null);

export function openTabs() {
  bar().onclick = ({ target }) => {
    const tab = target.closest("[role=tab]");
    if (tab) showTab(tab.dataset.tab);
  };
  bar().onkeydown = (event) => {
    const tabs = shown();
    const at = tabs.indexOf(event.target);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const tab = tabs[(to + tabs.length) % tabs.length];
    showTab(tab.dataset.tab);
    tab.focus();
  };
  // the timeline has its own place in a wide window
  window.matchMedia("(width >= 900px)").addEventListener("change", ({ matches }) => {
    if (matches && document.body.dataset.tab === "timeline") showTab("talk");
  });
  showTab("talk");
}

export function showTab(name) {
  document.body.dataset.tab = name;
  for (const tab of bar().querySelectorAll("[role=tab]")) {
    const chosen = tab.dataset.tab === name;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
  }
  window.dispatchEvent(new Event("aura-layout"));
}

export function setCount(name, count) {
  const node = byId(`tab-${name}`).querySelector(".count");
  node.hidden = !count;
  node.textContent = count > 99 ? "99+" : count;
}
