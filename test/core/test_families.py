"""Model families: found by name; and a second kind of family through all that families share.

`TwoPictures` is an example of another kind of family: a LLaVA with random weights. Its chunk is two
pictures with text between them, a position is one number, and its keys are not re-rotated.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import checkpoints  # noqa: E402
import tuning_rig  # noqa: E402
from data_rig import clip, real_time  # noqa: E402
from exactness_rig import chunk, cold, decided_pieces, run  # noqa: E402

from aura_core.config import AssistantConfig, WindowConfig  # noqa: E402
from aura_core.data.schema import Conversation  # noqa: E402
from aura_core.data.settings import StructureConfig  # noqa: E402
from aura_core.data.structure import digest, pieces_of, structure  # noqa: E402
from aura_core.errors import ConfigError, ModelError, StreamError  # noqa: E402
from aura_core.models import chat, families  # noqa: E402
from aura_core.models.backend import Around, Evictable, Pictures, Tokens, Video  # noqa: E402
from aura_core.models.families.base import ChunkPrompt, Family, Features  # noqa: E402
from aura_core.models.families.qwen_vl import PixelSpec, QwenVL  # noqa: E402
from aura_core.models.local import LocalBackend  # noqa: E402
from aura_core.models.positions import PlainPositions  # noqa: E402
from aura_core.models.server.conversation import Reader  # noqa: E402
from aura_core.models.sidecar import AuraSidecar  # noqa: E402
from aura_core.stream.engine import StreamEngine  # noqa: E402
from aura_core.stream.prompt import PromptCodec  # noqa: E402

SIDE, PATCH = 32, 16
GRID = (SIDE // PATCH, SIDE // PATCH)
PAD = "<|image_pad|>"
PICTURE = f"<|vision_start|>{PAD}<|vision_end|>"
TOLERANCE = 1e-5  # as in test_exactness.py


class TwoPictures(Family):
    """Each frame is one picture of a fixed size."""

    classes: ClassVar[Mapping[str, str]] = {"llava": "LlavaForConditionalGeneration"}

    @classmethod
    def prompt(cls, model_type: str, sidecar: AuraSidecar) -> ChunkPrompt:
        return ChunkPrompt(
            content=(
                {"type": "image", "image": "0"},
                {"type": "text", "text": " the "},
                {"type": "image", "image": "1"},
            ),
            written=f"{PICTURE} the {PICTURE}",
            special=(PAD, "<|vision_start|>", "<|vision_end|>"),
            format=Around(
                ("<|vision_start|>", "<|vision_end|> the <|vision_start|>", "<|vision_end|>")
            ),
        )

    @classmethod
    def open(cls, folder: Path, model_type: str, max_pixels: int | None) -> Self:
        raise NotImplementedError("made in memory")

    def frame_size(self, height: int, width: int) -> tuple[int, int]:
        if not height or not width:
            raise ValueError("a frame without area")
        return SIDE, SIDE

    def grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        return GRID, GRID

    def arrays(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        return {"pictures": (frames.transpose(0, 3, 1, 2) / np.float32(255) - np.float32(0.5))}

    def vision(self, model: Any) -> Any:
        return model.model.vision_tower

    def features(self, model: Any, arrays: Mapping[str, Any]) -> Features:
        out = model.model.get_image_features(
            arrays["pictures"], vision_feature_layer=-1, vision_feature_select_strategy="default"
        )
        return Features(torch.cat(list(out.pooler_output)))

    def positions(self) -> PlainPositions:
        return PlainPositions()

    def vision_work(self, model: Any, arrays: Mapping[str, Any]) -> tuple[Any, int, float]:
        return model.model.vision_tower, len(arrays["pictures"]) * 4, 0.0


@pytest.fixture(scope="module")
def other() -> Any:
    """A backend of the other family, registered as if it were a file in `families/`."""
    module = ModuleType("aura_core.models.families.two_pictures")
    module.FAMILY = TwoPictures
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        patch.setitem(families.MODULES, "llava", "two_pictures")
        core = checkpoints.tokenizer(silent=True)
        words = chat.HFTokenizer(
            transformers.PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>")
        )
        torch.manual_seed(0)
        config = transformers.LlavaConfig(
            vision_config=transformers.CLIPVisionConfig(
                hidden_size=32,
                intermediate_size=48,
                num_hidden_layers=2,
                num_attention_heads=2,
                image_size=SIDE,
                patch_size=PATCH,
            ),
            text_config=transformers.LlamaConfig(
                vocab_size=(len(core.get_vocab()) + 15) // 16 * 16,
                hidden_size=64,
                intermediate_size=96,
                num_hidden_layers=3,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=4096,
                initializer_range=0.15,
            ),
            image_token_index=words.single(PAD),
            vision_feature_layer=-1,
        )
        model = transformers.LlavaForConditionalGeneration(config).float().eval()
        template = checkpoints.TEMPLATES["qwen3_vl"]
        format_ = chat.extract(words, template, "llava", AuraSidecar(), "other")
        yield LocalBackend("other", TwoPictures("llava", None), model, words, format_)


def test_the_table_names_each_familys_own_types() -> None:
    owned: dict[str, str] = {}
    for module in set(families.MODULES.values()):
        kind = families.find(next(t for t, m in families.MODULES.items() if m == module), "x")
        assert kind.__module__ == f"aura_core.models.families.{module}"
        owned |= dict.fromkeys(kind.classes, module)
    assert owned == families.MODULES


@pytest.mark.parametrize("model_type", ["llava_next", None, 3, ["qwen3_vl"]])
def test_an_unknown_family_is_one_line(model_type: object) -> None:
    with pytest.raises(ModelError) as e:
        families.find(model_type, "here")
    assert str(e.value) == (
        f"here: model_type {model_type!r} is not supported; supported are"
        f" {', '.join(families.MODULES)}; docs/families.md tells how to add one"
    )


def test_families_are_found_without_torch() -> None:
    """An unknown family is refused at once, and a served model needs no torch."""
    code = (
        "import sys\nfrom aura_core.models import checkpoint, families\n"
        "for t in families.MODULES: families.find(t, 'x').prompt\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_family_can_be_sent_to_a_worker_process() -> None:
    spec = PixelSpec(16, 2, 2, 1024, 4096, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    family = pickle.loads(pickle.dumps(QwenVL("qwen3_vl", spec)))
    assert (family.model_type, family.pixels) == ("qwen3_vl", spec)


def test_a_class_that_this_transformers_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aura_core.config import ModelConfig

    folder = checkpoints.write(tmp_path / "vlm", "qwen3_vl")
    monkeypatch.setattr(QwenVL, "classes", {"qwen3_vl": "Qwen9ForEverything"})
    with pytest.raises(ModelError, match=r"transformers 5\.\S+ has no Qwen9ForEverything; install"):
        LocalBackend.load(ModelConfig(path=str(folder), device="cpu", threads=1))


def test_a_chunk_of_two_pictures_has_the_templates_tokens(other: Any) -> None:
    codec, words = PromptCodec(other.tokenizer, other.chat), other.tokenizer
    shown = other.encode(chunk(0))
    assert isinstance(shown, Pictures) and len(shown) == 8
    pieces = [codec.head(codec.prefix()), *codec.user(shown, "Why?")]
    assert [type(p) for p in pieces] == [Tokens, Tokens, Video, Tokens, Video, Tokens]
    messages = [
        chat.system(codec.system_prompt),
        chat.user("Why?", TwoPictures.prompt("llava", AuraSidecar()).content),
    ]
    text = words.inner.apply_chat_template(
        messages,
        chat_template=checkpoints.TEMPLATES["qwen3_vl"],
        tokenize=False,
        add_generation_prompt=True,
    )
    pad = words.single(PAD)
    ids = [i for p in pieces for i in ([pad] * len(p) if isinstance(p, Video) else p.ids)]
    assert ids == words.encode(text.replace(PAD, PAD * 4))


def test_every_step_equals_a_full_recompute_and_the_library(
    other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With switches, answers, and cancelled and amended answers."""
    pad, worst, switches = other.tokenizer.single(PAD), 0.0, 0
    for i, (lockstep, step, logits) in enumerate(run(other, 32)):
        engine = lockstep.engine
        switches += step.switched
        if engine.window.turns[-1].chunk != i:
            continue  # discarded
        pieces = decided_pieces(lockstep)
        worst = max(worst, float(np.abs(cold(other, pieces, monkeypatch) - logits).max()))
        if i % 8 == 7:
            worst = max(worst, float(np.abs(library(other, engine, pieces, pad) - logits).max()))
    assert switches >= 3
    assert float(logits.std()) > 0.5
    assert worst <= TOLERANCE


def library(backend: Any, engine: Any, pieces: list[Any], pad: int) -> NDArray[np.float32]:
    """Logits of the library's own forward over the conversation, from images and ids."""
    ids = [i for p in pieces for i in ([pad] * len(p) if isinstance(p, Video) else p.ids)]
    arrays = [backend.family.look(chunk(t.chunk)).arrays["pictures"] for t in engine.window.turns]
    with torch.inference_mode():
        out = backend.model(
            input_ids=torch.tensor([ids]),
            pixel_values=torch.from_numpy(np.concatenate(arrays)),
            vision_feature_layer=-1,
            logits_to_keep=1,
        )
    return out.logits[0, -1].numpy()


def test_rollback_is_exact_and_refused_inside_a_picture(other: Any) -> None:
    codec = PromptCodec(other.tokenizer, other.chat)
    session = other.open()
    session.prefill([codec.head(codec.prefix())])
    length = session.length
    first = session.prefill(codec.user(other.encode(chunk(1)), None))
    session.rollback(length)
    assert np.array_equal(session.prefill(codec.user(other.encode(chunk(1)), None)), first)
    with pytest.raises(StreamError, match="inside the chunk"):
        session.rollback(length + len(codec.user(other.encode(chunk(1)), None)[0]) + 2)


def test_evict_is_refused_at_once_for_a_model_that_cannot_evict(other: Any) -> None:
    """Regression: it was refused at the first switch, after minutes, and then at every chunk."""
    assert not isinstance(other.open(), Evictable)
    config = AssistantConfig(window=WindowConfig(1, 2, policy="evict"))
    with pytest.raises(ConfigError, match=r"window\.policy evict: this model cannot cut tokens"):
        StreamEngine(other, config)


def test_a_chunk_of_pictures_is_one_chunk_of_the_messages(other: Any) -> None:
    codec = PromptCodec(other.tokenizer, other.chat)
    seen = other.chat.chunk.stand_in("frames")
    read = Reader(other.tokenizer, other.chat).read(codec.user(seen, "what is it?"))
    turns = [(role, video and video.features, text) for role, video, text in read.turns]
    assert turns == [("user", "frames", "what is it?")] and read.said == ""


def test_the_data_engine_structures_a_chunk_of_pictures(other: Any) -> None:
    """It took each chunk for one video, and failed for a family whose chunk is two pictures."""
    codec = PromptCodec(other.tokenizer, other.chat)
    text, answer = (codec.text(codec.tokenizer.encode(t)) for t in ("what is it?", "a cube"))
    conversation = Conversation(clip(5), (), (real_time(3, text, answer),))
    (sample,) = structure(conversation, codec, StructureConfig("other", after_last=0.0)).records
    stand_ins = pieces_of(sample, codec, codec.chat.chunk.stand_in)
    assert digest(stand_ins) == (sample.text_tokens, sample.ids_sha256)
    encoded = pieces_of(sample, codec, lambda c: other.encode(chunk(c)))
    assert [p for p in encoded if isinstance(p, Tokens)] == [
        p for p in stand_ins if isinstance(p, Tokens)
    ]
    assert sum(isinstance(p, Video) for p in encoded) == 8  # two pictures in each of four chunks


def test_the_fine_tuner_computes_what_the_engine_computes(other: Any, tmp_path: Path) -> None:
    """The fine-tuner's forward over a packed row equals a prefill of the same pieces."""
    pytest.importorskip("accelerate")
    from aura_core.training.finetune.dataset import build, clip_chunks
    from aura_core.training.finetune.opening import StreamModel, arguments
    from aura_core.training.finetune.packing import row_of
    from aura_core.training.finetune.records import parse

    codec = PromptCodec(other.tokenizer, other.chat)
    lines = [json.dumps(tuning_rig.sample(*w)).encode() for w in ((7, 3, 6), (8, 0, 2))]
    records = [parse(line, tmp_path / "x", 1) for line in lines]
    row = row_of([build(r, codec, other.family) for r in records])
    assert row.positions.shape == row.ids.shape and row.pixels["pictures"].shape[0] == 10
    with torch.no_grad():
        logits = StreamModel(other.family, other.model, True)(**arguments(row)).numpy()
    at = 0
    for n, record in enumerate(records):
        said = {t.chunk: t for t in record.turns}
        pieces: list[Any] = [codec.head(codec.prefix(record.history))]
        turns = row.supervised.turn[row.supervised.row == n]
        for i, c in enumerate(clip_chunks(record)):
            words = said.get(c.index)
            pieces += codec.user(other.encode(c), words.question if words else None)
            want = other.open().prefill(pieces)
            assert float(np.abs(logits[at] - want).max()) <= TOLERANCE
            answer = words.answer if words else None
            ids = None if answer is None else tuple(codec.tokenizer.encode(answer))
            pieces.append(codec.assistant(ids))
            at += int((turns == i).sum())
    assert at == len(row.at)
