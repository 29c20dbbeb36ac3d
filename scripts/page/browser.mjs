// This file: a browser on the page, for the tests and for the pictures in docs. Before it: scripts/page.sh, which starts a server with the demo model.

import { readFileSync } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";

export const address = process.env.PALI_PAGE;
export const root = process.env.PALI_ROOT;

/** The path of a demo picture. */
export const picture = (name) => path.join(root, "testdata/demo/pictures", name);

/** Starts the browser. Root's may not have the kernel's sandbox. */
export const start = () => chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });

/** Opens the page. Whatever it says is wrong goes to wrong. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, permissions: ["clipboard-read", "clipboard-write"], ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  const wrong = [];
  page.on("pageerror", (e) => wrong.push(String(e)));
  page.on("console", (m) => m.type() === "error" && !m.text().includes("status of 400") && wrong.push(m.text())); // 400: a question that is refused
  page.on("request", (r) => r.url().startsWith(address) || r.url().startsWith("blob:" + address) || wrong.push("asks for " + r.url()));
  await page.goto(address);
  await page.waitForSelector("#state[data-state=ok]");
  return { context, page, wrong };
}

/** Drops files on the page, as from the desktop, and waits until the pictures are there. */
export async function drop(page, ...names) {
  const files = names.map((n) => [path.basename(n), readFileSync(n).toString("base64")]);
  const data = await page.evaluateHandle((files) => {
    const t = new DataTransfer();
    for (const [name, base64] of files) t.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type: name.endsWith("png") ? "image/png" : "image/jpeg" }));
    return t;
  }, files);
  const cards = (await page.locator(".card").count()) + names.filter((n) => /\.(png|jpg)$/.test(n)).length;
  await page.dispatchEvent("body", "dragover", { dataTransfer: data });
  await page.dispatchEvent("body", "drop", { dataTransfer: data });
  await page.waitForFunction((n) => document.querySelectorAll(".card").length === n, cards);
}

/** Asks, and waits until all is answered. text is put into the field of the task. */
export async function ask(page, task, text) {
  await page.check(`input[name=task][value=${task}]`, { force: true });
  const field = { ask: "#ask-text", detect: "#things", segment: "#things", run: "#prompt" }[task];
  if (field) await page.fill(field, text);
  await page.click("#send");
  await page.waitForSelector("#send[aria-disabled=false]");
}
