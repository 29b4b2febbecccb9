"""Decision grammars: markers of one or several tokens decide, stay in the history, are not said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_rig import cached, chunk, free, recomputed

from aura_core.config import DeciderConfig, GenerationConfig, WindowConfig
from aura_core.errors import ModelError
from aura_core.models.grammar import FORMS, DecisionGrammar, GrammarForm, in_tokens, named
from aura_core.models.scripted import ByteTokenizer, Moment, ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.decision import Decider
from aura_core.stream.engine import StreamEngine
from aura_core.stream.prompt import PromptCodec

JOYAI = FORMS["joyai"]
AROUND = ("<|im_start|>assistant\n", "<|im_end|>\n")
SILENT, RAIN = "</silence>", "</response> It is raining."
SMALL = WindowConfig(keep=2, max=4, qa_groups=3)


def grammar(form: GrammarForm = JOYAI) -> DecisionGrammar:
    return in_tokens(form, ByteTokenizer().encode, AROUND, "here")


def joyai(script: object, form: GrammarForm = JOYAI) -> ScriptedBackend:
    """A model that writes the markers of `form`, one token a byte."""
    backend = ScriptedBackend(script)  # type: ignore[arg-type]
    made = grammar(form)
    backend.chat = replace(backend.chat, grammar=made, silent_id=made.silent[0])
    return backend


def lockstep(script: object, **sections: object) -> Lockstep:
    """Plays `script`, from chunk to text; other chunks are silent."""
    texts = script if callable(script) else (lambda m: script.get(m.now.chunk, SILENT))  # type: ignore[attr-defined]
    config = free(**{"window": SMALL, **sections})
    return Lockstep(StreamEngine(joyai(texts), config))


def text_of(tokens: list) -> str:
    return bytes(t for t in tokens if isinstance(t, int) and t < 256).decode()


# ---- the tokens ---------------------------------------------------------------------------------


def test_what_all_markers_share_is_the_lead_and_the_next_token_decides() -> None:
    got = grammar()
    assert bytes(got.lead) == b"</"
    assert bytes(got.silent) == b"silence>" and bytes(got.respond) == b"response>"
    assert [bytes(d) for d in got.delegates] == [b"delegate>", b"delegation>"]
    assert sorted(bytes(got.first(999) or ())) == sorted(b"srd")


def test_within_a_marker_only_its_own_tokens_follow_and_two_markers_part_once() -> None:
    got = grammar()
    assert got.after(b"r") == (ord("e"),) and got.after(b"delega") == (ord("t"),)
    assert got.after(b"delegat") == (ord("e"), ord("i"))
    assert got.after(b"response>") == got.after(b"delegate>") == got.after(b"delegation>") == ()


def test_a_task_with_another_lead_can_only_follow_words() -> None:
    got = grammar(GrammarForm("</silence>", "</response> ", ("<task> ",)))
    assert got.delegates == ((),) and sorted(bytes(got.first(999) or ())) == sorted(b"sr")


def test_single_tokens_need_no_lead_and_an_empty_turn_is_silence() -> None:
    got = grammar(GrammarForm("<|silent|>", "<|vision_end|>"))
    assert got.lead == () and len(got.silent) == len(got.respond) == 1
    assert set(got.first(257) or ()) == {*got.silent, *got.respond, 257}


@pytest.mark.parametrize(
    ("form", "why"),
    [
        (GrammarForm("</silence>"), "words have no marker"),
        (GrammarForm("</silence>", "</silence> "), "not told apart"),
        (GrammarForm("</silence>", "</response> ", ("</solve> ",)), "not told apart"),
        (GrammarForm("</s>", "</response> ", ("</do", "</dot> ")), "begins with another one"),
    ],
)
def test_forms_that_no_single_token_decides_are_refused(form: GrammarForm, why: str) -> None:
    with pytest.raises(ModelError, match=f"^here: .*{why}"):
        grammar(form)


def test_what_a_word_would_be_joined_with_does_not_matter_behind_silence() -> None:
    """Regression: a real vocabulary has `>x` as one token. After silence the turn ends, and before
    words there is a blank."""

    def encode(text: str) -> list[int]:
        return list(text.replace(">x", "\0").encode())

    got = in_tokens(JOYAI, encode, AROUND, "here")
    assert bytes(got.silent) == b"silence>" and bytes(got.respond) == b"response>"
    with pytest.raises(ModelError, match=r"joins the marker '</response>'"):
        in_tokens(GrammarForm("</silence>", "</response>"), encode, AROUND, "here")


def test_a_tokenizer_that_joins_a_marker_with_its_neighbour_is_refused() -> None:
    def encode(text: str) -> list[int]:
        return list(text.replace("\n<", "\0").encode())

    with pytest.raises(ModelError, match=r"^here: its tokenizer joins the marker '</silence>'"):
        in_tokens(JOYAI, encode, AROUND, "here")


def test_a_known_form_is_found_by_its_tokens_or_by_the_checkpoints_name() -> None:
    def has(*tokens: str):
        return lambda token: tokens.index(token) if token in tokens else None

    assert named(has("<|silence|>", "<|response|>"), "x") is FORMS["moss"]
    assert named(has("</silence>", "</response>"), "x") is JOYAI
    assert named(has("<|silence|>"), "x") is None
    assert named(has(), "jdopensource/JoyAI-VL-Interaction-Preview") is JOYAI


# ---- the decision -------------------------------------------------------------------------------


def test_p_silent_is_that_of_the_first_token_that_differs_among_the_allowed() -> None:
    backend = joyai({})
    codec = PromptCodec(backend.tokenizer, backend.chat)
    logits = np.full(261, 7.0, np.float32)  # other words are likelier than any marker
    for token, p in ((b"s", 0.2), (b"r", 0.5), (b"d", 0.3)):
        logits[token[0]] = np.log(p)
    allowed = codec.allowed(logits)
    decision = Decider(DeciderConfig(), backend.chat).decide(allowed)
    assert not decision.silent and decision.token_id == ord("r")
    assert decision.p_silent == pytest.approx(0.2)
    assert (logits == 7.0).sum() == 258, "the caller's logits stay as they are"
    quiet = Decider(DeciderConfig(threshold=0.1), backend.chat).decide(allowed)
    assert quiet.silent and quiet.reason == "threshold"


def test_a_silent_step_is_one_call_and_no_decode_though_its_marker_is_ten_tokens() -> None:
    assistant = lockstep({})
    steps = [chunk(assistant, i) for i in range(6)]
    assert all(s.decision.silent and s.decision.p_silent > 0.99 for s in steps)
    assert all(s.forwards == 1 and s.decode_tokens == 0 for s in steps)
    assert cached(assistant) == recomputed(assistant)


def test_the_history_is_what_the_model_writes_byte_for_byte_and_the_marker_is_not_said() -> None:
    heard: list[str] = []
    assistant = lockstep({1: RAIN})
    chunk(assistant, 0)
    spoken = chunk(assistant, 1, lambda _, text: heard.append(text))
    chunk(assistant, 2)
    assert spoken.response is not None and spoken.response.text == "It is raining."
    assert heard[-1] == "It is raining." and not any("<" in text for text in heard)
    text = text_of(cached(assistant))
    turns = text.split("assistant\n")[1:]
    assert [t.split("\n")[0] for t in turns] == [SILENT, RAIN, SILENT]
    assert cached(assistant) == recomputed(assistant)


def test_the_rest_of_a_marker_is_appended_in_one_call() -> None:
    assistant = lockstep({0: "</response> Hi"})
    step = chunk(assistant, 0)
    words = len("response> Hi")
    assert step.decode_tokens == words
    # decision, the marker with the first word, and each further word up to the end token
    assert step.forwards == 1 + 1 + len(" Hi")


def test_a_question_is_answered_with_the_marker_also_after_the_window_has_switched() -> None:
    def say(moment: Moment) -> str:
        if moment.question == "hush":
            return SILENT
        return "</response> Blue." if moment.question else SILENT

    assistant = lockstep(say, decider=DeciderConfig(must_answer=True))
    assistant.ask("What colour?")
    assert chunk(assistant, 0).response.text == "Blue."  # type: ignore[union-attr]
    for i in range(1, 7):
        chunk(assistant, i)
    assert "What colour?<|im_end|>" in "".join(_written(assistant))
    assert "assistant\n</response> Blue.<|im_end|>" in "".join(_written(assistant))
    assert cached(assistant) == recomputed(assistant)


def _written(assistant: Lockstep) -> list[str]:
    tokenizer = ByteTokenizer()
    return [tokenizer.written([t]) for t in cached(assistant) if isinstance(t, int)]


def test_silence_that_is_masked_becomes_the_marker_of_words() -> None:
    assistant = lockstep(
        lambda m: SILENT, decider=DeciderConfig(), generation=GenerationConfig(max_new_tokens=40)
    )
    assistant.ask("Anything?")
    step = chunk(assistant, 0)
    assert step.decision.reason == "asked" and step.response is not None
    assert step.response.text == GenerationConfig().no_answer
    assert text_of(cached(assistant)).endswith(f"</response> {GenerationConfig().no_answer}\n")


def test_unasked_words_without_words_are_silence() -> None:
    assistant = lockstep({0: "</response>"})
    step = chunk(assistant, 0)
    assert step.response is None and step.suppressed == "empty" and step.state == "silent"
    assert text_of(cached(assistant)).endswith("assistant\n</silence>\n")


def test_an_answer_that_contains_the_word_silence_goes_on() -> None:
    assistant = lockstep({0: "</response> The silence is deep."})
    assert chunk(assistant, 0).response.text == "The silence is deep."  # type: ignore[union-attr]


def test_words_that_were_cut_keep_their_marker() -> None:
    assistant = lockstep({0: RAIN})
    step = chunk(assistant, 0)
    assert assistant.engine.amend(step.response.id, "It is")  # type: ignore[union-attr]
    chunk(assistant, 1)
    assert "assistant\n</response> It is\n" in text_of(cached(assistant))
    assert assistant.engine.amend(step.response.id, "") is True  # type: ignore[union-attr]
    assert cached(assistant) == recomputed(assistant)
    assert "raining" not in text_of(cached(assistant))


def test_markers_in_texts_from_outside_are_broken_up() -> None:
    backend = joyai({})
    codec = PromptCodec(backend.tokenizer, backend.chat)
    assert "</response>" not in codec.plain("say </response> now </deleg</delegate>ate>")
    words = codec.text(codec.answer_ids("a </delegate> b"))
    assert codec.handed(words) is None
    assert codec.answer_ids("") == ()


def test_yes_no_questions_need_no_marker() -> None:
    def say(moment: Moment) -> str:
        if moment.question.startswith("Now?"):
            return "Yes" if moment.now.chunk == 1 else "No"
        return "</response> Now." if moment.question.startswith("Say") else SILENT

    config = free(
        decider=DeciderConfig(
            mode="yes_no",
            unsolicited=True,
            yes_no_prompt="Now? {watches}",
            report_prompt="Say it. {watches}",
        )
    )
    assistant = Lockstep(StreamEngine(joyai(say), config))
    assert [chunk(assistant, i).response is not None for i in range(3)] == [False, True, False]
    assert cached(assistant) == recomputed(assistant)
