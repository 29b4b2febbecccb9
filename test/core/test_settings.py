"""Settings are declared once: checks, ROS 2 parameters, files, options and documents follow."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
import typer
import yaml
from typer.testing import CliRunner

from aura_core.cli import app, options
from aura_core.config import AssistantConfig
from aura_core.data.settings import DataConfig
from aura_core.errors import ConfigError
from aura_core.node_settings import (
    NODES,
    AsrNodeConfig,
    ManagedConfig,
    MicrophoneConfig,
    TtsNodeConfig,
)
from aura_core.plain import build
from aura_core.settings import (
    REQUIRED,
    Settings,
    declared,
    find,
    from_parameters,
    parameters,
    section,
    setting,
)
from aura_core.speech.endpointing import EndpointConfig
from aura_core.speech.wake import WakeMode
from aura_core.training.finetune.settings import DataSettings, TuneRecipe
from aura_core.training.tiny.settings import Budget, Recipe

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "config").glob("*.yaml"))


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Lamp(Settings, section="lamp"):
    """An example with one setting of each kind."""

    level: float = setting(0.5, "brightness", low=0.0, high=1.0)
    share: float | None = setting(None, "of all light", above=0.0, below=1.0, unset=0.0, null="all")
    fade: float = setting(0.1, "how fast it fades", low=0.0, below=1.0)
    gain: float = setting(1.0, "amplification", above=0.0)
    count: int = setting(2, "bulbs", unit="bulbs", low=1, high=9, live=True)
    spare: int = setting(0, "bulbs in the drawer", low=0)
    delay_ms: int = setting(5, "wait before it is on", unit="ms", low=1, high=50)
    weight: float = setting(1.0, "anything that is a number")
    mode: str = setting("auto", "how it is switched", choices=("auto", "hand"))
    colour: Colour = setting(Colour.RED, "of its light", choices=tuple(Colour))
    on: bool = setting(True, "whether it is on")
    label: str | None = setting(None, "what stands on it", unset="", null="nothing")


@dataclass(frozen=True)
class Room(Settings):
    """Two lamps: one with a prefix, one without and with a hidden setting."""

    desk: Lamp = section(Lamp, count=3)
    wall: Lamp = section(Lamp, prefix="", hide=("spare",), gain=2.0)
    number: int = setting(7, "on the door", low=0, high=99, parameter="door")
    secret: int = setting(1, "of no interest to ROS 2", parameter=None)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"level": 1.5}, "lamp.level must be in [0, 1], not 1.5"),
        ({"level": float("nan")}, "lamp.level must be in [0, 1], not nan"),
        ({"share": 0.0}, "lamp.share must be between 0 and 1, not 0.0"),
        ({"fade": 1.0}, "lamp.fade must be in [0, 1), not 1.0"),
        ({"gain": 0.0}, "lamp.gain must be above 0, not 0.0"),
        ({"gain": float("inf")}, "lamp.gain must be a finite number, not inf"),
        ({"weight": float("nan")}, "lamp.weight must be a finite number, not nan"),
        ({"count": 10}, "lamp.count must be in [1, 9] bulbs, not 10"),
        ({"delay_ms": 0}, "lamp.delay_ms must be in [1, 50], not 0"),
        ({"spare": -1}, "lamp.spare must not be negative, not -1"),
        ({"mode": "foot"}, "lamp.mode must be one of auto, hand, not 'foot'"),
        ({"colour": "green"}, "lamp.colour must be one of red, blue, not 'green'"),
        ({"count": 2.0}, "lamp.count must be int, not 2.0"),
        ({"count": True}, "lamp.count must be int, not True"),
        ({"on": 1}, "lamp.on must be bool, not 1"),
        ({"level": "high"}, "lamp.level must be float, not 'high'"),
        ({"label": 3}, "lamp.label must be str or null, not 3"),
        ({"level": None}, "lamp.level must be float, not None"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_one_check_for_every_kind_of_setting(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError) as e:
        Lamp(**wrong)  # type: ignore[arg-type]
    assert str(e.value) == says


def test_values_get_the_declared_type() -> None:
    lamp = Lamp(level=1, colour="blue")  # type: ignore[arg-type]
    assert (type(lamp.level), lamp.colour) == (float, Colour.BLUE)
    assert lamp.colour is Colour.BLUE
    with pytest.raises(ConfigError, match="desk must be Lamp, not 3"):
        Room(desk=3)  # type: ignore[arg-type]


def test_parameters_follow_from_the_fields() -> None:
    by_name = {p.name: p for p in parameters(Room)}
    lamp = [f.name for f in dataclasses.fields(Lamp)]
    wall = [name for name in lamp if name != "spare"]
    assert list(by_name) == [*(f"desk.{name}" for name in lamp), *wall, "door"]
    assert (by_name["desk.count"].default, by_name["count"].default) == (3, 2)
    assert (by_name["gain"].default, by_name["gain"].low, by_name["gain"].high) == (2.0, 0.0, None)
    share = by_name["desk.share"]
    assert (share.default, share.low, share.high) == (0.0, 0.0, 1.0)
    assert share.description == "of all light; 0.0: all"
    assert by_name["label"].description == "what stands on it; empty: nothing"
    assert by_name["count"].description == "bulbs [bulbs]"
    assert type(by_name["colour"].default) is str and by_name["colour"].default == "red"
    assert share.refusal(1.0) == "desk.share must be between 0 and 1, not 1.0"
    assert share.refusal(0.0) == ""  # stands for None


def test_parameters_make_the_settings() -> None:
    room = from_parameters(
        Room, {"desk.share": 0.0, "desk.level": 0.9, "label": "", "colour": "blue", "door": 8}, "x"
    )
    assert room == Room(
        desk=Lamp(level=0.9, count=3), wall=Lamp(gain=2.0, colour=Colour.BLUE), number=8
    )
    with pytest.raises(ConfigError, match=r"^x: desk: lamp.level must be in \[0, 1\], not 2.0$"):
        from_parameters(Room, {"desk.level": 2.0}, "x")


def test_none_needs_a_value_that_stands_for_it() -> None:
    @dataclass(frozen=True)
    class Bad(Settings):
        size: int | None = setting(None, "cannot be a parameter")

    with pytest.raises(TypeError, match=r"Bad.size: None needs an `unset`"):
        parameters(Bad)


# Regression: a section that a file gave in part lost the defaults that it has within its parent.
# With `server.url` in its file the data engine waited 15 s for its MLLM, not 120 s.
def test_a_section_that_is_named_in_part_keeps_its_defaults_there() -> None:
    config = build(DataConfig, {"server": {"url": "http://h/v1"}}, "f")
    assert config.server == dataclasses.replace(DataConfig().server, url="http://h/v1")
    assert config.server.read_timeout_s == 120.0
    config = build(DataConfig, {"structure": {"window": {"qa_groups": 3}}}, "f")
    assert (config.structure.window.keep, config.structure.window.max) == (30, 45)


# Regression: the nodes' table and the dataclasses differed: 20 s and 30 s, 32 and 16 sentences.
def test_what_had_drifted_has_the_value_of_the_nodes() -> None:
    asr, tts = AsrNodeConfig(), TtsNodeConfig()
    assert (asr.ears.wake.after_s, tts.mouth.max_sentences) == (30.0, 64)
    by_name = {p.name: p.default for cls in (AsrNodeConfig, TtsNodeConfig) for p in parameters(cls)}
    assert (by_name["wake_after_s"], by_name["max_queue"]) == (30.0, 64)


def test_settings_of_the_voice_nodes_reach_their_parts() -> None:
    config = from_parameters(
        AsrNodeConfig, {"wake": "required", "wake_phrase": "robbie", "max_s": 9.0, "onset": 0.9}, ""
    )
    assert (config.ears.wake.mode, config.ears.wake.phrase) == (WakeMode.REQUIRED, "robbie")
    endpoint = config.ears.endpoint
    assert (endpoint.max_s, endpoint.sure_level, endpoint.over_voice_level) == (9.0, 0.9, 0.9)
    assert (EndpointConfig().sure_level, EndpointConfig().over_voice_level) == (0.85, 0.7)
    for given, name in (("", None), (" ", None), ("3", 3), ("USB mic", "USB mic")):
        audio = from_parameters(MicrophoneConfig, {"device": given}, "").audio
        assert (audio.name, audio.block_ms) == (name, 20)


@pytest.mark.parametrize("node", NODES)
def test_the_defaults_of_the_parameters_are_those_of_the_settings(node: str) -> None:
    table = parameters(NODES[node])
    assert from_parameters(NODES[node], {p.name: p.default for p in table}, node) == NODES[node]()
    assert not [p.name for p in table if p.refusal(p.default)]


@pytest.mark.parametrize("node", NODES)
def test_every_limit_of_a_parameter_is_taken_by_the_settings(node: str) -> None:
    for p in parameters(NODES[node]):
        s = p.setting
        if isinstance(p.default, (int, float)) and not isinstance(p.default, bool):
            assert p.low is not None and p.high is not None and p.low < p.high, p.name
        for value in (s.low, s.high, *s.choices):
            assert value is None or s.refusal(value, p.name) == ""


def _fields(cls: type[Settings]) -> Iterator[tuple[str, dataclasses.Field]]:
    for f in dataclasses.fields(cls):
        make = f.default_factory
        inner = make() if callable(make) else None
        if isinstance(inner, Settings):
            yield from ((f"{f.name}.{name}", g) for name, g in _fields(type(inner)))
        else:
            yield f.name, f


@pytest.mark.parametrize(
    "cls", [*NODES.values(), DataConfig, DataSettings, TuneRecipe, Recipe, Budget], ids=str
)
def test_every_setting_is_described(cls: type[Settings]) -> None:
    bare = [name for name, f in _fields(cls) if len(declared(f).description) < 5]
    assert bare in ([], ["data"])  # the section of a recipe that has no defaults


def test_a_setting_may_have_no_default() -> None:
    @dataclass(frozen=True)
    class Strict(Settings):
        name: str = setting(REQUIRED, "must be given")

    with pytest.raises(TypeError, match="name"):
        Strict()  # type: ignore[call-arg]
    assert Strict("a").name == "a" and find(Strict, "name").description == "must be given"


# ---- config/*.yaml and docs/parameters.md ------------------------------------------------------


def _entries(file: Path) -> Iterator[tuple[str, str, object, str]]:
    """Node, parameter, value and comment of every line of a parameter file that sets something."""
    lines = file.read_text().splitlines()

    def walk(node: yaml.MappingNode, path: tuple[str, ...]) -> Iterator[tuple]:
        for key, value in node.value:
            if isinstance(value, yaml.MappingNode):
                yield from walk(value, (*path, key.value))
            else:
                comment = lines[value.end_mark.line].partition(" #")[2]
                plain = yaml.safe_load(yaml.serialize(value))
                yield path[0].rpartition("/")[2], ".".join((*path[2:], key.value)), plain, comment

    root = yaml.compose(file.read_text())
    assert isinstance(root, yaml.MappingNode)
    return walk(root, ())


@pytest.mark.parametrize("file", CONFIGS, ids=lambda f: f.name)
def test_the_shipped_files_name_parameters_that_exist(file: Path) -> None:
    entries = list(_entries(file))
    assert len(entries) > 5
    for node, name, value, comment in entries:
        known = {p.name: p for p in parameters(NODES[node])}
        assert name in known, f"{node}: {name}"
        value = tuple(value) if isinstance(value, list) else value
        assert type(value) is type(known[name].default), name
        assert known[name].refusal(value) == ""
        for told in re.findall(r"default:? ([^\s;,)]+)", comment):
            assert yaml.safe_load(told) == known[name].default, f"{name}: the comment says {told}"


def test_the_file_of_the_defaults_holds_the_defaults() -> None:
    for node, name, value, _ in _entries(ROOT / "config" / "laptop.yaml"):
        (default,) = (p.default for p in parameters(NODES[node]) if p.name == name)
        assert value == default, f"{node}: {name}"


def test_the_comments_of_the_other_files_tell_defaults() -> None:
    told = [c for f in CONFIGS for *_, c in _entries(f) if "default: " in c]
    assert len(told) >= 5  # so that what is checked above is there


def test_the_document_of_the_parameters_is_up_to_date() -> None:
    out = CliRunner().invoke(app, ["params"])
    assert out.exit_code == 0
    document = (ROOT / "docs" / "parameters.md").read_text()
    assert out.stdout == document, "run: aura params > docs/parameters.md"
    names = re.findall(r"^\| `([\w.]+)`", document, re.MULTILINE)
    tables = (ManagedConfig, *NODES.values())
    assert len(names) == sum(len(parameters(cls)) for cls in tables)


def test_parameters_of_one_node() -> None:
    out = CliRunner().invoke(app, ["params", "--node", "tts_node"])
    assert out.stdout.startswith("## tts_node\n") and out.stdout.count("##") == 1
    wrong = CliRunner().invoke(app, ["params", "--node", "nobody"])
    assert str(wrong.exception).startswith("--node must be one of assistant_node, ")


# ---- options of the command line ---------------------------------------------------------------


@dataclass(frozen=True)
class Small(Settings):
    count: int = setting(2, "how many", unit="bulbs", low=1)
    mode: str = setting("auto", "how it is switched", choices=("auto", "hand"))


def test_a_command_that_takes_settings_has_an_option_for_each() -> None:
    own, got = typer.Typer(rich_markup_mode=None), []

    @own.command()
    @options.takes(Small)
    def light(
        room: Annotated[str, typer.Option(help="where")] = "hall", *, settings: Small
    ) -> None:
        """Switch lamps."""
        got.append((room, settings))

    run = CliRunner()
    assert run.invoke(own, ["--count", "5", "--room", "attic"]).exit_code == 0
    assert run.invoke(own, []).exit_code == 0
    assert got == [("attic", Small(5)), ("hall", Small())]
    assert run.invoke(own, ["--count", "0"]).exit_code == 2
    refused = run.invoke(own, ["--mode", "foot"])
    assert str(refused.exception) == "mode must be one of auto, hand, not 'foot'"
    told = " ".join(run.invoke(own, ["--help"]).stdout.split())
    assert "how many [bulbs] [default: 2; x>=1]" in told
    assert "how it is switched: auto, hand [default: auto]" in told
    assert "Switch lamps." in told


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (
            "run",
            "(embedded), or scripted (tests) [default: (the file's, else aura_tiny)]",
        ),
        ("train tiny", "training rooms, 90 s each [default: 1400; x>=1]"),
        ("train model", "balanced, balanced_all, plain, harness [default: (the recipe's, else bal"),
        ("train ablation", "batches of each arm [default: 600; x>=1]"),
        ("data all", "(its tokenizer lacks most words of an MLLM) [default: (the file's)]"),
        (
            "eval sim",
            "is at least this [default: (the file's, else silent when the silent token is",
        ),
        ("bench engine", "length at which the window is cut back"),
    ],
)
def test_help_is_made_from_the_settings(command: str, says: str) -> None:
    out = CliRunner().invoke(app, [*command.split(), "--help"], terminal_width=100)
    assert says in " ".join(out.stdout.split())


def test_every_setting_of_the_tiny_recipe_is_an_option() -> None:
    out = CliRunner().invoke(app, ["train", "tiny", "--help"]).stdout
    for f in dataclasses.fields(Recipe):
        assert f"--{f.name.replace('_', '-')} " in out


def test_the_engine_reads_what_the_node_reads(tmp_path: Path) -> None:
    for file in CONFIGS:
        flat = {n: v for node, n, v, _ in _entries(file) if node == "assistant_node"}
        assert AssistantConfig.from_yaml(file) == from_parameters(AssistantConfig, flat, "f")
