"""The prompt of a published Qwen3-VL, token for token, with its real vocabulary.

The ranks of the vocabulary are in the package dashscope. `GOLDEN` was made from them with tiktoken,
and not with this project's code, from the text that the processor of transformers 4.57 writes: the
time of each pair of frames stands before one pair of vision markers.
"""

from __future__ import annotations

import base64
import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("transformers")

import itertools

import checkpoints

from aura_core.models.backend import Tokens, Video
from aura_core.models.chat import HFTokenizer, extract
from aura_core.models.sidecar import AuraSidecar
from aura_core.stream.prefix import Prefix
from aura_core.stream.prompt import PromptCodec

# special tokens of the published tokenizer, from id 151643 on
SPECIALS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"),
    *("<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>"),
    *("<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)
PAD = 151656
GRID = (2, 3)
QUESTION, ANSWER = "What is on the table, and since when? 桌上有什么？", "A red cup (2), I think."
GOLDEN = [
    *(151644, 8948, 198, 2610, 525, 10099, 264, 3887, 2766, 4269, 13, 151645, 198, 151644, 872),
    *(198, 27, 15, 13, 17, 6486, 29, 151652, *[PAD] * 6, 151653, 151645, 198, 151644, 77091, 198),
    *(151645, 198, 151644, 872, 198, 27, 15, 13, 17, 6486, 29, 151652, *[PAD] * 6, 151653, 3838),
    *(374, 389, 279, 1965, 11, 323, 2474, 979, 30, 6567, 94, 234, 17447, 104139, 11319, 151645),
    *(198, 151644, 77091, 198, 32, 2518, 10525, 320, 17, 701, 358, 1744, 13, 151645, 198, 151644),
    *(872, 198, 27, 15, 13, 17, 6486, 29, 151652, *[PAD] * 6, 151653, 151645, 198, 151644, 77091),
    198,
]


@pytest.fixture(scope="module")
def tokenizer() -> HFTokenizer:
    """The published tokenizer, out of its ranks."""
    import transformers
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    spec = importlib.util.find_spec("dashscope")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("could not import 'dashscope'")
    lines = (Path(spec.submodule_search_locations[0]) / "resources/qwen.tiktoken").read_bytes()
    ranks = {base64.b64decode(a): int(b) for a, b in (x.split() for x in lines.splitlines())}
    letters = bytes_to_unicode()
    written = {token: "".join(letters[b] for b in token) for token in ranks}
    merges = [
        (written[token[:i]], written[token[i:]])
        for token in sorted(ranks, key=ranks.__getitem__)
        for i in _split(token, ranks)
    ]
    core = Tokenizer(models.BPE({written[t]: i for t, i in ranks.items()}, merges))
    rule = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|" + checkpoints._SPLIT
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(rule), "isolated"),
            pre_tokenizers.ByteLevel(False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([AddedToken(s, special=True) for s in SPECIALS])
    return HFTokenizer(transformers.PreTrainedTokenizerFast(tokenizer_object=core))


def test_three_chunks_are_the_published_ids(tokenizer: HFTokenizer) -> None:
    template = checkpoints.TEMPLATES["qwen3_vl"]
    chat = extract(tokenizer, template, "qwen3_vl", AuraSidecar(), "published")
    codec = PromptCodec(tokenizer, chat, "You are watching a live video stream.")
    video = Video(None, GRID)
    pieces = [
        codec.head(Prefix(codec.system_prompt)),
        *codec.user(video, None),
        codec.assistant(None),
        *codec.user(video, QUESTION),
        codec.assistant(tokenizer.encode(ANSWER)),
        *codec.user(video, None),
    ]
    ids = [i for p in pieces for i in (p.ids if isinstance(p, Tokens) else [PAD] * len(p))]
    assert ids == GOLDEN


def _split(token: bytes, ranks: dict[bytes, int]) -> list[int]:
    """Where the token's last merge was: byte pairs are merged by rank, below the token's own."""
    if len(token) == 1:
        return []
    parts = [bytes([b]) for b in token]
    while len(parts) > 2:
        pairs = [
            (ranks.get(a + b, len(ranks)), i) for i, (a, b) in enumerate(itertools.pairwise(parts))
        ]
        rank, i = min(pairs)
        if rank >= ranks[token]:
            return []
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return [len(parts[0])]
