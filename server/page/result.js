// This file: one image and its answer in the page: the canvas, and the list of objects tied to it.
// What comes from the model or from a file's name enters the page as text only.

import { colour, objectAt, paint, png } from "./draw.js";

/** @typedef {import("./ask.js").Answer} Answer */
/** @typedef {import("./ask.js").Detected} Detected */
/** @typedef {import("./forms.js").Labelled} Labelled */

/**
 * Finds an element, or throws.
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} kind
 * @returns {T} the first element that the selector matches under root
 */
export function find(root, selector, kind) {
  const e = root.querySelector(selector);
  if (!(e instanceof kind)) throw new Error("the page lacks " + selector);
  return e;
}

/**
 * Opens a dialog, unless it is open: a second click may come before the first one's work is done.
 * @param {HTMLDialogElement} dialog
 */
export function open(dialog) {
  if (!dialog.open) dialog.showModal();
}

/**
 * @param {string} id of a template
 * @returns {HTMLElement} a copy of its first element
 */
export function copyOf(id) {
  const copy = find(document, "#" + id, HTMLTemplateElement).content.firstElementChild?.cloneNode(true);
  if (!(copy instanceof HTMLElement)) throw new Error("the page lacks " + id);
  return copy;
}

/**
 * @param {number} ms
 * @returns {string} for people to read
 */
const duration = (ms) => (ms < 1000 ? ms.toFixed(0) + " ms" : (ms / 1000).toFixed(ms < 10000 ? 2 : 0) + " s");

/** @type {["queue"|"load"|"vision"|"prefill"|"decode", string][]} */
const STAGES = [
  ["queue", "waiting"], ["load", "loading"], ["vision", "image"], ["prefill", "prompt"], ["decode", "answer"],
];

/** An image with its answer. */
export class Result {
  /**
   * @param {Blob} file
   * @param {string} name
   * @param {ImageBitmap} bitmap
   */
  constructor(file, name, bitmap) {
    this.file = file;
    this.name = name;
    this.bitmap = bitmap;
    this.element = copyOf("result");
    /** @type {Answer|null} */
    this.answer = null;
    this.minimumScore = 0;
    /** @type {Detected|null} */
    this.hovered = null;
    /** @type {Detected|null} */
    this.pinned = null;
    /** @type {Map<Detected, HTMLElement>} */
    this.items = new Map();
    this.drawing = false;

    const title = find(this.element, "h3", HTMLElement);
    title.textContent = title.title = name;
    this.element.setAttribute("aria-label", name);
    find(this.element, ".chosen input", HTMLInputElement).setAttribute("aria-label", "Ask about " + name);
    find(this.element, ".remove", HTMLElement).setAttribute("aria-label", "Remove " + name);
    this.canvas = find(this.element, "canvas", HTMLCanvasElement);
    this.canvas.style.aspectRatio = `${bitmap.width} / ${bitmap.height}`;
    this.canvas.style.maxWidth = `calc(60vh * ${bitmap.width / bitmap.height})`;
    new ResizeObserver(() => this.redraw()).observe(this.canvas);
    this.canvas.addEventListener("pointermove", (e) => this.hover(this.at(e)));
    this.canvas.addEventListener("pointerleave", () => this.hover(null));
    this.canvas.addEventListener("click", (e) => this.pin(this.at(e)));
    find(this.element, ".objects", HTMLElement).addEventListener("keydown", (e) => this.key(e));
    this.describe();
  }

  /** @returns {boolean} whether the next question is about this image too */
  get chosen() {
    return find(this.element, ".chosen input", HTMLInputElement).checked;
  }

  /** @returns {Detected[]} the objects with at least the minimum score */
  get shown() {
    return (this.answer?.objects ?? []).filter((o) => o.score >= this.minimumScore);
  }

  /** @returns {Labelled|null} what is shown, to be copied */
  get labelled() {
    if (!this.answer) return null;
    const answer = this.answer.objects ? { ...this.answer, objects: this.shown } : this.answer;
    return { name: this.name, width: this.bitmap.width, height: this.bitmap.height, answer };
  }

  /** @returns {Promise<Blob>} the image with the shown objects, as PNG */
  png() {
    return png(this.bitmap, this.shown);
  }

  /** Removes the answer, and shows that another is awaited. */
  begin() {
    this.answer = null;
    this.setText("", true);
    find(this.element, ".prompt", HTMLElement).textContent = "";
    find(this.element, ".error", HTMLElement).textContent = "";
    find(this.element, ".warnings", HTMLElement).textContent = "";
    find(this.element, ".actions", HTMLElement).hidden = true;
    find(this.element, ".speed", HTMLElement).hidden = true;
    this.list();
  }

  /**
   * @param {string} text of the answer
   * @param {boolean} busy whether more text follows
   */
  setText(text, busy) {
    const p = find(this.element, ".text", HTMLElement);
    p.textContent = text;
    p.setAttribute("aria-busy", String(busy));
  }

  /** @param {string} piece of a streamed answer, appended to the text */
  append(piece) {
    find(this.element, ".text", HTMLElement).append(piece);
  }

  /**
   * Shows a complete answer.
   * @param {Answer} answer
   */
  finish(answer) {
    this.answer = answer;
    const left = (answer.unparsed ?? []).join(" ").trim();
    if (!answer.objects) this.setText(answer.text, false);
    else if (answer.objects.length) this.setText(left ? "The model also said: " + left : "", false);
    else this.setText(left ? "Nothing found. The model said: " + left : "Nothing found.", false);
    find(this.element, ".prompt", HTMLElement).textContent = answer.prompt;
    find(this.element, ".warnings", HTMLElement).textContent = (answer.warnings ?? []).map((w) => w + ".").join(" ");
    find(this.element, ".actions", HTMLElement).hidden = false;
    this.list();
    this.speed();
  }

  /** @param {string} message the reason for the missing answer */
  fail(message) {
    const p = find(this.element, ".text", HTMLElement);
    this.setText(p.textContent ?? "", false);
    find(this.element, ".error", HTMLElement).textContent = message;
  }

  /** @returns {string} the answer in words, for screen readers */
  get summary() {
    if (!this.answer) return this.name;
    if (!this.answer.objects) return `${this.name}: ${this.answer.text}`;
    const all = this.shown.map((o) => `${o.label} ${o.score.toFixed(2)}`);
    const count = `${all.length} ${all.length === 1 ? "object" : "objects"}`;
    return `${this.name}: ${count}${all.length ? ": " : ""}${all.join(", ")}`;
  }

  /** @param {number} score below which objects are hidden */
  setMinimumScore(score) {
    this.minimumScore = score;
    const shown = this.shown;
    for (const [o, item] of this.items) item.hidden = !shown.includes(o);
    if (this.pinned && !shown.includes(this.pinned)) this.pin(null);
    this.describe();
    this.redraw();
  }

  /** Rebuilds the list of objects, the most probable first. */
  list() {
    this.hovered = this.pinned = null;
    this.items.clear();
    const sorted = [...(this.answer?.objects ?? [])].sort((a, b) => b.score - a.score);
    for (const o of sorted) this.items.set(o, this.item(o));
    find(this.element, ".objects", HTMLElement).replaceChildren(...this.items.values());
    this.setMinimumScore(this.minimumScore);
  }

  /**
   * @param {Detected} o
   * @returns {HTMLElement} its item of the list
   */
  item(o) {
    const item = copyOf("object");
    const button = find(item, "button", HTMLElement);
    find(item, ".swatch", HTMLElement).style.backgroundColor = colour(o.label);
    find(item, ".label", HTMLElement).textContent = o.label;
    find(item, ".meter span", HTMLElement).style.width = 100 * o.score + "%";
    find(item, ".score", HTMLElement).textContent = o.score.toFixed(2);
    for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => this.hover(o));
    for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => this.hover(null));
    button.addEventListener("click", () => this.pin(o));
    return item;
  }

  /**
   * Handles a key in the list: the arrows move the focus up and down, Escape unpins.
   * @param {KeyboardEvent} e
   */
  key(e) {
    if (e.key === "Escape") this.pin(null);
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (!step) return;
    e.preventDefault();
    const buttons = [...this.items.values()].filter((i) => !i.hidden).map((i) => find(i, "button", HTMLElement));
    const at = buttons.findIndex((b) => b === document.activeElement);
    buttons[(at + step + buttons.length) % buttons.length]?.focus();
  }

  /** @param {Detected|null} o under the pointer or with the focus */
  hover(o) {
    if (o === this.hovered) return;
    this.hovered = o;
    this.highlight();
  }

  /** @param {Detected|null} o that was clicked: it stays highlighted until the next click */
  pin(o) {
    this.pinned = o === this.pinned ? null : o;
    if (this.pinned) this.items.get(this.pinned)?.scrollIntoView({ block: "nearest" });
    this.highlight();
  }

  /** Shows what is highlighted, in the list and on the image. */
  highlight() {
    for (const [o, item] of this.items) {
      item.classList.toggle("active", o === this.hovered);
      find(item, "button", HTMLElement).setAttribute("aria-pressed", String(o === this.pinned));
    }
    this.canvas.style.cursor = this.hovered ? "pointer" : "";
    this.redraw();
  }

  /**
   * @param {MouseEvent} e on the canvas
   * @returns {Detected|null} the object at this point
   */
  at(e) {
    const r = this.canvas.getBoundingClientRect();
    const x = ((e.clientX - r.left) / r.width) * this.bitmap.width;
    const y = ((e.clientY - r.top) / r.height) * this.bitmap.height;
    return objectAt(this.shown, x, y);
  }

  /** Describes the image for screen readers. */
  describe() {
    this.canvas.setAttribute("aria-label", "Image " + (this.answer?.objects ? this.summary : this.name));
  }

  /** Draws in the next frame, at the canvas's size on the screen. */
  redraw() {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      const ctx = this.canvas.getContext("2d");
      const width = Math.round(this.canvas.clientWidth * devicePixelRatio);
      if (!ctx || width === 0) return;
      const scale = width / this.bitmap.width;
      const height = Math.max(1, Math.round(this.bitmap.height * scale));
      if (this.canvas.width !== width || this.canvas.height !== height) {
        this.canvas.width = width;
        this.canvas.height = height;
      }
      paint(ctx, this.bitmap, this.shown, { scale, unit: 2 * devicePixelRatio, active: this.hovered ?? this.pinned });
    });
  }

  /** Shows how long each stage took. */
  speed() {
    const t = this.answer?.timings;
    if (!t) return;
    const times = {
      queue: t.queue_ms ?? 0, load: t.load_ms, vision: t.vision_ms, prefill: t.prefill_ms, decode: t.decode_ms,
    };
    const total = Object.values(times).reduce((a, b) => a + b, 0);
    const parts = [];
    for (const [stage, name] of STAGES) {
      find(this.element, `[data-part=${stage}]`, HTMLElement).style.flexGrow = String(total ? times[stage] / total : 0);
      if (stage === "vision" && times[stage] === 0) parts.push("image cached");
      else if (times[stage] >= 1) parts.push(`${name} ${duration(times[stage])}`);
    }
    const rate = t.decode_ms > 0 ? `, ${((1000 * t.decode_tokens) / t.decode_ms).toFixed(0)} tokens/s` : "";
    find(this.element, ".speed p", HTMLElement).textContent = `${duration(total)}: ${parts.join(", ")}${rate}`;
    find(this.element, ".speed", HTMLElement).hidden = false;
  }

  /** Removes it from the page and frees its image. */
  close() {
    this.element.remove();
    this.bitmap.close();
  }
}
