// This file: requests to the server's routes.

/**
 * @typedef {object} Question
 * @property {"caption"|"ask"|"ocr"|"detect"|"segment"|"run"} task
 * @property {string} model its name; "": the server's first
 * @property {string} lang of caption and ask
 * @property {string} text the question, the things separated by ";", or the prompt
 * @property {number} maxTokens
 * @property {boolean} strict of detect and segment
 */

/**
 * @typedef {object} Detected an object of the JSON answer; fields that are not listed here are kept
 * @property {string} label
 * @property {number} score
 * @property {number[]} xyxy pixels: x0, y0, x1, y1
 * @property {number[][]} [polygons] outlines of the mask: x0, y0, x1, y1, ...
 * @property {{size: number[], counts: string}} [mask] COCO's run lengths
 * @property {number} [area]
 */

/**
 * @typedef {object} Timings milliseconds
 * @property {number} [queue_ms]
 * @property {number} load_ms
 * @property {number} vision_ms
 * @property {number} prefill_ms
 * @property {number} decode_ms
 * @property {number} prefill_tokens
 * @property {number} decode_tokens
 */

/**
 * @typedef {object} Answer
 * @property {string} prompt
 * @property {string} text
 * @property {Detected[]} [objects]
 * @property {string[]} [unparsed]
 * @property {string[]} [warnings] what was lost
 * @property {Timings} timings
 */

/** An error response of the server. */
export class RequestError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The address of the server's routes, which may lie below a path of another server. */
const base = new URL("..", import.meta.url);

/**
 * @param {string} route
 * @returns {URL}
 */
const at = (route) => new URL(route, base);

let key = "";

/** @param {string} k the API key for all following requests */
export function setKey(k) {
  key = k;
}

/** @returns {Record<string, string>} */
function headers() {
  return key ? { Authorization: "Bearer " + key } : {};
}

/**
 * @param {Question} q
 * @returns {boolean} whether the answer is a list of objects
 */
export function findsObjects(q) {
  return q.task === "detect" || q.task === "segment";
}

/**
 * Makes the form data of a request.
 * @param {Question} q
 * @param {Blob} image
 * @returns {FormData}
 */
function formOf(q, image) {
  const form = new FormData();
  form.append("image", image, "image"); // the file's own name stays private
  if (q.model) form.append("model", q.model);
  form.append("max_tokens", String(q.maxTokens));
  if (q.task === "caption" || q.task === "ask") form.append("lang", q.lang);
  if (q.task === "ask") form.append("question", q.text);
  if (q.task === "run") form.append("prompt", q.text);
  if (findsObjects(q)) {
    form.append("things", q.text);
    form.append("strict", String(q.strict));
  } else {
    form.append("stream", "true");
  }
  return form;
}

/**
 * Asks about one image.
 * @param {Question} q
 * @param {Blob} image
 * @param {AbortSignal} signal
 * @param {(piece: string) => void} each is called with each piece of a streamed text
 * @returns {Promise<Answer>}
 */
export async function ask(q, image, signal, each) {
  const body = formOf(q, image);
  const response = await fetch(at("v1/" + q.task), { method: "POST", headers: headers(), body, signal });
  if (!response.ok) throw await errorOf(response);
  if (findsObjects(q) || !response.body) return response.json();
  for await (const line of lines(response.body)) { // blanks before the JSON are signs of life
    const value = JSON.parse(line);
    if (value.error) throw new RequestError(response.status, value.error.code, value.error.message);
    if (value.timings) return value;
    each(value.text);
  }
  throw new RequestError(0, "cut", "the connection ended before the answer did");
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<string>} its lines
 */
async function* lines(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    const all = rest.split("\n");
    rest = all.pop() ?? "";
    yield* all;
    if (done) return;
  }
}

/**
 * @param {Response} response
 * @returns {Promise<RequestError>}
 */
async function errorOf(response) {
  try {
    const { error } = await response.json();
    return new RequestError(response.status, error.code, error.message);
  } catch {
    return new RequestError(response.status, "unknown", "the server answered with status " + response.status);
  }
}

/**
 * Gets JSON.
 * @param {string} route
 * @returns {Promise<any>}
 */
async function get(route) {
  const response = await fetch(at(route), { headers: headers() });
  if (!response.ok) throw await errorOf(response);
  return response.json();
}

/** @returns {Promise<string[]>} the names of the models */
export async function models() {
  const { data } = await get("v1/models");
  return data.map((/** @type {{id: string}} */ m) => m.id);
}

/** @returns {Promise<string[]>} the names of the loaded models */
export async function loaded() {
  const { models } = await get("api/ps");
  return models.map((/** @type {{name: string}} */ m) => m.name);
}

/** @returns {Promise<"ok"|"loading"|"stopping">} the server's state */
export async function health() {
  const response = await fetch(at("health"));
  return (await response.json()).status;
}
