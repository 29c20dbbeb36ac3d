// This file: detected objects drawn on an image, on the screen or as a PNG, as the program does.

/** @typedef {import("./ask.js").Detected} Detected */

// Okabe and Ito's colours (Color Universal Design, 2008), in the program's order.
const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];
const WHITE_INK = new Set(["#0072b2"]); // colours on which white text has more contrast than black

/**
 * Returns the colour of a label: by its hash (FNV-1a, 32 bits), so that it is the same in every
 * image, here and in those that the program draws.
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
 * @returns {Path2D|null} the outline of its mask, for the even-odd rule; null without a mask
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
 * Draws an image and objects on it.
 * @param {CanvasRenderingContext2D} ctx
 * @param {ImageBitmap} image
 * @param {Detected[]} objects
 * @param {object} how
 * @param {number} how.scale canvas pixels per image pixel
 * @param {number} how.unit line width in canvas pixels
 * @param {Detected|null} [how.active] the highlighted object: the others are drawn pale
 */
export function paint(ctx, image, objects, { scale, unit, active = null }) {
  ctx.clearRect(0, 0, ctx.canvas.width, ctx.canvas.height);
  ctx.imageSmoothingQuality = "high";
  ctx.drawImage(image, 0, 0, image.width * scale, image.height * scale);
  const last = active && objects.includes(active) ? [...objects.filter((o) => o !== active), active] : objects;
  for (const draw of [drawMask, drawBox, drawLabel]) {
    for (const o of last) {
      ctx.save();
      if (active && o !== active) ctx.globalAlpha = draw === drawLabel ? 0 : 0.3;
      draw(ctx, o, scale, o === active ? unit * 2 : unit);
      ctx.restore();
    }
  }
}

/** @typedef {(ctx: CanvasRenderingContext2D, o: Detected, scale: number, unit: number) => void} Painter */

/** @type {Painter} */
function drawMask(ctx, o, scale, unit) {
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
function drawBox(ctx, o, scale, unit) {
  const [x0, y0, x1, y1] = o.xyxy.map((v) => Math.round(v * scale));
  for (const [style, width] of /** @type {[string, number][]} */ ([["#000", 2 * unit], [colour(o.label), unit]])) {
    ctx.strokeStyle = style;
    ctx.lineWidth = width;
    ctx.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
}

/** @type {Painter} */
function drawLabel(ctx, o, scale, unit) {
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
 * Finds the object at a point: the smallest whose mask contains it, or else the smallest whose box
 * does.
 * @param {Detected[]} objects
 * @param {number} x in image pixels
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
 * Draws an image and objects on it as a PNG, in the image's own size.
 * @param {ImageBitmap} image
 * @param {Detected[]} objects
 * @returns {Promise<Blob>}
 */
export function png(image, objects) {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const ctx = canvas.getContext("2d");
  if (!ctx) return Promise.reject(new Error("this browser has no 2D canvas"));
  const unit = Math.max(2, Math.sqrt(image.width * image.height) / 220);
  paint(ctx, image, objects, { scale: 1, unit });
  return new Promise((done, failed) => {
    canvas.toBlob((b) => (b ? done(b) : failed(new Error("the image could not be encoded"))), "image/png");
  });
}
