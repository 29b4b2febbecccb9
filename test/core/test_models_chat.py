"""The chat template taken apart; tokens of whole conversations equal the template's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("transformers")

import checkpoints
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from aura_core.config import WindowConfig
from aura_core.errors import ModelError
from aura_core.models import chat
from aura_core.models.backend import DEFAULT_SYSTEM_PROMPT, Around, Piece, Video, deciding
from aura_core.models.families import qwen_vl
from aura_core.models.sidecar import AuraSidecar, read_template
from aura_core.models.tool_form import HERMES
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.window import DualWindow, Turn

GRID = (3, 2)
CONTENT = ({"type": "video", "video": "chunk"},)


def tokenizer(silent: bool = True) -> chat.HFTokenizer:
    inner = PreTrainedTokenizerFast(
        tokenizer_object=checkpoints.tokenizer(silent), eos_token="<|im_end|>"
    )
    return chat.HFTokenizer(inner)


def extract(
    template: str | None, family: str = "qwen3_vl", silent: bool = True, **sidecar: Any
) -> Any:
    return chat.extract(tokenizer(silent), template, family, AuraSidecar(**sidecar), "here")


@pytest.mark.parametrize("family", checkpoints.FAMILIES)
@pytest.mark.parametrize("silent", [True, False])
def test_the_parts_of_the_families_templates(family: str, silent: bool) -> None:
    got = extract(checkpoints.TEMPLATES[family], family, silent)
    words = tokenizer(silent)
    assert got.system == ("<|im_start|>system\n", "<|im_end|>\n")
    assert got.user == ("<|im_start|>user\n", "<|im_end|>\n")
    assert got.assistant == ("<|im_start|>assistant\n", "<|im_end|>\n")
    stamp = "<0.2 seconds>" if family == "qwen3_vl" else ""
    assert got.chunk == Around((f"{stamp}<|vision_start|>", "<|vision_end|>"))
    assert got.end_id == words.single("<|im_end|>")
    assert got.silent_id == (words.single("<|silent|>") if silent else got.end_id)
    assert got.trained_to_decide == silent
    assert got.system_prompt == DEFAULT_SYSTEM_PROMPT


def test_aura_json_overrides_the_defaults() -> None:
    template = checkpoints.TEMPLATES["qwen3_vl"]
    got = extract(template, trained_to_decide=False, system_prompt="", frame_timestamps=False)
    assert (got.trained_to_decide, got.system_prompt) == (False, "")
    assert got.chunk == Around(("<|vision_start|>", "<|vision_end|>"))
    stamped = extract(template, "qwen2_5_vl", frame_timestamps=True)
    assert stamped.chunk == Around(("<0.2 seconds><|vision_start|>", "<|vision_end|>"))
    other = extract(template, silent=False, silent_token="<|vision_pad|>")
    assert other.silent_id == tokenizer().single("<|vision_pad|>") and other.trained_to_decide
    with pytest.raises(
        ModelError,
        match=r"^here: aura.json names the silent token '<hush>', the tokenizer lacks it$",
    ):
        extract(template, silent_token="<hush>")


def test_aura_json_names_markers_of_several_tokens() -> None:
    template, words = checkpoints.TEMPLATES["qwen3_vl"], tokenizer(False)
    got = extract(template, silent=False, grammar="joyai")
    assert got.grammar is not None and got.trained_to_decide
    lead, silent, respond = got.grammar.lead, got.grammar.silent, got.grammar.respond
    assert got.silent_id == silent[0] != respond[0]
    assert words.written((*lead, *silent)) == "</silence>"
    assert words.written((*lead, *respond)) == "</response>"
    assert "output </silence>" in got.system_prompt and "</delegate>" in got.system_prompt
    own = extract(template, silent=False, silent_token="<|vision_pad|>", respond_token="[say] ")
    assert own.grammar is not None and own.grammar.lead == ()
    assert own.silent_id == words.single("<|vision_pad|>")
    assert extract(template, grammar="joyai").grammar is not None  # though it has a silent token
    assert extract(template).grammar is None
    with pytest.raises(ModelError, match=r"^here: the silent marker '</quiet>' is . tokens, and"):
        extract(template, silent=False, silent_token="</quiet>", delegate_token="</do>")


@pytest.mark.parametrize(
    "tokens",
    [
        {"silent_token": "<|silent|>"},
        {"grammar": "joyai"},
        {"silent_token": "<|vision_pad|>", "respond_token": "[say] ", "delegate_token": "[do] "},
    ],
    ids=str,
)
def test_a_trained_checkpoint_keeps_the_tokens_that_it_decides_by(tokens: dict[str, str]) -> None:
    saving = pytest.importorskip("aura_core.training.finetune.saving")
    got = extract(checkpoints.TEMPLATES["qwen3_vl"], **tokens)
    assert saving._markers(SimpleNamespace(chat=got, tokenizer=tokenizer())) == tokens


def test_markers_that_are_tokens_of_the_tokenizer_are_found_by_name() -> None:
    words = tokenizer(False)
    words.inner.add_special_tokens(
        {"additional_special_tokens": ["<|silence|>", "<|response|>"]},
        replace_extra_special_tokens=False,
    )
    template = checkpoints.TEMPLATES["qwen3_vl"]
    got = chat.extract(words, template, "qwen3_vl", AuraSidecar(), "here")
    assert got.silent_id == words.single("<|silence|>") and got.trained_to_decide
    codec = PromptCodec(words, got)
    assert codec.answer_ids("It rains.")[0] == words.single("<|response|>")
    assert codec.text(codec.answer_ids("It rains.")) == "It rains."
    assert deciding(words, got) == "decides by <|silence|>, <|response|>"


@pytest.mark.parametrize("family", checkpoints.FAMILIES)
def test_a_conversation_with_markers_has_exactly_the_tokens_of_the_template(family: str) -> None:
    words, template = tokenizer(False), checkpoints.TEMPLATES[family]
    codec = PromptCodec(words, extract(template, family, silent=False, grammar="joyai"))
    turns = ((None, None), ("Now?", "The hand has left."), (None, None))
    video = Video(None, GRID)
    pieces: list[Piece] = [codec.head(codec.prefix())]
    messages = [chat.system(codec.system_prompt)]
    for question, answer in turns:
        pieces += [*codec.user(video, question)]
        pieces.append(codec.assistant(codec.answer_ids(answer) if answer else None))
        messages.append(chat.user(question or "", CONTENT))
        messages.append(chat.assistant(f"</response> {answer}" if answer else "</silence>"))
    assert ids_of(pieces, words) == template_ids(words, template, family, messages, False)


def conversation(codec: PromptCodec, silent: bool) -> tuple[list[Piece], list[chat.Message]]:
    """A window with prefix, questions, answers and silence: as pieces, and as messages."""
    window = DualWindow(WindowConfig(keep=3, max=6, qa_groups=2), codec.prefix())
    script: list[tuple[str | None, str | None]] = [
        ("What colour is the ball?", "red"),
        (None, None),
        ("Tell me when it leaves.", "I will tell you."),
        (None, "It has left."),
        (None, None),
        ("Why?\n\nTell me <|im_end|> 42 times.", "Because, it's 10:30."),
    ]
    for i, (question, answer) in enumerate(script):
        ids = tuple(codec.tokenizer.encode(answer)) if answer else None
        window.append(
            Turn(i, Video(None, GRID), f"q{i}" if question else None, question, ids, answer, "q2")
        )
    window.switch()
    pieces = window.pieces(codec) + codec.user(Video(None, GRID), "And now?")
    messages = [chat.system(codec.system_prompt)]
    for group in window.prefix.groups:
        messages.append({"role": "user", "content": group.question})
        messages.append({"role": "assistant", "content": "\n".join(group.answers)})
    for turn in window.turns:
        question = (turn.question or "").replace("<|im_end|>", "< |im_end|>")
        messages.append(chat.user(question, CONTENT))
        messages.append(chat.assistant(turn.answer or ("<|silent|>" if silent else "")))
    return pieces, [*messages, chat.user("And now?", CONTENT)]


@pytest.mark.parametrize("family", checkpoints.FAMILIES)
@pytest.mark.parametrize("silent", [True, False])
def test_a_conversation_has_exactly_the_tokens_of_the_template(family: str, silent: bool) -> None:
    words, template = tokenizer(silent), checkpoints.TEMPLATES[family]
    codec = PromptCodec(words, extract(template, family, silent))
    pieces, messages = conversation(codec, silent)
    assert len(messages) == 1 + 2 * 2 + 3 * 2 + 1
    assert ids_of(pieces, words) == template_ids(words, template, family, messages, True)
    pad = words.single("<|video_pad|>")
    assert ids_of(pieces, words).count(pad) == 4 * GRID[0] * GRID[1]


def ids_of(pieces: list[Piece], words: chat.HFTokenizer) -> list[int]:
    """The ids of `pieces`, with the pad token at visual tokens."""
    pad = words.single("<|video_pad|>")
    return [i for p in pieces for i in ([pad] * len(p) if isinstance(p, Video) else p.ids)]


def template_ids(
    words: chat.HFTokenizer,
    template: str,
    family: str,
    messages: list[chat.Message],
    prompt: bool,
    **kwargs: Any,
) -> list[int]:
    """The ids that the template writes for `messages`, with each chunk expanded."""
    text = words.inner.apply_chat_template(
        messages,
        chat_template=template,
        tokenize=False,
        add_generation_prompt=prompt,
        **kwargs,
    )
    # mean of 0 s and 0.5 s, as the processor rounds it
    stamp = "<0.2 seconds>" if family == "qwen3_vl" else ""
    pads = "<|video_pad|>" * (GRID[0] * GRID[1])
    expanded = text.replace(qwen_vl.WRITTEN, f"{stamp}<|vision_start|>{pads}<|vision_end|>")
    return words.encode(expanded)


def test_decoding_leaves_special_tokens_out_and_keeps_the_words() -> None:
    words = tokenizer()
    text = "It's 10:30 , and é 你好 ."
    assert words.decode(words.encode(f"<|im_start|>{text}<|silent|><|im_end|>")) == text
    assert words.encode("<|im_end|>") == [words.single("<|im_end|>")]


# Two published ways of thinking: Qwen3's hybrid models close the thought where thinking is off, and
# keep it in the newest answer; Qwen3-VL-Thinking always opens one. Earlier answers have none.
_OPENS = "'<|im_start|>assistant\n' }}{%- endif"
_CLOSED = (
    "'<|im_start|>assistant\n' }}{%- if enable_thinking is defined and enable_thinking is false"
    " -%}{{ '<think>\n\n</think>\n\n' }}{%- endif -%}{%- endif"
)
_NEWEST = (
    "{%- if m.role == 'assistant' and loop.last -%}{{ '<think>\n\n</think>\n\n' }}{%- endif -%}"
    "{{ content(m.content) }}"
)
THINKING = {
    "hybrid": lambda t: t.replace(_OPENS, _CLOSED).replace("{{ content(m.content) }}", _NEWEST),
    "always": lambda t: t.replace(_OPENS, "'<|im_start|>assistant\n<think>\n' }}{%- endif"),
}


@pytest.mark.parametrize("how", THINKING)
def test_a_model_that_thinks_gets_an_empty_thought_for_an_answer_and_none_in_earlier_ones(
    how: str,
) -> None:
    template = THINKING[how](checkpoints.TEMPLATES["qwen3_vl"])
    assert template != checkpoints.TEMPLATES["qwen3_vl"]
    words, got = tokenizer(False), extract(template, silent=False)
    assert got.thought == "<think>\n\n</think>\n\n"
    assert got.assistant == ("<|im_start|>assistant\n", "<|im_end|>\n")
    assert got.tools is extract(checkpoints.TEMPLATES["qwen3_vl"], silent=False).tools
    codec = PromptCodec(words, got)
    pieces, messages = conversation(codec, False)
    user = codec.user(Video(None, GRID), "And now?")
    asked = ids_of([*pieces[: -len(user)], *codec.deciding(user)], words)
    written = template_ids(words, template, "qwen3_vl", messages, True, enable_thinking=False)
    opened = words.encode("<think>\n") if how == "always" else words.encode(got.thought)
    assert asked[: -len(codec.thought)] == written[: -len(opened)]
    assert words.written(asked).endswith("assistant\n<think>\n\n</think>\n\n")
    assert "think" not in words.written(ids_of(pieces, words))
    assert "without a thought" in deciding(words, got)


def test_a_checkpoint_that_was_trained_to_decide_was_trained_without_a_thought() -> None:
    template = THINKING["always"](checkpoints.TEMPLATES["qwen3_vl"])
    assert extract(template).thought == ""


BAD: dict[str, tuple[Callable[[str], str | None], str]] = {
    "none": (lambda t: None, "no chat template"),
    "text only": (lambda t: checkpoints.TEXT_ONLY, "refuses system, video and answer turns"),
    "syntax": (lambda t: t + "{% if %}", "refuses system, video and answer turns"),
    "raises": (lambda t: "{{ raise_exception('roles must alternate') }}", "roles must alternate"),
    "no video": (lambda t: t.replace("<|video_pad|>", "(video)"), "<|vision_end|>' was expected"),
    "one block": (lambda t: "{{ messages | length }}", "one turn after another"),
    "drops answers": (
        lambda t: t.replace(
            "{{ content(m.content) }}", "{{ content(m.content) if m.role == 'user' }}"
        ),
        "'AuraSystemText' was expected",
    ),
    "ends plainly": (lambda t: t.replace("<|im_end|>", "END"), "no special token"),
    "plans": (
        lambda t: t.replace("assistant\n' }}{%- endif", "assistant\n<plan>' }}{%- endif"),
        "rewrites turns",
    ),
    "numbers turns": (
        lambda t: t.replace("'<|im_start|>' +", "loop.index ~ '<|im_start|>' +"),
        "rewrites turns",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_template_that_cannot_be_taken_apart_is_refused_in_one_line(case: str) -> None:
    change, message = BAD[case]
    with pytest.raises(ModelError) as e:
        extract(change(checkpoints.TEMPLATES["qwen3_vl"]))
    assert (
        message in str(e.value) and str(e.value).startswith("here: ") and "\n" not in str(e.value)
    )
    assert case in ("none", "ends plainly") or "; put a chat_template.jinja" in str(e.value)


def test_the_template_with_videos_is_preferred_to_the_text_only_one(tmp_path: Path) -> None:
    assert read_template(tmp_path, "fallback") == "fallback"
    (tmp_path / "chat_template.jinja").write_text("jinja")
    assert read_template(tmp_path, "fallback") == "jinja"
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": "json"}))
    assert read_template(tmp_path, "fallback") == "json"


def test_an_empty_system_prompt_leaves_the_system_turn_out() -> None:
    format_ = replace(extract(checkpoints.TEMPLATES["qwen3_vl"]), system_prompt="")
    codec = PromptCodec(tokenizer(), format_)
    assert codec.head(codec.prefix()).ids == ()


_DEFINITIONS = """{%- if tools -%}{{ '<|im_start|>system\n' + content(messages[0].content) }}
{{- '\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n' }}
{{- 'You are provided with function signatures within <tools></tools> XML tags:\n<tools>' }}
{%- for tool in tools -%}{{ '\n' + tool | tojson }}{%- endfor -%}
{{- '\n</tools>\n\nFor each function call, return a json object with function name and arguments' }}
{{- ' within <tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>,' }}
{{- ' "arguments": <args-json-object>}\n</tool_call><|im_end|>\n' }}{%- endif -%}"""
_TOOL_TURNS = """{%- for m in messages -%}
{%- if m.role == 'tool' -%}
{{ '<|im_start|>user\n<tool_response>\n' + m.content + '\n</tool_response><|im_end|>\n' }}
{%- elif not (tools and loop.first) -%}{{ '<|im_start|>' + m.role + '\n' + content(m.content) }}
{%- for call in m.tool_calls or [] -%}{{ '\n<tool_call>\n' + call.function | tojson }}
{{- '\n</tool_call>' }}{%- endfor -%}{{ '<|im_end|>\n' }}{%- endif -%}{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"""
HERMES_TEMPLATE = checkpoints._CONTENT + _DEFINITIONS + _TOOL_TURNS


def test_a_template_that_writes_tools_in_a_known_form_can_call_them() -> None:
    assert extract(HERMES_TEMPLATE).tools is HERMES
    assert extract(checkpoints.TEMPLATES["qwen3_vl"]).tools is None
    for part, other in (("# Tools", "# Functions"), ("<tool_response>", "<result>")):
        assert extract(HERMES_TEMPLATE.replace(part, other)).tools is None
    raising = HERMES_TEMPLATE + "{%- if tools -%}{{ raise_exception('none') }}{%- endif -%}"
    assert extract(raising).tools is None


@pytest.mark.parametrize("special", [True, False])
def test_calls_are_read_whether_or_not_their_markers_are_special_tokens(special: bool) -> None:
    words = tokenizer()
    for marker in HERMES.markers:
        words.inner.add_tokens([AddedToken(marker, special=special)], special_tokens=special)
    codec = PromptCodec(words, extract(HERMES_TEMPLATE), tools=[{"name": "x"}])
    answer = 'Well. <tool_call>\n{"name": "x", "arguments": {}}\n</tool_call>'
    assert codec.text(words.encode(answer)) == answer
    assert codec.text(words.encode("Just words.")) == "Just words."
    (*_, result) = codec.user(Video(None, GRID), None, "a</tool_response>")
    text = words.written(result.ids)  # type: ignore[union-attr]
    assert "<tool_response>\na< /tool_response>\n</tool_response><|im_end|>" in text
