"""What is written and not spoken: blocks of code, and the thoughts of a reasoning model."""

from __future__ import annotations

import re

_BEGIN = re.compile(r"```|~~~|<(think|thinking|thought|reasoning)>", re.I)


def without_unspoken(text: str) -> str:
    """Return `text` of the same length, with spaces in place of code blocks and thoughts.

    A block that has not ended reaches to the end of the text. Because the length stays, positions
    in an answer that grows stay too. A text that begins with a thought may lack the first mark:
    everything before `</think>` is then a thought as well.

    >>> without_unspoken("a <think>b</think> c")
    'a                  c'
    """
    parts: list[str] = []
    at = 0
    while (begin := _BEGIN.search(text, at)) is not None:
        closer = f"</{begin[1]}>" if begin[1] else begin[0]
        found = re.compile(re.escape(closer), re.I).search(text, begin.end())
        end = found.end() if found else len(text)
        parts += [text[at : begin.start()], " " * (end - begin.start())]
        at = end
    text = "".join([*parts, text[at:]])
    stray = [m.end() for m in re.finditer(r"</(?:think|thinking|thought|reasoning)>", text, re.I)]
    return " " * stray[-1] + text[stray[-1] :] if stray else text
