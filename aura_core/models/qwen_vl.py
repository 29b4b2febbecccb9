"""Qwen3-VL and Qwen2.5-VL in this process, through transformers: `aura_tiny`, AURA checkpoints,
plain VLMs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from aura_core.config import ModelConfig
from aura_core.cores import model_threads
from aura_core.errors import InputError, ModelError
from aura_core.models import checkpoint
from aura_core.models.backend import ChatFormat, Session, Video
from aura_core.models.pixels import patchify, resize, target_size
from aura_core.models.sidecar import read_aura, read_pixels, read_template
from aura_core.types import Chunk

try:
    import torch
    import transformers
    from transformers.utils import logging as hf_logging

    from aura_core.models.chat import HFTokenizer, extract, open_tokenizer
    from aura_core.models.kv_session import KVSession
except ImportError as e:
    raise checkpoint.not_installed(e) from e

_CLASSES = {
    "qwen3_vl": "Qwen3VLForConditionalGeneration",
    "qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration",
}


class QwenVLBackend:
    """A Qwen-VL checkpoint, opened.

    Args:
        config: its path (a folder or a hub id) and how it runs.
        name: what messages call it; the path when None.

    Raises:
        ModelError: the checkpoint is missing, incomplete or of another kind, or the device is not
        there.
    """

    tokenizer: HFTokenizer
    chat: ChatFormat

    def __init__(self, config: ModelConfig, name: str | None = None) -> None:
        self.name = name or config.path
        folder = checkpoint.find(config.path, self.name)
        self.family = checkpoint.check(folder, self.name)
        sidecar = read_aura(folder)
        self.device = _device(config.device, self.name)
        self.dtype = _dtype(config.dtype, self.device)
        self.attention = _attention(config.attention, self.device, self.dtype, self.name)
        self.tokenizer = open_tokenizer(folder, self.name)
        template = read_template(folder, self.tokenizer.inner.chat_template)
        self.chat = extract(self.tokenizer, template, self.family, sidecar, self.name)
        self.model = _model(folder, self.family, self.name, self.dtype, self.attention).to(
            self.device
        )
        torch.set_num_threads(model_threads(_size(self.model), config.threads))
        limit = config.max_pixels or sidecar.max_pixels
        self.pixels = read_pixels(folder, self.model.config.vision_config, limit)
        self.description = self._describe()

    @torch.inference_mode()
    def encode(self, chunk: Chunk) -> Video:
        """The chunk's two frames as one temporal grid.

        Returns:
            Video whose features are (merged, [deepstack...]), tensors (rows * columns, width) on
            the device.
        """
        image = chunk.frames[-1].image
        try:
            height, width = target_size(image.shape[0], image.shape[1], self.pixels)
        except ValueError as e:
            raise InputError(f"chunk {chunk.index}: {e}") from e
        frames = np.stack([resize(f.image, height, width) for f in chunk.frames])
        patches, grid = patchify(frames, self.pixels)
        out = self.model.model.visual(
            torch.from_numpy(patches).to(self.device, self.dtype),
            grid_thw=torch.tensor([grid], device=self.device),
        )
        deepstack = list(getattr(out, "deepstack_features", None) or [])
        rows, columns = grid[1] // self.pixels.merge, grid[2] // self.pixels.merge
        return Video((out.pooler_output, deepstack), (rows, columns))

    @property
    def context(self) -> int:
        """Positions that the checkpoint was made for."""
        return int(self.model.config.text_config.max_position_embeddings)

    def open(self) -> Session:
        """A new, empty session."""
        return KVSession(self.model)

    def _describe(self) -> str:
        count = _size(self.model)
        size = f"{count / 1e9:.1f} B" if count >= 1e9 else f"{count / 1e6:.1f} M"
        token = self.tokenizer.inner.convert_ids_to_tokens(self.chat.silent_id)
        decides = (
            f"decides by {token}"
            if self.chat.trained_to_decide
            else ("not trained to be silent: asked yes or no each second")
        )
        dtype = str(self.dtype).removeprefix("torch.")
        number = torch.get_num_threads()
        threads = f"{number} CPU thread" + ("s" if number > 1 else "")
        return (
            f"{self.name}: {self.family}, {size} parameters, {self.device}, {dtype},"
            f" {self.attention}, {threads}; {decides}"
        )


def _size(model: Any) -> int:
    """Number of parameters."""
    return sum(p.numel() for p in model.parameters())


def _device(name: str, where: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as e:
        raise ModelError(
            f"{where}: model.device '{name}' is no device; use auto, cpu, cuda or cuda:0"
        ) from e
    if device.type not in ("cpu", "cuda"):
        raise ModelError(
            f"{where}: model.device '{name}' is not supported; use auto, cpu, cuda or cuda:0"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ModelError(
            f"{where}: model.device is '{name}', but torch sees {torch.cuda.device_count()} CUDA"
            " devices"
        )
    return device


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]


def _attention(name: str, device: torch.device, dtype: torch.dtype, where: str) -> str:
    installed = importlib.util.find_spec("flash_attn") is not None
    usable = device.type == "cuda" and dtype != torch.float32
    if name == "auto":
        return "flash_attention_2" if installed and usable else "sdpa"
    if name == "flash_attention_2" and not (installed and usable):
        why = (
            f"it needs CUDA in half precision, not {device} {dtype}"
            if installed
            else "flash_attn is not installed"
        )
        raise ModelError(
            f"{where}: model.attention is flash_attention_2, but {why}; use auto or sdpa"
        )
    return name


def _model(folder: Path, family: str, where: str, dtype: torch.dtype, attention: str) -> Any:
    from safetensors import SafetensorError

    bar = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()
    try:
        model, info = getattr(transformers, _CLASSES[family]).from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation=attention,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as e:
        raise ModelError(f"{where}: the weights in {folder} cannot be loaded: {_line(e)}") from e
    finally:
        if bar:
            hf_logging.enable_progress_bar()
    # the library fills them with random numbers and goes on
    if missing := sorted(info["missing_keys"]):
        raise ModelError(
            f"{where}: incomplete checkpoint: {len(missing)} weights are missing, first"
            f" {missing[0]}"
        )
    return model.eval()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
