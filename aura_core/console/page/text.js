// Texts that people write: the same rules as the server's (`is_blank` of aura_core/words.py).

import { t } from "./language.js";

const BLANK = /^[\s\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]*$/u;

// Why the server would refuse a text, as a function that gives the words; null: it would not. An
// emoji is one character, as for the server.
export function refused(text, most = 4000) {
  if (BLANK.test(text)) return () => t("nothing_written");
  const n = [...text].length;
  return n > most ? () => t("too_long", { n, most }) : null;
}
