"""Multiple choice: options with letters, what the model is told, and which letter it replied."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

ASK = "{question}\nOptions:\n{options}\nReply with the letter of the right option and nothing else."


def lettered(options: Sequence[Any]) -> list[str]:
    """Return the options with "A. " and so on in front.

    Labels that are there already ("A." or "A)") are replaced where every option has its own; else
    they are words of the option ("A. Lincoln"). "A.M." is no label.
    """
    texts = [str(option).strip() for option in options]
    labels = [
        re.match(rf"{chr(65 + k)}[.)](?![A-Za-z]\.)\s*", text) for k, text in enumerate(texts)
    ]
    if all(labels):
        texts = [text[m.end() :] for text, m in zip(texts, labels, strict=True) if m]
    return [f"{chr(65 + k)}. {text}" for k, text in enumerate(texts)]


def told(question: str, options: Sequence[str]) -> str:
    """Return the question as the model is asked it; `options` have their letters."""
    return ASK.format(question=question, options="\n".join(options))


def shown(question: str, options: Sequence[str]) -> str:
    """Return the question as a report shows it."""
    return "\n".join((question, *options))


def exact(reply: str, letter: str, shown: str) -> bool:
    """Whether a reply is the letter or its whole option, and nothing else.

    A reply that is the letter of an option means that option, also where the text of another option
    is that letter. The text of an option alone means it where no other option has the same text.
    """
    return _meant(_plain(reply.strip().strip("()")), _options(shown)) == letter


def _meant(reply: str, texts: Sequence[str]) -> str:
    """Return the letter of the option that a reply means; "" where it means none."""
    letters = [chr(65 + k) for k in range(len(texts))]
    if reply in letters:
        return reply
    for forms in ([f"{a}. {t}" for a, t in zip(letters, texts, strict=True)], list(texts)):
        if forms.count(reply) == 1:
            return letters[forms.index(reply)]
    return ""


def _options(shown: str) -> list[str]:
    """Return the texts of the options of `shown`: what follows the last line with an "A. "."""
    _, found, rest = shown.rpartition("\nA. ")
    texts = [rest] if found else []
    while texts:
        before, found, after = texts[-1].partition(f"\n{chr(65 + len(texts))}. ")
        if not found:
            break
        texts[-1:] = [before, after]
    return [_plain(text) for text in texts]


def _plain(text: str) -> str:
    return text.strip().rstrip(".").strip()
