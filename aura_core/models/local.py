"""A checkpoint that runs in this process, through transformers.

It may be `aura_tiny`, a checkpoint of AURA, or a plain VLM of any family in `families/`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Self

from aura_core.config import ModelConfig
from aura_core.cores import model_threads
from aura_core.errors import ModelError, one_line
from aura_core.models import checkpoint, families, quantized
from aura_core.models.backend import ChatFormat, Seen, Session, deciding, seen
from aura_core.models.bars import without_bars
from aura_core.models.sidecar import read_aura, read_template
from aura_core.types import Chunk

try:
    import torch
    import transformers

    from aura_core.models.chat import HFTokenizer, extract, open_tokenizer
    from aura_core.models.families.base import Family, Features
    from aura_core.models.kv_session import EvictableSession, KVSession
except ImportError as e:
    raise checkpoint.not_installed(e) from e


class LocalBackend:
    """A model with its tokenizer, ready to run.

    Args:
        name: the model's name in messages.
        family: the model's family, as this checkpoint uses it.
        model: of the class that `Family.classes` names, in eval mode, on its device.
        tokenizer: the checkpoint's tokenizer.
        chat: its chat format.
    """

    trouble = ""

    def __init__(
        self, name: str, family: Family, model: Any, tokenizer: HFTokenizer, chat: ChatFormat
    ) -> None:
        self.name, self.family, self.model = name, family, model
        self.tokenizer, self.chat = tokenizer, chat
        self.description = self._describe()

    @classmethod
    def load(cls, config: ModelConfig) -> Self:
        """Open a checkpoint.

        `config` tells the path (an embedded model, a folder or a hub id), and how the model runs.

        Raises:
            ModelError: the checkpoint is missing, incomplete or of an unknown family, or the device
                does not exist.
        """
        where = config.path
        folder = checkpoint.find(config.path, where)
        model_type = checkpoint.check(folder, where, config.quantize)
        sidecar = read_aura(folder)
        device = _device(config.device, where)
        dtype = _dtype(config.dtype, device)
        kind = families.find(model_type, where)
        attention = _attention(config.attention, device, dtype, where, kind.flash)
        tokenizer = open_tokenizer(folder, where)
        template = read_template(folder, tokenizer.inner.chat_template)
        chat = extract(tokenizer, template, model_type, sidecar, where)
        kind = families.find(model_type, where)
        model = _model(
            folder, kind.classes[model_type], where, dtype, attention, device, config.quantize
        )
        torch.set_num_threads(model_threads(_size(model), config.threads))
        family = kind.open(folder, model_type, config.max_pixels or sidecar.max_pixels)
        return cls(where, family, model, tokenizer, chat)

    @torch.inference_mode()
    def encode(self, chunk: Chunk) -> Seen:
        """Run the vision encoder on one chunk.

        Returns:
            Runs of visual tokens. Their features are `Features` on the model's device.
        """
        pixels = self.family.look(chunk)
        arrays = {k: torch.from_numpy(v).to(self.device) for k, v in pixels.arrays.items()}
        features = self.family.features(self.model, arrays)
        return seen(_runs(features, [r * c for r, c in pixels.grids]), pixels.grids)

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self.model.device

    @property
    def pixels(self) -> Any:
        """The sizes that the checkpoint wants its frames in (see `Family`)."""
        return self.family.pixels

    @property
    def context(self) -> int:
        """Number of positions that the checkpoint was made for."""
        return int(self.model.config.get_text_config().max_position_embeddings)

    def open(self) -> Session:
        """A new, empty session."""
        kind = EvictableSession if self.family.evicts else KVSession
        return kind(self.family, self.model)

    def _describe(self) -> str:
        count = _size(self.model)
        size = f"{count / 1e9:.1f} B" if count >= 1e9 else f"{count / 1e6:.1f} M"
        dtype = str(self.model.dtype).removeprefix("torch.")
        if how := getattr(self.model, "quantization_method", None):
            dtype += f", quantized ({getattr(how, 'value', how)})"
        attention = self.model.config._attn_implementation
        number = torch.get_num_threads()
        threads = f"{number} CPU thread" + ("s" if number > 1 else "")
        return (
            f"{self.name}: {self.family.model_type}, {size} parameters, {self.device},"
            f" {dtype}, {attention}, {threads}; {deciding(self.tokenizer, self.chat)}"
        )


def _size(model: Any) -> int:
    """Number of parameters, also of those that are packed."""
    return int(model.num_parameters())


def _runs(features: Features, sizes: list[int]) -> list[Features]:
    """The features of each run of visual tokens; `sizes` are their numbers of tokens."""
    if len(sizes) == 1:
        return [features]
    levels = [level.split(sizes) for level in features.deepstack]
    return [
        Features(merged, [level[i] for level in levels])
        for i, merged in enumerate(features.merged.split(sizes))
    ]


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


def _attention(
    name: str, device: torch.device, dtype: torch.dtype, where: str, flash: bool = True
) -> str:
    """The attention that `name` means; `flash`: whether the family's can be FlashAttention."""
    if not flash and name == "flash_attention_2":
        raise ModelError(
            f"{where}: model.attention is flash_attention_2, which this family's masks do not fit;"
            " use auto or sdpa"
        )
    installed = flash and importlib.util.find_spec("flash_attn") is not None
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


def _model(
    folder: Path,
    kind: str,
    where: str,
    dtype: torch.dtype,
    attention: str,
    device: torch.device,
    quantize: str,
) -> Any:
    """The weights in `folder`, loaded into the class of transformers that `kind` names.

    Quantized weights are put on `device` while they are read: some kinds cannot be moved later.
    """
    from safetensors import SafetensorError

    packed = quantize != "none" or bool(quantized.method(folder))
    options: dict[str, Any] = {"device_map": {"": device}} if packed else {}
    if quantize != "none":
        options["quantization_config"] = _bitsandbytes(quantize, dtype)

    if not hasattr(transformers, kind):
        raise ModelError(
            f"{where}: transformers {transformers.__version__} has no {kind}; install a newer one"
        )
    try:
        with without_bars():
            model, info = getattr(transformers, kind).from_pretrained(
                folder,
                dtype=dtype,
                attn_implementation=attention,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                **options,
            )
    except (
        ImportError,  # a kind of quantization whose package is not installed, or too old
        AttributeError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        RuntimeError,
        SafetensorError,
    ) as e:
        reason = one_line(e, 200)
        raise ModelError(f"{where}: the weights in {folder} cannot be loaded: {reason}") from e
    # transformers fills missing weights with random numbers and goes on
    if missing := sorted(info["missing_keys"]):
        raise ModelError(
            f"{where}: incomplete checkpoint: {len(missing)} weights are missing, first"
            f" {missing[0]}"
        )
    return model.eval() if packed else model.eval().to(device)


def _bitsandbytes(quantize: str, dtype: torch.dtype) -> Any:
    """How bitsandbytes quantizes; it computes in `dtype`. The head and the embeddings stay."""
    if quantize == "int8":
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
    )
