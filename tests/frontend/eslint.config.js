// What is a fault wherever it stands; how code looks is left to those who read it, but for the length of lines.

import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, sourceType: "module" },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "array-callback-return": "error",
      "eqeqeq": "error",
      "max-len": ["error", { code: 125, ignoreUrls: true }],
      "no-promise-executor-return": ["error", { allowVoid: true }],
      "no-self-compare": "error",
      "no-shadow": "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
      "no-var": "error",
      "prefer-const": "error",
    },
  },
  { files: ["tb_filterviz/plugin/static/**/*.js"], languageOptions: { globals: globals.browser } },
  { files: ["tests/frontend/**/*.js"], languageOptions: { globals: globals.nodeBuiltin } },
];
