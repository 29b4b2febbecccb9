"""Counters of what was sent to the server. They show whether prefixes and frames are reused."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, fields


@dataclass
class Counters:
    """Totals since the backend was opened. A request and its retries are counted one by one."""

    requests: int = 0
    # requests sent again after 429, 5xx, a broken connection or a reply that made no sense
    retries: int = 0
    connections: int = 0  # that were opened
    media_sent: int = 0  # chunks whose bytes were sent
    media_bytes: int = 0  # their size, as base64
    media_reused: int = 0  # chunks that were named by uuid only
    resends: int = 0  # requests sent again with all bytes, because the server had forgotten a uuid
    # requests that changed what had been sent before, without a rollback; always 0
    prefix_violations: int = 0
    prompt_tokens: int = 0  # as the server reports them, where it does
    cached_tokens: int = 0  # of these, found in its prefix cache, where it reports them
    # requests whose prompt had another length on the server than here (see docs/server.md)
    prompt_mismatches: int = 0
    warm_requests: int = 0
    warm_skipped: int = 0  # replaced by a newer one before they were sent
    warm_failures: int = 0
    aborted_streams: int = 0  # closed before the server had ended them
    cut_answers: int = 0  # answers that ended because the server failed
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, **amounts: int) -> None:
        """Add to several counters, from any thread."""
        with self._lock:
            for name, amount in amounts.items():
                setattr(self, name, getattr(self, name) + amount)

    def as_dict(self) -> dict[str, int]:
        """All counters by name."""
        with self._lock:
            return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "_lock"}
