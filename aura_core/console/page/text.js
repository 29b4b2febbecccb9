// Texts that people write: the same rules as the server's.

import { t } from "./language.js";

// Why the server would refuse a text, as a function that gives the words; null: it would not. An
// emoji is one character, as for the server.
export function refused(text, most = 4000) {
  const n = [...text].length;
  return n > most ? () => t("too_long", { n, most }) : null;
}
