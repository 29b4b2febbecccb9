"""The embedded default's shape: a Qwen3-VL of about three million parameters and its word list.

Everything here is published layout (config, tokenizer, chat template), so the result loads like any
other Qwen3-VL folder. `aura.json` in the folder tells how the checkpoint was trained to decide.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from aura_core.models import portable
from aura_core.models.bars import without_bars
from aura_core.models.chat import HFTokenizer, extract
from aura_core.models.families.qwen_vl import PixelSpec, QwenVL
from aura_core.models.sidecar import read_json, sidecar
from aura_core.sim.memory import vocabulary as memory_words
from aura_core.sim.talk import vocabulary as words
from aura_core.stream.prompt import PromptCodec

SPECIALS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
    "<|silent|>",
    "<|unknown|>",
)
WORDS = r"[a-z]+|[\u4e00-\u9fff]"  # what becomes a token
SYSTEM_PROMPT = "live room"
HEIGHT, WIDTH = 96, 128  # of frames, in pixels
_HALF = (0.5, 0.5, 0.5)
PIXELS = PixelSpec(16, 2, 2, HEIGHT * WIDTH, HEIGHT * WIDTH, _HALF, _HALF, (HEIGHT, WIDTH))
FAMILY = QwenVL("qwen3_vl", PIXELS)

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}"
    "{% else %}{% for part in message.content %}"
    "{% if part.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

AURA_JSON: dict[str, Any] = {
    "trained_to_decide": True,
    "silent_token": "<|silent|>",
    "system_prompt": SYSTEM_PROMPT,
    "frame_timestamps": False,
    "frame_height": HEIGHT,
    "frame_width": WIDTH,
    "memory": {
        "note": {"en": "note {seconds:g}", "zh": "记录{seconds:g}"},
        "block_s": 5.0,
        "overlap_s": 2.0,
        "line_s": 10.0,
        "prefix_tokens": 0,
        "sentences": True,
        "renames": True,
        "describes": {
            "en": "what is on the table?",
            "zh": "桌子上有什么?",
            "en person": "who is in the room?",
            "zh person": "谁在房间里?",
        },
    },
}
MOST_KNOWN = 100_000  # texts that are encoded once
NUMBERS = 100  # from 0 up, each a token of its own
MARKS = (";", "-")  # between the facts of a note, and before a line of memory


def vocabulary() -> list[str]:
    """Special tokens first, then every word of the simulator's questions and answers, sorted."""
    plain = {"user", "assistant", "system", *SYSTEM_PROMPT.split(), *words()}
    plain |= {*memory_words(), *MARKS, *map(str, range(NUMBERS))}
    for request in AURA_JSON["memory"]["note"].values():
        plain |= {*re.findall(WORDS, request.split("{")[0])}
    return [*SPECIALS, *sorted(plain)]


def build_tokenizer() -> Any:
    """A `PreTrainedTokenizerFast` of English words, Chinese characters and whole numbers: lower
    case, punctuation dropped but for semicolons, what stands in parentheses dropped, spelling
    folded."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocab = {word: i for i, word in enumerate(vocabulary())}
    core = Tokenizer(models.WordLevel(vocab, unk_token="<|unknown|>"))
    core.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            normalizers.Replace(Regex(r"['’]s\b"), " is"),
            normalizers.Replace(Regex(r"['’]re\b"), " are"),
            normalizers.Replace(Regex(r"\bcolor"), "colour"),
            normalizers.Replace(Regex(r"[(（][^()（）]*[)）]"), " "),
            normalizers.Replace(Regex(r"[?.!,:\"？。！，、：]"), " "),
            normalizers.Replace(Regex(r"[;；]"), " ; "),
        ]
    )
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex("[\u4e00-\u9fff]"), "isolated"),
        ]
    )
    core.decoder = decoders.Sequence(
        [  # a space before each word and number, and none between characters
            decoders.Replace(Regex("^(?=[-a-z0-9])"), " "),
            decoders.Fuse(),
            decoders.Replace(Regex("(?<=[\u4e00-\u9fff]);"), "；"),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token="<|unknown|>",
        additional_special_tokens=[s for s in SPECIALS[1:-1] if s != "<|im_end|>"],
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def build_config(vocab: dict[str, int]) -> Any:
    """`Qwen3VLConfig` of the embedded default; sizes are the prototype's, see the model card."""
    from transformers import Qwen3VLConfig

    vocab_size = (len(vocab) + 15) // 16 * 16
    return Qwen3VLConfig(
        text_config={
            "vocab_size": vocab_size,
            "hidden_size": 192,
            "intermediate_size": 512,
            "num_hidden_layers": 6,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10_000.0,
                "mrope_section": [6, 5, 5],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 5,
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_heads": 4,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": 192,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [1],
        },
        image_token_id=vocab["<|image_pad|>"],
        video_token_id=vocab["<|video_pad|>"],
        vision_start_token_id=vocab["<|vision_start|>"],
        vision_end_token_id=vocab["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def build_model(seed: int = 0, tokenizer: Any = None) -> tuple[Any, Any]:
    """Randomly initialised model (fp32, SDPA) and its tokenizer: `tokenizer`, or a new one."""
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    torch.manual_seed(seed)
    tokenizer = tokenizer or build_tokenizer()
    model = Qwen3VLForConditionalGeneration(build_config(tokenizer.get_vocab()))
    # Words begin at about the size of the (scaled) visual features, so that neither drowns in the
    # residual stream.
    torch.nn.init.normal_(model.get_input_embeddings().weight, std=0.1)
    return model.float(), tokenizer


class RememberingTokenizer(HFTokenizer):
    """Encodes each text once: training asks the same few thousand questions over and over."""

    def __init__(self, tokenizer: Any) -> None:
        super().__init__(tokenizer)
        self._known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """See `HFTokenizer`."""
        if len(text) > 200:  # a whole history: never the same twice
            return super().encode(text)
        if text not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[text] = super().encode(text)
        return self._known[text]


def codec(tokenizer: Any) -> PromptCodec:
    """The prompt codec that the engine will use for this checkpoint."""
    wrapped = RememberingTokenizer(tokenizer)
    chat = extract(wrapped, CHAT_TEMPLATE, "qwen3_vl", sidecar(AURA_JSON, "aura_tiny"), "aura_tiny")
    return PromptCodec(wrapped, chat)


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write the published layout: fp16 safetensors, configs, tokenizer, template, `aura.json`."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v.detach().to("cpu", torch.float16) for k, v in model.state_dict().items()}
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    with without_bars():
        model.save_pretrained(folder, state_dict=state)
    tokenizer.save_pretrained(folder)
    portable.write_json(
        folder / "config.json", portable.config(read_json(folder / "config.json"), "float16")
    )
    portable.tokenizer_config(folder)
    preprocessor = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "patch_size": PIXELS.patch,
        "merge_size": PIXELS.merge,
        "temporal_patch_size": PIXELS.temporal,
        "size": {"shortest_edge": PIXELS.min_pixels, "longest_edge": PIXELS.max_pixels},
        "image_mean": list(PIXELS.mean),
        "image_std": list(PIXELS.std),
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=2) + "\n")
    (folder / "aura.json").write_text(json.dumps(AURA_JSON, indent=2) + "\n")
