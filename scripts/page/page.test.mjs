// This file: tests of the page in a browser with the demo model, run by scripts/page.sh test. Its
// answers are compared with those of the routes themselves.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { address, ask, drop, imagePath, open, start } from "./browser.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser;
before(async () => (browser = await start()));
after(() => browser.close());

/** A test with a page of its own, which must not report an error. */
function onPage(name, options, body) {
  test(name, { timeout: 60000 }, async () => {
    const { context, page, wrong } = await open(browser, options);
    await body(page);
    assert.deepEqual(wrong, []);
    await context.close();
  });
}

/** Returns the server's own answer. */
async function direct(task, name, fields) {
  const form = new FormData();
  form.append("image", new Blob([readFileSync(imagePath(name))]), name);
  for (const [k, v] of Object.entries(fields)) form.append(k, v);
  if (fields.things) form.append("strict", "true"); // as the page asks
  const response = await fetch(`${address}/v1/${task}`, { method: "POST", body: form });
  return response.json();
}

/** Returns the colour of the first canvas at x and y, which are fractions of its width and height. */
const pixel = (page, x, y) =>
  page.evaluate(async ([x, y]) => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const c = document.querySelector(".result canvas");
    const { data } = c.getContext("2d").getImageData(Math.round(x * c.width), Math.round(y * c.height), 1, 1);
    return [...data].slice(0, 3);
  }, [x, y]);

const shown = (page) => page.locator(".objects li:not([hidden]) button").allInnerTexts();
const tidy = (texts) => texts.map((t) => t.replace(/\s+/g, " ").trim());
const clipboard = async (page) => JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));

onPage("objects in a dropped image: list, boxes on the canvas, JSON, COCO", {}, async (page) => {
  const want = await direct("detect", "000.png", { things: "circle ; purple triangle" });
  assert.ok(want.objects.length >= 2, "the demo finds two objects");
  await drop(page, imagePath("000.png"));
  const o = want.objects[0];
  const [w, h] = [419, 455];
  const at = [o.xyxy[0] / w, (o.xyxy[1] + o.xyxy[3]) / 2 / h];
  const before = await pixel(page, ...at);
  await ask(page, "detect", "circle ; purple triangle");
  const sorted = [...want.objects].sort((a, b) => b.score - a.score);
  assert.deepEqual(tidy(await shown(page)), sorted.map((o) => `${o.label} ${o.score.toFixed(2)}`));
  const swatch = page.locator(".objects li", { hasText: o.label }).first().locator(".swatch");
  const colour = (await swatch.evaluate((e) => getComputedStyle(e).backgroundColor)).match(/\d+/g).map(Number);
  const after = await pixel(page, ...at);
  assert.notDeepEqual(after, before);
  assert.ok(after.every((v, i) => Math.abs(v - colour[i]) < 3), `${after} is the box's colour ${colour}`);
  const name = await page.locator(".result canvas").getAttribute("aria-label");
  assert.match(name, /^Image 000\.png: \d objects?: /);

  await page.click("[data-do=json]");
  const json = await clipboard(page);
  assert.equal(json.image, "000.png");
  assert.deepEqual(json.objects, want.objects);
  await page.click("[data-do=coco]");
  const coco = await clipboard(page);
  assert.equal(coco.annotations.length, want.objects.length);
  assert.deepEqual(coco.images, [{ id: 1, file_name: "000.png", width: w, height: h }]);
  for (const [i, a] of coco.annotations.entries()) {
    const [x0, y0, x1, y1] = want.objects[i].xyxy;
    assert.ok([x0, y0, x1 - x0, y1 - y0].every((v, j) => Math.abs(v - a.bbox[j]) < 0.001));
    assert.equal(coco.categories[a.category_id - 1].name, want.objects[i].label);
  }
  assert.match(await page.locator(".speed p").innerText(), /tokens\/s$/);
});

onPage("masks are drawn, list and image share hover and click, slider, download", {}, async (page) => {
  const want = await direct("segment", "000.png", { things: "yellow circle" });
  const o = want.objects[0];
  await drop(page, imagePath("000.png"));
  const centre = [(o.xyxy[0] + o.xyxy[2]) / 2 / 419, (o.xyxy[1] + o.xyxy[3]) / 2 / 455];
  const before = await pixel(page, ...centre);
  await ask(page, "segment", "yellow circle");
  assert.notDeepEqual(await pixel(page, ...centre), before, "the mask is drawn");
  await page.click("[data-do=coco]");
  assert.deepEqual((await clipboard(page)).annotations[0].segmentation, o.mask);

  const canvas = await page.locator(".result canvas").boundingBox();
  await page.mouse.move(canvas.x + centre[0] * canvas.width, canvas.y + centre[1] * canvas.height);
  await page.waitForSelector(".objects li.active");
  await page.mouse.click(canvas.x + centre[0] * canvas.width, canvas.y + centre[1] * canvas.height);
  await page.waitForSelector(".objects button[aria-pressed=true]");
  await page.mouse.move(canvas.x + 2, canvas.y + 2);
  await page.waitForSelector(".objects li:not(.active) button[aria-pressed=true]");

  const downloading = page.waitForEvent("download");
  await page.click("[data-do=png]");
  const file = await downloading;
  assert.equal(file.suggestedFilename(), "000-pali.png");
  const png = readFileSync(await file.path());
  assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [419, 455]);

  await page.locator("#score").fill("1");
  assert.deepEqual(await shown(page), []);
  assert.match(await page.locator("#score-text").innerText(), /^1\.00: 0 of 1$/);
  assert.deepEqual(await pixel(page, ...centre), before, "nothing is drawn");
  await page.locator("#score").fill("0");
  assert.equal((await shown(page)).length, 1);
});

onPage("streamed text, several images side by side, a pasted image, errors, a stopped question", {}, async (page) => {
  await drop(page, imagePath("000.png"), imagePath("001.jpg"));
  const boxes = await Promise.all([0, 1].map((i) => page.locator(".result").nth(i).boundingBox()));
  assert.equal(boxes[0].y, boxes[1].y);
  assert.ok(boxes[1].x >= boxes[0].x + boxes[0].width);
  await page.evaluate(() => {
    window.seen = new Set();
    const text = document.querySelector(".result .text");
    new MutationObserver(() => window.seen.add(text.textContent)).observe(text, { childList: true });
  });
  await ask(page, "caption");
  const want = await Promise.all(["000.png", "001.jpg"].map((n) => direct("caption", n, {})));
  assert.deepEqual(await page.locator(".result .text").allInnerTexts(), want.map((a) => a.text));
  assert.ok((await page.evaluate(() => window.seen.size)) > 2, "the text came in pieces");
  assert.match(await page.locator("#live").innerText(), /^001\.jpg: /);
  await page.click("#copy-all-json");
  assert.deepEqual((await clipboard(page)).map((a) => a.text), want.map((a) => a.text));

  const bytes = readFileSync(imagePath("002.png")).toString("base64");
  await page.evaluate((b) => {
    const data = new DataTransfer();
    const file = [Uint8Array.from(atob(b), (c) => c.charCodeAt(0))];
    data.items.add(new File(file, "<img src=x onerror=alert(1)>.png", { type: "image/png" }));
    window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  }, bytes);
  await page.locator(".result").nth(2).waitFor();
  assert.equal(await page.locator("h3").nth(2).innerText(), "<img src=x onerror=alert(1)>.png");
  await page.locator(".result .chosen input").first().uncheck();
  await page.locator("details summary").click();
  await page.fill("#max-tokens", "5000");
  await ask(page, "run", "caption en");
  const refused = "5000 tokens: want 1 to 1024";
  assert.deepEqual(await page.locator(".result .error").allInnerTexts(), ["", refused, refused]);
  await page.fill("#max-tokens", "20");
  await page.route("**/v1/run", () => {}); // no answer comes
  await page.click("#send");
  await page.click("#stop");
  await page.waitForSelector("#send[aria-disabled=false]");
  assert.deepEqual((await page.locator(".result .error").allInnerTexts()).slice(1), ["stopped", "stopped"]);
  await drop(page, new URL("page.test.mjs", import.meta.url).pathname);
  await page.waitForFunction(() => document.querySelector("#problem").textContent.startsWith("Not an image"));
});

onPage("the history outlives the page, shows its entries again, and is deleted", {}, async (page) => {
  await drop(page, imagePath("000.png"));
  await ask(page, "detect", "circle");
  const want = await shown(page);
  await page.reload();
  await page.click("#open-history");
  await page.waitForSelector("#entries li");
  assert.match(await page.locator("#entries .what").innerText(), /^000\.png: detect circle$/);
  await page.click("#entries [data-do=show]");
  await page.waitForSelector(".objects button");
  assert.deepEqual(await shown(page), want);
  await page.click("#open-history");
  await page.click("#clear-history");
  await page.locator("#no-history").waitFor();
  assert.equal(await page.locator("#entries li").count(), 0);
  await page.uncheck("#keep-history");
  await page.click("#close-history");
  await ask(page, "caption");
  await page.reload();
  await page.click("#open-history");
  assert.equal(await page.locator("#entries li").count(), 0);
  const kept = await page.evaluate(async (base) => {
    const history = await import(base + "/page/history.js");
    const answer = { prompt: "", text: "", timings: {} };
    const small = new Blob(["x"]);
    for (let i = 0; i < history.MAX_ENTRIES + 3; i++) await history.add({ time: i, name: "", picture: small, answer });
    const large = new Blob([new Uint8Array(history.MAX_BYTES - 2)]);
    await history.add({ time: -1, name: "", picture: large, answer });
    return (await history.list()).map((e) => e.time);
  }, address);
  assert.deepEqual(kept, [-1, 62, 61], "the oldest are deleted first, by number and by bytes");
});

onPage("an image that the browser lost, and two clicks at once, cause no error", {}, async (page) => {
  await page.evaluate(async (base) => {
    const history = await import(base + "/page/history.js");
    const answer = { prompt: "caption en", text: "a", timings: {} };
    await history.add({ time: 1, name: "lost.png", picture: new Blob(["x"]), answer });
  }, address);
  await page.evaluate(() => {
    document.querySelector("#open-history").click();
    document.querySelector("#open-history").click();
  });
  await page.waitForSelector("#entries li");
  await page.waitForTimeout(300); // the thumbnail
  await page.click("#close-history");
});

test("the page works below a path of another server", { timeout: 60000 }, async () => {
  const proxy = http.createServer((request, response) => {
    if (!request.url.startsWith("/pali/")) return response.writeHead(404).end();
    const on = { method: request.method, headers: request.headers };
    const passed = http.request(address + request.url.slice("/pali".length), on, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    request.pipe(passed);
  });
  await new Promise((done) => proxy.listen(0, "127.0.0.1", done));
  const { context, page, wrong } = await open(browser, {}, `http://127.0.0.1:${proxy.address().port}/pali/`);
  await drop(page, imagePath("000.png"));
  await ask(page, "caption");
  assert.deepEqual(await page.locator(".result .text").allInnerTexts(), [(await direct("caption", "000.png", {})).text]);
  await ask(page, "detect", "circle");
  const { objects } = await direct("detect", "000.png", { things: "circle" });
  assert.equal((await shown(page)).length, objects.length);
  assert.deepEqual(wrong, []);
  await context.close();
  proxy.closeAllConnections();
  await new Promise((done) => proxy.close(done));
});

onPage("the theme is the system's, then the chosen one, which stays", { colorScheme: "light" }, async (page) => {
  const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await back();
  await page.emulateMedia({ colorScheme: "dark" });
  assert.notEqual(await back(), light);
  await page.waitForSelector("#theme[aria-checked=true]");
  await page.click("#theme");
  assert.equal(await back(), light);
  await page.reload();
  assert.equal(await back(), light);
  await page.click("#theme");
  await page.emulateMedia({ colorScheme: "light" });
  assert.equal(await back(), light, "it follows the system again");
});

onPage("everything works with the keyboard alone", {}, async (page) => {
  const focused = () => page.evaluate(() => {
    const e = document.activeElement;
    return e.id || e.dataset.do || e.name || e.tagName;
  });
  const tabTo = async (name) => {
    for (let i = 0; i < 40 && (await focused()) !== name; i++) await page.keyboard.press("Tab");
    assert.equal(await focused(), name);
  };
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  await tabTo("files");
  const choosing = page.waitForEvent("filechooser");
  await page.keyboard.press("Space");
  await (await choosing).setFiles(imagePath("000.png"));
  await page.locator(".result").waitFor();
  await tabTo("task");
  for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowRight");
  await tabTo("things");
  await page.keyboard.type("circle ; purple triangle");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".objects button");
  await page.waitForSelector("#send[aria-disabled=false]");
  const inList = () => page.evaluate(() => document.activeElement.closest(".objects") !== null);
  for (let i = 0; i < 20 && !(await inList()); i++) await page.keyboard.press("Tab");
  await page.waitForSelector(".objects li.active");
  await page.keyboard.press("ArrowDown");
  const second = page.locator(".objects button").nth(1);
  assert.ok(await second.evaluate((b) => b === document.activeElement));
  await page.keyboard.press("Space");
  assert.equal(await second.getAttribute("aria-pressed"), "true");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator(".objects button[aria-pressed=true]").count(), 0);
  await tabTo("json");
  await page.keyboard.press("Enter");
  assert.equal((await clipboard(page)).objects.length, 2);
  await page.locator(".remove").focus();
  await page.keyboard.press("Enter");
  assert.equal(await focused(), "files");
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 320]) {
    const options = { colorScheme, viewport: { width, height: 800 }, bypassCSP: true, hasTouch: width === 320 };
    onPage(`axe finds nothing serious, no sideways scroll: ${colorScheme}, ${width} pixels`, options, async (page) => {
      const look = async () => {
        await page.evaluate(axe);
        const found = await page.evaluate(() => window.axe.run());
        const serious = found.violations.filter((v) => v.impact === "serious" || v.impact === "critical");
        assert.deepEqual(serious.map((v) => [v.id, v.nodes.map((n) => n.html)]), []);
        assert.ok(found.passes.length > 20);
        const fits = await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
        assert.ok(fits, "no scrolling sideways");
      };
      assert.equal(await page.locator(".camera").isVisible(), width === 320);
      await look();
      await drop(page, imagePath("000.png"), imagePath("001.jpg"));
      await page.locator("details summary").click();
      await ask(page, "segment", "circle ; triangle");
      await look();
      await ask(page, "ask", "what is in the picture?");
      await look();
      await page.click("#open-history");
      await page.waitForSelector("#entries li");
      await look();
      assert.ok(await page.locator("#history").evaluate((d) => d.scrollWidth <= d.clientWidth), "nor in the history");
    });
  }
}
