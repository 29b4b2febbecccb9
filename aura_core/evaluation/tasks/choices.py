"""Multiple choice: options with letters, what the model is told, and which letter it replied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ASK = "{question}\nOptions:\n{options}\nReply with the letter of the right option and nothing else."


def lettered(options: Sequence[Any]) -> list[str]:
    """Return the options with "A. " and so on in front; a label that is there is kept."""
    out = []
    for k, option in enumerate(options):
        text, letter = str(option).strip(), chr(65 + k)
        labelled = text.startswith((f"{letter}.", f"{letter})"))
        out.append(f"{letter}. {(text[2:] if labelled else text).strip()}")
    return out


def told(question: str, options: Sequence[str]) -> str:
    """Return the question as the model is asked it; `options` have their letters."""
    return ASK.format(question=question, options="\n".join(options))


def shown(question: str, options: Sequence[str]) -> str:
    """Return the question as a report shows it."""
    return "\n".join((question, *options))


def exact(reply: str, letter: str, shown: str) -> bool:
    """Whether a reply is the letter or its whole option, and nothing else."""
    option = next((o for o in shown.split("\n") if o.startswith(f"{letter}. ")), "")
    plain = reply.strip().strip("()").rstrip(".").strip()
    forms = (letter, option, option.removeprefix(f"{letter}. "))
    return plain in [f.rstrip(".").strip() for f in forms if f]
