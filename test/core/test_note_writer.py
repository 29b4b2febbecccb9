"""Notes by a model behind a server: what it is shown, and what happens when it fails."""

from __future__ import annotations

import base64
import queue
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from chat_double import ChatDouble, Fault, Reply, completion

from aura_core.config import WriterConfig
from aura_core.errors import ConfigError
from aura_core.live.note_writer import MOST_WAITING, ServedWriter
from aura_core.stream.notes import Block
from aura_core.types import Frame

WAIT_S = 10.0


class WriterDouble(ChatDouble):
    said = completion("the cup moved; the door is open")

    def reply(self, request: object) -> Reply:
        return self.said


def block(first: int, chunks: int = 30) -> Block:
    frames = tuple(Frame(np.full((48, 64, 3), 8 * (i % 32), np.uint8), i) for i in range(chunks))
    return Block(first, first + chunks - 1, 0, chunks, 0, frames)


@pytest.fixture
def server() -> Iterator[WriterDouble]:
    with WriterDouble() as double:
        yield double


class Heard:
    def __init__(self, url: str) -> None:
        self.notes: queue.Queue[tuple[str, Block, str]] = queue.Queue()
        self.problems: queue.Queue[str] = queue.Queue()
        config = WriterConfig(url, "writer", pictures=3)
        self.writer = ServedWriter(config, 50, lambda *n: self.notes.put(n), self.problems.put)

    def note(self) -> tuple[str, Block, str]:
        return self.notes.get(timeout=WAIT_S)


def test_the_server_is_shown_pictures_of_the_whole_block(server: WriterDouble) -> None:
    heard = Heard(server.url)
    told = block(7)
    heard.writer.put("door", told, "en")
    assert heard.note() == ("door", told, "the cup moved; the door is open")
    heard.writer.close()
    (request,) = server.requests
    *pictures, text = request.body["messages"][0]["content"]
    levels = []
    for picture in pictures:
        data = base64.b64decode(picture["image_url"]["url"].split(",")[1])
        levels.append(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).mean())
    assert np.allclose(levels, [0, 112, 232], atol=4)  # the first, the middle one, the newest
    assert "last 30 seconds" in text["text"] and request.body["max_tokens"] == 50


def test_a_server_that_fails_costs_one_note(server: WriterDouble) -> None:
    server.faults.extend([Fault("status", status=400)])
    heard = Heard(server.url)
    heard.writer.put("", block(0), "en")
    assert "no note was written about 30 s" in heard.problems.get(timeout=WAIT_S)
    heard.writer.put("", block(30), "zh")
    assert heard.note()[1].first == 30
    assert "30秒" in server.requests[-1].body["messages"][0]["content"][-1]["text"]
    heard.writer.close()


def test_a_server_that_is_down_is_said_once(server: WriterDouble) -> None:
    server.faults.extend([Fault("status", status=400)] * 3)
    heard = Heard(server.url)
    for i in range(4):
        heard.writer.put("", block(30 * i), "en")
        if i == 2:
            assert "no note was written" in heard.problems.get(timeout=WAIT_S)
    assert heard.note()[1].first == 90
    assert heard.problems.get(timeout=WAIT_S) == f"{server.url} writes notes again"
    assert heard.problems.empty() and heard.writer.trouble == ""
    heard.writer.close()


def test_a_slow_server_gets_the_newest_blocks(server: WriterDouble) -> None:
    release = threading.Event()
    server.faults.append(Fault("wait", release=release))
    heard = Heard(server.url)
    heard.writer.put("", block(0), "en")
    assert server.arrived.acquire(timeout=WAIT_S)
    for i in range(1, MOST_WAITING + 3):
        heard.writer.put("", block(i), "en")
    release.set()
    assert [heard.note()[1].first for _ in range(1 + MOST_WAITING)] == [0, 3, 4, 5, 6]
    assert heard.writer.missed == 2
    heard.writer.close()


def test_a_note_that_was_cut_off_loses_its_half_fact(server: WriterDouble) -> None:
    server.said = completion(
        "<think>a cup; a cat</think>a cup moved; the cat sle", finish_reason="length"
    )
    heard = Heard(server.url)
    heard.writer.put("", block(0), "en")
    assert heard.note()[2] == "a cup moved"
    heard.writer.close()


def test_an_address_needs_a_model() -> None:
    with pytest.raises(ConfigError, match=r"memory\.writer\.model must be given"):
        WriterConfig("http://localhost:1/v1")
