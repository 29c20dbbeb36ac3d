// This file: the page's pictures in docs. Before it: scripts/page.sh pictures. After it: docs/page-light.png and docs/page-dark.png.

import path from "node:path";
import { ask, drop, open, picture, root, start } from "./browser.mjs";

const browser = await start();
for (const [theme, task, things] of [["light", "segment", "yellow circle"], ["dark", "detect", "circle ; purple triangle"]]) {
  const { page, wrong } = await open(browser, { colorScheme: theme, viewport: { width: 1000, height: 700 } });
  await drop(page, picture("000.png"));
  await ask(page, task, things);
  await page.waitForTimeout(300);
  await page.screenshot({ path: path.join(process.env.OUT ?? path.join(root, "docs"), `page-${theme}.png`) });
  if (wrong.length) throw new Error(wrong.join("\n"));
}
await browser.close();
