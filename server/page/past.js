// This file: what was asked before, kept in the browser (IndexedDB). Before it: answers. After it: the list in the page, newest first.
// It is bounded: the oldest go when there are more than MOST, or more than BYTES of pictures.

import { copyOf, find } from "./card.js";

/** @typedef {import("./ask.js").Answer} Answer */

/**
 * @typedef {object} Entry
 * @property {number} [id]
 * @property {number} time milliseconds since 1970
 * @property {string} name of the picture's file
 * @property {Blob} picture the file
 * @property {Answer} answer
 */

export const MOST = 60;
export const BYTES = 64 << 20;

/** @type {Promise<IDBDatabase>|null} */
let opened = null;

/** @returns {Promise<IDBDatabase>} */
function open() {
  opened ??= new Promise((done, failed) => {
    const request = indexedDB.open("pali", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("entries", { keyPath: "id", autoIncrement: true });
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
  return opened;
}

/**
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<T>} what
 * @returns {Promise<T>} its result, when all of it is kept
 */
async function on(mode, what) {
  const transaction = (await open()).transaction("entries", mode);
  const request = what(transaction.objectStore("entries"));
  return new Promise((done, failed) => {
    transaction.oncomplete = () => done(request.result);
    transaction.onabort = transaction.onerror = () => failed(transaction.error);
  });
}

/** @returns {Promise<Entry[]>} the newest first */
export async function list() {
  return (await on("readonly", (s) => s.getAll())).reverse();
}

/**
 * Keeps an entry, and forgets the oldest where there is no room.
 * @param {Entry} entry
 */
export async function add(entry) {
  if (entry.picture.size > BYTES) return;
  await on("readwrite", (s) => s.add(entry));
  let bytes = 0;
  for (const [i, e] of (await list()).entries()) {
    bytes += e.picture.size;
    if (i >= MOST || bytes > BYTES) await forget(e.id ?? 0);
  }
}

/** @param {number} id */
export async function forget(id) {
  await on("readwrite", (s) => s.delete(id));
}

/** Forgets all. */
export async function clear() {
  await on("readwrite", (s) => s.clear());
}

/**
 * @typedef {object} Parts
 * @property {HTMLDialogElement} dialog
 * @property {HTMLElement} open the button that opens it
 * @property {HTMLInputElement} keep whether answers are kept
 * @property {HTMLElement} clear
 * @property {HTMLElement} entries
 * @property {HTMLElement} none
 * @property {(entry: Entry) => void} show
 */

/**
 * Makes the dialog work.
 * @param {Parts} p
 */
export function wire(p) {
  try {
    p.keep.checked = localStorage.getItem("pali-history") !== "off";
  } catch {
    p.keep.checked = false; // a browser that keeps nothing
  }
  p.keep.addEventListener("change", () => localStorage.setItem("pali-history", p.keep.checked ? "on" : "off"));
  p.open.addEventListener("click", async () => {
    await fill(p);
    p.dialog.showModal();
  });
  p.clear.addEventListener("click", async () => {
    await clear();
    await fill(p);
  });
}

/** @param {Parts} p */
async function fill(p) {
  const all = await list().catch(() => /** @type {Entry[]} */ ([]));
  p.none.hidden = all.length > 0;
  p.entries.replaceChildren(...all.map((e) => item(e, p)));
}

/**
 * @param {Entry} entry
 * @param {Parts} p
 * @returns {HTMLElement} its line
 */
function item(entry, p) {
  const line = copyOf("entry");
  const { answer } = entry;
  find(line, ".what", HTMLElement).textContent = `${entry.name}: ${answer.prompt}`;
  find(line, ".said", HTMLElement).textContent = answer.objects ? answer.objects.map((o) => o.label).join(", ") || "nothing found" : answer.text;
  find(line, ".when", HTMLElement).textContent = new Date(entry.time).toLocaleString();
  thumbnail(find(line, "canvas", HTMLCanvasElement), entry.picture);
  const [show, gone] = line.querySelectorAll("button");
  show.setAttribute("aria-label", `Show ${entry.name}: ${answer.prompt}`);
  gone.setAttribute("aria-label", `Forget ${entry.name}: ${answer.prompt}`);
  show.addEventListener("click", () => p.show(entry));
  gone.addEventListener("click", async () => {
    await forget(entry.id ?? 0);
    const next = line.nextElementSibling ?? line.previousElementSibling;
    line.remove();
    p.none.hidden = p.entries.childElementCount > 0;
    (next?.querySelector("button") ?? p.clear).focus();
  });
  return line;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Blob} picture
 */
async function thumbnail(canvas, picture) {
  const bitmap = await createImageBitmap(picture);
  const scale = Math.min(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [w, h] = [bitmap.width * scale, bitmap.height * scale];
  canvas.getContext("2d")?.drawImage(bitmap, (canvas.width - w) / 2, (canvas.height - h) / 2, w, h);
  bitmap.close();
}
