"""`--bless`: writes expectations from what a replay said.

Expectations that are met stay as they are. Those that are not are taken out, and words that meet
none become new ones. Everything else in the file stays, comments included.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from aura_core.errors import InputError
from aura_core.plain import UNREADABLE, dump_yaml, load_yaml
from aura_core.replay.expect import ANY, WITHIN_S, Expectations, parse, tokens
from aura_core.replay.judge import Run, Spoken, State, Verdict, judge
from aura_core.replay.lockstep import Asked

HEADER = """\
# What has to be said over this bag. Times are seconds from its first frame, with a tolerance of
# within_s. Written by `aura replay --bless`. Shorten `words` to what matters: another model, or
# another version of it, says the rest in other words.
"""

# English words that carry no content, and Chinese characters that do not
STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a about all also am an and any are as at be been being but by can could did do does for"
        " from had has have he her here him his how i if in into is it its just me my no not now of"
        " on or our s she so some such t than that the their them then there these they this those"
        " to too up us very was we were what when where which while who will with would you your",
    )
)
STOP_CHARACTERS = "的了在是有和就也都而及与着或一个这那我你他她它们吗呢吧啊"
_CHINESE = r"\u3400-\u9fff"


def content_words(text: str) -> list[str]:
    """The words of `text` that carry its content, each once, in their order.

    Chinese has no spaces: its parts between two characters without content count as words.

    >>> content_words("The cat is on the table.")
    ['cat', 'table']
    >>> content_words("桌子上有一个红色的杯子。")
    ['桌子上', '红色', '杯子']
    """
    found: list[str] = []
    for part in re.findall(rf"[{_CHINESE}]+|[^{_CHINESE}]+", text):
        if re.match(rf"[{_CHINESE}]", part):
            found += [p for p in re.split(f"[{STOP_CHARACTERS}]+", part) if p]
        else:
            found += [w for w in tokens(part) if w not in STOP_WORDS]
    return list(dict.fromkeys(found))


def fresh(bag: Path, file: Path, asked: Sequence[Asked], run: Run) -> str:
    """A new file for a replay of `bag`. `asked` are the questions of `--ask`.

    Raises `InputError` where the replay had a problem: a question that was refused or never seen.
    """
    if run.problems:
        raise InputError(f"{file}: {run.problems[0]}; --bless wrote nothing")
    data: dict[str, Any] = {
        "bag": os.path.relpath(bag, file.parent),
        "within_s": WITHIN_S,
        "ask": [{"at": q.at_s, "text": q.text} for q in asked],
        "expect": [_entry(s) for s in _worth(run.said)],
        "most_false_alarms": 0,
    }
    return HEADER + _dump({k: v for k, v in data.items() if v != []})


def blessed(text: str, where: str, run: Run) -> tuple[str, bool]:
    """The text of an existing file, changed to what was said; and whether its comments are kept.

    `where` names the file, for messages. Raises `InputError` where something is wrong that words
    cannot mend: a question that was refused, or forbidden words.
    """
    data = load_yaml(text)
    expectations = parse(data, where)
    verdict = judge(expectations, run)
    _refuse(verdict, where, expectations)
    keep = [r.ok for r in verdict.results[: len(expectations.expect)]]
    met = {id(r.spoken) for r in verdict.results if r.state is State.MET}
    new = [_entry(s) for s in _worth(run.said) if id(s) not in met]
    if all(keep) and not new:
        return text, True
    entries = data.get("expect") or []
    stay = [entry for entry, ok in zip(entries, keep, strict=True) if ok]
    wanted = {**data, "expect": [*stay, *new]}
    edited = _edited(text, keep, new)
    if edited is not None and _reads_as(edited, wanted):
        return edited, True
    return HEADER + _dump(wanted), False


def _refuse(verdict: Verdict, where: str, expectations: Expectations) -> None:
    """Raise `InputError` for what `--bless` does not accept."""
    for result in verdict.results[len(expectations.expect) :]:
        if result.state in (State.FORBIDDEN, State.INVALID):
            raise InputError(
                f"{where}: {result.where}: {result.reason}; --bless changes only what is expected,"
                " and wrote nothing"
            )


def _worth(said: Sequence[Spoken]) -> list[Spoken]:
    """What is expected of the next replay: all words but the "okay" to a watch."""
    return [s for s in said if not s.acknowledgment]


def _entry(spoken: Spoken) -> dict[str, Any]:
    """The expectation of these words."""
    kind = "alert" if spoken.alert else "answer"
    entry: dict[str, Any] = {kind: spoken.to[0] if spoken.to else ANY, "at": spoken.at_s}
    words = content_words(spoken.text)
    return entry | ({"words": words} if words else {})


def _dump(data: Mapping[str, Any]) -> str:
    """YAML with one entry a line, and lists of words in one."""
    parts = []
    for key, value in data.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            parts.append(f"{key}:\n" + "".join(_item(entry, "  ") for entry in value))
        else:
            parts.append(_yaml(key, value))
    return "".join(parts)


def _item(entry: Mapping[str, Any], indent: str) -> str:
    return "".join(
        f"{indent}{'  ' if i else '- '}{_yaml(key, value)}"
        for i, (key, value) in enumerate(entry.items())
    )


def _yaml(key: str, value: Any) -> str:
    """One line of YAML."""
    style = '"' if isinstance(value, str) and len(value.splitlines()) > 1 else None
    flow = True if isinstance(value, list) else None
    shown = dump_yaml(
        value, allow_unicode=True, default_flow_style=flow, default_style=style, width=10**6
    )
    return f"{key}: " + shown.removesuffix("...\n").strip() + "\n"


def _edited(text: str, keep: Sequence[bool], new: Sequence[Mapping[str, Any]]) -> str | None:
    """`text` with some entries of `expect` taken out and others added; None: it cannot be done.

    Only lines are moved, so comments stay. A comment above an entry belongs to it.
    """
    root = yaml.compose(text, yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        return None
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    node = next((v for k, v in root.value if k.value == "expect"), None)
    if node is None:
        return "".join([*lines, "expect:\n", *(_item(entry, "  ") for entry in new)])
    if not isinstance(node, yaml.SequenceNode) or node.flow_style or not node.value:
        return None
    indent = " " * node.start_mark.column
    begins = [_above(lines, entry.start_mark.line) for entry in node.value]
    after = [k.start_mark.line for k, _ in root.value if k.start_mark.line > begins[-1]]
    end = _above(lines, min(after)) if after else len(lines)
    spans = zip(begins, [*begins[1:], end], strict=True)
    stay = [lines[a:b] for (a, b), ok in zip(spans, keep, strict=True) if ok]
    added = [_item(entry, indent) for entry in new]
    if not stay and not added:
        return None
    return "".join([*lines[: begins[0]], *(x for s in stay for x in s), *added, *lines[end:]])


def _above(lines: Sequence[str], line: int) -> int:
    """The first of the comment lines that stand right above a line."""
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
    return line


def _reads_as(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return load_yaml(text) == wanted
    except (yaml.YAMLError, *UNREADABLE):
        return False
