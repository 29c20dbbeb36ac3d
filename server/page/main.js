// This file: the page's parts put together. Before it: index.html. After it: ask.js, card.js, history.js.

import { ask, health, loaded, models, Refused, useKey } from "./ask.js";
import { Card, find } from "./card.js";
import { asCOCO, asJSON } from "./forms.js";
import * as past from "./past.js";
import { wire } from "./theme.js";

/** @typedef {import("./ask.js").Question} Question */

/** The most pictures at a time. */
const MOST = 16;

/** @param {string} id */
const byId = (id) => find(document, "#" + id, HTMLElement);
/** @param {string} id */
const input = (id) => find(document, "#" + id, HTMLInputElement);
/** @param {string} id */
const select = (id) => find(document, "#" + id, HTMLSelectElement);
/** @param {string} id */
const dialog = (id) => find(document, "#" + id, HTMLDialogElement);

/** @type {Card[]} */
const cards = [];
/** @type {AbortController|null} */
let asking = null;

/** @param {string} text is read out */
function say(text) {
  byId("live").textContent = text;
}

/** @param {string} text is shown beside the question */
function complain(text) {
  byId("problem").textContent = text;
}

// Pictures.

/**
 * Adds pictures.
 * @param {Iterable<File>} files
 */
async function addFiles(files) {
  const wrong = [];
  complain("");
  for (const file of files) {
    const name = file.name || "picture";
    const card = cards.length < MOST && (await cardOf(file, name));
    if (!card) wrong.push(name);
  }
  if (wrong.length) complain(cards.length < MOST ? `Not a picture that this browser can read: ${wrong.join(", ")}` : `At most ${MOST} pictures at a time: remove some`);
  else say(`${cards.length} ${cards.length === 1 ? "picture" : "pictures"}`);
}

/**
 * @param {Blob} file
 * @param {string} name
 * @returns {Promise<Card|null>} null: it is no picture
 */
async function cardOf(file, name) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return null;
  }
  const card = new Card(file, name, bitmap);
  card.setLowest(lowest());
  card.element.addEventListener("click", (e) => act(card, e));
  cards.push(card);
  byId("cards").append(card.element);
  arrange();
  return card;
}

/**
 * Does what a button of a card says.
 * @param {Card} card
 * @param {Event} e
 */
function act(card, e) {
  const button = e.target instanceof HTMLElement ? e.target.closest("button[data-do]") : null;
  if (!(button instanceof HTMLElement)) return;
  const result = card.result;
  if (button.dataset.do === "remove") remove(card);
  else if (result && button.dataset.do === "json") copy(asJSON([result]), button);
  else if (result && button.dataset.do === "coco") copy(asCOCO([result]), button);
  else if (button.dataset.do === "png") download(card);
}

/** @param {Card} card */
function remove(card) {
  const at = cards.indexOf(card);
  cards.splice(at, 1);
  card.close();
  arrange();
  const next = cards[Math.min(at, cards.length - 1)];
  (next ? find(next.element, ".remove", HTMLElement) : input("files")).focus();
  say(card.name + " removed");
}

/** Shows what fits the number of pictures and answers. */
function arrange() {
  byId("empty").hidden = cards.length > 0;
  byId("cards").classList.toggle("several", cards.length > 1);
  byId("all").hidden = cards.filter((c) => c.answer).length < 2;
  const all = cards.flatMap((c) => c.answer?.objects ?? []);
  byId("score-field").hidden = all.length === 0;
  const shown = cards.flatMap((c) => c.shown).length;
  byId("score-text").textContent = `${lowest().toFixed(2)}: ${shown} of ${all.length}`;
}

/** @returns {number} */
const lowest = () => input("score").valueAsNumber;

/**
 * Copies a text, or shows it where the browser does not let a page copy.
 * @param {string} text
 * @param {HTMLElement} button that asked for it
 */
async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = find(document, "#text", HTMLTextAreaElement);
    area.value = text;
    dialog("text-dialog").showModal();
    area.select();
    return;
  }
  say("Copied");
  const before = button.dataset.says ?? button.textContent ?? "";
  button.dataset.says = before;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = before), 1500);
}

/** @param {Card} card */
async function download(card) {
  const a = document.createElement("a");
  a.href = URL.createObjectURL(await card.png());
  a.download = card.name.replace(/\.[^.]*$/, "") + "-pali.png";
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 60000);
}

// The question.

/** @returns {Question["task"]} */
function task() {
  const checked = find(document, "input[name=task]:checked", HTMLInputElement);
  return /** @type {Question["task"]} */ (checked.value);
}

/** Shows the fields that the task has. */
function showFields() {
  for (const field of document.querySelectorAll("[data-for]")) {
    if (!(field instanceof HTMLElement)) continue;
    const on = field.dataset.for?.split(" ").includes(task()) ?? false;
    field.hidden = !on;
    const text = field.querySelector("input[type=text]");
    if (text instanceof HTMLInputElement) text.required = on;
  }
}

/** @returns {Question} */
function question() {
  const t = task();
  const field = { ask: "ask-text", detect: "things", segment: "things", run: "prompt", caption: "", ocr: "" }[t];
  return { task: t, model: select("model").value, lang: select("lang").value, text: field && input(field).value, maxTokens: input("max-tokens").valueAsNumber, strict: input("strict").checked };
}

/** Asks about all pictures that are chosen, one after the other. */
async function askAll() {
  if (asking) return;
  const chosen = cards.filter((c) => c.chosen);
  complain(chosen.length ? "" : cards.length ? "No picture is chosen" : "Choose a picture first");
  if (!chosen.length) return;
  const q = question();
  asking = new AbortController();
  const { signal } = asking;
  busy(true);
  for (const card of chosen) card.begin();
  for (const card of chosen) {
    if (signal.aborted) card.fail("stopped");
    else await askOne(card, q, signal);
    arrange();
  }
  asking = null;
  busy(false);
  showState();
}

/**
 * @param {Card} card
 * @param {Question} q
 * @param {AbortSignal} signal
 */
async function askOne(card, q, signal) {
  for (;;) {
    try {
      card.end(await ask(q, card.file, signal, (piece) => card.more(piece)));
      say(card.words);
      keep(card);
      return;
    } catch (e) {
      if (e instanceof Refused && e.status === 401 && (await askKey())) continue;
      card.fail(reason(e));
      return;
    }
  }
}

/**
 * @param {unknown} e
 * @returns {string}
 */
function reason(e) {
  if (e instanceof Refused) return e.message;
  if (e instanceof DOMException && e.name === "AbortError") return "stopped";
  return "the server cannot be reached";
}

/** @param {boolean} on */
function busy(on) {
  byId("send").setAttribute("aria-disabled", String(on));
  byId("stop").hidden = !on;
  if (!on && document.activeElement === document.body) byId("send").focus();
}

// The server.

/** @returns {Promise<boolean>} whether a key was given */
function askKey() {
  const d = dialog("key-dialog");
  d.returnValue = "";
  if (!d.open) d.showModal();
  return new Promise((done) => {
    d.addEventListener("close", () => {
      const key = input("key").value;
      const given = d.returnValue === "given" && key !== "";
      if (given) {
        useKey(key);
        sessionStorage.setItem("pali-key", key);
      }
      done(given);
    }, { once: true });
  });
}

/** Fills the list of models. */
async function showModels() {
  try {
    for (const name of await models()) select("model").append(new Option(name, name));
  } catch (e) {
    if (e instanceof Refused && e.status === 401 && (await askKey())) await showModels();
  }
}

/** @returns {Promise<[string, string]>} the server's state, and in words */
async function state() {
  try {
    const h = await health();
    if (h === "loading") return ["loading", "Loading the model"];
    if (h === "stopping") return ["stopping", "The server is stopping"];
    const name = select("model").value;
    if (!name || (await loaded()).includes(name)) return ["ok", name ? name + " is ready" : "Ready"];
    return ["idle", name + " is loaded when it is asked"];
  } catch (e) {
    return e instanceof Refused && e.status === 401 ? ["idle", "The server wants a key"] : ["gone", "The server does not answer"];
  }
}

/** Shows how the server does, and whether the model is loaded. */
async function showState() {
  const [name, text] = await state();
  byId("state").dataset.state = name;
  if (byId("state-text").textContent !== text) byId("state-text").textContent = text;
}

/** Looks again and again while the page is seen. */
async function watch() {
  if (!document.hidden && !asking) await showState();
  setTimeout(watch, byId("state").dataset.state === "loading" ? 1000 : 10000);
}

// History.

/** @param {Card} card */
async function keep(card) {
  if (!input("keep-history").checked || !card.answer) return;
  try {
    await past.add({ time: Date.now(), name: card.name, picture: card.file, answer: card.answer });
  } catch {
    input("keep-history").checked = false; // a browser that keeps nothing
  }
}

/**
 * Shows an answer of the past.
 * @param {past.Entry} entry
 */
async function recall(entry) {
  dialog("history").close();
  const card = cards.length < MOST && (await cardOf(entry.picture, entry.name));
  if (!card) return complain(`At most ${MOST} pictures at a time: remove some`);
  card.end(entry.answer);
  arrange();
  card.element.scrollIntoView({ block: "nearest" });
  say(card.words);
}

// Wiring.

function wireQuestion() {
  const form = find(document, "#question", HTMLFormElement);
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    askAll();
  });
  form.addEventListener("invalid", (e) => {
    const more = e.target instanceof Element ? e.target.closest("details") : null;
    if (more) more.open = true;
  }, true);
  byId("tasks").addEventListener("change", showFields);
  byId("stop").addEventListener("click", () => asking?.abort());
  input("score").addEventListener("input", () => {
    for (const c of cards) c.setLowest(lowest());
    arrange();
  });
  select("model").addEventListener("change", showState);
  const languages = new Intl.DisplayNames(["en"], { type: "language" });
  for (const o of select("lang").options) {
    o.value = o.text;
    o.text = languages.of(o.value) ?? o.value;
  }
  for (const [id, form] of /** @type {const} */ ([["copy-all-json", asJSON], ["copy-all-coco", asCOCO]])) {
    byId(id).addEventListener("click", () => copy(form(cards.flatMap((c) => c.result ?? [])), byId(id)));
  }
}

function wirePictures() {
  for (const id of ["files", "camera"]) {
    input(id).addEventListener("change", () => {
      addFiles([...(input(id).files ?? [])]);
      input(id).value = "";
    });
  }
  addEventListener("paste", (e) => {
    const files = [...(e.clipboardData?.files ?? [])];
    if (!files.length) return;
    e.preventDefault();
    addFiles(files);
  });
  const drags = (/** @type {DragEvent} */ e) => e.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragover", (e) => {
    if (drags(e)) e.preventDefault();
    document.body.classList.toggle("dragging", drags(e));
  });
  addEventListener("dragleave", (e) => {
    if (!e.relatedTarget) document.body.classList.remove("dragging");
  });
  addEventListener("drop", (e) => {
    document.body.classList.remove("dragging");
    if (!drags(e)) return;
    e.preventDefault();
    addFiles([...(e.dataTransfer?.files ?? [])]);
  });
}

function wireDialogs() {
  for (const [button, id] of [["close-history", "history"], ["close-text", "text-dialog"]]) byId(button).addEventListener("click", () => dialog(id).close());
  find(document, "#key-form", HTMLFormElement).addEventListener("submit", () => (dialog("key-dialog").returnValue = "given"));
  past.wire({ dialog: dialog("history"), open: byId("open-history"), keep: input("keep-history"), clear: byId("clear-history"), entries: byId("entries"), none: byId("no-history"), show: recall });
  wire(byId("theme"));
}

async function start() {
  wireQuestion();
  wirePictures();
  wireDialogs();
  showFields();
  arrange();
  useKey(sessionStorage.getItem("pali-key") ?? "");
  await showModels();
  await watch();
}

start();
