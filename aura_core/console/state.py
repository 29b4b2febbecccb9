"""What a page that connects late is shown: the last minutes, bounded. No I/O, no clock, no thread.

Times are those of the messages (`at_ms`), so a recording that is replayed is kept like a live run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from aura_core.console import protocol as p
from aura_core.console.forgetting import goes, within
from aura_core.errors import InputError

CONVERSATION, ALERTS, NOTES, PROBLEMS = 500, 100, 100, 50  # newest ones that are kept


@dataclass(frozen=True)
class Frames:
    """Frames of a camera that stay: those with these stamps, and all after the newest known."""

    stamps: set[int]
    newest_ns: int


class Past:
    """The last minutes of an assistant.

    Args:
        cameras: how many there are: each has a second a second.
        kept_s: seconds that are kept.

    Attributes:
        left_out: entries of the conversation and alerts that are older than those that are kept.
    """

    def __init__(self, cameras: int = 1, kept_s: int = p.KEPT_S) -> None:
        self._kept_ms = kept_s * 1000
        self._seconds: deque[p.Second] = deque(maxlen=(kept_s + 1) * max(1, cameras))
        self._conversation: deque[p.Asked | p.Said | p.Refused] = deque(maxlen=CONVERSATION)
        self._alerts: deque[p.Alert] = deque(maxlen=ALERTS)
        self._notes: deque[p.Note] = deque(maxlen=NOTES)
        self._problems: deque[p.Problem] = deque(maxlen=PROBLEMS)
        self._watches: tuple[p.Watch, ...] = ()
        self.left_out = 0
        self.playback: p.Playback | None = None  # where a recording is that is replayed

    def take(self, event: p.Event) -> None:
        """Keep what a late page needs of this."""
        match event:
            case p.Second():
                self._seconds.append(event)
                while self._seconds[0].at_ms < event.at_ms - self._kept_ms:
                    self._seconds.popleft()
            case p.Asked() | p.Said() | p.Refused():
                self.left_out += len(self._conversation) == CONVERSATION
                self._conversation.append(event)
            case p.Alert():
                self._keep_alert(event)
            case p.Watches():
                self._watches = event.watches
            case p.Note():
                self._notes.append(event)
            case p.Problem():
                self._problems.append(event)
            case p.Forgotten():
                self.forget(event)
            case p.Snapshot():
                self._replace(event)
            case p.Playback():
                self.playback = event
            case _:  # how it is doing now is told once a second
                pass

    def acknowledge(self, key: str) -> p.Alert | None:
        """Mark an alert as seen. Returns it; None where it was seen already.

        Raises `InputError` where none has this key: it is older than what is kept, or forgotten.
        """
        for place, alert in enumerate(self._alerts):
            if alert.key == key:
                if alert.acknowledged:
                    return None
                self._alerts[place] = replace(alert, acknowledged=True)
                return self._alerts[place]
        raise InputError("this alert is not kept any more")

    def snapshot(self) -> p.Snapshot:
        """All that is kept."""
        return p.Snapshot(
            tuple(self._seconds),
            tuple(self._conversation),
            tuple(self._alerts),
            self._watches,
            tuple(self._notes),
            tuple(self._problems),
        )

    def _keep_alert(self, alert: p.Alert) -> None:
        for place, known in enumerate(self._alerts):
            if known.key == alert.key:  # it was acknowledged elsewhere
                self._alerts[place] = alert
                return
        self.left_out += len(self._alerts) == ALERTS
        self._alerts.append(alert)

    def forget(self, forgotten: p.Forgotten) -> dict[str, Frames]:
        """Notes were deleted: the words that repeat them go, see `forgetting`. Returns which frames
        stay, by camera."""
        stays = [alert for alert in self._alerts if not goes(alert, forgotten)]
        told = {alert.id for alert in stays}
        talk = [
            one
            for one in self._conversation
            if not goes(one, forgotten) or (isinstance(one, p.Said) and one.id in told)
        ]
        gone = _shown(self._alerts) + _shown(self._conversation)
        _fill(self._alerts, stays)
        _fill(self._conversation, talk)
        _fill(self._notes, [note for note in self._notes if not goes(note, forgotten)])
        left = _shown(stays) + _shown(talk)
        lost = set(gone) - set(left)
        if forgotten.everything:
            self.left_out = 0
        self._watches = tuple(
            replace(w, last_text="", last_stamp_ns=None)
            if forgotten.everything or (w.camera, w.last_stamp_ns) in lost
            else w
            for w in self._watches
        )
        if forgotten.everything:
            return {}
        seen = [(s.camera, s.stamp_ns) for s in self._seconds if not within(forgotten, s.at_ms)]
        frames = {s.camera: Frames(set(), s.stamp_ns) for s in self._seconds}  # the newest one
        for camera, stamp_ns in {*left, *seen} - lost:
            frames.setdefault(camera, Frames(set(), stamp_ns)).stamps.add(stamp_ns)
        return frames

    def _replace(self, snapshot: p.Snapshot) -> None:
        self.left_out = 0
        _fill(self._seconds, snapshot.seconds)
        _fill(self._conversation, snapshot.conversation)
        _fill(self._alerts, snapshot.alerts)
        _fill(self._notes, snapshot.notes)
        _fill(self._problems, snapshot.problems)
        self._watches = snapshot.watches


def _shown(entries: Iterable[object]) -> list[tuple[str, int]]:
    """The frames of what was said."""
    return [(e.camera, e.stamp_ns) for e in entries if isinstance(e, p.Said | p.Alert)]


def _fill(kept: deque, values: Iterable[object]) -> None:  # type: ignore[type-arg]
    kept.clear()
    kept.extend(values)
