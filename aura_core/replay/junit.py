"""A verdict as JUnit XML, which CI servers read: one testcase an expectation."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from aura_core.replay.judge import Run, State, Verdict, quoted

MOST_SHOWN = 500  # characters of an answer


def junit(name: str, verdict: Verdict, run: Run) -> str:
    """The XML of one replay.

    What is missed, forbidden or a false alarm is a `failure`. What cannot be judged is an `error`.
    Each failed case lists all words that were said. `name` is that of the suite: the bag.
    """
    errors = sum(r.state is State.INVALID for r in verdict.results)
    failures = len(verdict.failed) - errors
    counts = {"tests": len(verdict.results), "failures": failures, "errors": errors}
    numbers = {k: str(n) for k, n in counts.items()}
    root = ElementTree.Element("testsuites", {"name": "aura replay", **numbers})
    suite = ElementTree.SubElement(root, "testsuite", {"name": _clean(name), **numbers})
    said = "\n".join(quoted(s, MOST_SHOWN) for s in run.said) or "nothing was said"
    for result in verdict.results:
        title = _clean(f"{result.where} {result.name}")
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": _clean(name), "name": title, "time": "0"}
        )
        if result.ok:
            continue
        tag = "error" if result.state is State.INVALID else "failure"
        message = _clean(f"{result.state}: {result.reason}")
        failed = ElementTree.SubElement(case, tag, {"type": str(result.state), "message": message})
        failed.text = _clean(f"{title}\n{message}\nsaid:\n{said}")
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold, which a model may say."""
    return "".join(c for c in text if _allowed(ord(c)))


def _allowed(code: int) -> bool:
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or 0x10000 <= code <= 0x10FFFF
    )
