"""Each reason that a page may be told has a code, and words for it in both languages."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_rig import FakeRobot, entered, run, serving

from aura_core.config import AssistantConfig
from aura_core.console import protocol as p
from aura_core.console import replaying
from aura_core.console.feed import Source
from aura_core.console.local import LocalRobot
from aura_core.console.reasons import REASONS, find, values_of
from aura_core.console.server import page_files
from aura_core.errors import InputError
from aura_core.live.health import Health
from aura_core.live.inbox import RESTING, STOPPING
from aura_core.live.pulse import Quiet, idle_state
from aura_core.speech.types import REASONS as REJECTED
from aura_core.stream.recovery import Lost

ROOT = Path(__file__).parents[2]
# What refuses a command, or tells why something is as it is. Its reasons are the literals in the
# calls of `CALLS`.
REFUSING = (
    "aura_core/console/protocol/binary.py",
    "aura_core/console/protocol/reading.py",
    "aura_core/console/commands.py",
    "aura_core/console/state.py",
    "aura_core/console/server.py::_first,_slow,_serve",
    "aura_core/console/recording.py",
    "aura_core/console/film.py::FolderFilm",
    "aura_core/live/host.py",
    "aura_core/live/tasks.py",
    "aura_core/live/inbox.py",
    "aura_core/live/memory.py",
    "aura_core/live/rate.py",
    "aura_core/stream/conversation.py",
    "aura_core/stream/intake.py",
    "aura_core/memory/recorder.py",
    "aura_core/memory/recall.py",
    "aura_ros/bag_recording.py",
    "aura_ros/services.py",
    "aura_ros/memory_services.py",
    "aura_ros/conversions.py::forgotten",
)
CALLS = {"InputError", "StoreError", "BadCommand", "Bye", "Problem", "Refused", "_tell"}
CALLS |= {
    "_refuse",
    "_refuse_binary",
    "_refuse_task",
    "_unreadable",
    "_report",
    "_complain",
    "close",
}
# What a page is shown: all its sentences are reasons, but those that are logged.
SHOWING = (
    "aura_core/console/robot.py",
    "aura_core/console/local.py",
    "aura_core/console/watched.py",
    "aura_core/console/replaying.py",
    "aura_core/console/tape.py::_recording,_run",
    "aura_core/console/bag_tape.py::_notice",
    "aura_core/live/pulse.py",
    "aura_core/live/fallback.py::begin,changed,check",
    "aura_ros/console_robot.py",
    "aura_ros/console_camera.py",
    "aura_ros/console_phone.py",
    "aura_ros/console_recorder.py::record",
    "aura_ros/services.py::_cancel",
    "aura_ros/memory_services.py::_pause",
    "aura_ros/assistant_node.py::pause",
    "aura_core/console/recording.py::_main",
    "aura_ros/bag_recording.py::_main,_write",
)
LOGGED = {"debug", "info", "warning", "error", "complain"}
# Sentences in these files that no page is told, by how they begin.
NOT_TOLD = (
    "the result has no words",  # of the service aura/delegated
    "no task with the id",
    "the watch of the task",
    "; 7 frames were left out",  # logged
    "the memory is 7",
    "the recording has its own frames",  # of the command line
    "7: the recording has its own frames",
    "7: line 7",
    "7: cannot be written",
    "aura run --out",
    "no meta",
)


def literals(node: ast.AST) -> Iterator[str]:
    """The texts in a piece of code, "7" for each value in them; no docstring."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts = [v.value if isinstance(v, ast.Constant) else "7" for v in node.values]
        yield "".join(map(str, parts))
    elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        if isinstance(node, ast.Call) and _name(node) in LOGGED:
            return
        for child in ast.iter_child_nodes(node):
            yield from literals(child)


def _name(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def parsed(where: str) -> Iterator[ast.AST]:
    """The code of PATH, or of PATH::NAME,NAME the functions and classes with these names."""
    path, _, names = where.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    if not names:
        yield tree
        return
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    found = [n for n in ast.walk(tree) if isinstance(n, kinds) and n.name in names.split(",")]
    assert found, where
    yield from found


def words(text: str) -> int:
    return sum(bool(re.search("[A-Za-z]{2}", word)) for word in text.split())


def reasons_in_code() -> Iterator[tuple[str, str]]:
    """Where each reason is, and its sentence."""
    for where in REFUSING:
        for tree in parsed(where):
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and _name(node) in CALLS:
                    yield from ((where, t) for a in node.args for t in literals(a) if words(t) > 1)
    for where in SHOWING:
        for tree in parsed(where):
            yield from ((where, text) for text in literals(tree) if words(text) > 2)


def told() -> list[tuple[str, str]]:
    return [one for one in reasons_in_code() if not one[1].startswith(NOT_TOLD)]


def test_every_reason_in_the_code_has_a_code() -> None:
    assert [one for one in told() if find(one[1]) is None] == []


def test_no_code_is_left_over() -> None:
    made = {found[0] for _, text in told() if (found := find(text)) is not None}
    named = ["camera must be one of a, b, not 'x'", "there is no camera 'x'", STOPPING, RESTING]
    named += ["at most 3 questions a minute are taken from asr (generation.questions_per_minute);"]
    named[-1] += " ask again in 7 s"
    named += [idle_state(_health(phase), _QUIET, 2.0, "m", "t")[1] for phase in PHASES]
    named += [
        "the_node publishes /image_raw already",
        "not JSON: 7",
        "paused by aura/pause",
        "the notes are closed",
        "memory: 7",
    ]
    named += [one.message for one in LOST]
    made |= {found[0] for text in named if (found := find(text)) is not None}
    assert set(REASONS) - made == set()


PHASES = ("new", "loading", "failed", "stopped")
_QUIET = Quiet(None, 0.0)

LOST = [
    Lost(7, InputError("why"), emptied=emptied, ahead=ahead)
    for emptied in (False, True)
    for ahead in (False, True)
]


def _health(phase: str) -> Health:
    fields = {f.name: 0 for f in dataclasses.fields(Health)}
    return Health(**{**fields, "phase": phase})  # type: ignore[arg-type]


@pytest.mark.parametrize("code", list(REASONS))
def test_a_sentence_is_found_with_its_values(code: str) -> None:
    values = {name: f"x{i}" for i, name in enumerate(sorted(values_of(REASONS[code])))}
    assert find(REASONS[code].format(**values)) == (code, values)
    longer = {
        name: f"{v}: is, not" if name in ("why", "place") else v for name, v in values.items()
    }
    found = find(REASONS[code].format(**longer))
    assert found is not None and found[0] == code


def test_a_foreign_sentence_has_no_code() -> None:
    for text in ("", "camera:0 was unplugged", "the wide door is empty", "a model of its own"):
        assert find(text) is None


def test_every_code_has_words_in_chinese() -> None:
    page = page_files()["reasons_zh.js"].content.decode()
    chinese = dict(re.findall(r'^  (\w+): "(.*)",$', page, re.MULTILINE))
    assert set(chinese) == set(REASONS)
    for code, text in chinese.items():
        assert values_of(text) <= values_of(REASONS[code]), code
        assert re.search("[\u4e00-\u9fff]", text), code


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_reason_why_words_were_not_taken_has_words(language: str) -> None:
    page = page_files()[f"words_{language}.js"].content.decode()
    assert {code for code in REJECTED if f"  rejected_{code}: " not in page} == set()


def test_the_robots_cannot_do_things_for_reasons_with_codes() -> None:
    sources = Source.parse_all(["sim:7"])
    for abilities in (
        LocalRobot(sources, AssistantConfig()).abilities(),
        replaying._ABILITIES,
        FakeRobot().abilities(),
    ):
        assert {why for why in abilities.values() if why and find(why) is None} == set()


def test_every_field_for_a_reason_is_one() -> None:
    own = {("Second", "reason"), ("Heard", "reason")}  # codes, which the page has words for
    fields = {
        (kind.__name__, f.name): "reason" in f.metadata
        for kind in typing.get_args(p.Message)
        for f in dataclasses.fields(kind)
        if f.name in ("error", "reason", "detail", "abilities")
    }
    assert {name for name, marked in fields.items() if not marked} == own


def sent(message: p.Message) -> dict[str, typing.Any]:
    return json.loads(p.encode(message))


def test_a_reason_has_its_code_and_values_beside_it() -> None:
    answer = sent(p.Answer(1, False, "no frames came for 20 s"))
    assert answer["error_code"] == "frames_none"
    assert answer["error_values"] == {"s": "20"}
    assert "error_code" not in sent(p.Answer(1, True))
    assert "error_values" not in sent(p.Answer(1, False, "this is no recording"))
    refused = p.Refused("q", "", "what?", "the model failed twice on it", 1.0)
    assert sent(refused)["reason_code"] == "model_failed_twice"
    inside = sent(p.Snapshot(conversation=(refused,)))["conversation"][0]
    assert inside["reason_code"] == "model_failed_twice"
    assert sent(p.Problem("", "the recording has ended: /x: no space", 1.0))["text_values"] == {
        "place": "/x",
        "why": "no space",
    }
    assert sent(p.Bye("the page has not said who it is", True, "token"))["reason_code"]
    assert sent(p.CameraStatus("", "silent", "slow", "a step takes 900 ms"))["detail_values"]
    told = sent(p.Abilities({"ask": "", "recall": "the memory is off: start with --memory"}))
    assert told["abilities_code"] == {"recall": "memory_off"}


def test_a_page_is_sent_the_code_of_a_refusal() -> None:
    async def test() -> None:
        with serving(FakeRobot()) as server:
            async with entered(server) as page:
                assert page.messages[0]["abilities_code"] == {"replay": "no_recording"}
                assert (await page.do("seek", at_ms=3))["error_code"] == "no_recording"
                answer = await page.do("ask", text="x" * 4001)
                assert answer["error_code"] == "field_long"
                assert answer["error_values"] == {"name": "text", "n": "4001", "most": "4000"}

    run(test)
