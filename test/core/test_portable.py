"""What is saved can be read by transformers 4.57, by 5, and by vLLM, and tells its true type.

The keys are those without which 4.57.6 was seen to stop; with them its logits were equal to the
bit. See `models/portable.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("peft")

import checkpoints  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from aura_core.config import ModelConfig  # noqa: E402
from aura_core.models import load, portable  # noqa: E402
from aura_core.models.checkpoint import EMBEDDED  # noqa: E402
from aura_core.training.finetune.opening import open_base  # noqa: E402
from aura_core.training.finetune.saving import base_folder, save_checkpoint  # noqa: E402


def config_of(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())


def stored(folder: Path) -> set[str]:
    """The types of all stored tensors, by torch's names."""
    return {
        str(v.dtype).removeprefix("torch.")
        for f in folder.glob("*.safetensors")
        for v in load_file(f).values()
    }


def told(config: dict) -> set[str]:
    """All types that a config.json tells, at any depth."""
    found = {config[k] for k in ("dtype", "torch_dtype") if config.get(k)}
    return found.union(*(told(v) for v in config.values() if isinstance(v, dict)))


@pytest.mark.parametrize("family", checkpoints.FAMILIES)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_a_result_tells_the_type_of_its_tensors(family, dtype, tmp_path):
    """Regression: a result in bfloat16 said float32 in the parts of its config.json."""
    base = checkpoints.write(tmp_path / "base", family, silent=True, layers=1)
    backend = load(ModelConfig(str(base), "float32", "cpu"))
    save_checkpoint(backend, False, base, tmp_path / "out", getattr(torch, dtype))
    config = config_of(tmp_path / "out")
    assert stored(tmp_path / "out") == told(config) == {dtype}
    assert config["dtype"] == config["torch_dtype"] == dtype


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_embedded_models_tell_theirs_and_have_the_older_keys(name):
    """Regression: they said float32 and hold float16, and 4.57.6 did not load them."""
    folder = base_folder(name)
    config = config_of(folder)
    assert stored(folder) == told(config) == {"float16"}
    text = config["text_config"]
    rope = text["rope_parameters"]
    assert text["rope_theta"] == rope["rope_theta"] == 10_000.0
    assert text["rope_scaling"]["mrope_section"] == rope["mrope_section"] == [6, 5, 5]
    assert "rope_theta" not in config["vision_config"]
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert "<|silent|>" in settings["additional_special_tokens"]
    assert not isinstance(settings.get("extra_special_tokens"), list)


def test_a_result_keeps_the_base_s_files_and_keys(tmp_path):
    """The base's config.json has the keys of 4.57; transformers 5 would write others."""
    base = checkpoints.write(tmp_path / "base", "qwen3_vl", silent=False, layers=1)
    (base / "pytorch_model.bin").write_bytes(b"old")
    (base / "aura.json").write_text(json.dumps({"frame_height": 96, "frame_width": 128}))
    backend, added = open_base(ModelConfig(str(base), "float32", "cpu", "sdpa"))
    save_checkpoint(backend, added, base, tmp_path / "out", torch.bfloat16)
    before, after = config_of(base), config_of(tmp_path / "out")
    assert after["text_config"]["rope_scaling"] == before["text_config"]["rope_scaling"]
    assert after["text_config"]["rope_theta"] == before["text_config"]["rope_theta"]
    assert set(after) - set(before) <= {"dtype", "torch_dtype"}
    rows = {
        v.shape[0]
        for k, v in load_file(tmp_path / "out" / "model.safetensors").items()
        if k.endswith(("embed_tokens.weight", "lm_head.weight"))
    }
    assert rows == {after["text_config"]["vocab_size"]}
    assert not (tmp_path / "out" / "pytorch_model.bin").exists()
    sidecar = json.loads((tmp_path / "out" / "aura.json").read_text())
    assert sidecar["frame_height"] == 96 and sidecar["frame_width"] == 128
    old, new = (json.loads((d / "tokenizer.json").read_text()) for d in (base, tmp_path / "out"))
    assert new["added_tokens"].pop()["content"] == "<|silent|>" and new == old


def test_both_kinds_of_keys_load_as_the_same_model(tmp_path):
    """transformers 5 reads a config.json with the older keys beside the newer ones alike."""
    import transformers

    newer = config_of(base_folder("aura_tiny"))
    for key in ("rope_theta", "rope_scaling"):
        del newer["text_config"][key]  # what transformers 5 does not write
    texts = []
    for i, data in enumerate((newer, portable.config(newer))):
        (tmp_path / str(i)).mkdir()
        portable.write_json(tmp_path / str(i) / "config.json", data)
        config = transformers.AutoConfig.from_pretrained(tmp_path / str(i))
        texts.append(config.text_config.rope_parameters)
    assert texts[0] == texts[1]


@pytest.mark.parametrize("decoder", [True, False])
def test_a_token_is_added_wherever_a_tokenizer_lists_its_tokens(tmp_path, decoder):
    base = checkpoints.write(tmp_path / "base", "qwen3_vl", silent=False, layers=1)
    portable.write_json(base / "added_tokens.json", {"<|im_end|>": 1})
    special = {"additional_special_tokens": ["<|im_start|>"], "eos_token": "<|im_end|>"}
    portable.write_json(base / "special_tokens_map.json", special)
    settings = json.loads((base / "tokenizer_config.json").read_text())
    if decoder:
        portable.write_json(
            base / "tokenizer_config.json", settings | {"added_tokens_decoder": {"7": {}}}
        )
    portable.add_special(base, "<|new|>", 400)
    made = json.loads((base / "tokenizer_config.json").read_text())
    assert made["additional_special_tokens"] == [*checkpoints.SPECIALS[1:], "<|new|>"]
    assert ("400" in made.get("added_tokens_decoder", {})) == decoder
    assert json.loads((base / "added_tokens.json").read_text())["<|new|>"] == 400
    assert json.loads((base / "special_tokens_map.json").read_text()) == {
        "additional_special_tokens": ["<|im_start|>", "<|new|>"],
        "eos_token": "<|im_end|>",
    }
