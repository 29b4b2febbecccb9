"""Each family against transformers itself: a stream's logits, prompts and pictures.

The checkpoints have random weights in the published layout (`family_checkpoints.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import checkpoints  # noqa: E402
import family_checkpoints  # noqa: E402
from checkpoints import float32_steps  # noqa: E402
from engine_rig import free  # noqa: E402
from exactness_rig import ForcedDecider, chunk, cold, decided_pieces, run, window_pieces  # noqa: E402
from family_checkpoints import KINDS, WINDOW  # noqa: E402

from aura_core.config import ModelConfig, WindowConfig  # noqa: E402
from aura_core.errors import ModelError, StreamError  # noqa: E402
from aura_core.models import chat, families, load  # noqa: E402
from aura_core.models.backend import Pictures, Video  # noqa: E402
from aura_core.models.families import gemma  # noqa: E402
from aura_core.models.families.gemma import masks  # noqa: E402
from aura_core.models.sidecar import AuraSidecar, read_aura  # noqa: E402
from aura_core.replay.lockstep import Lockstep  # noqa: E402
from aura_core.stream.engine import StreamEngine  # noqa: E402
from aura_core.stream.prompt import PromptCodec  # noqa: E402
from aura_core.types import Query  # noqa: E402

STEPS = 52  # seven switches; answers, one of them cancelled, one discarded, one amended
TOLERANCE = 1e-5  # float32, logits of size one: see test_exactness.py
PICTURES = [name for name in KINDS if name != "qwen3_vl_moe"]
# the token at the places of the visual tokens, for the library
PAD = {
    "qwen3_vl": "<|video_pad|>",
    "qwen2_5_vl": "<|video_pad|>",
    "qwen3_vl_moe": "<|video_pad|>",
    "internvl": "<IMG_CONTEXT>",
    "smolvlm": "<image>",
    "llava_onevision": "<video>",
    "gemma3": "<image_soft_token>",
    "gemma3n": "<image_soft_token>",
    "gemma4": "<|image|>",
    "gemma4_large": "<|image|>",
}

# With these weights the answers are words; blanks that nobody asked for are silence.
SEEDS = {"gemma3": 1, "gemma4_large": 1}


def opened(folder: Path, **options: Any) -> Any:
    return load(ModelConfig(path=str(folder), dtype="float32", device="cpu", threads=1, **options))


@pytest.fixture(scope="module", params=[*checkpoints.FAMILIES, *KINDS])
def named(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A name, and its checkpoint, opened as a user opens it."""
    name: str = request.param
    if name == "gemma3n":
        pytest.importorskip("timm")  # its vision encoder
    write = family_checkpoints.write if name in KINDS else checkpoints.write
    folder = write(tmp_path_factory.mktemp(name) / name, name, seed=SEEDS.get(name, 0))
    return name, without_pad(opened(folder), name)


def without_pad(backend: Any, name: str) -> Any:
    """The backend, whose answers hold no `PAD`: the library would want a picture there."""
    with torch.no_grad():
        backend.model.get_output_embeddings().weight[backend.tokenizer.single(PAD[name])] = 0
    return backend


# ---- the stream -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
def test_every_step_equals_a_full_recompute_and_the_librarys_own_forward(
    named: Any, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With switches, answers, and cancelled, discarded and amended answers."""
    name, backend = named
    backend.model.to(getattr(torch, dtype))
    exact = dtype == "float64"
    if name in ("qwen3_vl_moe", "gemma4_large"):  # the grouped product of experts knows no float64
        backend.model.set_experts_implementation("eager" if exact else "grouped_mm")
    ours, theirs, most, spread, n, switches = 0.0, 0.0, 0.0, 0.0, 0, 0
    for i, (assistant, step, logits) in enumerate(run(backend, STEPS)):
        switches += step.switched
        if assistant.engine.window.turns[-1].chunk != i:
            continue  # discarded
        pieces = decided_pieces(assistant)
        ours = max(ours, apart(cold(backend, pieces, monkeypatch), logits))
        chunks = [chunk(t.chunk) for t in assistant.engine.window.turns]
        theirs = max(theirs, apart(library(name, backend, chunks, pieces), logits))
        most = max(most, float(np.abs(logits).max()))
        spread, n = max(spread, float(logits.std())), n + 1
    print(
        f"\n{name} {dtype}: n = {n} steps, {switches} switches; max |logits - recompute|"
        f" {ours:.1e}, - library {theirs:.1e}; max {most:.1f}, std {spread:.2f}"
    )
    assert (n, switches) == (STEPS - 1, 7)
    assert spread > 0.5
    # In float64 nothing differs but the rounding of the result to float32. In float32 the
    # convolutions of Gemma 3n over a batch of pictures are rounded otherwise.
    assert ours <= (float32_steps(most) if exact else TOLERANCE)
    looser = 2 if name == "gemma3n" else 1
    assert theirs <= (float32_steps(most) if exact else looser * TOLERANCE)


def apart(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).max())


def library(name: str, backend: Any, chunks: list[Any], pieces: list[Any]) -> NDArray[np.float32]:
    """Logits of the library's own forward over the conversation, from pictures and ids."""
    pad = backend.tokenizer.single(PAD[name])
    ids = [i for p in pieces for i in ([pad] * len(p) if isinstance(p, Video) else p.ids)]
    looks = [backend.family.look(c).arrays for c in chunks]
    arrays = {k: torch.from_numpy(np.concatenate([a[k] for a in looks])) for k in looks[0]}
    tokens = torch.tensor([ids])
    with torch.inference_mode():
        given = LIBRARY.get(backend.family.model_type, lambda a, t, p: a)(arrays, tokens, pad)
        out = backend.model(input_ids=tokens, logits_to_keep=1, **given)
    if hasattr(backend.model.model, "rope_deltas"):
        backend.model.model.rope_deltas = None
    return out.logits[0, -1].numpy()


def _qwen(arrays: Any, tokens: Any, pad: int) -> dict[str, Any]:
    return {
        "pixel_values_videos": arrays["patches"],
        "video_grid_thw": arrays["grids"],
        "mm_token_type_ids": (tokens == pad).int() * 2,
    }


def _gemma4(arrays: Any, tokens: Any, pad: int) -> dict[str, Any]:
    """As pictures: transformers 5.20 cannot be given videos. It fills each up to 24 patches."""
    frames, patches, width = arrays["patches"].shape
    more = 24 - patches
    none = torch.full((frames, more, 2), -1, dtype=torch.int64)
    return {
        "pixel_values": torch.cat([arrays["patches"], torch.zeros(frames, more, width)], 1),
        "image_position_ids": torch.cat([arrays["places"], none], 1),
        "mm_token_type_ids": (tokens == pad).int(),
    }


LIBRARY: dict[str, Callable[[Any, Any, int], dict[str, Any]]] = {
    **dict.fromkeys(("qwen3_vl", "qwen2_5_vl", "qwen3_vl_moe"), _qwen),
    "smolvlm": lambda a, t, p: {"pixel_values": a["pixel_values"][None]},
    "gemma3": lambda a, t, p: a | {"token_type_ids": (t == p).int()},
    "gemma4": _gemma4,
}


@pytest.mark.parametrize("name", [n for n in PICTURES if n not in ("gemma3n", "gemma4_large")])
def test_the_other_number_of_frames_equals_the_library_too(name: str, tmp_path: Path) -> None:
    folder = family_checkpoints.write(tmp_path / name, name)
    kind = families.find(KINDS[name].model_type, "here")
    frames = 3 - kind.shown_by_default  # type: ignore[attr-defined]
    (folder / "aura.json").write_text(json.dumps({"chunk_frames": frames}))
    backend = without_pad(opened(folder), name)
    backend.model.double()
    for assistant, _, logits in run(backend, 14):
        chunks = [chunk(t.chunk) for t in assistant.engine.window.turns]
        theirs = library(name, backend, chunks, decided_pieces(assistant))
        assert apart(theirs, logits) <= float32_steps(logits)


def test_a_rollback_is_exact_to_the_bit_however_far_it_goes(named: Any) -> None:
    """Sliding layers are asked for keys again that lay far outside of their window."""
    _, backend = named
    codec = PromptCodec(backend.tokenizer, backend.chat)
    turns = [codec.user(backend.encode(chunk(i)), "Why?" if i % 3 else None) for i in range(8)]
    session = backend.open()
    session.prefill([codec.head(codec.prefix()), *turns[0]])
    length, end = session.length, codec.assistant((40, 41))
    first = [session.prefill([end, *turn]) for turn in turns[1:]]
    assert session.length > length + 3 * WINDOW
    session.rollback(length)
    again = [session.prefill([end, *turn]) for turn in turns[1:]]
    assert all(map(np.array_equal, first, again))
    at = session.length - sum(len(p) for p in turns[-1])
    with pytest.raises(StreamError, match="inside the chunk"):
        session.rollback(at + len(turns[-1][0]) + 2)


@pytest.mark.parametrize("name", ["qwen3_vl_moe", "internvl", "smolvlm", "llava_onevision"])
def test_eviction_is_exact_for_one_layer(name: str, tmp_path: Path) -> None:
    """Re-rotated keys are those of the shorter conversation."""
    backend = opened(family_checkpoints.write(tmp_path / name, name))
    text = backend.family.text(backend.model.double())
    if name == "qwen3_vl_moe":
        backend.model.set_experts_implementation("eager")
    text.layers, text.config.num_hidden_layers = text.layers[:1], 1
    assistant = Lockstep(StreamEngine(backend, free(window=WindowConfig(3, 6, policy="evict"))))
    assistant.engine.decider = decider = ForcedDecider(assistant.engine.decider, spoken=set())
    for i in range(14):
        for f in chunk(i).frames:
            assistant.push(f)
        assert assistant.step() is not None
        fresh = backend.open().prefill(decided_pieces(assistant))
        assert apart(fresh, decider.seen[-1]) <= TOLERANCE  # keys are rotated in float32
    assert assistant.engine.policy.counters.switches > 0


def test_the_masks_of_a_picture_in_a_sliding_window() -> None:
    """Told token by token: two cached ones, text, a picture of three, text; a window of four."""
    visual = torch.tensor([False, True, True, True, False])
    causal, whole, sliding = (m[0, 0].int().tolist() for m in masks(visual, 2, 4))
    assert causal == [[1] * (3 + i) + [0] * (4 - i) for i in range(5)]
    picture = [1, 1, 1, 1, 1, 1, 0]
    assert whole == [causal[0], picture, picture, picture, causal[4]]
    assert sliding == [
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 0],
        [0, 1, 1, 1, 1, 1, 0],
        [0, 0, 1, 1, 1, 1, 0],
        [0, 0, 0, 1, 1, 1, 1],
    ]


def test_a_wrong_mask_is_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tolerance is tight: each kind of wrong mask moves the logits a thousand times more."""
    backend = opened(family_checkpoints.write(tmp_path / "gemma3", "gemma3"))
    codec = PromptCodec(backend.tokenizer, backend.chat)
    pieces = [codec.head(codec.prefix())]
    for i in range(3):
        pieces += [*codec.user(backend.encode(chunk(i)), None), codec.assistant(None)]
    right = cold(backend, pieces, monkeypatch)

    def one_way(visual: Any, past: int, window: int) -> Any:
        causal, _, _ = masks(visual, past, window)
        return causal, causal, masks(visual & False, past, window)[2]

    def endless(visual: Any, past: int, window: int) -> Any:
        causal, whole, _ = masks(visual, past, window)
        return causal, whole, whole

    for wrong in (one_way, endless, lambda v, p, w: masks(v, p, w + 1)):
        monkeypatch.setattr(gemma, "masks", wrong)
        assert apart(cold(backend, pieces, monkeypatch), right) > 1000 * TOLERANCE


@pytest.mark.parametrize("name", ["smolvlm", "llava_onevision", "gemma3", "gemma4_large"])
def test_a_checkpoint_as_published_is_asked_yes_or_no(name: str, tmp_path: Path) -> None:
    """It has no silent token. The question is rolled back after each chunk."""
    backend = opened(family_checkpoints.write(tmp_path / name, name, silent=False))
    assert "asked yes or no each second" in backend.description
    engine = StreamEngine(backend, free(window=WindowConfig(keep=2, max=4)))
    assistant = Lockstep(engine)
    assistant.ask(Query("Tell me when the red cube appears."))
    for i in range(8):
        for f in chunk(i).frames:
            assistant.push(f)
        step = assistant.step()
        assert step is not None and 0 <= step.decision.p_silent <= 1
    assert engine.policy.counters.switches > 0
    assert sum(map(len, window_pieces(assistant))) == engine.policy.kv.length


@pytest.mark.parametrize("name", ["gemma3", "gemma4_large"])
def test_eager_attention_takes_the_same_masks_as_numbers(name: str, tmp_path: Path) -> None:
    folder = family_checkpoints.write(tmp_path / name, name)
    logits = []
    for attention in ("sdpa", "eager"):
        backend = opened(folder, attention=attention)
        codec = PromptCodec(backend.tokenizer, backend.chat)
        session = backend.open()
        session.prefill([codec.head(codec.prefix())])
        for i in range(5):
            got = session.prefill(codec.user(backend.encode(chunk(i)), None))
            session.prefill([codec.assistant(None)])
        logits.append(got)
    assert apart(*logits) <= TOLERANCE


# ---- the prompt -------------------------------------------------------------------------------


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("name", KINDS)
def test_a_conversation_has_exactly_the_tokens_of_the_template(name: str, silent: bool) -> None:
    """Each answer stands after what the model was given before it wrote it."""
    kind = KINDS[name]
    words = chat.HFTokenizer(family_checkpoints.words(kind, silent))
    format_ = chat.extract(words, kind.template, kind.model_type, AuraSidecar(), "here")
    codec = PromptCodec(words, format_)
    prompt = families.find(kind.model_type, "here").prompt(kind.model_type, AuraSidecar())
    seen = format_.chunk.stand_in(None)
    assert format_.assistant[0] == kind.answer[1] and format_.end_id == words.single(kind.end)
    script = [("What colour is it?", "red"), (None, None), ("Why?", "Because, it's 10:30.")]
    pieces = [codec.head(codec.prefix())]
    merged = "<start_of_turn>" in kind.specials  # no system role
    messages = [chat.system(codec.system_prompt)]
    if merged:
        messages = [chat.user(codec.system_prompt, ()), chat.assistant("")]
    elif kind.model_type == "gemma4":
        messages = [{"role": "system", "content": codec.system_prompt}]
    for question, answer in script:
        ids = codec.answer_ids(answer) if answer else None
        pieces += [*codec.user(seen, question), codec.assistant(ids)]
        messages.append(chat.user(question or "", prompt.content))
        messages.append(chat.assistant(answer or ("<|silent|>" if silent else "")))
    pieces += codec.user(seen, "And now?")
    messages.append(chat.user("And now?", prompt.content))
    text = words.inner.apply_chat_template(
        messages,
        chat_template=kind.template,
        tokenize=False,
        add_generation_prompt=True,
        enable_thinking=False,
    )
    shown = "".join(PAD[name] if isinstance(p, Video) else p for p in format_.chunk.parts(seen))
    text = text.replace(prompt.written, shown)
    usual, given = kind.answer
    if format_.lead:  # a blank that the model writes before words; silence has none
        text = text.replace(f"{usual}<", f"{given}<")
    elif usual != given:
        begun = text.removesuffix(given)
        text = begun.replace(usual, given) + given
    pad = words.single(PAD[name])
    got = [i for p in pieces for i in ([pad] * len(p) if isinstance(p, Video) else p.ids)]
    assert words.written(got) == words.written(words.encode(text))
    assert got == words.encode(text)


def test_earlier_questions_stand_as_the_template_writes_turns_of_text() -> None:
    """A question and an answer whose chunk has left the window."""
    kind = KINDS["smolvlm"]
    words = chat.HFTokenizer(family_checkpoints.words(kind))
    format_ = chat.extract(words, kind.template, kind.model_type, AuraSidecar(), "here")
    assert (format_.begin, format_.ask, format_.lead) == ("<|im_start|>", "", " ")
    codec = PromptCodec(words, format_, system_prompt="")
    from aura_core.stream.prefix import QAGroup

    head = codec.head(codec.prefix([QAGroup("q", "Why?", ("red",))]))
    assert words.written(head.ids) == (
        "<|im_start|>User: Why?<end_of_utterance>\nAssistant: red<end_of_utterance>\n"
    )


@pytest.mark.parametrize("name", ["internvl", "smolvlm", "gemma4"])
def test_the_text_around_two_frames_is_the_librarys(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's processors cannot be made without torchvision, but can be asked for it."""
    module = pytest.importorskip(f"transformers.models.{name}.processing_{name}")
    monkeypatch.setattr(module, "num2words", lambda n: ["zero", "one", "two"][n], raising=False)
    processor = SimpleNamespace(
        start_image_token="<img>",
        end_image_token="</img>",
        image_token=PAD[name],
        video_token=PAD[name],
        image_seq_length=1,
        image_seq_len=1,
        fake_image_token="<fake_token_around_image>",
        global_image_token="<global-img>",
        boi_token="<|image>",
        eoi_token="<image|>",
    )
    times = SimpleNamespace(fps=2.0, timestamps=[0.0, 0.5], duration=1.0)
    frames = np.zeros((1, 2, 3, 8, 8))
    inputs = {"pixel_values_videos": frames, "pixel_values": frames, "video_metadata": [times]}
    inputs["num_soft_tokens_per_video"] = [1]
    want = getattr(module, module.__all__[0]).replace_video_token(processor, inputs, 0)
    prompt = families.find(name, "here").prompt(name, AuraSidecar(chunk_frames=2))
    parts = prompt.format.parts(prompt.format.stand_in(None))
    got = "".join(PAD[name] if isinstance(p, Video) else p for p in parts)
    # InternVL's template writes the line break after a video
    assert got == want + prompt.written.removeprefix("<video>").removeprefix("<|video|>")


def test_smolvlm_opens_with_a_template_that_leaves_videos_out() -> None:
    """Some published ones do; the library's processor then takes another template."""
    kind = KINDS["smolvlm"]
    words = chat.HFTokenizer(family_checkpoints.words(kind))
    without = kind.template.replace("{% elif p.type == 'video' %}<video>", "")
    assert without != kind.template
    one, other = (
        chat.extract(words, t, "smolvlm", AuraSidecar(), "here") for t in (without, kind.template)
    )
    assert one == other


@pytest.mark.parametrize(
    ("template", "user", "ask", "before"),
    [
        (family_checkpoints.LLAVA, ("<|im_start|>user ", "<|im_end|>"), "\n", ("", "")),
        (
            family_checkpoints.LLAVA_LINES,
            ("<|im_start|>user\n", "<|im_end|>\n"),
            "",
            ("", "\n"),
        ),
    ],
)
def test_a_line_break_belongs_to_the_question_or_to_the_chunk(
    template: str, user: tuple[str, str], ask: str, before: tuple[str, str]
) -> None:
    words = chat.HFTokenizer(family_checkpoints.words(KINDS["llava_onevision"]))
    got = chat.extract(words, template, "llava_onevision", AuraSidecar(), "here")
    assert (got.user, got.ask, got.chunk.texts) == (user, ask, before)  # type: ignore[attr-defined]
    assert got.assistant == ("<|im_start|>assistant\n", user[1])


def test_a_template_without_a_system_role_gets_the_text_in_a_turn_of_its_own() -> None:
    kind = KINDS["gemma3"]
    words = chat.HFTokenizer(family_checkpoints.words(kind))
    got = chat.extract(words, kind.template, "gemma3", AuraSidecar(), "here")
    user, model = "<start_of_turn>user\n", "<start_of_turn>model\n"
    assert got.system == (f"<bos>{user}", f"<end_of_turn>\n{model}<end_of_turn>\n")
    assert got.begin == "<bos>"
    raising = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}"
    assert chat.extract(words, raising + kind.template, "gemma3", AuraSidecar(), "here") == got


def test_a_thought_that_the_template_leaves_open_is_refused() -> None:
    kind = KINDS["gemma4_large"]
    words = chat.HFTokenizer(family_checkpoints.words(kind))
    template = kind.template.replace("thought\n<channel|>", "thought\n")
    with pytest.raises(ModelError, match=r"^here: its chat template rewrites turns \(at '"):
        chat.extract(words, template, "gemma4", AuraSidecar(), "here")


# ---- the pictures -----------------------------------------------------------------------------


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


#: the library's processors without torchvision: module, class, settings for the small size
SLOW = {
    "internvl": ("got_ocr2.image_processing_pil_got_ocr2", "GotOcr2ImageProcessorPil", {}),
    "smolvlm": (
        "smolvlm.image_processing_pil_smolvlm",
        "SmolVLMImageProcessorPil",
        {"do_image_splitting": False, "size": {"longest_edge": 32}}
        | {"max_image_size": {"longest_edge": 32}},
    ),
    "llava_onevision": ("siglip.image_processing_pil_siglip", "SiglipImageProcessorPil", {}),
    "gemma3": (
        "gemma3.image_processing_pil_gemma3",
        "Gemma3ImageProcessorPil",
        {"do_pan_and_scan": False},
    ),
    "gemma3n": (
        "siglip.image_processing_pil_siglip",
        "SiglipImageProcessorPil",
        {"do_normalize": False},
    ),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_frame_of_the_target_size_is_what_the_library_processor_makes_of_it(
    name: str, tmp_path: Path
) -> None:
    module, kind, more = SLOW[name]
    folder = settings(tmp_path, name)
    family = families.find(KINDS[name].model_type, "here").open(folder, name, None)
    frame = noise(family.pixels.height, family.pixels.width, 3)
    theirs = getattr(pytest.importorskip(f"transformers.models.{module}"), kind)(
        **({"size": {"height": frame.shape[0], "width": frame.shape[1]}} | more),
        image_mean=list(family.pixels.mean),
        image_std=list(family.pixels.std),
    )(images=[frame], return_tensors="np")["pixel_values"]
    frames = np.stack([frame] * family.pixels.frames)
    (ours,) = family.arrays(frames).values()
    assert apart(ours.reshape(-1, *ours.shape[-3:])[0], theirs.reshape(ours.shape[-3:])) <= 1e-6


def settings(folder: Path, name: str) -> Path:
    """A folder with the JSON files of a checkpoint, and no weights."""
    kind = KINDS[name]
    vocabulary = family_checkpoints.words(kind).get_vocab()
    kind.config(vocabulary).save_pretrained(folder)
    for file, data in kind.files.items():
        (folder / file).write_text(json.dumps(data), encoding="utf-8")
    return folder


@pytest.mark.parametrize("size", [(480, 640), (96, 1000), (1000, 96), (300, 300), (20, 2000)])
def test_gemma4_scales_and_cuts_a_frame_as_the_library_does(
    size: tuple[int, int], tmp_path: Path
) -> None:
    module = pytest.importorskip("transformers.models.gemma4.image_processing_pil_gemma4")
    (tmp_path / "config.json").write_text("{}")
    family: Any = families.find("gemma4", "here").open(tmp_path, "gemma4", None)
    height, width = family.frame_size(*size)
    assert (height, width) == module.get_aspect_ratio_preserving_size(*size, 16, 630, 3)
    frame = noise(height, width, 3)
    theirs = module.Gemma4ImageProcessorPil(max_soft_tokens=70, do_resize=False)(
        images=[frame], return_tensors="np"
    )
    ours = family.arrays(np.stack([frame, frame]))
    n = ours["patches"].shape[1]
    assert n == family.grids(height, width)[0][0] * family.grids(height, width)[0][1] * 9
    assert apart(ours["patches"][0], theirs["pixel_values"][0, :n]) <= 1e-6
    assert np.array_equal(ours["places"][1], theirs["image_position_ids"][0, :n])
    assert (theirs["image_position_ids"][0, n:] == -1).all()


#: sizes of published checkpoints, and the visual tokens of a chunk of two frames of 640x480
PUBLISHED: dict[str, tuple[dict[str, Any], int]] = {
    "qwen3_vl_moe": ({"vision_config": {"patch_size": 16}}, 300),
    "internvl": ({"vision_config": {"image_size": [448, 448], "patch_size": [14, 14]}}, 256),
    "smolvlm": ({"vision_config": {"image_size": 512, "patch_size": 16}, "scale_factor": 4}, 128),
    "llava_onevision": ({"vision_config": {"image_size": 384, "patch_size": 14}}, 197),
    "gemma3": ({"vision_config": {"image_size": 896, "patch_size": 14}}, 256),
    "gemma3n": ({"vision_soft_tokens_per_image": 256}, 256),
    "gemma4": ({"vision_config": {"patch_size": 16, "pooling_kernel_size": 3}}, 126),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_tokens_of_a_chunk_at_the_published_sizes(name: str, tmp_path: Path) -> None:
    config, want = PUBLISHED[name]
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(family_checkpoints.HALF))
    family: Any = families.find(name, "here").open(tmp_path, name, None)
    look = family.look(chunk(0, (480, 640)))
    assert sum(rows * columns for rows, columns in look.grids) == want


@pytest.mark.parametrize("name", PICTURES)
def test_a_chunk_shows_its_newest_frame_or_both(name: str, tmp_path: Path) -> None:
    """`chunk_frames` of aura.json changes the prompt, the pictures and the grids alike."""
    folder = settings(tmp_path, name)
    kind = KINDS[name]
    words = chat.HFTokenizer(family_checkpoints.words(kind))
    runs = {}
    for frames in (1, 2):
        (folder / "aura.json").write_text(json.dumps({"chunk_frames": frames}))
        sidecar = read_aura(folder)
        family = families.find(kind.model_type, "here").open(folder, kind.model_type, None)
        look = family.look(chunk(3))
        got = chat.extract(words, kind.template, kind.model_type, sidecar, "here")
        stand_in = got.chunk.stand_in(None)
        runs[frames] = len(stand_in.runs) if isinstance(stand_in, Pictures) else 1
        assert len(look.grids) == runs[frames]
        arrays = next(iter(look.arrays.values()))
        assert (arrays[0] if name == "llava_onevision" else arrays).shape[0] == frames
        if frames == 1:
            newest = arrays
    both = arrays[:, 1:] if name == "llava_onevision" else arrays[1:]
    assert np.array_equal(both, newest)
    assert runs == ({1: 1, 2: 1} if name == "llava_onevision" else {1: 1, 2: 2})
    (folder / "aura.json").write_text('{"chunk_frames": 3}')
    with pytest.raises(ModelError, match="chunk_frames must be 1 or 2, not 3"):
        read_aura(folder)


@pytest.mark.parametrize("size", [0, "448", [448], {}, True])
def test_a_size_that_is_none_is_refused(size: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"vision_config": {"image_size": size}}))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(family_checkpoints.HALF))
    with pytest.raises(ModelError, match=r"config\.json: vision_config\.image_size must be a size"):
        families.find("internvl", "here").open(tmp_path, "internvl", None)


def test_a_frame_without_area_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(family_checkpoints.HALF))
    for name in ("internvl", "gemma4"):
        with pytest.raises(ValueError, match="a frame of 0x5 pixels has no area"):
            families.find(name, "here").open(tmp_path, name, None).frame_size(5, 0)


# ---- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("model_type", families.REFUSED)
def test_a_type_that_cannot_work_is_refused_with_the_reason_and_a_way_out(
    model_type: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    with pytest.raises(ModelError) as e:
        opened(tmp_path)
    said = str(e.value)
    assert said.startswith(f"{tmp_path}: model_type '{model_type}': ") and "; choose " in said
    assert "\n" not in said


def test_the_recurrent_layers_of_qwen3_5_cannot_be_rolled_back() -> None:
    """The reason why they are refused. When this fails, transformers has learnt it."""
    config = transformers.Qwen3_5TextConfig(num_hidden_layers=4)
    cache = transformers.DynamicCache(config=config)
    assert any(cache.is_linear) and not cache.is_croppable
    with pytest.raises(RuntimeError, match="does not track past states"):
        cache.crop(-1)


def test_flash_attention_is_refused_where_it_drops_the_masks() -> None:
    from aura_core.models import local

    cuda = torch.device("cuda")
    with pytest.raises(ModelError, match="which this family's masks do not fit; use auto or sdpa"):
        local._attention("flash_attention_2", cuda, torch.bfloat16, "here", flash=False)
    assert local._attention("auto", cuda, torch.bfloat16, "here", flash=False) == "sdpa"


def test_a_server_and_training_are_refused_for_a_family_that_was_not_verified_there(
    tmp_path: Path,
) -> None:
    pytest.importorskip("httpx")
    pytest.importorskip("accelerate")
    from aura_core.config import ServerConfig
    from aura_core.training.finetune.opening import open_base

    (tmp_path / "config.json").write_text(json.dumps({"model_type": "internvl"}))
    with pytest.raises(
        ModelError, match=r"of type internvl in server\.dialect vllm is not supported"
    ):
        load(ModelConfig(path=str(tmp_path)), ServerConfig(url="http://127.0.0.1:9"))
    with pytest.raises(
        ModelError,
        match=r"a model of type internvl is not supported; supported are qwen3_vl, qwen2_5_vl$",
    ):
        open_base(ModelConfig(path=str(tmp_path)))
