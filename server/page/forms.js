// This file: answers as JSON text, to be copied: the program's own form and COCO's.

/** @typedef {import("./ask.js").Answer} Answer */

/**
 * @typedef {object} Labelled an answer and its image
 * @property {string} name of the image's file
 * @property {number} width of the image, in pixels
 * @property {number} height
 * @property {Answer} answer with only those objects that are shown
 */

/**
 * @param {Labelled[]} results
 * @returns {string} what the command line prints with --json; a list of them for several images
 */
export function asJSON(results) {
  const all = results.map((r) => ({ image: r.name, ...r.answer }));
  return JSON.stringify(all.length === 1 ? all[0] : all, null, 2);
}

/** @param {number} x */
const round3 = (x) => Math.round(x * 1000) / 1000;

/**
 * Writes COCO's format for object detection. Ids of images, categories and annotations begin at 1.
 * Masks are run lengths, which are exact.
 * @param {Labelled[]} results
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
        bbox: [x0, y0, x1 - x0, y1 - y0].map(round3),
        area: o.area ?? round3((x1 - x0) * (y1 - y0)),
        segmentation: o.mask ?? [],
        iscrowd: 0,
        score: o.score,
      });
    }
  }
  const categories = names.map((name, i) => ({ id: i + 1, name, supercategory: "" }));
  const info = { description: "labelled by pali" };
  return JSON.stringify({ info, licenses: [], categories, images, annotations }, null, 2);
}
