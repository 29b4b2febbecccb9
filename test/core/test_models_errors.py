"""The error when a model cannot be opened: one line with the model, the reason and what to do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import checkpoints  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from aura_core.config import ModelConfig  # noqa: E402
from aura_core.errors import ModelError  # noqa: E402
from aura_core.extras import pip_install  # noqa: E402
from aura_core.models import checkpoint, load, local, quantized  # noqa: E402


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.write(tmp_path_factory.mktemp("whole") / "vlm", "qwen3_vl")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of a checkpoint that a test damages."""
    return Path(shutil.copytree(whole, tmp_path / "vlm"))


def config(path: Path | str, **options: Any) -> ModelConfig:
    return ModelConfig(path=str(path), device="cpu", threads=1, **options)


def refusal(path: Path | str, **options: Any) -> str:
    """The one line of the error of `load`."""
    with pytest.raises(ModelError) as e:
        load(config(path, **options))
    message = str(e.value)
    assert "\n" not in message and len(message) < 500
    return message


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_folder_that_does_not_exist_never_goes_to_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint, "_snapshot", lambda _: pytest.fail("asked the hub"))
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "no", "./no/model", "../no", "~/no-such-model", "/no/such"):
        assert refusal(path) == f"{path}: the model folder {Path(path).expanduser()} does not exist"
    assert refusal(tmp_path / "file").endswith("/file is not a folder")
    (tmp_path / "owner" / "model").mkdir(parents=True)
    assert (
        refusal("owner/model")
        == "owner/model: incomplete checkpoint: config.json is missing in owner/model"
    )


def test_a_misspelt_name_is_no_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint, "_snapshot", lambda _: pytest.fail("asked the hub"))
    assert refusal("").startswith("model.path: neither a folder, a hub id")
    for path in ("aura_tinny", "a/b/c", "owner/"):
        assert (
            refusal(path)
            == f"{path}: neither a folder, a hub id (owner/name), 'aura_tiny', 'aura_tiny_memory'"
            " nor 'scripted'"
        )


def test_a_hub_id_that_cannot_be_fetched_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert refusal("Qwen/Qwen3-VL-2B-Nowhere").startswith(
        "Qwen/Qwen3-VL-2B-Nowhere: not found on disk, and the hub did not give it: "
    )


def test_a_hub_id_loads_its_snapshot(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(
        "huggingface_hub.snapshot_download", lambda i, **_: asked.append(i) or str(whole)
    )
    assert load(config("owner/model")).name == "owner/model"
    assert set(asked) == {"owner/model"}


BITSANDBYTES = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}


@pytest.mark.parametrize(
    ("quantization", "packages"),
    [
        *(({"quant_method": how}, needs) for how, needs in quantized.PACKAGES.items()),
        ({"quant_method": "bitsandbytes_8bit"}, quantized.PACKAGES["bitsandbytes"]),
        (BITSANDBYTES, quantized.PACKAGES["bitsandbytes"]),  # as older ones have it
    ],
    ids=str,
)
def test_a_quantized_checkpoint_names_the_packages_that_read_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, quantization: dict, packages: tuple
) -> None:
    """Regression: an ImportError of the library, with its traceback. It is told before the weights
    are looked at: here there are none."""
    edit(folder / "config.json", quantization_config=quantization)
    for weights in folder.glob("*.safetensors"):
        weights.unlink()
    monkeypatch.setattr(quantized, "_installed", lambda module: False)
    names = [pip for _, pip in packages]
    assert refusal(folder).startswith(f"{folder}: its weights are quantized (")
    assert f"not installed: {pip_install(*names)}; or name" in refusal(folder)
    monkeypatch.setattr(quantized, "_installed", lambda module: module != packages[0][0])
    assert f"{names[0]}, which reading them needs, is not installed" in refusal(folder)
    monkeypatch.setattr(quantized, "_installed", lambda module: True)
    assert "incomplete checkpoint" in refusal(folder)  # with its packages it is read as any other


def test_a_language_model_that_is_quantized_alone_is_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.loads((folder / "config.json").read_text())["text_config"]
    edit(
        folder / "config.json", text_config=text | {"quantization_config": {"quant_method": "awq"}}
    )
    monkeypatch.setattr(quantized, "_installed", lambda module: False)
    assert "quantized (awq)" in refusal(folder)


def test_a_quantized_checkpoint_of_the_hub_is_refused_before_its_weights_are_fetched(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(folder / "config.json", quantization_config={"quant_method": "awq"})
    fetched: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(quantized, "_installed", lambda module: False)
    monkeypatch.setattr(
        "huggingface_hub.snapshot_download",
        lambda i, allow_patterns: fetched.extend(allow_patterns) or str(folder),
    )
    assert "-m pip install gptqmodel accelerate" in refusal("owner/model")
    assert "*.safetensors" not in fetched
    # a server reads its weights itself
    assert checkpoint.find("owner/model", "owner/model", weights=False) == folder
    assert checkpoint.family(folder, "owner/model") == "qwen3_vl"


@pytest.mark.parametrize("error", [ImportError, AttributeError, NotImplementedError])
def test_what_the_library_lacks_for_a_checkpoint_is_one_line(
    whole: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Regression: an ImportError, as for a kind of quantization that the table does not know, was
    a traceback."""

    def lacking(*_: Any, **__: Any) -> None:
        raise error("it needs\nfoo>=2")

    kind = local.transformers.Qwen3VLForConditionalGeneration
    monkeypatch.setattr(kind, "from_pretrained", lacking)
    assert refusal(whole).endswith("cannot be loaded: it needs foo>=2")


def test_module_names_of_the_table_can_be_looked_up() -> None:
    for packages in quantized.PACKAGES.values():
        for module, _ in packages:
            assert quantized._installed(module) in (True, False)
    assert quantized._installed("torch") and not quantized._installed("no_such.module")


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no config": (lambda f: (f / "config.json").unlink(), "config.json is missing in"),
    "broken config": (lambda f: (f / "config.json").write_text("{"), "config.json: not valid JSON"),
    "list config": (
        lambda f: (f / "config.json").write_text("[]"),
        "expected a JSON object, found list",
    ),
    "another model": (
        lambda f: edit(f / "config.json", model_type="qwen2"),
        "model_type 'qwen2' is not supported; supported are qwen3_vl, qwen2_5_vl",
    ),
    "no model type": (
        lambda f: (f / "config.json").write_text("{}"),
        "model_type None is not supported",
    ),
    "no shard": (
        lambda f: (f / "model-00002-of-00004.safetensors").unlink(),
        "incomplete checkpoint: model-00002-of-00004.safetensors is missing in",
    ),
    "cut shard": (lambda f: cut(f / "model-00002-of-00004.safetensors"), "cannot be loaded: "),
    "no weights": (
        lambda f: [p.unlink() for p in f.glob("*model*safetensors*")],
        "model.safetensors (or",
    ),
    "empty index": (
        lambda f: (f / "model.safetensors.index.json").write_text("{}"),
        "no weight_map",
    ),
    "other sizes": (lambda f: resize_text(f), "cannot be loaded: "),
    "missing weight": (
        lambda f: drop(f, "lm_head.weight"),
        "1 weights are missing, first lm_head.weight",
    ),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json is missing in"),
    "broken tokenizer": (lambda f: (f / "tokenizer.json").write_text("{}"), "the tokenizer in"),
    "no template": (lambda f: (f / "chat_template.jinja").unlink(), "no chat template"),
    "no pixels": (
        lambda f: [p.unlink() for p in f.glob("*preprocessor_config.json")],
        "incomplete checkpoint: preprocessor_config.json is missing",
    ),
    "bad mean": (
        lambda f: edit(f / "preprocessor_config.json", image_mean=[0.5]),
        "image_mean must be three numbers",
    ),
    "aura key": (
        lambda f: (f / "aura.json").write_text('{"silent": 1}'),
        "unknown key 'silent'; known keys are",
    ),
    "aura type": (
        lambda f: (f / "aura.json").write_text('{"max_pixels": "9"}'),
        "max_pixels must be int, not '9'",
    ),
    "aura grammar": (
        lambda f: (f / "aura.json").write_text('{"grammar": "klingon"}'),
        "grammar must be one of joyai, moss, not 'klingon'",
    ),
    "aura twice": (
        lambda f: (f / "aura.json").write_text('{"grammar": "moss", "silent_token": "x"}'),
        "grammar names the tokens already",
    ),
    "aura words alone": (
        lambda f: (f / "aura.json").write_text('{"respond_token": "x"}'),
        "respond_token and delegate_token need a silent_token",
    ),
    "aura pixels": (
        lambda f: (f / "aura.json").write_text('{"max_pixels": 10}'),
        "max_pixels must be at least 1024",
    ),
    "aura memory": (
        lambda f: (f / "aura.json").write_text('{"memory": "notes"}'),
        "memory must be an object, not 'notes'",
    ),
    "aura memory key": (
        lambda f: (f / "aura.json").write_text('{"memory": {"notes": 1}}'),
        "unknown key 'memory.notes'; known keys are note, block_s",
    ),
    "aura memory note": (
        lambda f: (f / "aura.json").write_text('{"memory": {"note": {"fr": "note"}}}'),
        "memory.note must have a text by language (en, zh), and one for en, not {'fr': 'note'}",
    ),
    "aura memory empty note": (
        lambda f: (f / "aura.json").write_text('{"memory": {"note": {"en": " "}}}'),
        "memory.note must have a text by language (en, zh), and one for en, not {'en': ' '}",
    ),
    "aura memory block": (
        lambda f: (f / "aura.json").write_text('{"memory": {"block_s": true}}'),
        "memory.block_s must be at least 2 seconds, not True",
    ),
    "aura memory line": (
        lambda f: (f / "aura.json").write_text('{"memory": {"line_s": 1.5}}'),
        "memory.line_s must be at least 2 seconds, not 1.5",
    ),
    "aura memory overlap": (
        lambda f: (f / "aura.json").write_text('{"memory": {"overlap_s": -1}}'),
        "memory.overlap_s must be 0 seconds or more, not -1",
    ),
    "aura memory tokens": (
        lambda f: (f / "aura.json").write_text('{"memory": {"prefix_tokens": -1}}'),
        "memory.prefix_tokens must be 0 or more, not -1",
    ),
    "aura memory flag": (
        lambda f: (f / "aura.json").write_text('{"memory": {"renames": "yes"}}'),
        "memory.renames must be bool, not 'yes'",
    ),
}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def drop(folder: Path, weight: str) -> None:
    """Leave one weight out of the index and its shard, as a bad conversion does."""
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    shard = folder / index["weight_map"].pop(weight)
    path.write_text(json.dumps(index))
    save_file({k: v for k, v in load_file(shard).items() if k != weight}, shard, {"format": "pt"})


def resize_text(folder: Path) -> None:
    data = json.loads((folder / "config.json").read_text())
    data["text_config"]["intermediate_size"] *= 2
    (folder / "config.json").write_text(json.dumps(data))


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_checkpoint_is_refused_in_one_line(case: str, folder: Path) -> None:
    damage, message = DAMAGE[case]
    damage(folder)
    said = refusal(folder)
    assert message in said and str(folder) in said


def test_the_embedded_model_without_its_weights_is_said_to_be_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path, tmp_path / "gone"):
        monkeypatch.setitem(checkpoint.EMBEDDED, "aura_tiny", folder)
        assert refusal("aura_tiny").startswith(
            f"aura_tiny: incomplete checkpoint: config.json is missing in {folder}; "
        )


def test_devices_and_attention_that_are_not_there(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(**options: Any) -> str:
        with pytest.raises(ModelError) as e:
            load(ModelConfig(path=str(whole), **options))
        return str(e.value).removeprefix(f"{whole}: ")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert said(device="cuda:3") == "model.device is 'cuda:3', but torch sees 1 CUDA devices"
    assert said(device="gpu") == "model.device 'gpu' is no device; use auto, cpu, cuda or cuda:0"
    assert (
        said(device="meta") == "model.device 'meta' is not supported; use auto, cpu, cuda or cuda:0"
    )
    assert "flash_attn is not installed" in said(device="cpu", attention="flash_attention_2")


def test_what_auto_means(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert local._dtype("auto", cpu) == torch.float32
    assert local._dtype("auto", cuda) == torch.bfloat16
    assert local._dtype("float16", cpu) == torch.float16
    monkeypatch.setattr(local.importlib.util, "find_spec", lambda _: object())
    assert local._attention("auto", cuda, torch.bfloat16, "x") == "flash_attention_2"
    assert local._attention("auto", cuda, torch.float32, "x") == "sdpa"
    assert local._attention("auto", cpu, torch.bfloat16, "x") == "sdpa"
    with pytest.raises(
        ModelError, match=r"it needs CUDA in half precision, not cuda torch\.float32"
    ):
        local._attention("flash_attention_2", cuda, torch.float32, "x")
    monkeypatch.setattr(local.importlib.util, "find_spec", lambda _: None)
    assert local._attention("auto", cuda, torch.bfloat16, "x") == "sdpa"


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_without_torch_or_transformers_the_extra_is_named(package: str, whole: Path) -> None:
    code = f"""
import sys
sys.modules["{package}"] = None  # an import of it now fails as if it were not installed
import aura_core
from aura_core.models import load
assert load(aura_core.config.ModelConfig(path="scripted")).name == "scripted"
try:
    load(aura_core.config.ModelConfig(path={str(whole)!r}))
except aura_core.ModelError as e:
    print(e)
"""
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert (
        package in out
        and f"{sys.executable} -m pip install 'torch>=2.6' 'transformers>=" in out
        and out.count("\n") == 1
    )


def test_importing_the_engine_and_the_scripted_model_needs_no_torch() -> None:
    code = """
import sys
import aura_core.stream.engine, aura_core.models.scripted, aura_core.models.positions
assert not {"torch", "transformers", "rclpy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
