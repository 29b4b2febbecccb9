"""The scripted backend: says what its script says, and shows the engine's tokens as they are."""

from __future__ import annotations

import numpy as np
import pytest

from aura_core.config import AssistantConfig, ModelConfig, WindowConfig
from aura_core.errors import StreamError
from aura_core.models import load
from aura_core.models.backend import Tokens
from aura_core.models.scripted import (
    END,
    SILENT,
    ByteTokenizer,
    Moment,
    ScriptedBackend,
    VisualToken,
)
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame, Step


def run(
    backend: ScriptedBackend, steps: int, asked: dict[int, str], light: dict[int, int]
) -> list[Step]:
    """Steps over flat frames of brightness 100, or `light[chunk]`."""
    assistant = Lockstep(
        StreamEngine(
            backend, AssistantConfig(window=WindowConfig(keep=2, max=4, policy="floating"))
        )
    )
    out = []
    for i in range(steps):
        if i in asked:
            assistant.ask(asked[i])
        for k in range(2):
            image = np.full((8, 8, 3), light.get(i, 100), np.uint8)
            assistant.push(Frame(image, (2 * i + k) * 500_000_000))
        step = assistant.step()
        assert step is not None
        out.append(step)
    return out


def test_bytes_and_special_tokens_go_round() -> None:
    words = ByteTokenizer()
    text = "<|im_start|>user\nça va? 你好<|silent|><|im_end|>\n"
    ids = words.encode(text)
    assert ids.count(SILENT) == ids.count(END) == 1
    assert words.decode(ids) == "user\nça va? 你好\n"
    assert words.decode(words.encode("你")[:2]) == ""


def test_it_says_the_script_and_is_silent_otherwise() -> None:
    backend = ScriptedBackend({1: "Hello, 你好.", 6: "Bye."})
    steps = run(backend, 8, {}, {})
    assert [s.response.text if s.response else None for s in steps] == [
        None,
        "Hello, 你好.",
        None,
        None,
        None,
        None,
        "Bye.",
        None,
    ]
    assert backend.encodes == list(range(8))
    assert [s.decode_tokens for s in steps] == [0, len("Hello, 你好.".encode()), 0, 0, 0, 0, 4, 0]
    assert [s.switched for s in steps] == [False] * 4 + [True, False, True, False]
    assert backend.sessions[-1].rollbacks == [0, 0]
    assert all(s.decision.p_silent > 0.95 for s in steps if s.response is None)


def test_the_session_holds_exactly_the_conversation() -> None:
    backend = ScriptedBackend({1: "Yes."})
    run(backend, 3, {1: "Red?"}, {})
    session = backend.sessions[-1]
    before = "<|im_start|>user\n<|vision_start|>"
    turns = ["", "Red?", ""]
    answers = ["<|silent|><|im_end|>\n", "Yes.<|im_end|>\n", ""]
    text = "<|im_start|>system\nscripted<|im_end|>\n"
    want: list[int | VisualToken] = list(backend.tokenizer.encode(text))
    seen = [t for t in session.tokens if isinstance(t, VisualToken)]
    assert [t.chunk for t in seen] == [0] * 4 + [1] * 4 + [2] * 4
    for i, (question, answer) in enumerate(zip(turns, answers, strict=True)):
        rest = f"<|vision_end|>{question}<|im_end|>\n<|im_start|>assistant\n{answer}"
        want += [
            *backend.tokenizer.encode(before),
            *seen[4 * i : 4 * i + 4],
            *backend.tokenizer.encode(rest),
        ]
    assert session.tokens == want
    assert session.length == len(want)


def test_a_function_may_decide_on_what_is_in_view() -> None:
    moments: list[Moment] = []

    def say(moment: Moment) -> str | None:
        if not moments or moments[-1] != moment:
            moments.append(moment)
        return "dark" if moment.now.brightness < 50 else None

    steps = run(ScriptedBackend(say), 4, {2: " Is it night? "}, {3: 7})
    assert [s.response.text if s.response else "" for s in steps] == ["", "", "", "dark"]
    assert [m.question for m in moments] == ["", "", "Is it night?", ""]
    assert [m.before.chunk if m.before else None for m in moments] == [None, 0, 1, 2]
    assert [m.now.brightness for m in moments] == [100, 100, 100, 7]


def test_by_default_it_answers_questions_and_tells_when_the_light_changes() -> None:
    backend = load(ModelConfig(path="scripted"))
    assert isinstance(backend, ScriptedBackend)
    steps = run(backend, 6, {1: "How bright?"}, {4: 200})
    assert [s.response.text if s.response else "" for s in steps] == [
        "",
        "You asked: How bright? The brightness is 100.",
        "",
        "",
        "The brightness changed to 200.",
        "The brightness changed to 100.",
    ]


def test_p_silent_tells_frames_apart_and_repeats() -> None:
    one = [s.decision.p_silent for s in run(ScriptedBackend({}), 3, {}, {1: 30})]
    two = [s.decision.p_silent for s in run(ScriptedBackend({}), 3, {}, {1: 30})]
    assert one == two and one[0] == one[2] != one[1]


def test_calls_out_of_order_are_refused() -> None:
    session = ScriptedBackend().open()
    with pytest.raises(StreamError, match="at least one token"):
        session.prefill([Tokens(())])
    with pytest.raises(StreamError, match="roll back to 1 tokens: the session holds 0"):
        session.rollback(1)
