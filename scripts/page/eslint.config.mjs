// This file: rules for the page's modules and tests. Undefined names are left to the type checker.

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
      "no-restricted-properties": [
        "error",
        ...markup.map((property) => ({ property, message: "set textContent instead" })),
        { object: "document", property: "write" },
      ],
    },
  },
];
