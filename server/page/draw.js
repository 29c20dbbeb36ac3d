// This file: objects on a picture. Before it: an answer. After it: a canvas, on the screen or as a PNG. The look is that of tasks/draw.

/** @typedef {import("./ask.js").Detected} Detected */

// Okabe and Ito's colours (Color Universal Design, 2008), in the order of tasks/draw.
const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];
const WHITE_INK = new Set(["#0072b2"]); // where white has the larger contrast

/**
 * The colour of a label: always the same, and the same as in the pictures that the program draws (FNV-1a, 32 bits).
 * @param {string} label
 * @returns {string}
 */
export function colour(label) {
  let h = 0x811c9dc5;
  for (const b of new TextEncoder().encode(label)) h = Math.imul(h ^ b, 0x01000193) >>> 0;
  return COLOURS[h % COLOURS.length];
}

/**
 * @param {Detected} o
 * @param {number} scale
 * @returns {Path2D|null} its mask: filled by the even-odd rule
 */
function outline(o, scale) {
  if (!o.polygons) return null;
  const path = new Path2D();
  for (const p of o.polygons) {
    for (let i = 0; i < p.length; i += 2) path[i ? "lineTo" : "moveTo"](p[i] * scale, p[i + 1] * scale);
    path.closePath();
  }
  return path;
}

/**
 * Draws a picture and objects on it.
 * @param {CanvasRenderingContext2D} ctx
 * @param {ImageBitmap} picture
 * @param {Detected[]} objects
 * @param {object} how
 * @param {number} how.scale pixels of the canvas to one of the picture
 * @param {number} how.unit pixels of the canvas to a line's width
 * @param {Detected|null} [how.active] the one that is looked at: others are pale
 */
export function paint(ctx, picture, objects, { scale, unit, active = null }) {
  ctx.clearRect(0, 0, ctx.canvas.width, ctx.canvas.height);
  ctx.imageSmoothingQuality = "high";
  ctx.drawImage(picture, 0, 0, picture.width * scale, picture.height * scale);
  const last = active && objects.includes(active) ? [...objects.filter((o) => o !== active), active] : objects;
  for (const paintOne of [mask, box, plate]) {
    for (const o of last) {
      ctx.save();
      if (active && o !== active) ctx.globalAlpha = paintOne === plate ? 0 : 0.3;
      paintOne(ctx, o, scale, o === active ? unit * 2 : unit);
      ctx.restore();
    }
  }
}

/** @typedef {(ctx: CanvasRenderingContext2D, o: Detected, scale: number, unit: number) => void} Painter */

/** @type {Painter} */
function mask(ctx, o, scale, unit) {
  const path = outline(o, scale);
  if (!path) return;
  const alpha = ctx.globalAlpha;
  ctx.fillStyle = ctx.strokeStyle = colour(o.label);
  ctx.globalAlpha = alpha * 0.45;
  ctx.fill(path, "evenodd");
  ctx.globalAlpha = alpha * 0.9;
  ctx.lineWidth = unit / 2;
  ctx.stroke(path);
}

/** @type {Painter} */
function box(ctx, o, scale, unit) {
  const [x0, y0, x1, y1] = o.xyxy.map((v) => Math.round(v * scale));
  for (const [style, width] of /** @type {[string, number][]} */ ([["#000", 2 * unit], [colour(o.label), unit]])) {
    ctx.strokeStyle = style;
    ctx.lineWidth = width;
    ctx.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
}

/** @type {Painter} */
function plate(ctx, o, scale, unit) {
  const text = o.label + " " + o.score.toFixed(2);
  const size = Math.max(12, 4 * unit + 4);
  ctx.font = `600 ${size}px system-ui, sans-serif`;
  const width = ctx.measureText(text).width + 2 * unit + 4;
  const height = size * 1.35;
  const x = Math.max(0, Math.min(o.xyxy[0] * scale - unit / 2, ctx.canvas.width - width));
  let y = o.xyxy[1] * scale - unit / 2 - height;
  if (y < 0) y = o.xyxy[1] * scale + unit;
  y = Math.max(0, Math.min(y, ctx.canvas.height - height));
  ctx.fillStyle = "#000";
  ctx.fillRect(x - 1, y - 1, width + 2, height + 2);
  ctx.fillStyle = colour(o.label);
  ctx.fillRect(x, y, width, height);
  ctx.fillStyle = WHITE_INK.has(colour(o.label)) ? "#fff" : "#000";
  ctx.textBaseline = "middle";
  ctx.fillText(text, x + unit + 2, y + height / 2 + size * 0.05);
}

/**
 * The object at a place: of several the smallest, and one whose mask holds it before one whose box does.
 * @param {Detected[]} objects
 * @param {number} x of the picture, in pixels
 * @param {number} y
 * @returns {Detected|null}
 */
export function objectAt(objects, x, y) {
  const test = document.createElement("canvas").getContext("2d");
  /** @type {[number, Detected][]} */
  const found = [];
  for (const o of objects) {
    const [x0, y0, x1, y1] = o.xyxy;
    if (x < x0 || x > x1 || y < y0 || y > y1) continue;
    const path = outline(o, 1);
    const on = path && test?.isPointInPath(path, x, y, "evenodd");
    found.push([(x1 - x0) * (y1 - y0) + (on || !path ? 0 : 1e12), o]);
  }
  found.sort((a, b) => a[0] - b[0]);
  return found.length ? found[0][1] : null;
}

/**
 * The picture with objects on it, in its own size.
 * @param {ImageBitmap} picture
 * @param {Detected[]} objects
 * @returns {Promise<Blob>}
 */
export function png(picture, objects) {
  const canvas = document.createElement("canvas");
  canvas.width = picture.width;
  canvas.height = picture.height;
  const ctx = canvas.getContext("2d");
  if (!ctx) return Promise.reject(new Error("the browser gives no canvas"));
  paint(ctx, picture, objects, { scale: 1, unit: Math.max(2, Math.sqrt(picture.width * picture.height) / 220) });
  return new Promise((done, failed) => canvas.toBlob((b) => (b ? done(b) : failed(new Error("the picture could not be written"))), "image/png"));
}
