"""How a benchmark's scores are compared with those of its authors' own script.

The user names a checkout of the authors' repository, whose functions are called on annotations and
replies that are drawn at random. Nothing of theirs is part of this program.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import math
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from aura_core.errors import InputError
from aura_core.evaluation import statistics
from aura_core.evaluation.judge import Grade

TOLERANCE = 1e-9  # both sides compute in float64
MISSING = "--authors {}: {} is not in it; is it a checkout of the authors' repository?"


@dataclass
class Compared:
    """One figure of a benchmark, item by item: how many agree, and the largest difference.

    `first` describes the first item that does not agree.
    """

    name: str
    n: int = 0
    equal: int = 0
    largest: float = 0.0
    first: str = ""

    def add(self, where: object, theirs: float | None, ours: float | None) -> None:
        """Compare one item. None and NaN both stand for no figure; the authors often write 0."""
        a, b = (0.0 if v is None or math.isnan(v) else float(v) for v in (theirs, ours))
        self.n += 1
        difference = abs(a - b)
        if difference <= TOLERANCE:
            self.equal += 1
        elif not self.first:
            self.first = f"{where}: theirs {a:.6g}, ours {b:.6g}"
        self.largest = max(self.largest, difference)

    def join(self, other: Compared, where: str) -> None:
        """Add the comparisons of another draw; `where` names it."""
        self.n, self.equal = self.n + other.n, self.equal + other.equal
        self.largest = max(self.largest, other.largest)
        if other.first and not self.first:
            self.first = f"{where}, {other.first}"


@dataclass
class Table:
    """The figures that were compared, by name."""

    rows: dict[str, Compared] = field(default_factory=dict)

    def add(self, name: str, where: object, theirs: float | None, ours: float | None) -> None:
        """Compare one item in one figure."""
        self.rows.setdefault(name, Compared(name)).add(where, theirs, ours)


@contextmanager
def modules(checkout: Path, folder: str, names: Sequence[str]) -> Iterator[list[ModuleType]]:
    """Yield modules of the authors' checkout. What they import of each other is found beside them.

    Raises `InputError` when the folder has no such module.
    """
    place = checkout / folder
    for name in names:
        file = Path(folder, *name.split(".")).with_suffix(".py")
        if not (checkout / file).is_file():
            raise InputError(MISSING.format(checkout, file.as_posix()))
    before = set(sys.modules)
    sys.path.insert(0, str(place))
    try:
        yield [importlib.import_module(name) for name in names]
    except ImportError as e:
        raise InputError(
            f"--authors {checkout}: the authors' script needs {e.name}, which is not installed"
        ) from e
    finally:
        sys.path.remove(str(place))
        for name in set(sys.modules) - before:
            of = getattr(sys.modules[name], "__file__", None) or ""
            if of.startswith(str(checkout)):
                del sys.modules[name]


@contextmanager
def functions(checkout: Path, file: str, names: Sequence[str], work: Path) -> Iterator[ModuleType]:
    """Yield some functions of an authors' script as a module, where it cannot be imported: it runs
    then, or needs what is not installed.

    Their definitions and the imports that they use are written to a file in `work`, and nothing
    else of the script runs. Raises `InputError` when the checkout has no such script or function.
    """
    path = checkout / file
    if not path.is_file():
        raise InputError(MISSING.format(checkout, file))
    body = ast.parse(path.read_text(encoding="utf-8")).body
    wanted = [n for n in body if isinstance(n, ast.FunctionDef) and n.name in names]
    if absent := [name for name in names if name not in {n.name for n in wanted}]:
        raise InputError(f"{path}: there is no function {absent[0]} in it; another version of it?")
    used = {n.id for one in wanted for n in ast.walk(one) if isinstance(n, ast.Name)}
    kept: list[ast.stmt] = [ast.parse("from __future__ import annotations").body[0]]
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            node.names = [a for a in node.names if (a.asname or a.name.partition(".")[0]) in used]
            kept += [node] if node.names else []
    place = work / "authors" / f"{path.stem}.py"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(ast.unparse(ast.Module([*kept, *wanted], [])), encoding="utf-8")
    with modules(place.parent, "", (path.stem,)) as (module,):
        yield module


@contextmanager
def no_intervals() -> Iterator[None]:
    """Spend no time on intervals, which the authors' scripts do not have."""
    before, statistics.DRAWS = statistics.DRAWS, 1
    try:
        yield
    finally:
        statistics.DRAWS = before


@contextmanager
def stand_ins(needs: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Stand in for modules that the authors' script imports and the comparison does not use.

    `needs`: the names that are imported from each. A module that is installed is used.
    """
    made = {}
    for name, fields in needs.items():
        if importlib.util.find_spec(name) is None:
            module = made[name] = ModuleType(name)
            for f in fields:
                setattr(module, f, lambda x=None, **_: x)
    sys.modules.update(made)
    try:
        yield
    finally:
        for name in made:
            sys.modules.pop(name, None)


class Hashed:
    """A judge that draws its verdicts from what it is asked: the same words, the same verdict.

    White space does not count, because the two sides join words in different ways.
    """

    description = "verdicts drawn from the words"

    def __init__(self, seed: int, phrases: str = "") -> None:
        self.seed, self.phrases = seed, phrases

    def draw(self, *parts: str) -> float:
        """Return a number from 0 to 1, in steps of a hundredth."""
        text = "|".join("".join(p.split()) for p in parts)
        digest = hashlib.sha256(f"{self.seed}|{text}".encode()).digest()
        return (int.from_bytes(digest[:4], "big") % 101) / 100

    def grade(self, prompt: str, question: str, truth: str, said: str, later: str = "") -> Grade:
        """See `Judge.grade`."""
        score, flag = self.draw(prompt, truth, said), self.draw(prompt, truth, said, "flag") < 0.3
        return Grade(score, flag)

    def check(self) -> None:
        """See `Judge`."""

    def close(self) -> None:
        """See `Judge`."""


class HashedVerdict(Hashed):
    """The same for answers that are right or wrong: as often the one as the other."""

    def right(self, truth: str, said: str) -> bool:
        """Whether an answer is right."""
        return self.draw(truth, said) >= 0.5

    def grade(self, prompt: str, question: str, truth: str, said: str, later: str = "") -> Grade:
        """See `Judge.grade`."""
        return Grade(float(self.right(truth, said)))


def words(rng: random.Random, least: int = 1, most: int = 5) -> list[str]:
    """Return words of four characters, or of two Chinese ones: no two of them run together."""
    chinese = rng.random() < 0.25
    return [
        "".join(chr(rng.randrange(0x4E00, 0x9000)) for _ in range(2))
        if chinese
        else f"{rng.choice('bcdfgh')}{rng.choice('aeiou')}{rng.randrange(10, 100)}"
        for _ in range(rng.randint(least, most))
    ]


def sentence(rng: random.Random) -> str:
    """Return some words as one text."""
    drawn = words(rng)
    return ("" if drawn[0][0] >= "\u4e00" else " ").join(drawn)


def clock(seconds: float) -> str:
    """Return MM:SS of whole seconds."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
