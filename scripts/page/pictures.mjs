// This file: takes the screenshots docs/page-light.png and docs/page-dark.png (scripts/page.sh
// pictures).

import path from "node:path";
import { ask, drop, imagePath, open, root, start } from "./browser.mjs";

const browser = await start();
const shots = [["light", "segment", "yellow circle"], ["dark", "detect", "circle ; purple triangle"]];
for (const [theme, task, things] of shots) {
  const { page, wrong } = await open(browser, { colorScheme: theme, viewport: { width: 1000, height: 700 } });
  await drop(page, imagePath("000.png"));
  await ask(page, task, things);
  await page.waitForTimeout(300);
  const folder = process.env.OUT ?? path.join(root, "docs");
  await page.screenshot({ path: path.join(folder, `page-${theme}.png`) });
  if (wrong.length) throw new Error(wrong.join("\n"));
}
await browser.close();
