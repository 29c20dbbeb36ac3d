// This file: dark or light. The system's setting holds until another is chosen here; page.css reads
// the choice from the page's data-theme.

const KEY = "pali-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

/** @returns {string|null} the chosen theme, "dark" or "light"; null: the system's */
function chosen() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // this browser does not store anything
  }
}

/** @returns {boolean} whether the page is dark now */
export function dark() {
  const c = chosen() ?? document.documentElement.dataset.theme;
  return c === "dark" || (c !== "light" && system.matches);
}

/** Applies the chosen theme, if any, to the page. */
function apply() {
  const c = chosen();
  if (c === "dark" || c === "light") document.documentElement.dataset.theme = c;
}

/**
 * Switches between dark and light. A choice equal to the system's is not stored, so that the page
 * follows the system again.
 * @param {boolean} toDark
 */
export function setDark(toDark) {
  const root = document.documentElement;
  const name = toDark ? "dark" : "light";
  try {
    if (toDark === system.matches) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, name);
  } catch {
    // the choice lasts as long as the page
  }
  if (toDark === system.matches) delete root.dataset.theme;
  else root.dataset.theme = name;
}

/**
 * Makes a button the theme switch.
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
