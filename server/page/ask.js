// This file: questions to the server. Before it: main.js, with a picture and what is asked. After it: the routes of server/ours.go.

/**
 * @typedef {object} Question
 * @property {"caption"|"ask"|"ocr"|"detect"|"segment"|"run"} task
 * @property {string} model "": the server's first
 * @property {string} lang of caption and ask
 * @property {string} text the question, the things parted by ";", or the prompt
 * @property {number} maxTokens
 * @property {boolean} strict of detect and segment
 */

/**
 * @typedef {object} Detected as package answer writes it; what is not used here is kept
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
 * @property {Timings} timings
 */

/** An error that the server tells. */
export class Refused extends Error {
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

let key = "";

/** @param {string} k what is shown to the server from now on */
export function useKey(k) {
  key = k;
}

/** @returns {Record<string, string>} */
function headers() {
  return key ? { Authorization: "Bearer " + key } : {};
}

/**
 * @param {Question} q
 * @returns {boolean} whether the answer is objects
 */
export function findsObjects(q) {
  return q.task === "detect" || q.task === "segment";
}

/**
 * The form that asks about a picture.
 * @param {Question} q
 * @param {Blob} picture
 * @returns {FormData}
 */
function formOf(q, picture) {
  const form = new FormData();
  form.append("image", picture, "picture"); // its name is nobody's business
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
 * Asks about one picture.
 * @param {Question} q
 * @param {Blob} picture
 * @param {AbortSignal} signal
 * @param {(piece: string) => void} each is told each piece of a text as it comes
 * @returns {Promise<Answer>}
 */
export async function ask(q, picture, signal, each) {
  const response = await fetch("/v1/" + q.task, { method: "POST", headers: headers(), body: formOf(q, picture), signal });
  if (!response.ok) throw await refusal(response);
  if (findsObjects(q) || !response.body) return response.json();
  for await (const line of lines(response.body)) {
    const value = JSON.parse(line);
    if (value.error) throw new Refused(response.status, value.error.code, value.error.message);
    if (value.timings) return value;
    each(value.text);
  }
  throw new Refused(0, "cut", "the server ended its answer too early");
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
 * @returns {Promise<Refused>}
 */
async function refusal(response) {
  try {
    const { error } = await response.json();
    return new Refused(response.status, error.code, error.message);
  } catch {
    return new Refused(response.status, "unknown", "the server answered with status " + response.status);
  }
}

/**
 * Asks for JSON.
 * @param {string} path
 * @returns {Promise<any>}
 */
async function get(path) {
  const response = await fetch(path, { headers: headers() });
  if (!response.ok) throw await refusal(response);
  return response.json();
}

/** @returns {Promise<string[]>} the names of the models */
export async function models() {
  const { data } = await get("/v1/models");
  return data.map((/** @type {{id: string}} */ m) => m.id);
}

/** @returns {Promise<string[]>} the names of those that are loaded */
export async function loaded() {
  const { models } = await get("/api/ps");
  return models.map((/** @type {{name: string}} */ m) => m.name);
}

/** @returns {Promise<"ok"|"loading"|"stopping">} how the server does */
export async function health() {
  const response = await fetch("/health");
  return (await response.json()).status;
}
