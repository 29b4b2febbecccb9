// Elements. Foreign text becomes text nodes only: nothing here or elsewhere parses HTML.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

// el("p", {class: "soft", onclick: f, disabled: true}, "words", child, null)
export function el(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) set(node, key, value);
  node.append(...children.filter((child) => child != null && child !== false));
  return node;
}

function set(node, key, value) {
  if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
  else if (value === true) node.setAttribute(key, "");
  else if (value !== false && value != null) node.setAttribute(key, value);
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "use"));
  setIcon(svg, name);
  return svg;
}

export function setIcon(svg, name) {
  svg.firstElementChild.setAttribute("href", `#i-${name}`);
}

// Sets a text only where it differs, so that nothing is laid out anew.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Makes `parent` show `items` in their order. A node stays as long as the key of its item does, and
// is made again where the item is another object. `make(item)` gives a node.
export function show(parent, items, keyOf, make, version = "") {
  const old = new Map();
  for (const node of parent.children) old.set(node.auraKey, node);
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let node = old.get(key);
    if (node && (node.auraItem !== item || node.auraVersion !== version)) {
      const fresh = make(item, node);
      if (fresh !== node) {
        if (place === node) place = fresh;
        keepFocus(node, fresh);
        node.replaceWith(fresh);
      }
      node = fresh;
    }
    node ??= make(item, null);
    Object.assign(node, { auraKey: key, auraItem: item, auraVersion: version });
    old.delete(key);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of old.values()) node.remove();
}

// Whoever is on a button of a card that is made again stays on that button.
function keepFocus(node, fresh) {
  if (!node.contains(document.activeElement)) return;
  const name = document.activeElement.dataset.name;
  if (name) queueMicrotask(() => fresh.querySelector(`[data-name="${name}"]`)?.focus());
}

const told = new Map(); // live region -> what it was told in this moment

// Tells a screen reader. What is told in one moment is read together: the last does not replace the
// others.
export function announce(text, urgent = false) {
  const node = byId(urgent ? "assertive" : "polite");
  if (!told.has(node)) {
    told.set(node, []);
    setTimeout(() => told.delete(node));
  }
  told.get(node).push(text);
  const words = told.get(node).join("\n");
  node.textContent = node.textContent === words ? `${words} ` : words;
}

// Takes away what was told.
export function unsay() {
  told.clear();
  for (const id of ["assertive", "polite"]) byId(id).textContent = "";
}

export function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
