// This file: the page's event handlers, which connect its parts with the server and the history.

import { ask, health, loaded, models, RequestError, setKey } from "./ask.js";
import { asCOCO, asJSON } from "./forms.js";
import * as history from "./history.js";
import { find, open, Result } from "./result.js";
import * as theme from "./theme.js";

/** @typedef {import("./ask.js").Question} Question */

/** The largest number of images at a time. */
const MAX_IMAGES = 16;
const TOO_MANY = `At most ${MAX_IMAGES} images at a time: remove some`;

/** @param {string} id */
const byId = (id) => find(document, "#" + id, HTMLElement);
/** @param {string} id */
const input = (id) => find(document, "#" + id, HTMLInputElement);
/** @param {string} id */
const select = (id) => find(document, "#" + id, HTMLSelectElement);
/** @param {string} id */
const dialog = (id) => find(document, "#" + id, HTMLDialogElement);

/** @type {Result[]} */
const results = [];
/** @type {AbortController|null} */
let asking = null;

/** @param {string} text for screen readers */
function announce(text) {
  byId("live").textContent = text;
}

/** @param {string} text shown beside the question; empty: none */
function showProblem(text) {
  byId("problem").textContent = text;
}

// Images.

/**
 * Adds images, and names the files that could not be added.
 * @param {Iterable<File>} files
 */
async function addFiles(files) {
  const failed = [];
  showProblem("");
  for (const file of files) {
    const name = file.name || "image";
    const result = results.length < MAX_IMAGES && (await addImage(file, name));
    if (!result) failed.push(name);
  }
  if (failed.length === 0) announce(`${results.length} ${results.length === 1 ? "image" : "images"}`);
  else if (results.length >= MAX_IMAGES) showProblem(TOO_MANY);
  else showProblem("Not an image that this browser can read: " + failed.join(", "));
}

/**
 * Adds one image.
 * @param {Blob} file
 * @param {string} name
 * @returns {Promise<Result|null>} null: the file is not an image
 */
async function addImage(file, name) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return null;
  }
  const result = new Result(file, name, bitmap);
  result.setMinimumScore(minimumScore());
  result.element.addEventListener("click", (e) => handleButton(result, e));
  results.push(result);
  byId("results").append(result.element);
  update();
  return result;
}

/**
 * Handles a click on a button of a result.
 * @param {Result} result
 * @param {Event} e
 */
function handleButton(result, e) {
  const button = e.target instanceof HTMLElement ? e.target.closest("button[data-do]") : null;
  if (!(button instanceof HTMLElement)) return;
  const labelled = result.labelled;
  if (button.dataset.do === "remove") remove(result);
  else if (labelled && button.dataset.do === "json") copy(asJSON([labelled]), button);
  else if (labelled && button.dataset.do === "coco") copy(asCOCO([labelled]), button);
  else if (button.dataset.do === "png") download(result);
}

/** @param {Result} result */
function remove(result) {
  const at = results.indexOf(result);
  results.splice(at, 1);
  result.close();
  update();
  const next = results[Math.min(at, results.length - 1)];
  (next ? find(next.element, ".remove", HTMLElement) : input("files")).focus();
  announce(result.name + " removed");
}

/** Shows what depends on the images, the answers and the minimum score. */
function update() {
  byId("empty").hidden = results.length > 0;
  byId("results").classList.toggle("several", results.length > 1);
  byId("all").hidden = results.filter((r) => r.answer).length < 2;
  const all = results.flatMap((r) => r.answer?.objects ?? []);
  byId("score-field").hidden = all.length === 0;
  const shown = results.flatMap((r) => r.shown).length;
  byId("score-text").textContent = `${minimumScore().toFixed(2)}: ${shown} of ${all.length}`;
}

/** @returns {number} */
const minimumScore = () => input("score").valueAsNumber;

/**
 * Copies a text, or shows it where the browser does not allow a page to copy.
 * @param {string} text
 * @param {HTMLElement} button that asked for it
 */
async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = find(document, "#text", HTMLTextAreaElement);
    area.value = text;
    open(dialog("text-dialog"));
    area.select();
    return;
  }
  announce("Copied");
  const before = button.dataset.says ?? button.textContent ?? "";
  button.dataset.says = before;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = before), 1500);
}

/** @param {Result} result */
async function download(result) {
  const a = document.createElement("a");
  try {
    a.href = URL.createObjectURL(await result.png());
  } catch {
    return showProblem("This browser could not encode the image: " + result.name);
  }
  a.download = result.name.replace(/\.[^.]*$/, "") + "-pali.png";
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 60000);
}

// The question.

/** @returns {Question["task"]} */
function task() {
  const checked = find(document, "input[name=task]:checked", HTMLInputElement);
  return /** @type {Question["task"]} */ (checked.value);
}

/** Shows the fields of the chosen task and hides the others. */
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
  return {
    task: t,
    model: select("model").value,
    lang: select("lang").value,
    text: field && input(field).value,
    maxTokens: input("max-tokens").valueAsNumber,
    strict: input("strict").checked,
  };
}

/** Asks about all chosen images, one after the other. */
async function askAll() {
  if (asking) return;
  const chosen = results.filter((r) => r.chosen);
  showProblem(chosen.length ? "" : results.length ? "Choose at least one image" : "Choose an image first");
  if (!chosen.length) return;
  const q = question();
  asking = new AbortController();
  const { signal } = asking;
  setBusy(true);
  for (const result of chosen) result.begin();
  for (const result of chosen) {
    if (signal.aborted) result.fail("stopped");
    else await askOne(result, q, signal);
    update();
  }
  asking = null;
  setBusy(false);
  showState();
}

/**
 * Asks about one image, again where a key was missing, and shows the answer or the error.
 * @param {Result} result
 * @param {Question} q
 * @param {AbortSignal} signal
 */
async function askOne(result, q, signal) {
  for (;;) {
    try {
      result.finish(await ask(q, result.file, signal, (piece) => result.append(piece)));
      announce(result.summary);
      store(result);
      return;
    } catch (e) {
      if (e instanceof RequestError && e.status === 401 && (await askKey())) continue;
      result.fail(reason(e));
      return;
    }
  }
}

/**
 * @param {unknown} e
 * @returns {string} the reason for a missing answer
 */
function reason(e) {
  if (e instanceof RequestError) return e.message;
  if (e instanceof DOMException && e.name === "AbortError") return "stopped";
  return "the server cannot be reached";
}

/** @param {boolean} on whether a question is being answered */
function setBusy(on) {
  byId("send").setAttribute("aria-disabled", String(on));
  byId("stop").hidden = !on;
  if (!on && document.activeElement === document.body) byId("send").focus();
}

// The server.

/**
 * Asks the user for the server's key.
 * @returns {Promise<boolean>} whether one was given
 */
function askKey() {
  const d = dialog("key-dialog");
  d.returnValue = "";
  open(d);
  return new Promise((done) => {
    d.addEventListener("close", () => {
      const key = input("key").value;
      const given = d.returnValue === "given" && key !== "";
      if (given) {
        setKey(key);
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
    if (e instanceof RequestError && e.status === 401 && (await askKey())) await showModels();
  }
}

/** @returns {Promise<[string, string]>} the server's state, for page.css and in words */
async function state() {
  try {
    const h = await health();
    if (h === "loading") return ["loading", "Loading the model"];
    if (h === "stopping") return ["stopping", "The server is stopping"];
    const name = select("model").value;
    if (!name || (await loaded()).includes(name)) return ["ok", name ? name + " is ready" : "Ready"];
    return ["idle", name + " loads with the first question"];
  } catch (e) {
    if (e instanceof RequestError && e.status === 401) return ["idle", "The server requires a key"];
    return ["gone", "The server does not answer"];
  }
}

/** Shows the server's state, and whether the model is loaded. */
async function showState() {
  const [name, text] = await state();
  byId("state").dataset.state = name;
  if (byId("state-text").textContent !== text) byId("state-text").textContent = text;
}

/** Updates the server's state regularly while the page is visible. */
async function watch() {
  if (!document.hidden && !asking) await showState();
  setTimeout(watch, byId("state").dataset.state === "loading" ? 1000 : 10000);
}

// History.

/**
 * Adds an answer to the history, if it is to be kept.
 * @param {Result} result
 */
async function store(result) {
  if (!input("keep-history").checked || !result.answer) return;
  try {
    await history.add({ time: Date.now(), name: result.name, picture: result.file, answer: result.answer });
  } catch {
    input("keep-history").checked = false; // this browser does not store anything
  }
}

/**
 * Shows an entry of the history as a result.
 * @param {history.Entry} entry
 */
async function showEntry(entry) {
  dialog("history").close();
  const result = results.length < MAX_IMAGES && (await addImage(entry.picture, entry.name));
  if (!result) return showProblem(TOO_MANY);
  result.finish(entry.answer);
  update();
  result.element.scrollIntoView({ block: "nearest" });
  announce(result.summary);
}

// Event handlers.

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
    for (const r of results) r.setMinimumScore(minimumScore());
    update();
  });
  select("model").addEventListener("change", showState);
  const languages = new Intl.DisplayNames(["en"], { type: "language" });
  for (const o of select("lang").options) {
    o.value = o.text;
    o.text = languages.of(o.value) ?? o.value;
  }
  for (const [id, form] of /** @type {const} */ ([["copy-all-json", asJSON], ["copy-all-coco", asCOCO]])) {
    byId(id).addEventListener("click", () => copy(form(results.flatMap((r) => r.labelled ?? [])), byId(id)));
  }
}

function wireImages() {
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
  for (const [button, id] of [["close-history", "history"], ["close-text", "text-dialog"]]) {
    byId(button).addEventListener("click", () => dialog(id).close());
  }
  const keyForm = find(document, "#key-form", HTMLFormElement);
  keyForm.addEventListener("submit", () => (dialog("key-dialog").returnValue = "given"));
  history.wire({
    dialog: dialog("history"),
    open: byId("open-history"),
    keep: input("keep-history"),
    clear: byId("clear-history"),
    entries: byId("entries"),
    none: byId("no-history"),
    show: showEntry,
  });
  theme.wire(byId("theme"));
}

async function start() {
  wireQuestion();
  wireImages();
  wireDialogs();
  showFields();
  update();
  setKey(sessionStorage.getItem("pali-key") ?? "");
  await showModels();
  await watch();
}

start();
