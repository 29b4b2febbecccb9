"""YAML files by their real readers: settings, parameter files, expectations, recipes."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from aura_core.config import AssistantConfig, AssistantNodeConfig, ChatConfig
from aura_core.data.settings import DataConfig
from aura_core.fuzz import Feed
from aura_core.fuzz.mutate import hostile_text, mutated
from aura_core.plain import dump_yaml, load_yaml
from aura_core.replay import expect
from aura_core.settings import parameters
from aura_core.training.finetune.settings import TuneRecipe

EXPECTATIONS = """\
within_s: 1.5
ask:
  - {at: 1, text: Warn me if the person falls.}
expect:
  - alert: Warn me if the person falls.
    window: [10, 14]
    words: [person, fell]
  - answer: What is on the table?
    at: 20
    matches: cups?|mugs?
forbidden:
  - matches: fire|smoke
most_false_alarms: 0
"""


def _doubled(n: int, entry: str) -> str:
    """A mapping of `n` entries, each of which holds the one before it several times."""
    entries = [f"e{i}: &e{i} {entry.format(f'e{i - 1}')}" for i in range(1, n)]
    return f"{{e0: &e0 {{k: 1}}, {', '.join(entries)}}}"


PLAIN = (
    *("null", "~", "", "true", "no", "-1", "0", "1e999", ".nan", "-.inf", "0x", "0o9", "1_000"),
    *("017", "1:30", "2020-99-99", "9" * 5000, "0x" + "f" * 5000, "-0x" + "f" * 5000),
)
BROKEN = (
    *("[1, 2", "{a: b", "'", "|", ">", "&a", "*missing", "@", "`", "%TAG", "\x00", "\t", "---"),
    *("...", "--- a\n--- b", '"\\ud800"', '"\\x00"', "[" * 500, "{a: " * 300, "- " * 200),
)
TAGGED = (
    *("!!python/object/apply:os.system [id]", "!!int ''", "!!int x", "!!float ''", "!!bool x"),
    *("!!timestamp x", "!!binary é", "!!set {a, b}", "!!omap [a: b]", "!!pairs [a: b]", "!!str"),
    *("!!null x", "!unknown x"),
)
NESTED = (
    *("[]", "{}", "? [a]\n: b", "<<: *a", "<<: 1", "*a", "&a [*a]", "&a {x: *a}"),
    _doubled(40, "{{x: *{0}, y: *{0}}}"),
    _doubled(40, "{{<<: [*{0}, *{0}, *{0}, *{0}]}}"),
    _doubled(9, "[*{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}]"),
)
VALUES = (*PLAIN, *BROKEN, *TAGGED, *NESTED)


@dataclass(frozen=True)
class Target:
    """A good file and the code that reads it."""

    text: str
    read: Callable[[Path], Any]


def open_kind(folder: Path) -> Feed:
    """See `aura_core.fuzz`."""
    targets, path = _targets(), folder / "input.yaml"

    def feed(rng: random.Random) -> None:
        target = rng.choice(targets)
        path.write_bytes(changed(rng, target.text))
        target.read(path)

    return feed


def _targets() -> list[Target]:
    flat = {p.name: p.default for p in parameters(AssistantNodeConfig)}
    node = {"/**": {"ros__parameters": {"use_sim_time": True}}}
    node["/**/assistant_node"] = {"ros__parameters": flat}
    packaged = resources.files("aura_core.training.finetune") / "recipes"
    recipes = [f for f in packaged.iterdir() if f.name.endswith(".yaml")]
    return [
        Target(_dumped(node), AssistantConfig.from_yaml),
        Target(_dumped({"aura": _values(AssistantConfig())}), AssistantConfig.from_yaml),
        Target(EXPECTATIONS, expect.read),
        Target(EXPECTATIONS, expect.read),
        Target(_dumped({"data": _values(DataConfig())}), DataConfig.from_yaml),
        Target(_dumped({"server": _values(ChatConfig())}), ChatConfig.from_yaml),
        *(
            Target(file.read_text(encoding="utf-8"), lambda path: TuneRecipe.read(str(path)))
            for file in sorted(recipes, key=lambda f: f.name)
        ),
    ]


def _values(settings: Any) -> dict[str, Any]:
    plain: dict[str, Any] = load_yaml(dump_yaml(_as_plain(dataclasses.asdict(settings))))
    return plain


def _as_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _as_plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_as_plain(v) for v in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _dumped(data: dict[str, Any]) -> str:
    return dump_yaml(_as_plain(data), sort_keys=False, allow_unicode=True)


def changed(rng: random.Random, text: str) -> bytes:
    """A YAML file with one to four of its lines changed, and sometimes some of its bytes."""
    lines = text.splitlines()
    for _ in range(rng.randint(1, 4)):
        _change(rng, lines)
    data = "\n".join(lines).encode(errors="surrogatepass")
    return mutated(rng, data, 3) if rng.random() < 0.15 else data


def _change(rng: random.Random, lines: list[str]) -> None:
    """Change one line: its value, its key, its place, or all that follows."""
    at = rng.randrange(len(lines)) if lines else 0
    line = lines[at] if lines else ""
    key, colon, value = line.partition(":")
    match rng.randrange(10):
        case 0 | 1 | 2 | 3:
            lines[at : at + 1] = [f"{key}{colon} {rng.choice(VALUES)}"]
        case 4:
            lines[at : at + 1] = [f"{key}{colon} {hostile_text(rng, 3000)}"]
        case 5:
            lines.insert(at, line)
        case 6:
            del lines[at : at + rng.randint(1, 5)]
        case 7:
            indent = " " * rng.randint(0, 6)
            name = rng.choice(("a", "1", "null", "? ", "<<", "[a]", "é", key.strip(), "true", '""'))
            lines.insert(at, f"{indent}{name}: {rng.choice(VALUES)}")
        case 8:
            lines[at : at + 1] = [f"{' ' * rng.randint(0, 4)}{line.strip()}"]
        case _:
            lines[at : at + 1] = [f"{hostile_text(rng, 3000)}{colon}{value}"]
