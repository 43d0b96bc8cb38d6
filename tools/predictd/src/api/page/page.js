// Everything here is made from the model's card, so it fits any model.
"use strict";

const by = (id) => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
let card = null;
let name = "";
let asked = 0;
let waiting = null;
let renewed = null;

const path = (route) => (name ? `${route}/${encodeURIComponent(name)}` : route);
const key = () => by("key").value.trim();
const headers = () => (key() ? { "x-api-key": key() } : {});

function trouble(text) {
  by("trouble").textContent = text;
  by("trouble").hidden = !text;
}

async function get(url) {
  const answer = await fetch(url, { headers: headers() });
  const said = await answer.json();
  if (answer.status === 401) {
    by("key-form").hidden = false;
    by("key").focus();
    throw new Error(key() ? said.detail : "");
  }
  if (!answer.ok) throw new Error(said.detail);
  return said;
}

async function begin() {
  trouble("");
  try {
    const ready = await get("readyz");
    const names = Object.keys(ready.models || {});
    by("choice").hidden = names.length < 2;
    if (names.length && !names.includes(name)) {
      by("name").replaceChildren(...names.map((each) => make("option", { value: each, textContent: each })));
      name = names[0];
    }
    card = await get(path("model"));
  } catch (error) {
    trouble(error.message);
    return;
  }
  by("key-form").hidden = true;
  show();
  predict();
}

/// A step that moves over the range in some hundreds, as people write numbers.
function step(range) {
  return range > 0 ? 10 ** Math.floor(Math.log10(range / 100)) : 1;
}

function field(feature, at) {
  const id = `field-${at}`;
  const about = `${id}-about`;
  const unit = feature.unit ? ` (${feature.unit})` : "";
  const box = make("div", { className: "field" });
  box.append(make("label", { htmlFor: id, textContent: feature.name + unit }));
  const range = feature.categories?.length
    ? `one of ${feature.categories.length} that the model knows`
    : `trained on ${short(feature.min)} to ${short(feature.max)}`;
  box.append(make("p", { className: "about", id: about, textContent: feature.description ? `${feature.description}; ${range}` : range }));
  let number;
  if (feature.categories?.length) {
    number = make("select", { id });
    number.append(...feature.categories.map((each) => make("option", { value: each, textContent: each })));
    if (feature.typical !== undefined) number.value = feature.typical;
    box.append(number);
  } else {
    const size = step(feature.max - feature.min);
    number = make("input", { id, type: "number", step: "any", value: near(feature.typical, size, feature) });
    const slider = make("input", { type: "range", min: feature.min, max: feature.max, step: "any", value: number.value });
    slider.setAttribute("aria-label", `${feature.name}, slider`);
    slider.addEventListener("input", () => { number.value = near(slider.valueAsNumber, size, feature); soon(); });
    slider.addEventListener("keydown", (event) => {
      const turn = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
      if (!turn) return;
      event.preventDefault();
      slider.valueAsNumber += turn * size;
      slider.dispatchEvent(new Event("input"));
    });
    number.addEventListener("input", () => { slider.value = number.value; });
    box.append(make("div", { className: "controls" }, slider, number));
  }
  number.setAttribute("aria-describedby", about);
  number.addEventListener("input", soon);
  if (feature.nulls) {
    const none = make("input", { type: "checkbox", id: `${id}-none` });
    none.addEventListener("input", () => { box.querySelectorAll(".controls input, select").forEach((each) => { each.disabled = none.checked; }); soon(); });
    box.append(make("label", { className: "none", htmlFor: none.id }, none, "not known"));
  }
  return box;
}

function show() {
  const target = card.target.name;
  document.title = `${target} · ${card.recipe.name}`;
  by("title").textContent = `${card.recipe.name}: ${target}`;
  by("description").textContent = card.recipe.description;
  by("unit").textContent = card.target.unit || "";
  by("fields").replaceChildren(...card.features.map(field));
  const score = card.metrics.held_out || card.metrics.trained;
  const facts = [
    ["id", card.id],
    ["algorithm", card.algorithm.replaceAll("_", " ")],
    ...Object.entries(score).filter(([metric, value]) => typeof value === "number" && metric !== "rows").map(([metric, value]) => [metric.replaceAll("_", " "), short(value)]),
    ["measured on", card.metrics.held_out ? "rows that it never saw" : "its own training rows"],
    ["trained on", `${card.data.rows_trained.toLocaleString("en")} rows`],
    ["newest data", card.data.newest || "not known"],
  ];
  by("card").replaceChildren(...facts.flatMap(([term, value]) => [make("dt", { textContent: term }), make("dd", { textContent: value })]));
  by("main").hidden = false;
}

function row() {
  const values = {};
  card.features.forEach((feature, at) => {
    const control = by(`field-${at}`);
    if (control.disabled) values[feature.name] = null;
    else values[feature.name] = feature.categories?.length ? control.value : control.valueAsNumber;
  });
  return values;
}

function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(predict, 60);
}

async function predict() {
  const values = row();
  const body = JSON.stringify(values);
  const url = new URL(path("predict"), location.href);
  const auth = key() ? " -H 'x-api-key: YOUR-KEY'" : "";
  by("curl").textContent = `curl -s${auth} --json '${body.replaceAll("'", "'\\''")}' ${url}`;
  // Answers may overtake each other: only the last question counts.
  const turn = ++asked;
  let answer, said;
  try {
    const ask = (query) => fetch(`${path("predict")}?trial=true${query}`, {
      method: "POST", body, headers: { "content-type": "application/json", ...headers() },
    });
    answer = await ask("&explain=true");
    said = await answer.json();
    if (answer.status === 422 && !said.errors) {
      by("bars-note").textContent = said.detail;
      answer = await ask("");
      said = await answer.json();
    }
  } catch (error) {
    if (turn === asked) trouble(`The server cannot be reached: ${error.message}`);
    return;
  }
  if (turn !== asked) return;
  if (answer.status === 401) {
    by("key-form").hidden = false;
  }
  if (answer.ok && said.model !== card.id && renewed !== said.model) {
    // Another model took over: its card and its fields may differ. Once: behind a balancer two may answer in turns.
    renewed = said.model;
    await begin();
    return;
  }
  if (!answer.ok) {
    const errors = (said.errors || []).map((error) => `${error.field || "the row"} ${error.problem}`);
    trouble(errors.length ? errors.join("; ") : said.detail);
    return;
  }
  trouble("");
  draw(said);
}

function draw(said) {
  const value = said[card.target.name];
  by("number").textContent = typeof value === "number" ? value.toFixed(digits(value)) : value;
  by("number").value = by("number").textContent;
  by("interval").textContent = said.low === undefined ? "" : `${Math.round(100 * card.intervals.coverage)} of 100 lie between ${short(said.low)} and ${short(said.high)}`;
  const outside = said.outside_training_range || [];
  by("outside").textContent = outside.length ? `Beyond what the model was trained on: ${outside.join(", ")}` : "";
  card.features.forEach((feature, at) => by(`field-${at}`).closest(".field").classList.toggle("outside", outside.includes(feature.name)));
  by("probabilities").replaceChildren();
  if (said.probabilities) {
    const rows = Object.entries(said.probabilities).sort((a, b) => b[1] - a[1]).slice(0, 10);
    const body = make("tbody", {}, ...rows.map(([each, share]) => make("tr", {}, make("th", { scope: "row", textContent: each }), make("td", { textContent: `${(100 * share).toFixed(1)} %` }))));
    by("probabilities").append(make("table", {}, body));
  }
  if (!said.contributions) {
    by("bars").tBodies[0].replaceChildren();
    return;
  }
  const scale = !said.probabilities ? "" : /forest|mean/.test(card.algorithm) ? `, as probabilities of ${value}` : `, as log odds of ${value}`;
  by("bars-note").textContent = `Starting at ${short(said.base)}${scale}; largest first`;
  const parts = Object.entries(said.contributions).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  // All with as many digits as the largest needs.
  const most = Math.max(...parts.map(([, part]) => Math.abs(part)), Number.MIN_VALUE);
  by("bars").tBodies[0].replaceChildren(...parts.map(([feature, part]) => {
    const bar = make("span", { className: part < 0 ? "down" : "" });
    const width = 50 * Math.abs(part) / most;
    bar.style.width = `${width}%`;
    bar.style.left = part < 0 ? `${50 - width}%` : "50%";
    const drawn = make("div", { className: "bar" }, bar);
    drawn.setAttribute("aria-hidden", "true");
    const signed = `${part < 0 ? "−" : "+"}${Math.abs(part).toFixed(digits(most) + 1)}`;
    return make("tr", {}, make("th", { scope: "row", textContent: feature }), make("td", { textContent: signed }), make("td", {}, drawn));
  }));
}

const digits = (value) => Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(Math.abs(value) || 1))));
const short = (value) => String(Number(Number(value).toPrecision(4)));
// As people write numbers, but never beyond the range for that.
const near = (value, size, { min, max }) => {
  const rounded = Number((Math.round(value / size) * size).toPrecision(12));
  return String(Math.min(Math.max(rounded, min), max));
};

by("name").addEventListener("change", () => { name = by("name").value; begin(); });
by("fields").addEventListener("submit", (event) => event.preventDefault());
by("key-form").addEventListener("submit", (event) => { event.preventDefault(); begin(); });
by("copy").addEventListener("click", async () => {
  const text = by("curl").textContent;
  try {
    await navigator.clipboard.writeText(text);
    by("copied").textContent = "copied";
  } catch {
    // Without TLS browsers give no clipboard: the text is selected instead.
    getSelection().selectAllChildren(by("curl"));
    by("copied").textContent = "selected; press Ctrl+C";
  }
});
begin();
