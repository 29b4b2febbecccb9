"""Training of memory: samples with recalled lines, with memory in the system turn and with notes,
and a checkpoint that goes on with a larger vocabulary."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from aura_core.errors import ModelError  # noqa: E402
from aura_core.models.sidecar import read_aura  # noqa: E402
from aura_core.sim.episode import Episode  # noqa: E402
from aura_core.sim.memory import MemoryTalk  # noqa: E402
from aura_core.sim.talk import LANGUAGES  # noqa: E402
from aura_core.training.tiny import model as tiny  # noqa: E402
from aura_core.training.tiny.batches import (  # noqa: E402
    CONTINUED,
    PAST_CHUNKS,
    PAST_PLAN,
    TEST_PLAN,
    Drawer,
    collate,
    on,
    windows,
)
from aura_core.training.tiny.checkpoint import EMBEDDINGS, saved  # noqa: E402
from aura_core.training.tiny.forward import logits_of  # noqa: E402
from aura_core.training.tiny.remembered import Noted, noted, past  # noqa: E402
from aura_core.training.tiny.samples import build  # noqa: E402
from aura_core.training.tiny.store import CHUNKS, Store, training_world  # noqa: E402

THEN = ["the", "door", "opened", ";", "the", "cat", "came"]


@pytest.fixture(scope="module")
def tokenizer():
    return tiny.build_tokenizer()


@pytest.mark.parametrize(
    ("text", "tokens", "back"),
    [
        ("2 hours ago", ["2", "hours", "ago"], "2 hours ago"),
        ("10分钟前", ["10", *"分钟前"], "10分钟前"),
        (
            "The door opened; the cat came.",
            ["the", "door", "opened", ";", "the", "cat", "came"],
            None,
        ),
        ("门开了；猫来了", [*"门开了", ";", *"猫来了"], "门开了；猫来了"),
        ("- 5 minutes ago (yesterday 09:14): x", ["-", "5", "minutes", "ago"], "- 5 minutes ago"),
        ("7 times", ["7", "times"], "7 times"),
        ("3次", ["3", "次"], "3次"),
    ],
)
def test_what_memory_says_becomes_tokens_and_words_again(tokenizer, text, tokens, back) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False)
    found = tokenizer.convert_ids_to_tokens(ids)
    assert [t for t in found if t != "<|unknown|>"] == tokens
    known = [i for i, t in zip(ids, found, strict=True) if t != "<|unknown|>"]
    assert tokenizer.decode(known) == (back or "the door opened; the cat came")


def test_what_was_said_before_is_told_as_before(tokenizer) -> None:
    """Tokens of all phrasings by the shipped tokenizer of the version before memory: words."""
    for words in LANGUAGES.values():
        for phrases in words.questions.values():
            for text in (*phrases.seen, *phrases.unseen):
                found = tokenizer.tokenize(text.format(x="red", y="blue"))
                assert not {"<|unknown|>", ";", "-"} & set(found)


def test_a_checkpoint_goes_on_with_its_words_at_new_places(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    was = torch.arange(6.0).reshape(3, 2)
    save_file({EMBEDDINGS: was.half(), "x": torch.ones(1)}, tmp_path / "model.safetensors")
    words = {"model": {"vocab": {"a": 0, "c": 1, "b": 2}}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(words))
    rows = torch.full((4, 2), -1.0)
    state = saved(tmp_path, {"a": 0, "b": 1, "new": 2, "c": 3}, rows)
    assert state[EMBEDDINGS].tolist() == [[0, 1], [4, 5], [-1, -1], [2, 3]]
    assert state["lm_head.weight"] is state[EMBEDDINGS]
    assert state["x"].dtype == torch.float32
    with pytest.raises(ModelError, match="its embeddings are 2 wide, those of aura_tiny 3"):
        saved(tmp_path, {"a": 0}, torch.zeros(1, 3))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="has no vocabulary of words"):
        saved(tmp_path, {"a": 0}, rows)


def sample_with(codec, notes=(), memory=""):
    room = training_world(Store.seed(3))
    episode = Episode.generate(5, CHUNKS, TEST_PLAN, room, "en")
    return build(episode, codec, 0, 12, 10, memory, notes)


def test_a_note_between_chunks_is_a_branch_that_nothing_later_sees(tokenizer) -> None:
    """Its logits are those of the note at the end of a window that ends there, and the logits of
    the conversation are those of a conversation without notes."""
    model, _ = tiny.build_model(1)
    codec = tiny.codec(tokenizer)
    texts = ("the door opened; the cat came", "", "it got dark")
    notes = [Noted(at, f"note {at}", text) for at, text in zip((4, 4, 9), texts, strict=True)]
    bank = torch.randn(20, 12, 384)

    def told(sample):
        with torch.no_grad():
            batch = on(collate([sample], [np.asarray(sample.chunks)]), "cpu")
            return logits_of(model, batch, bank)[0]

    whole, plain = sample_with(codec, notes), sample_with(codec)
    logits = told(whole)
    assert torch.allclose(logits[whole.of_branch == 0], told(plain), atol=1e-4)
    for number, note in enumerate(notes, start=1):
        alone = build(
            Episode.generate(5, CHUNKS, TEST_PLAN, training_world(Store.seed(3)), "en"),
            codec,
            0,
            note.stop,
            asides=[note],
        )
        assert torch.allclose(
            logits[whole.of_branch == number], told(alone)[alone.of_branch == 1], atol=1e-4
        )
        ids = whole.target[whole.of_branch == number].tolist()
        wanted = (
            [*codec.answer_ids(note.text), codec.chat.end_id] if note.text else [*codec.silence]
        )
        assert ids == wanted
        request = codec.noting(note.request).ids
        assert tuple(whole.ids[whole.branch == number])[: len(request)] == request


def test_memory_stands_in_the_system_turn_as_the_engine_has_it(tokenizer) -> None:
    codec = tiny.codec(tokenizer)
    before = past(np.random.default_rng(2), MemoryTalk("en"), 120, codec.question_tokens)
    assert before.text.startswith("Your memory:\n- ")
    assert codec.question_tokens(before.text) <= 120
    head = codec.head(codec.prefix(memory=before.text)).ids
    assert tuple(sample_with(codec, memory=before.text).ids[: len(head)]) == head


def test_questions_of_training_are_true_of_the_lines_that_stand_before_them(tokenizer) -> None:
    codec, kinds = tiny.codec(tokenizer), set()
    for place in range(40, 64):
        rng = np.random.default_rng(place)
        for _, episode in windows(rng, place, codec, (PAST_PLAN,), PAST_CHUNKS):
            for ask in episode.asks:
                if not ask.topic.startswith("memory") or ask.language != "en":
                    continue
                kinds.add(ask.topic)
                lines = [x for x in ask.recalled.splitlines()[1:] if x]
                if ask.topic == "memory when" and ask.recalled and ask.evidence is None:
                    assert any(x.startswith(f"- {ask.answer} (") for x in lines)
                if ask.topic == "memory often":
                    count = int(ask.answer.split()[0])
                    assert ask.recalled.startswith(f"From memory, {count} match")
                if ask.topic == "memory nothing":
                    assert ask.answer == "i do not remember that"
                if ask.topic == "memory around" and ask.recalled:
                    told = "; ".join(x.split("): ")[1] for x in lines)
                    assert ask.answer == told
    assert len(kinds) >= 6


def test_a_note_covers_the_seconds_that_it_is_asked_for() -> None:
    room, talk = training_world(Store.seed(4)), MemoryTalk("en")
    requests = tiny.AURA_JSON["memory"]["note"]
    for seed in range(50):
        note = noted(np.random.default_rng(seed), talk, requests, room, 1, 30)
        seconds = int(note.request.removeprefix("note "))
        assert note.text == talk.note([e for e in room.events if 30 - seconds <= e.chunk < 30])
    early = noted(np.random.default_rng(0), talk, requests, room, 1, 4)
    assert early.request == "note 3"


def test_drawn_batches_hold_branches_and_stay_within_their_types(tokenizer) -> None:
    drawer = Drawer(tiny.codec(tokenizer), 1000, CONTINUED)
    for progress in (0.0, 0.5, 1.0):
        arrays = drawer(np.random.default_rng(1), np.arange(8), progress)
        assert any(a["branch"].any() for a in arrays)
        assert all(a["positions"].max() < 4096 and a["branch"].min() >= 0 for a in arrays)


def test_a_saved_model_tells_its_form_of_memory(tokenizer, tmp_path: Path) -> None:
    model, _ = tiny.build_model(0, tokenizer)
    tiny.save(model, tokenizer, tmp_path)
    told = read_aura(tmp_path).memory
    assert told is not None and told.note == {"en": "note {seconds:g}", "zh": "记录{seconds:g}"}
    assert (told.block_s, told.overlap_s, told.line_s, told.prefix_tokens) == (5, 2, 10, 0)
    assert told.sentences and told.renames
    assert told.describes is not None
    for text in told.describes.values():  # it is asked in words that it knows
        assert "<|unknown|>" not in tokenizer.tokenize(text)
    assert tiny.codec(tokenizer).chat.memory == told
