"""Offline samples: LLaVA's conversations and messages, with pictures, videos, or text alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mllm_double import light_video
from PIL import Image

from aura_core.data.exchange.conversations import Exchange, Named, exchanges
from aura_core.data.exchange.entries import BadEntry
from aura_core.data.exchange.importing import ImportConfig, Imported, import_files
from aura_core.data.offline import Medium, Offline, Part, Round, pieces_of
from aura_core.data.pictures import read_picture
from aura_core.data.schema import Rejection
from aura_core.data.settings import DataConfig, PrepareConfig
from aura_core.errors import InputError
from aura_core.models.backend import Tokens
from aura_core.models.scripted import ScriptedBackend
from aura_core.stream.prompt import PromptCodec


def picture(path: Path, size: tuple[int, int] = (40, 30), turned: bool = False) -> Path:
    """Write a picture of a size (width, height); `turned`: its EXIF tells to turn it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = 6 if turned else 1
    Image.new("RGB", size, (200, 30, 30)).save(path, exif=exif)
    return path


def read(tmp_path: Path, *entries: Any) -> list[Exchange | BadEntry]:
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(e) + "\n" for e in entries))
    return list(exchanges(path))


def llava(*turns: str, **fields: Any) -> dict[str, Any]:
    said = [{"from": ("human", "gpt")[i % 2], "value": t} for i, t in enumerate(turns)]
    return {"conversations": said} | fields


def messages(*turns: Any, **fields: Any) -> dict[str, Any]:
    said = [{"role": ("user", "assistant")[i % 2], "content": t} for i, t in enumerate(turns)]
    return {"messages": said} | fields


def test_both_forms_are_read_alike(tmp_path):
    one, other = read(
        tmp_path,
        llava("<image>\nWhat is this?", "A cup.", "Which colour?", "Red.", image="a.jpg"),
        messages(
            [{"type": "image", "image": "a.jpg"}, {"type": "text", "text": "What is this?"}],
            "A cup.",
            "Which colour?",
            [{"type": "text", "text": "Red."}],
        ),
    )
    assert isinstance(one, Exchange) and isinstance(other, Exchange)
    assert one.rounds == other.rounds
    assert one.rounds[0].parts == (Named("image", "a.jpg"), "What is this?")


def test_marks_stand_for_files_in_order_and_files_without_marks_come_first(tmp_path):
    marked, bare, system = read(
        tmp_path,
        messages("Is <image> like <video>?", "No.", images=["a.jpg"], videos=["b.mp4"]),
        llava("What is this?", "A cup.", image=["a.jpg", "b.jpg"]),
        {
            "messages": [
                {"role": "system", "content": "Be short."},
                *messages("Hi", "Hello")["messages"],
            ]
        },
    )
    assert marked.rounds[0].parts == (
        "Is",
        Named("image", "a.jpg"),
        "like",
        Named("video", "b.mp4"),
        "?",
    )
    assert bare.rounds[0].parts == (
        Named("image", "a.jpg"),
        Named("image", "b.jpg"),
        "What is this?",
    )
    assert (system.system, system.media) == ("Be short.", [])


BAD = {
    "empty": ({"conversations": []}, "'conversations' must be a list of turns"),
    "neither": ({"text": "Hi"}, "'conversations' must be a list of turns"),
    "order": (llava("Hi"), "'conversations[0]' the last question has no answer"),
    "role": (
        {"messages": [{"role": "tool", "content": "x"}]},
        "'messages[0].role' must be user, assistant or system, not 'tool'",
    ),
    "twice": (
        {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]},
        "'messages[1]' questions and answers must alternate",
    ),
    "blank": (llava("Hi", " "), "'conversations[1]' must be a text that is not empty"),
    "no words": (llava("<image>", "A cup.", image="a.jpg"), "'conversations[0]' has no words"),
    "no file": (llava("<image>What?", "A cup."), "has <image> for which no file is named"),
    "too many": (
        llava("<image>What?", "A cup.", image=["a.jpg", "b.jpg"]),
        "'image' has more files than marks stand for, the first is b.jpg",
    ),
    "part": (
        messages([{"type": "audio", "audio": "x"}], "A"),
        "'messages[0].content[0]' must have the type text, image or video, not 'audio'",
    ),
    "decision": (
        messages("<0.0 seconds>", "</silence>"),
        "'messages[1]' is a decision of a stream",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_sample_is_named_with_file_line_and_field(tmp_path, name):
    bad, why = BAD[name]
    good, fault, after = read(tmp_path, llava("Hi", "Hello"), bad, llava("Hi", "Hello"))
    assert isinstance(good, Exchange) and isinstance(after, Exchange)
    assert isinstance(fault, BadEntry)
    assert str(fault).startswith(f"{tmp_path / 'x.jsonl'}:2: ") and why in str(fault)


# ---- import ------------------------------------------------------------------------------------


def imported(
    tmp_path: Path, *entries: Any, config: DataConfig | None = None, **how: Any
) -> tuple[Imported, list[Offline], list[Rejection]]:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(list(entries), indent=1))
    told = ImportConfig(format="offline", **how)
    done = import_files(path, tmp_path / "media", tmp_path / "run", told, config or DataConfig())
    (shard,) = done.folder.all_done()
    assert shard.records == done.records
    return done, list(done.folder.read(0, Offline)), list(done.folder.rejected(0))


def test_pictures_are_named_with_their_size_as_they_are_seen(tmp_path):
    picture(tmp_path / "media" / "sub" / "a.jpg", (40, 30), turned=True)
    entry = llava("<image>What?", "A cup.", image="sub/a.jpg", id=7)
    done, (sample,), _ = imported(tmp_path, entry)
    assert sample.media == (Medium("../media/sub/a.jpg", (), 30, 40),)
    assert (sample.id, sample.source) == ("7", f"{tmp_path / 'x.json'}:2")
    shown = read_picture(done.folder.run / sample.media[0].path)
    assert shown.shape == (40, 30, 3)
    assert sample.rounds == (Round((Part(None, 0), Part("What?", -1)), "A cup."),)


def test_a_video_is_prepared_once_and_its_seconds_are_spread(tmp_path):
    light_video(tmp_path / "media" / "a.mp4")
    both = [llava("<video>What?", "A lamp.", video="a.mp4") for _ in range(2)]
    done, samples, _ = imported(tmp_path, *both, video_chunks=5)
    media = samples[0].media + samples[1].media
    assert media[0] == media[1] and media[0].chunks == (0, 3, 6, 9, 12)
    assert (done.folder.run / media[0].path).is_file()
    assert len({s.id for s in samples}) == 2
    assert len(list((done.folder.run / "prepare" / "clips").iterdir())) == 1


def test_files_that_cannot_be_used_cost_their_sample(tmp_path):
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "bad.jpg").write_bytes(b"no picture")
    (tmp_path / "media" / "bad.mp4").write_bytes(b"")
    light_video(tmp_path / "media" / "long.mp4")
    done, samples, left = imported(
        tmp_path,
        llava("<image>What?", "A cup.", image="bad.jpg"),
        llava("<video>What?", "A cup.", video="bad.mp4"),
        llava("<video>What?", "A cup.", video="long.mp4"),
        llava("<image>What?", "A cup.", image="gone.jpg"),
        llava("What is two and two?", "Four."),
        config=DataConfig(prepare=PrepareConfig(max_seconds=8)),
    )
    assert [s.rounds[0].answer for s in samples] == ["Four."]
    assert done.left == {
        "'image' cannot be read": 1,
        "'video' cannot be used": 1,
        "'video' is too long": 1,
        "'image' names no file that is there": 1,
    }
    assert all(str(tmp_path / "x.json") in r.detail for r in left)
    assert "raise prepare.max_seconds" in next(r.detail for r in left if "long" in r.detail)


def test_one_name_for_two_files_is_refused(tmp_path):
    for folder in ("one", "two"):
        picture(tmp_path / "media" / folder / "a.jpg")
    done, _, left = imported(
        tmp_path,
        llava("<image>What?", "A cup.", image="a.jpg"),
        llava("<image>What?", "A cup.", image="one/a.jpg"),
    )
    assert done.records == 1 and "names several files" in left[0].detail


# ---- the prompt --------------------------------------------------------------------------------


def text_of(sample: Offline) -> str:
    """The prompt of a sample as text, a chunk as [n]."""
    backend = ScriptedBackend()
    codec = PromptCodec(backend.tokenizer, backend.chat)
    seen = lambda index: [backend.chat.chunk.stand_in(10 * index + i) for i in range(index + 1)]  # noqa: E731
    text = ""
    for pieces, ids in pieces_of(sample, codec, seen):
        for piece in (*pieces, codec.assistant(ids)):
            if isinstance(piece, Tokens):
                text += backend.tokenizer.written(piece.ids)
            else:
                text += f"[{piece.features}]"
    return text


def test_all_pictures_of_a_question_stand_in_one_user_turn(tmp_path):
    backend = ScriptedBackend()
    chat = backend.chat
    media = (Medium("a.jpg", (), 4, 4), Medium("b.mp4", (0, 1), 4, 4))
    first = Round((Part("Is", -1), Part(None, 0), Part("like", -1), Part(None, 1)), "No.")
    sample = Offline("x", "", "", media, (first, Round((Part("Why?", -1),), "It is red.")))
    begin, after = (
        chat.chunk.parts(chat.chunk.stand_in(0))[0],
        chat.chunk.parts(chat.chunk.stand_in(0))[-1],
    )
    shown = "".join(f"{begin}[{n}]{after}" for n in (10, 11))
    assert text_of(sample) == (
        f"{chat.begin}{chat.user[0]}Is{begin}[0]{after}like{shown}{chat.user[1]}"
        f"{chat.assistant[0]}No.{chat.assistant[1]}"
        f"{chat.user[0]}Why?{chat.user[1]}{chat.assistant[0]}It is red.{chat.assistant[1]}"
    )


def test_a_system_text_is_the_samples_own(tmp_path):
    chat = ScriptedBackend().chat
    sample = Offline("x", "", "Be short.", (), (Round((Part("Hi", -1),), "Hello"),))
    assert text_of(sample).startswith(f"{chat.system[0]}Be short.{chat.system[1]}{chat.user[0]}Hi")


@pytest.mark.parametrize(
    "media, rounds",
    [
        ((), ()),
        ((Medium("a", (), 1, 1),), (Round((Part("Hi", -1),), "Hello"),)),
        ((), (Round((Part(None, 0),), "Hello"),)),
        ((), (Round((Part("Hi", -1),), " "),)),
    ],
)
def test_a_sample_that_contradicts_itself_is_refused(media, rounds):
    with pytest.raises(ValueError):
        Offline("x", "", "", media, rounds)


def test_a_picture_that_is_none_is_named(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"no")
    with pytest.raises(InputError, match=r"x\.jpg: cannot be read"):
        read_picture(tmp_path / "x.jpg")
    assert read_picture(picture(tmp_path / "y.png")).dtype == np.uint8
