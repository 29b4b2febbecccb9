"""Messages of `aura/asked` as questions."""

from __future__ import annotations

from typing import Any

from aura_core.types import Kind, Query, Severity


def asked_query(message: Any) -> Query:
    """The question of an `aura_ros/Asked` message of a bag, with its id, and without a stamp.

    A field that an earlier version of the message did not have keeps its default. An unknown kind
    or severity counts as none.
    """
    kind, severity = getattr(message, "kind", ""), getattr(message, "severity", "")
    cooldown_s = getattr(message, "cooldown_s", -1.0)
    return Query(
        message.text,
        id=getattr(message, "query_id", ""),
        kind=Kind(kind) if kind in list(Kind) else None,
        limit=int(getattr(message, "limit", 0)) or None,
        cooldown_s=float(cooldown_s) if cooldown_s >= 0 else None,
        urgent=bool(getattr(message, "urgent", False)),
        severity=Severity(severity) if severity in list(Severity) else Severity.INFO,
        quiet=bool(getattr(message, "quiet", False)),
    )
