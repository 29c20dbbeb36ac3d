// This file: what else than types is held in the page's modules and in its tests. Names that are not defined are found by the types.

import js from "@eslint/js";

const markup = ["innerHTML", "outerHTML", "insertAdjacentHTML", "srcdoc", "setHTMLUnsafe"];

export default [
  js.configs.recommended,
  {
    files: ["**/*.js", "**/*.mjs"],
    rules: {
      "no-undef": "off",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-var": "error",
      "prefer-const": "error",
      eqeqeq: "error",
      "no-restricted-properties": ["error", ...markup.map((property) => ({ property, message: "texts go in by textContent" })), { object: "document", property: "write" }],
    },
  },
];
