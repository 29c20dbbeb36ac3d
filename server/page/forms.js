// This file: answers in other programs' forms. Before it: cards. After it: the clipboard. COCO's is the form of tasks/dataset.

/** @typedef {import("./ask.js").Answer} Answer */

/**
 * @typedef {object} Result an answer, and what it is about
 * @property {string} name of the picture's file
 * @property {number} width of the picture, in pixels
 * @property {number} height
 * @property {Answer} answer only the objects that are shown
 */

/**
 * @param {Result[]} results
 * @returns {string} what the command line prints with --json, a list where there are several
 */
export function asJSON(results) {
  const all = results.map((r) => ({ image: r.name, ...r.answer }));
  return JSON.stringify(all.length === 1 ? all[0] : all, null, 2);
}

/** @param {number} x */
const short = (x) => Math.round(x * 1000) / 1000;

/**
 * COCO's object detection in one JSON text: images and categories are numbered from 1. A mask is its run lengths, which are exact.
 * @param {Result[]} results
 * @returns {string}
 */
export function asCOCO(results) {
  /** @type {string[]} */
  const names = [];
  const images = [];
  const annotations = [];
  for (const [i, r] of results.entries()) {
    images.push({ id: i + 1, file_name: r.name, width: r.width, height: r.height });
    for (const o of r.answer.objects ?? []) {
      if (!names.includes(o.label)) names.push(o.label);
      const [x0, y0, x1, y1] = o.xyxy;
      annotations.push({
        id: annotations.length + 1,
        image_id: i + 1,
        category_id: names.indexOf(o.label) + 1,
        bbox: [x0, y0, x1 - x0, y1 - y0].map(short),
        area: o.area ?? short((x1 - x0) * (y1 - y0)),
        segmentation: o.mask ?? [],
        iscrowd: 0,
        score: o.score,
      });
    }
  }
  const categories = names.map((name, i) => ({ id: i + 1, name, supercategory: "" }));
  return JSON.stringify({ info: { description: "labelled by pali" }, licenses: [], categories, images, annotations }, null, 2);
}
