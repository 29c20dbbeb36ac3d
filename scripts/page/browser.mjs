// This file: the page in a browser, for the tests and for the screenshots in docs. scripts/page.sh
// starts the server with the demo model.

import { readFileSync } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";

export const address = process.env.PALI_PAGE;
export const root = process.env.PALI_ROOT;

/** Returns the path of a demo image. */
export const imagePath = (name) => path.join(root, "testdata/demo/pictures", name);

/** Starts the browser. Run by root, Chromium refuses to start with its sandbox. */
export const start = () => chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });

/** Opens the page, at another address if one is given. Its errors, and requests to other addresses, are collected in wrong. */
export async function open(browser, options = {}, at = address) {
  const permissions = ["clipboard-read", "clipboard-write"];
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, permissions, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  const wrong = [];
  page.on("pageerror", (e) => wrong.push(String(e)));
  page.on("console", (m) => {
    const refused = m.text().includes("status of 400"); // a test of an invalid question
    if (m.type() === "error" && !refused) wrong.push(m.text());
  });
  page.on("request", (r) => {
    const ours = r.url().startsWith(at) || r.url().startsWith("blob:" + new URL(at).origin);
    if (!ours) wrong.push("asks for " + r.url());
  });
  await page.goto(at);
  await page.waitForSelector("#state[data-state=ok]");
  return { context, page, wrong };
}

/** Drops files on the page, as from the desktop, and waits until the images are there. */
export async function drop(page, ...names) {
  const files = names.map((n) => [path.basename(n), readFileSync(n).toString("base64")]);
  const data = await page.evaluateHandle((files) => {
    const t = new DataTransfer();
    for (const [name, base64] of files) {
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      t.items.add(new File([bytes], name, { type: name.endsWith("png") ? "image/png" : "image/jpeg" }));
    }
    return t;
  }, files);
  const count = (await page.locator(".result").count()) + names.filter((n) => /\.(png|jpg)$/.test(n)).length;
  await page.dispatchEvent("body", "dragover", { dataTransfer: data });
  await page.dispatchEvent("body", "drop", { dataTransfer: data });
  await page.waitForFunction((n) => document.querySelectorAll(".result").length === n, count);
}

/** Asks, with text in the task's field, and waits until all images are answered. */
export async function ask(page, task, text) {
  await page.check(`input[name=task][value=${task}]`, { force: true });
  const field = { ask: "#ask-text", detect: "#things", segment: "#things", run: "#prompt" }[task];
  if (field) await page.fill(field, text);
  await page.click("#send");
  await page.waitForSelector("#send[aria-disabled=false]");
}
