"""A chunk's frames as a chat server takes them: message parts, each named by a uuid."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from aura_core.config import ServerConfig
from aura_core.errors import InputError
from aura_core.models.backend import Seen, seen
from aura_core.models.pixels import resize
from aura_core.models.server.side import Frames
from aura_core.types import Chunk

# Most uuids that the server is assumed to know. A chunk whose uuid was forgotten is sent again.
_REMEMBERED = 8192


@dataclass(frozen=True, eq=False)
class Media:
    """One chunk, ready to send: data URLs and their uuids, one for a video, two for images."""

    kind: str  # video_url or image_url
    urls: tuple[str, ...]
    uuids: tuple[str, ...]

    def parts(self, with_bytes: bool, with_uuids: bool) -> list[dict[str, Any]]:
        """The parts of the message, with their bytes or named by uuid only."""
        out = []
        for url, uuid in zip(self.urls, self.uuids, strict=True):
            part: dict[str, Any] = {
                "type": self.kind,
                self.kind: {"url": url} if with_bytes else None,
            }
            out.append(part | {"uuid": uuid} if with_uuids else part)
        return out


class MediaCodec:
    """Resizes frames as the checkpoint wants them, compresses them, and names the result.

    A uuid is the HMAC-SHA256 of the bytes that are sent and of how they are read; the tenant is the
    key. Servers use the uuid as the only key of their caches. So it must differ for other content,
    and another tenant must not be able to guess it.
    """

    def __init__(self, config: ServerConfig, family: Frames, video: bool) -> None:
        self._config, self._family, self._video = config, family, video
        png = config.image_format == "png"
        self._suffix, self._options = (
            (".png", []) if png else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality])
        )

    def encode(self, chunk: Chunk) -> Seen:
        """The chunk as runs of visual tokens whose features are its `Media`.

        Raises `InputError` when its frames cannot be used.
        """
        image = chunk.frames[-1].image
        try:
            height, width = self._family.frame_size(image.shape[0], image.shape[1])
        except ValueError as e:
            raise InputError(f"chunk {chunk.index}: {e}") from e
        frames = [self._compress(resize(f.image, height, width)) for f in chunk.frames]
        kind = self._config.image_format
        coded = [base64.b64encode(f).decode() for f in frames]
        if self._video:
            # The type says jpeg for PNG bytes too: vLLM expects this name, and takes the format
            # from the bytes.
            media = Media(
                "video_url",
                ("data:video/jpeg;base64," + ",".join(coded),),
                (self._uuid("video", frames),),
            )
        else:
            urls = tuple(f"data:image/{kind};base64,{c}" for c in coded)
            media = Media("image_url", urls, tuple(self._uuid("image", [f]) for f in frames))
        runs = len(media.urls)
        return seen([media] * runs, self._family.grids(height, width) * runs)

    def _compress(self, frame: np.ndarray) -> bytes:
        done, data = cv2.imencode(
            self._suffix, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), self._options
        )
        if not done:
            raise InputError(
                f"a frame of {frame.shape[1]}x{frame.shape[0]} pixels cannot be compressed"
            )
        return data.tobytes()

    def _uuid(self, kind: str, frames: list[bytes]) -> str:
        h = hmac.new(
            self._config.tenant.encode(),
            f"aura {kind} {self._family.pixels}".encode(),
            hashlib.sha256,
        )
        for frame in frames:
            h.update(len(frame).to_bytes(8) + frame)
        return h.hexdigest()


class KnownMedia:
    """The uuids that the server knows, newest last. Thread-safe; all sessions share it."""

    def __init__(self) -> None:
        self._uuids: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def has(self, media: Media) -> bool:
        """Whether all uuids of `media` are known."""
        with self._lock:
            return all(u in self._uuids for u in media.uuids)

    def add(self, sent: Iterable[Media]) -> None:
        """Record that the server has taken these."""
        with self._lock:
            for uuid in (u for m in sent for u in m.uuids):
                self._uuids[uuid] = None
                self._uuids.move_to_end(uuid)
            while len(self._uuids) > _REMEMBERED:
                self._uuids.popitem(last=False)

    def clear(self) -> None:
        """Forget all, because the server may have lost them."""
        with self._lock:
            self._uuids.clear()
