"""The command lines of the documents, taken apart. Nothing of them is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("aura_core/models/*/README.md")]
)
# files with command lines in their comments, or of which they consist
OTHERS = sorted(
    f for name in ("config", "docker", "launch") for f in (ROOT / name).rglob("*") if f.is_file()
)
PROGRAMS = ("aura", "make", "ros2", "python", "python3", "accelerate")
_BEGINS = re.compile(rf"(?:[\w./]*/)?(?:{'|'.join(PROGRAMS)})\s")
_HAS = re.compile(rf"(?:^|[\s(/])(?:{'|'.join(PROGRAMS)})\s")
_BEFORE = re.compile(r"^\s*(?:#|- run:)?\s*")  # a command that stands in a comment, or in YAML
_VARIABLE = re.compile(r"[A-Za-z_]\w*=")


@dataclass(frozen=True)
class Command:
    """One program with its arguments.

    Attributes:
        words: the program's name, without its folder, and what follows.
        whole: it stands in a block of code, without "...", so it can be run as it is. In a
            sentence only a part may be named.
        line: where it stands, for a message.
    """

    words: tuple[str, ...]
    whole: bool
    line: str


def commands_of(file: Path) -> list[Command]:
    """The commands of a file: of a Markdown document those in blocks of code and in backticks, of
    another file the lines that begin with a program."""
    text = re.sub(r"\s*\\+\n(?:#\s)?\s*", " ", file.read_text(encoding="utf-8"))
    if file.suffix == ".md":
        return list(_of_document(text))
    lines = [_BEFORE.sub("", line) for line in text.splitlines()]
    return [c for line in lines if _BEGINS.match(line) for c in of_line(line)]


def of_line(line: str, whole: bool = True) -> Iterator[Command]:
    """The commands of one line of a shell: `a && b > c` has two."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    to_file = False
    for word in [*lexer, ";"]:
        if to_file:
            to_file = False
        elif set(word) <= {"<", ">"}:
            to_file = True
        elif set(word) <= set(";&|()<>"):
            while words and (_VARIABLE.match(words[0]) or words[0] == "sudo"):
                words.pop(0)
            name = words[0].rpartition("/")[2] if words else ""
            if name in PROGRAMS:
                yield Command((name, *words[1:]), whole and "..." not in words, line)
            words = []
        else:
            words.append(word)


def _of_document(text: str) -> Iterator[Command]:
    for number, part in enumerate(re.split(r"^ *```.*$", text, flags=re.MULTILINE)):
        if number % 2:
            for line in part.splitlines():
                if _HAS.search(f"{line} "):
                    yield from of_line(_BEFORE.sub("", line))
            continue
        for paragraph in re.split(r"\n\s*\n", part):
            for span in re.findall(r"`([^`]+)`", paragraph):
                if _BEGINS.match(f"{span} "):
                    yield from of_line(" ".join(span.split()), whole=False)
