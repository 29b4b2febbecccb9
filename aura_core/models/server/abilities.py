"""What a chat server can do, beyond taking messages and returning text."""

from __future__ import annotations

from dataclasses import dataclass

from aura_core.config import ServerConfig


@dataclass(frozen=True)
class Abilities:
    """What is used of a server. The probe takes away what it finds missing.

    Attributes:
        video: a chunk goes as one video; else as two images.
        uuids: media that the server has are named instead of sent.
        logprobs: the probabilities of tokens are told; else decisions are read from the text.
        token_ids: tokens are told and stopped at by id: the server's tokenizer is the checkpoint's.
        continuation: a turn that was begun is continued; else an answer that breaks off ends there.
    """

    video: bool
    uuids: bool
    logprobs: bool
    token_ids: bool
    continuation: bool

    @classmethod
    def expected(cls, config: ServerConfig) -> Abilities:
        """What a server of the dialect is taken to be able to, before it was asked."""
        if config.dialect == "openai":
            return cls(False, False, True, False, False)
        return cls(config.media == "video", config.media_uuids, True, True, True)
