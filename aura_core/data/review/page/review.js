// The review page. Text of samples becomes text nodes only: nothing here parses HTML.

const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
window.addEventListener("hashchange", () => location.reload()); // another token, in this tab
const headers = token ? { Authorization: `Bearer ${token}` } : {};
const byId = (id) => document.getElementById(id);

let samples = []; // [id, state] of each
let at = 0;
let asked = 0; // which call of `show` is the newest
let urls = []; // of the pictures that are shown

// base.css is dark or light by this, as the system prefers
const light = window.matchMedia("(prefers-color-scheme: light)");
const theme = () => { document.documentElement.dataset.theme = light.matches ? "light" : "dark"; };
light.addEventListener("change", theme);
theme();

function el(name, properties, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

function fail(words) {
  byId("error").textContent = words;
  byId("error").hidden = !words;
}

async function call(path, options = {}) {
  const response = await fetch(path, { ...options, headers: { ...headers, ...options.headers } });
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Error(told.error || `the server answered ${response.status}`);
}

// Tells what went wrong in place of doing it.
function tried(action) {
  return async (...given) => {
    try {
      await action(...given);
    } catch (error) {
      fail(error instanceof TypeError ? "the server cannot be reached" : error.message);
    }
  };
}

function count() {
  const found = { accepted: 0, rejected: 0, open: 0 };
  for (const [, state] of samples) found[state || "open"] += 1;
  byId("counts").textContent =
    `${found.accepted} accepted, ${found.rejected} rejected, ${found.open} without a decision`;
}

const show = tried(async (index) => {
  at = Math.min(Math.max(index, 0), samples.length - 1);
  const mine = ++asked;
  const sample = await (await call(`api/sample/${at}`)).json();
  if (mine !== asked) return; // another one was asked for meanwhile
  fail("");
  byId("number").value = at + 1;
  byId("of").textContent = `of ${samples.length}`;
  byId("id").textContent = `${sample.id} (${sample.where})`;
  byId("about").textContent = sample.about;
  byId("target").textContent = sample.answer
    ? `${sample.question} → ${sample.answer}`
    : "nothing is said in the last second";
  byId("kind").textContent = sample.kind;
  byId("reason").value = sample.reason;
  state(sample.state, sample.by);
  byId("said").replaceChildren(
    ...sample.said.map((turn) =>
      el("tr", { className: turn.mark },
        el("td", {}, turn.second === null ? "" : String(turn.second)),
        el("td", {}, turn.question),
        el("td", {}, turn.answer))),
  );
  for (const url of urls) URL.revokeObjectURL(url);
  urls = [];
  const images = sample.pictures.map((label) => el("img", { alt: label }));
  byId("pictures").replaceChildren(
    ...images.map((image, i) => el("figure", {}, image, el("figcaption", {}, sample.pictures[i]))),
  );
  for (const [number, image] of images.entries()) {
    const body = await (await call(`api/picture/${sample.index}/${number}`)).blob();
    if (mine !== asked) return;
    urls.push(URL.createObjectURL(body));
    image.src = urls.at(-1);
  }
});

function state(name, by = "") {
  byId("state").dataset.state = name;
  byId("state").textContent = name && by && by !== "person" ? `${name} by ${by}` : name;
}

const decide = tried(async (accept) => {
  const index = at;
  await call("api/decide", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ index, accept, reason: byId("reason").value }),
  });
  samples[index][1] = accept === null ? "" : accept ? "accepted" : "rejected";
  count();
  if (accept === null || !next()) state(samples[index][1]);
});

// Goes to the next sample without a decision; false where there is none.
function next() {
  for (let i = 1; i < samples.length; i += 1) {
    const index = (at + i) % samples.length;
    if (!samples[index][1]) {
      show(index);
      return true;
    }
  }
  return false;
}

const keys = {
  a: () => decide(true),
  r: () => decide(false),
  u: () => decide(null),
  n: () => next(),
  ArrowLeft: () => show(at - 1),
  ArrowRight: () => show(at + 1),
  "/": () => byId("reason").focus(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target instanceof HTMLInputElement) {
    if (event.key === "Escape" || event.key === "Enter") event.target.blur();
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!(key in keys) || byId("main").hidden) return;
  event.preventDefault();
  keys[key]();
});

byId("previous").addEventListener("click", keys.ArrowLeft);
byId("next").addEventListener("click", keys.ArrowRight);
byId("open").addEventListener("click", keys.n);
byId("accept").addEventListener("click", keys.a);
byId("reject").addEventListener("click", keys.r);
byId("undo").addEventListener("click", keys.u);
byId("number").addEventListener("change", () => show((Number(byId("number").value) || 1) - 1));
byId("decide").addEventListener("submit", (event) => event.preventDefault());

tried(async () => {
  const found = await (await call("api/samples")).json();
  samples = found.samples;
  byId("source").textContent = found.source;
  byId("main").hidden = false;
  count();
  const open = samples.findIndex(([, decided]) => !decided);
  await show(Math.max(open, 0));
})();
