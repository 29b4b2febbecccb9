"""The mean of several checkpoints: it loads, it is the mean, and bad input is refused."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import checkpoints  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from aura_core.config import ModelConfig  # noqa: E402
from aura_core.errors import ModelError  # noqa: E402
from aura_core.models import load  # noqa: E402
from aura_core.training.averaging import average  # noqa: E402


def state_of(folder):
    return {
        name: value
        for path in sorted(folder.glob("*.safetensors"))
        for name, value in load_file(path).items()
    }


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Checkpoints of one shape in several files, with different weights.

    The second one is in half precision.
    """
    folders = [
        checkpoints.write(tmp_path_factory.mktemp(f"run{k}"), "qwen3_vl", silent=True, layers=2)
        for k in range(3)
    ]
    generator = torch.Generator().manual_seed(1)
    for folder, dtype in zip(folders, (torch.float32, torch.float16, torch.float32), strict=True):
        for path in folder.glob("*.safetensors"):
            noise = {
                k: torch.randn(v.shape, generator=generator).to(dtype)
                for k, v in load_file(path).items()
            }
            save_file(noise, path, {"format": "pt"})
    return folders


def test_every_weight_is_the_mean_and_the_checkpoint_loads(three, tmp_path):
    out = tmp_path / "mean"
    average(three, out)
    parts, mean = [state_of(f) for f in three], state_of(out)
    assert mean.keys() == parts[0].keys()
    for name, value in mean.items():
        assert value.dtype == torch.float32
        expected = torch.stack([p[name].double() for p in parts]).mean(0)
        # two sums below 16 and their third, each rounded to float32
        torch.testing.assert_close(value.double(), expected, rtol=0, atol=16 * 2**-24)
    assert sorted(p.name for p in out.glob("*.safetensors*")) == sorted(
        p.name for p in three[0].glob("*.safetensors*")
    )
    assert len(list(out.glob("*.safetensors"))) > 1
    load(ModelConfig(str(out), "float32", "cpu"))


def test_the_first_sets_the_dtype(three, tmp_path):
    average([three[1], three[0]], tmp_path / "mean")
    assert {v.dtype for v in state_of(tmp_path / "mean").values()} == {torch.float16}


def test_what_does_not_belong_together_is_refused(three, tmp_path):
    with pytest.raises(ModelError, match="two checkpoints or more, not 1"):
        average(three[:1], tmp_path / "out")
    with pytest.raises(ModelError, match="is one of the checkpoints"):
        average(three, three[1])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"empty: no checkpoint with \.safetensors"):
        average([three[0], tmp_path / "empty"], tmp_path / "out")
    (tmp_path / "empty" / "model.safetensors").write_bytes(b"half")
    with pytest.raises(ModelError, match="cannot be read"):
        average([three[0], tmp_path / "empty"], tmp_path / "out")
    deeper = checkpoints.write(tmp_path / "deeper", "qwen3_vl", silent=True, layers=3)
    with pytest.raises(ModelError, match=r"they differ in .*layers\.2"):
        average([three[0], deeper], tmp_path / "out")
    state = state_of(three[0])
    name = next(n for n in state if "embed_tokens" in n)
    wider = tmp_path / "wider"
    wider.mkdir()
    save_file(state | {name: torch.zeros(3, 3)}, wider / "model.safetensors")
    with pytest.raises(ModelError, match=r"they differ in .*embed_tokens"):
        average([three[0], wider], tmp_path / "out")
    assert not (tmp_path / "out").exists()
