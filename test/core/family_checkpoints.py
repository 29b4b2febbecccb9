"""Small random checkpoints of the families whose chunk is not Qwen's video, and of Qwen's MoE.

Each has the classes of transformers at small sizes, the special tokens of the published tokenizer,
a chat template of the published one's structure, and the files of the published layout.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import checkpoints
from checkpoints import SILENT

HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
CLIP = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
WINDOW = 24  # of sliding layers, in tokens: about two chunks

# the turns of the templates; HF renders with trim_blocks, which drops a line break after a block
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}"
    "{% if p.type == 'image' %}{{ '<IMG_CONTEXT>\n' }}"
    "{% elif p.type == 'video' %}{{ '<video>\n' }}"
    "{% else %}{{ p.text }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SMOL = (
    "<|im_start|>{% for m in messages %}{{ m.role | capitalize }}"
    "{% if m.content[0].type == 'image' %}:{% else %}{{ ': ' }}{% endif %}"
    "{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}"
    "{% elif p.type == 'image' %}<image>{% elif p.type == 'video' %}<video>{% endif %}{% endfor %}"
    "{{ '<end_of_utterance>\n' }}{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
_OF = "{% for p in m.content | selectattr('type', 'equalto', 'KIND') %}"
LLAVA = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + ' ' }}"
    + _OF.replace("KIND", "image")
    + "<image>{% endfor %}"
    + _OF.replace("KIND", "video")
    + "<video>{% endfor %}"
    + _OF.replace("KIND", "text")
    + "{{ '\n' + p.text }}{% endfor %}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# the form that the library's own conversion writes
LLAVA_LINES = (
    LLAVA.replace("m.role + ' '", "m.role + '\n'")
    .replace("<video>{%", "{{ '<video>\n' }}{%")
    .replace("'\n' + p.text", "p.text")
    .replace("<|im_end|>{%", "{{ '<|im_end|>\n' }}{%")
)
# no system role: its text stands at the beginning of the first user turn; roles alternate
GEMMA = (
    "{{ bos_token }}{% set s = namespace(text='', skip=0) %}"
    "{% if messages[0].role == 'system' %}{% set s.skip = 1 %}"
    "{% set s.text = (messages[0].content if messages[0].content is string"
    " else messages[0].content[0].text) + '\n\n' %}{% endif %}"
    "{% for m in messages[s.skip:] %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' }}"
    "{% if loop.first %}{{ s.text }}{% endif %}"
    "{% if m.content is string %}{{ m.content | trim }}{% else %}{% for p in m.content %}"
    "{% if p.type == 'image' %}MARK{% elif p.type == 'text' %}{{ p.text | trim }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
# a system turn whose content has to be a text, and a thought that is closed before the answer
GEMMA4 = (
    "{{ bos_token }}{% set s = namespace(skip=0) %}{% if messages[0].role == 'system' %}"
    "{% set s.skip = 1 %}{{ '<|turn>system\n' + (messages[0].content | trim) + '<turn|>\n' }}"
    "{% endif %}{% for m in messages[s.skip:] %}"
    "{{ '<|turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' }}"
    "{% if m.content is string %}{{ m.content | trim }}{% else %}{% for p in m.content %}"
    "{% if p.type == 'image' %}<|image|>{% elif p.type == 'video' %}<|video|>"
    "{% elif p.type == 'text' %}{{ p.text | trim }}{% endif %}{% endfor %}{% endif %}"
    "{{ '<turn|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|turn>model\n' }}"
    "THOUGHT{% endif %}"
)
THOUGHT = (
    "{% if not enable_thinking | default(false) %}{{ '<|channel>thought\n<channel|>' }}{% endif %}"
)


@dataclass(frozen=True)
class Kind:
    """How one small checkpoint is made.

    Attributes:
        model_type: of its config.json.
        model: the class of transformers.
        specials: special tokens of its tokenizer.
        end: the token that ends a turn.
        template: its chat template.
        config: makes the configuration from the vocabulary.
        files: other JSON files, by name.
        answer: what its template writes before an answer in the history, and what it gives the
            model before it writes one.
    """

    model_type: str
    model: str
    specials: tuple[str, ...]
    end: str
    template: str
    config: Callable[[dict[str, int]], Any]
    files: dict[str, Any]
    answer: tuple[str, str]


def _text(vocab: dict[str, int], end: str, layers: int = 3, **more: Any) -> dict[str, Any]:
    return {
        "vocab_size": (len(vocab) + 15) // 16 * 16,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "initializer_range": 0.15,
        "bos_token_id": None,
        "eos_token_id": vocab[end],
        "pad_token_id": 0,
    } | more


def _vision(**more: Any) -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
        "initializer_range": 0.15,
    } | more


def _qwen3_vl_moe(vocab: dict[str, int]) -> Any:
    import transformers

    text = _text(vocab, "<|im_end|>", head_dim=16, num_experts=4, num_experts_per_tok=2)
    rope = {"rope_type": "default", "rope_theta": 5_000.0}
    rope |= {"mrope_section": [4, 2, 2], "mrope_interleaved": True}
    text |= {"moe_intermediate_size": 32, "decoder_sparse_step": 1, "rope_parameters": rope}
    vision = {
        "depth": 3,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": 64,
        "initializer_range": 0.15,
        "patch_size": 16,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0, 1],
    }
    return transformers.Qwen3VLMoeConfig(
        text_config=text,
        vision_config=vision,
        tie_word_embeddings=False,
        image_token_id=vocab["<|image_pad|>"],
        video_token_id=vocab["<|video_pad|>"],
        vision_start_token_id=vocab["<|vision_start|>"],
        vision_end_token_id=vocab["<|vision_end|>"],
    )


def _internvl(vocab: dict[str, int]) -> Any:
    import transformers

    return transformers.InternVLConfig(
        vision_config=_vision(
            image_size=[32, 32], patch_size=[8, 8], use_qk_norm=True, layer_scale_init_value=1.0
        ),
        text_config={"model_type": "qwen3", "head_dim": 16} | _text(vocab, "<|im_end|>"),
        image_token_id=vocab["<IMG_CONTEXT>"],
        image_seq_length=4,
        tie_word_embeddings=False,
    )


def _smolvlm(vocab: dict[str, int]) -> Any:
    import transformers

    return transformers.SmolVLMConfig(
        vision_config=_vision(),
        text_config={"model_type": "llama", "head_dim": 16} | _text(vocab, "<end_of_utterance>"),
        image_token_id=vocab["<image>"],
        scale_factor=2,
        pad_token_id=0,
    )


def _llava_onevision(vocab: dict[str, int]) -> Any:
    import transformers

    return transformers.LlavaOnevisionConfig(
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False}
        | _vision(image_size=24),
        text_config={"model_type": "qwen2"} | _text(vocab, "<|im_end|>"),
        image_token_index=vocab["<image>"],
        video_token_index=vocab["<video>"],
        image_grid_pinpoints=[[24, 24]],
    )


def _sliding(vocab: dict[str, int], end: str, kinds: str, **more: Any) -> dict[str, Any]:
    """A text configuration whose layers slide (s) or are full (f)."""
    names = {"s": "sliding_attention", "f": "full_attention"}
    return _text(vocab, end, len(kinds), head_dim=16, hidden_activation="gelu_pytorch_tanh") | {
        "sliding_window": WINDOW,
        "layer_types": [names[k] for k in kinds],
        "bos_token_id": vocab["<bos>"],
        **more,
    }


def _gemma3(vocab: dict[str, int]) -> Any:
    import transformers

    return transformers.Gemma3Config(
        text_config=_sliding(vocab, "<end_of_turn>", "sfss", query_pre_attn_scalar=16),
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False} | _vision(),
        mm_tokens_per_image=4,
        boi_token_index=vocab["<start_of_image>"],
        eoi_token_index=vocab["<end_of_image>"],
        image_token_index=vocab["<image_soft_token>"],
    )


def _gemma3n(vocab: dict[str, int]) -> Any:
    """Its vision encoder is a small one of timm; the published one has 300 million parameters.

    The marks of pictures and sounds come last in the vocabulary, and have tables of their own.
    """
    import transformers

    pictures, sounds = vocab["<end_of_image>"], vocab["<end_of_audio>"]
    text = _sliding(vocab, "<end_of_turn>", "sfsf", num_kv_shared_layers=2)
    text |= {
        "vocab_size_per_layer_input": pictures,
        "hidden_size_per_layer_input": 8,
        "altup_num_inputs": 2,
        "laurel_rank": 8,
        "activation_sparsity_pattern": [0.5, 0.0, 0.0, 0.0],
    }
    vision = {"architecture": "mobilenetv3_small_050", "hidden_size": 288, "vocab_size": 2}
    sound = {
        "hidden_size": 32,
        "conf_num_hidden_layers": 1,
        "conf_num_attention_heads": 2,
        "sscp_conv_channel_size": [8, 8],
        "input_feat_size": 16,
        "vocab_size": 2,
    }
    return transformers.Gemma3nConfig(
        text_config=text,
        vision_config=vision | {"vocab_offset": pictures, "initializer_range": 0.15},
        audio_config=sound | {"vocab_offset": sounds},
        vision_soft_tokens_per_image=4,
        boi_token_id=vocab["<start_of_image>"],
        eoi_token_id=pictures,
        image_token_id=vocab["<image_soft_token>"],
        boa_token_id=vocab["<start_of_audio>"],
        eoa_token_id=sounds,
        audio_token_id=vocab["<audio_soft_token>"],
    )


def _gemma4(vocab: dict[str, int], **more: Any) -> Any:
    import transformers

    vision = _vision(num_key_value_heads=2, head_dim=16, pooling_kernel_size=2) | {
        "position_embedding_size": 64
    }
    del vision["image_size"]
    return transformers.Gemma4Config(
        text_config=_sliding(vocab, "<turn|>", "sfsf", global_head_dim=32, **more),
        vision_config=vision,
        audio_config=None,
        boi_token_id=vocab["<|image>"],
        eoi_token_id=vocab["<image|>"],
        image_token_id=vocab["<|image|>"],
        video_token_id=vocab["<|video|>"],
        audio_token_id=vocab["<|audio|>"],
    )


def _gemma4_small(vocab: dict[str, int]) -> Any:
    """As E2B and E4B: per-layer inputs, layers that share keys, pictures read like text."""
    size = (len(vocab) + 15) // 16 * 16
    return _gemma4(
        vocab,
        num_kv_shared_layers=2,
        hidden_size_per_layer_input=8,
        vocab_size_per_layer_input=size,
        final_logit_softcapping=30.0,
    )


def _gemma4_large(vocab: dict[str, int]) -> Any:
    """As 31B and 26B: pictures that see all of themselves, keys as values in full layers, MoE."""
    return _gemma4(
        vocab,
        hidden_size_per_layer_input=0,
        use_bidirectional_attention="vision",
        attention_k_eq_v=True,
        num_global_key_value_heads=1,
        enable_moe_block=True,
        num_experts=4,
        top_k_experts=2,
        moe_intermediate_size=32,
    )


_IM = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_QWEN_PIXELS: dict[str, Any] = {
    "patch_size": 16,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_processor_type": "Qwen2VLImageProcessorFast",
} | HALF
_GEMMA = ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>")
_GEMMA3N_LAST = ("<end_of_image>", "<image_soft_token>", "<end_of_audio>", "<audio_soft_token>")
_TURN = "<start_of_turn>model\n"
_GEMMA4 = ("<pad>", "<eos>", "<bos>", "<|turn>", "<turn|>", "<|channel>", "<channel|>")
_GEMMA4 += ("<|image>", "<image|>", "<|image|>", "<|video|>", "<|audio|>")
_GEMMA4_FILES = {
    "processor_config.json": {
        "image_processor": {"image_processor_type": "Gemma4ImageProcessor", "do_normalize": False},
        "video_processor": {"video_processor_type": "Gemma4VideoProcessor", "max_soft_tokens": 6},
    }
}

KINDS: dict[str, Kind] = {
    "qwen3_vl_moe": Kind(
        "qwen3_vl_moe",
        "Qwen3VLMoeForConditionalGeneration",
        checkpoints.SPECIALS,
        "<|im_end|>",
        checkpoints.TEMPLATES["qwen3_vl"],
        _qwen3_vl_moe,
        {
            "preprocessor_config.json": _QWEN_PIXELS
            | {"size": {"longest_edge": 16_777_216, "shortest_edge": 65_536}},
            "video_preprocessor_config.json": _QWEN_PIXELS
            | {
                "video_processor_type": "Qwen3VLVideoProcessor",
                "size": {"longest_edge": 25_165_824, "shortest_edge": 4_096},
            },
        },
        ("<|im_start|>assistant\n",) * 2,
    ),
    "internvl": Kind(
        "internvl",
        "InternVLForConditionalGeneration",
        (*_IM, "<img>", "</img>", "<IMG_CONTEXT>", "<video>"),
        "<|im_end|>",
        CHATML,
        _internvl,
        {
            "preprocessor_config.json": {
                "image_processor_type": "GotOcr2ImageProcessorFast",
                "size": {"height": 32, "width": 32},
                "crop_to_patches": False,
            }
            | CLIP
        },
        ("<|im_start|>assistant\n",) * 2,
    ),
    "smolvlm": Kind(
        "smolvlm",
        "SmolVLMForConditionalGeneration",
        (*_IM, "<fake_token_around_image>", "<global-img>", "<image>", "<end_of_utterance>"),
        "<end_of_utterance>",
        SMOL,
        _smolvlm,
        {
            "preprocessor_config.json": {
                "image_processor_type": "SmolVLMImageProcessor",
                "size": {"longest_edge": 128},
                "max_image_size": {"longest_edge": 32},
            }
            | HALF
        },
        ("Assistant: ", "Assistant:"),
    ),
    "llava_onevision": Kind(
        "llava_onevision",
        "LlavaOnevisionForConditionalGeneration",
        (*_IM, "<image>", "<video>"),
        "<|im_end|>",
        LLAVA,
        _llava_onevision,
        {
            "preprocessor_config.json": {
                "image_processor_type": "LlavaOnevisionImageProcessor",
                "size": {"height": 24, "width": 24},
            }
            | CLIP
        },
        ("<|im_start|>assistant \n", "<|im_start|>assistant\n"),
    ),
    "gemma3": Kind(
        "gemma3",
        "Gemma3ForConditionalGeneration",
        (*_GEMMA, "<end_of_image>", "<image_soft_token>"),
        "<end_of_turn>",
        GEMMA.replace("MARK", "<start_of_image>"),
        _gemma3,
        {
            "preprocessor_config.json": {
                "image_processor_type": "Gemma3ImageProcessor",
                "size": {"height": 32, "width": 32},
            }
            | HALF
        },
        (_TURN, _TURN),
    ),
    "gemma3n": Kind(
        "gemma3n",
        "Gemma3nForConditionalGeneration",
        (*_GEMMA, "<start_of_audio>", SILENT, *_GEMMA3N_LAST),
        "<end_of_turn>",
        GEMMA.replace("MARK", "<image_soft_token>"),
        _gemma3n,
        {
            "preprocessor_config.json": {
                "image_processor_type": "SiglipImageProcessorFast",
                "size": {"height": 64, "width": 64},
                "do_normalize": False,
            }
            | HALF
        },
        (_TURN, _TURN),
    ),
    "gemma4": Kind(
        "gemma4",
        "Gemma4ForConditionalGeneration",
        _GEMMA4,
        "<turn|>",
        GEMMA4.replace("THOUGHT", ""),
        _gemma4_small,
        _GEMMA4_FILES,
        ("<|turn>model\n",) * 2,
    ),
    "gemma4_large": Kind(
        "gemma4",
        "Gemma4ForConditionalGeneration",
        _GEMMA4,
        "<turn|>",
        GEMMA4.replace("THOUGHT", THOUGHT),
        _gemma4_large,
        _GEMMA4_FILES,
        ("<|turn>model\n", "<|turn>model\n<|channel>thought\n<channel|>"),
    ),
}


def words(kind: Kind, silent: bool = True) -> Any:
    """The tokenizer of `kind`, as transformers opens it."""
    import transformers

    specials = [s for s in kind.specials if silent or s != SILENT]
    core = checkpoints.tokenizer(silent and SILENT not in specials, tuple(specials))
    bos = {"bos_token": "<bos>"} if "<bos>" in kind.specials else {}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token=kind.end, pad_token=kind.specials[0], **bos
    )


def write(folder: Path, name: str, *, silent: bool = True, seed: int = 0) -> Path:
    """Write a random checkpoint of `KINDS[name]` to `folder`; returns the folder."""
    import torch
    import transformers

    kind = KINDS[name]
    tokenizer = words(kind, silent)
    torch.manual_seed(seed)
    model = getattr(transformers, kind.model)(kind.config(tokenizer.get_vocab())).float()
    with torch.no_grad():  # the library leaves these at zero or one
        for name_, weight in model.named_parameters():
            if "mm_input_projection" in name_ or "position_embedding_table" in name_:
                weight.normal_(0, 0.3)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(kind.template, encoding="utf-8")
    for file, data in kind.files.items():
        (folder / file).write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    assert (SILENT in tokenizer.get_vocab()) == silent
    return folder
