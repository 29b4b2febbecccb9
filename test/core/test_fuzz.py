"""Malformed input: a few hundred of each kind here, more in the slow run; and the command."""

from __future__ import annotations

import functools
import json
import random
from pathlib import Path

import pytest
from fuzz_trouble import open_trouble

from aura_core.cli import main
from aura_core.errors import InputError
from aura_core.fuzz import KINDS, MOST, Feed, bags, generator, images, open_kind, seeds, texts
from aura_core.fuzz import yaml_files as yamls
from aura_core.fuzz.mutate import hostile_text, mutated
from aura_core.fuzz.runner import Tally, feed_one, run, unclear
from aura_core.models.scripted import ByteTokenizer

N = {"images": 300, "texts": 200, "yaml": 200, "bags": 100}  # inputs in the default run
MANY = 3000


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Feed]:
    return {kind: open_kind(kind, tmp_path_factory.mktemp(kind)) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_malformed_input_is_accepted_or_refused(feeds: dict[str, Feed], kind: str) -> None:
    tally = Tally(kind)
    for seed in seeds(0, N[kind]):
        tally.add(feed_one(feeds[kind], kind, seed))
    assert [f"{c.seed}: {c.message}" for c in tally.crashes] == []
    assert tally.accepted >= 4 and tally.refused >= 40, "both are reached"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_much_malformed_input_is_accepted_or_refused(kind: str) -> None:
    tally = run(kind, seeds(7, MANY))
    assert [f"{c.seed}: {c.message}" for c in tally.crashes] == []
    assert tally.n == MANY and tally.grown_mb < 1500


@pytest.mark.parametrize("kind", KINDS)
def test_an_input_is_made_from_its_seed_alone(kind: str, tmp_path: Path) -> None:
    outcomes = []
    for order in (range(20), reversed(range(20))):
        folder = tmp_path / str(len(outcomes))
        folder.mkdir()
        feed = open_kind(kind, folder)
        fed = {s: feed_one(feed, kind, s) for s in order}
        outcomes.append(
            {s: (f.outcome, f.message.replace(str(folder), "")) for s, f in fed.items()}
        )
    assert outcomes[0] == outcomes[1]
    assert len({message for _, message in outcomes[0].values()}) > 1


def test_kinds_and_seeds_share_no_input() -> None:
    drawn = {generator(k, s).random() for k in KINDS for s in (*seeds(0, 5), *seeds(1, 5))}
    assert len(drawn) == 10 * len(KINDS)
    assert seeds(0, MOST)[-1] < seeds(1, 1)[0]


BREAKS = {
    "images": (images, "decode_compressed"),
    "texts": (texts, "for_speech"),
    "yaml": (yamls, "TuneRecipe"),
    "bags": (bags, "Bag"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_that_breaks_is_seen(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name = BREAKS[kind]
    feed = open_kind(kind, tmp_path)
    monkeypatch.setattr(module, name, None)  # calling it raises a TypeError
    fed = [feed_one(feed, kind, s) for s in range(40)]
    crashed = [f for f in fed if f.outcome == "crashed"]
    assert crashed and all("NoneType" in f.message for f in crashed)


def test_a_text_that_writes_a_turn_is_seen(
    feeds: dict[str, Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ByteTokenizer, "plain", lambda self, text: text)
    fed = [feed_one(feeds["texts"], "texts", s) for s in range(N["texts"])]
    assert any("a text has written a turn" in f.message for f in fed)


def test_a_refusal_must_be_one_clear_line() -> None:
    assert not unclear("the question is empty")
    assert unclear(" ") and unclear("a\nb") and unclear("a\x1b[2J") and unclear("x" * 601)

    class Unclear(InputError):
        def __str__(self) -> str:
            return "first line\nsecond line"

    def feed(rng: random.Random) -> None:
        raise Unclear

    assert feed_one(feed, "texts", 0).outcome == "crashed"


def test_texts_and_bytes_of_all_sorts_are_drawn() -> None:
    drawn = [hostile_text(random.Random(s), 5000) for s in range(600)]
    for piece in ("\x00", "\u202e", "<|im_end|>", "\ud800", "\u0301", "Tell me when"):
        kind = (lambda t: any("\ud800" <= c <= "\udfff" for c in t)) if piece == "\ud800" else None
        assert any(kind(t) if kind else piece in t for t in drawn), piece
    assert "" in drawn and any(len(t) == 5000 for t in drawn)
    data = bytes(range(256))
    changed = [mutated(random.Random(s), data) for s in range(100)]
    assert sum(c == data for c in changed) < 5
    assert any(len(c) < 200 for c in changed) and any(len(c) > 300 for c in changed)
    assert mutated(random.Random(0), b"") is not None


# ---- the process of a kind -----------------------------------------------------------------------


def test_a_crash_a_hang_and_a_dead_process_cost_one_input_each(tmp_path: Path) -> None:
    log, told = tmp_path / "log", []
    opener = functools.partial(open_trouble, log)
    tally = run("texts", range(7), told.append, hang_s=2.0, opener=opener)
    assert (tally.n, tally.accepted, tally.refused) == (7, 3, 1)
    assert [c.seed for c in tally.crashes] == [2, 3, 5]
    oh, hang, dead = (c.message for c in tally.crashes)
    assert oh.endswith("ValueError: oh\n") and "Traceback" in oh
    assert hang == "hang: not done after 2 s" and dead == "the process ended: by SIGSEGV"
    assert log.read_text().split() == list("0123456") and sum(told) == 7
    assert tally.slowest_seed == 3 and tally.seconds > 2.0
    assert [c["seed"] for c in tally.as_json()["crashes"]] == [2, 3, 5]


# ---- the command ---------------------------------------------------------------------------------


def aura(*args: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in args])
    return int(ended.value.code or 0)


def test_the_command_shows_a_table_and_writes_the_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "fuzz.json"
    assert aura("fuzz", "--kinds", "images,yaml", "--n", 20, "--seed", 3, "--json", out) == 0
    assert "images" in capsys.readouterr().out
    figures = json.loads(out.read_text())
    assert [k["kind"] for k in figures["kinds"]] == ["images", "yaml"] and figures["seed"] == 3
    for kind in figures["kinds"]:
        assert kind["n"] == 20 == kind["accepted"] + kind["refused"] and kind["crashes"] == []
        assert 3 * MOST <= kind["slowest_seed"] < 3 * MOST + 20


def test_the_command_fails_where_something_crashed_and_names_the_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def crashed(kind: str, seeds: range, advance: object) -> Tally:
        tally = Tally(kind)
        tally.add(feed_one(lambda rng: [][0], kind, seeds[1]))
        return tally

    monkeypatch.setattr("aura_core.fuzz.runner.run", crashed)
    assert aura("fuzz", "--kinds", "bags", "--n", 2) == 1
    said = capsys.readouterr().out
    assert "crash: aura fuzz --kinds bags --only 1: IndexError: list index out of range" in said


def test_one_input_is_fed_again_by_its_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    by_outcome = {
        feed_one(open_kind("images", tmp_path), "images", s).outcome: s for s in range(40)
    }
    for outcome, seed in by_outcome.items():
        assert aura("fuzz", "--kinds", "images", "--only", seed) == 0
        assert capsys.readouterr().out.startswith(f"images {seed}: {outcome} after ")
    monkeypatch.setattr(images, "_look", None)
    assert aura("fuzz", "--kinds", "images", "--only", by_outcome["accepted"]) == 1
    assert "TypeError: 'NoneType' object is not callable" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--kinds", "sounds"), "--kinds sounds: expected one of images, texts, yaml, bags"),
        (("--kinds", ","), "--kinds is empty"),
        (("--only", "3"), "--only needs the one kind of its seed"),
        (("--json", "/dev/null/x.json"), "cannot write the file"),
    ],
)
def test_wrong_options_are_one_line(
    args: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert aura("fuzz", *args) == 1
    assert says in capsys.readouterr().err
