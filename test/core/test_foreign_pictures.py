"""The shipped model knows what it does not know: real photographs, and words that it never learned.

The photographs are those in scikit-image's package; each is shown as a film, by a camera that pans
over it. No training saw them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from aura_core.config import ModelConfig
from aura_core.models import load
from aura_core.replay.lockstep import Lockstep
from aura_core.sim.episode import DENSE_PLAN, Episode
from aura_core.sim.render import Camera
from aura_core.sim.talk import LANGUAGES
from aura_core.sim.world import World
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame, Query, Step

HALF = 500_000_000
NAMES = (
    *("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "coffee.png"),
    *("coins.png", "grass.png", "gravel.png", "horse.png", "hubble_deep_field.jpg", "ihc.png"),
    *("moon.png", "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg", "text.png"),
)
PER_PHOTO = 12  # questions


@cache
def photographs() -> tuple[Path, ...]:
    """The photographs that are installed."""
    found = importlib.util.find_spec("skimage")
    if found is None or not found.submodule_search_locations:
        return ()
    folder = Path(next(iter(found.submodule_search_locations))) / "data"
    return tuple(folder / name for name in NAMES if (folder / name).is_file())


@pytest.fixture(scope="module")
def assistant() -> Lockstep:
    return Lockstep(StreamEngine(load(ModelConfig(device="cpu", dtype="float32"))))


@pytest.fixture
def photos() -> tuple[Path, ...]:
    if not photographs():
        pytest.skip("scikit-image is not installed")
    assert len(photographs()) == len(NAMES)
    return photographs()


def film(path: Path, seed: int) -> Iterator[np.ndarray]:
    """Two frames a second: uint8 RGB (240, 320, 3), of a camera that pans over the photograph."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert bgr is not None, path
    image = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    h, w = image.shape[:2]
    side = min(h, w * 3 // 4)
    rng = np.random.default_rng([seed, 1])
    rates, phases = rng.uniform(0.05, 0.4, 3), rng.uniform(0, 6.28, 3)
    for t in np.arange(0.0, 10_000.0, 0.5):
        sway = 0.5 + 0.5 * np.sin(rates * t + phases)
        height = round(side * (0.55 + 0.4 * sway[2]))
        width = height * 4 // 3
        y, x = round((h - height) * sway[0]), round((w - width) * sway[1])
        yield np.asarray(cv2.resize(image[y : y + height, x : x + width], (320, 240)), np.uint8)


def play(assistant: Lockstep, frames: Iterator[np.ndarray], asks: dict[int, str], seconds: int):
    """The steps of a film that is asked about, from its beginning."""
    assistant.reset()
    steps: list[Step] = []
    for slot in range(2 * seconds):
        chunk, second = divmod(slot, 2)
        if not second and chunk in asks:
            assistant.ask(Query(asks[chunk], f"q{chunk}", slot * HALF))
        assistant.push(Frame(next(frames), slot * HALF))
        while (step := assistant.step()) is not None:
            steps.append(step)
    return steps


def answers(assistant: Lockstep, photo: Path, seed: int, questions: int) -> list[tuple[str, str]]:
    """(said, declined) for questions about a photograph, one in every second second."""
    episode = Episode.generate(seed, 60, DENSE_PLAN, unseen=0.2)
    texts = [a.text for a in episode.asks][:questions]
    asks = {2 * i + 1: text for i, text in enumerate(texts)}
    steps = play(assistant, film(photo, seed), asks, 2 * len(texts) + 2)
    declined = LANGUAGES[episode.asks[0].language].foreign
    assert all(s.decision.silent for s in steps if s.question is None)
    return [
        (s.response.text if s.response else "", declined) for s in steps if s.question is not None
    ]


def test_a_question_about_a_photograph_is_declined(
    assistant: Lockstep, photos: tuple[Path, ...]
) -> None:
    told = [
        pair for i, p in enumerate(photos[:4]) for pair in answers(assistant, p, 600_000 + i, 3)
    ]
    assert len(told) == 12 and sum(said == no for said, no in told) >= 11, told


@pytest.mark.slow
def test_98_in_100_questions_about_photographs_are_declined(
    assistant: Lockstep, photos: tuple[Path, ...]
) -> None:
    told = [
        pair
        for i, photo in enumerate(photos)
        for pair in answers(assistant, photo, 600_100 + i, PER_PHOTO)
    ]
    wrong = [pair for pair in told if pair[0] != pair[1]]
    assert len(told) >= 200 and len(wrong) <= 0.02 * len(told), wrong


@pytest.mark.slow
def test_no_word_in_half_an_hour_of_photographs(
    assistant: Lockstep, photos: tuple[Path, ...]
) -> None:
    """The model itself decides for silence: the engine, which knows that nobody waits for anything,
    has nothing to hold back."""
    seconds = 1800 // len(photos)
    for i, photo in enumerate(photos):
        steps = play(assistant, film(photo, 600_200 + i), {}, seconds)
        assert len(steps) == seconds
        assert all(s.decision.silent and s.response is None for s in steps), photo.name


def in_the_room(assistant: Lockstep, seed: int, text: str) -> str:
    """What is said to a question in the third second of a room in which nothing happens."""
    room = World.generate(seed, 10)
    camera = Camera(World(seed, 10, room.initial, (), (room.initial,) * 10))
    steps = play(assistant, (camera.frame(k / 2) for k in range(99)), {2: text}, 4)
    return next((s.response.text for s in steps if s.question and s.response), "")


UNKNOWN = (
    "what is the capital of france?",
    "play some jazz",
    "how old are you?",
    "is the television broken?",
    "tell me a story about dragons",
    "set a timer for ten minutes",
    "where did my keys go?",
    "who won the match yesterday?",
    "do you like pizza?",
    "what does the newspaper say?",
    "grmpf",
    "今天天气怎么样?",
)


def test_words_that_it_never_learned_are_not_understood(assistant: Lockstep) -> None:
    said = {text: in_the_room(assistant, 600_300 + i, text) for i, text in enumerate(UNKNOWN)}
    refusals = {words.unknown for words in LANGUAGES.values()}
    assert sum(s in refusals for s in said.values()) >= len(UNKNOWN) - 1, said


def test_a_users_own_words_are_answered(assistant: Lockstep) -> None:
    """They were met with "okay" and with silence."""
    said = {
        text: in_the_room(assistant, 600_400 + i, text)
        for i, text in enumerate(("who is in the room?", "any cats around?", "where's the cat"))
    }
    assert all(text and text != "okay" for text in said.values()), said
