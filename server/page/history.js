// This file: the history of questions and answers, stored in the browser (IndexedDB). The oldest
// entries are deleted when there are more than MAX_ENTRIES, or more than MAX_BYTES of images.

import { copyOf, find, open as openDialog } from "./result.js";

/** @typedef {import("./ask.js").Answer} Answer */

/**
 * @typedef {object} Entry
 * @property {number} [id]
 * @property {number} time milliseconds since 1970
 * @property {string} name of the image's file
 * @property {Blob} picture the image's file, under the name that stored entries have
 * @property {Answer} answer
 */

export const MAX_ENTRIES = 60;
export const MAX_BYTES = 64 << 20;

/** @type {Promise<IDBDatabase>|null} */
let opened = null;

/** @returns {Promise<IDBDatabase>} the database, opened once */
function open() {
  opened ??= new Promise((done, failed) => {
    const request = indexedDB.open("pali", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("entries", { keyPath: "id", autoIncrement: true });
    request.onsuccess = () => {
      request.result.onclose = () => (opened = null); // its data were deleted: the next use opens it again
      done(request.result);
    };
    request.onerror = () => {
      opened = null;
      failed(request.error);
    };
  });
  return opened;
}

/**
 * Runs one request in a transaction.
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<T>} request
 * @returns {Promise<T>} its result, once the transaction is complete
 */
async function transact(mode, request) {
  const transaction = (await open()).transaction("entries", mode);
  const sent = request(transaction.objectStore("entries"));
  return new Promise((done, failed) => {
    transaction.oncomplete = () => done(sent.result);
    transaction.onabort = transaction.onerror = () => failed(transaction.error);
  });
}

/** @returns {Promise<Entry[]>} all entries, the newest first */
export async function list() {
  return (await transact("readonly", (s) => s.getAll())).reverse();
}

/**
 * Stores an entry and deletes the oldest ones above the limits. An entry with an image larger than
 * MAX_BYTES is not stored.
 * @param {Entry} entry
 */
export async function add(entry) {
  if (entry.picture.size > MAX_BYTES) return;
  await transact("readwrite", (s) => s.add(entry));
  let bytes = 0;
  for (const [i, e] of (await list()).entries()) {
    bytes += e.picture.size;
    if (i >= MAX_ENTRIES || bytes > MAX_BYTES) await remove(e.id ?? 0);
  }
}

/**
 * Deletes an entry.
 * @param {number} id
 */
export async function remove(id) {
  await transact("readwrite", (s) => s.delete(id));
}

/** Deletes all entries. */
export async function clear() {
  await transact("readwrite", (s) => s.clear());
}

/**
 * @typedef {object} Parts
 * @property {HTMLDialogElement} dialog
 * @property {HTMLElement} open the button that opens the dialog
 * @property {HTMLInputElement} keep the checkbox that says whether answers are stored
 * @property {HTMLElement} clear the button that deletes all
 * @property {HTMLElement} entries the list
 * @property {HTMLElement} none shown when the list is empty
 * @property {(entry: Entry) => void} show puts an entry back into the page
 */

/**
 * Adds the dialog's event handlers.
 * @param {Parts} p
 */
export function wire(p) {
  try {
    p.keep.checked = localStorage.getItem("pali-history") !== "off";
  } catch {
    p.keep.checked = false; // this browser does not store anything
  }
  p.keep.addEventListener("change", () => {
    try {
      localStorage.setItem("pali-history", p.keep.checked ? "on" : "off");
    } catch {
      // the choice lasts as long as the page
    }
  });
  p.open.addEventListener("click", async () => {
    await fill(p);
    openDialog(p.dialog);
  });
  p.clear.addEventListener("click", async () => {
    await clear().catch(() => {}); // what is left is shown
    await fill(p);
  });
}

/**
 * Fills the dialog's list.
 * @param {Parts} p
 */
async function fill(p) {
  const all = await list().catch(() => /** @type {Entry[]} */ ([]));
  p.none.hidden = all.length > 0;
  p.entries.replaceChildren(...all.map((e) => item(e, p)));
}

/**
 * @param {Entry} entry
 * @param {Parts} p
 * @returns {HTMLElement} its item of the list
 */
function item(entry, p) {
  const line = copyOf("entry");
  const { answer } = entry;
  find(line, ".what", HTMLElement).textContent = `${entry.name}: ${answer.prompt}`;
  const labels = answer.objects?.map((o) => o.label).join(", ");
  find(line, ".said", HTMLElement).textContent = labels === undefined ? answer.text : labels || "nothing found";
  find(line, ".when", HTMLElement).textContent = new Date(entry.time).toLocaleString();
  thumbnail(find(line, "canvas", HTMLCanvasElement), entry.picture);
  const [show, del] = line.querySelectorAll("button");
  show.setAttribute("aria-label", `Show ${entry.name}: ${answer.prompt}`);
  del.setAttribute("aria-label", `Delete ${entry.name}: ${answer.prompt}`);
  show.addEventListener("click", () => p.show(entry));
  del.addEventListener("click", async () => {
    if (!(await remove(entry.id ?? 0).then(() => true, () => false))) return fill(p);
    const next = line.nextElementSibling ?? line.previousElementSibling;
    line.remove();
    p.none.hidden = p.entries.childElementCount > 0;
    (next?.querySelector("button") ?? p.clear).focus();
  });
  return line;
}

/**
 * Draws an image into a canvas, as large as fits; nothing if the browser lost it or cannot read it.
 * @param {HTMLCanvasElement} canvas
 * @param {Blob} image
 */
async function thumbnail(canvas, image) {
  const bitmap = await createImageBitmap(image).catch(() => null);
  if (!bitmap) return;
  const scale = Math.min(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [w, h] = [bitmap.width * scale, bitmap.height * scale];
  canvas.getContext("2d")?.drawImage(bitmap, (canvas.width - w) / 2, (canvas.height - h) / 2, w, h);
  bitmap.close();
}
