// This file: dark or light. Before it: the system's setting, and what was chosen here before. After it: data-theme of the page, which page.css reads.

const KEY = "pali-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

/** @returns {string|null} what was chosen: "dark", "light"; null: as the system */
function chosen() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a browser that keeps nothing
  }
}

/** @returns {boolean} */
export function dark() {
  const c = chosen() ?? document.documentElement.dataset.theme;
  return c === "dark" || (c !== "light" && system.matches);
}

/** Shows the theme. */
function apply() {
  const c = chosen();
  if (c === "dark" || c === "light") document.documentElement.dataset.theme = c;
}

/**
 * Changes between dark and light. What the system has too is not kept, so that the page follows it again.
 * @param {boolean} toDark
 */
export function setDark(toDark) {
  const root = document.documentElement;
  const name = toDark ? "dark" : "light";
  try {
    if (toDark === system.matches) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, name);
  } catch {
    // it lasts as long as the page
  }
  if (toDark === system.matches) delete root.dataset.theme;
  else root.dataset.theme = name;
}

/**
 * Makes a button the switch.
 * @param {HTMLElement} button of the role "switch"
 */
export function wire(button) {
  const show = () => button.setAttribute("aria-checked", String(dark()));
  button.addEventListener("click", () => {
    setDark(!dark());
    show();
  });
  system.addEventListener("change", show);
  show();
}

apply();
