"""What the host reports, as messages of the console. Called on the model's thread."""

from __future__ import annotations

from collections.abc import Callable

from aura_core.console import forgetting
from aura_core.console import protocol as p
from aura_core.console.clock import MS, now_ms
from aura_core.console.robot import Seen, Told
from aura_core.live import events as e
from aura_core.live.host import Host
from aura_core.memory.notes import Note
from aura_core.stream.attribution import stands
from aura_core.stream.watches import Watch
from aura_core.types import Response, Step


class Telling:
    """A listener of a host that tells its events in the console's words.

    Args:
        host: is asked for its counters.
        tell: gets each message and frame.
    """

    def __init__(self, host: Host, tell: Callable[[Told], None]) -> None:
        self._host, self._tell = host, tell
        self._dropped: dict[str, int] = {}
        self._watches: dict[str, tuple[Watch, ...]] = {}
        # the words of the newest answer of each watch, as they were said, and their frame
        self._last: dict[str, tuple[str, int, p.Alert]] = {}

    def on_event(self, event: e.Event) -> None:
        """Tell what a page shows of it."""
        match event:
            case e.Stepped():
                self._stepped(event)
            case e.Told():
                p_silent = event.delegate.p_silent
                self._respond(event.stream, event.response, p_silent, event)
            case e.Words():
                words = p.Words(event.response_id, event.stream, event.text, now_ms(), event.asked)
                self._tell(words)
            case e.Asked(query=q):
                watch = stands(q)
                self._tell(p.Asked(q.id, event.stream, q.text, event.source, watch, now_ms()))
            case e.Refused(query=q):
                refused = p.Refused(q.id, event.stream, q.text, event.reason, now_ms())
                self._tell(refused)
            case e.Unheard(query=q):
                self._tell(p.Refused(q.id, event.stream, q.text, event.message, now_ms()))
            case e.Watched():
                self._watches[event.stream] = event.watches
                held = {w.id for some in self._watches.values() for w in some}
                self._last = {i: last for i, last in self._last.items() if i in held}
                self.tell_watches()
            case e.Noted():
                self._tell(note(event.note))
            case e.Forgotten():
                forgotten = forgetting.told(event.deletions, now_ms())
                self._last = {
                    i: (text, stamp_ns, alert)
                    for i, (text, stamp_ns, alert) in self._last.items()
                    if not forgetting.goes(alert, forgotten)
                }
                self._tell(forgotten)
                self.tell_watches()
            case e.Problem():
                self._tell(p.Problem(event.stream, event.message, now_ms()))
            case e.Moved() | e.Failed():
                self._tell(p.Problem("", event.message, now_ms()))
            case _:
                pass

    def tell_watches(self) -> None:
        """Tell all watches."""
        self._tell(self.watches())

    def watches(self) -> p.Watches:
        """All watches as they are now. From any thread."""
        known = [(name, w) for name, some in list(self._watches.items()) for w in some]
        return p.Watches(tuple(self._watch(name, w) for name, w in known))

    def _watch(self, camera: str, w: Watch) -> p.Watch:
        text, stamp_ns, _ = self._last.get(w.id, (w.last_text, w.last_ns, None))
        return p.Watch(
            w.id,
            camera,
            w.text,
            str(w.kind),
            w.open,
            w.answers,
            w.limit,
            w.cooldown_s,
            w.urgent,
            str(w.severity),
            w.cancelled,
            text,
            stamp_ns,
        )

    def _stepped(self, event: e.Stepped) -> None:
        step = event.step
        self._tell(Seen(event.stream, step.stamp_ns, event.frame.image, "second"))
        self._tell(self._second(event.stream, step))
        if step.response is not None:
            self._respond(event.stream, step.response, step.decision.p_silent, event)

    def _second(self, camera: str, step: Step) -> p.Second:
        dropped = self._host.health(camera).chunks_dropped
        more, self._dropped[camera] = dropped - self._dropped.get(camera, 0), dropped
        return p.Second(
            camera,
            step.chunk,
            step.stamp_ns,
            now_ms(),
            step.state,
            step.decision.p_silent,
            step.decision.reason or "",
            step.suppressed,
            round(step.step_ms, 3),
            round(step.decide_ms, 3),
            step.window_chunks,
            self._host.config.window.max,
            step.window_tokens,
            step.decode_tokens,
            step.switched,
            step.missed_chunks,
            max(0, more),
            step.question_id or "",
            step.response.id if step.response else "",
        )

    def _respond(
        self, camera: str, response: Response, p_silent: float, event: e.Stepped | e.Told
    ) -> None:
        if event.alerts:
            self._tell(Seen(camera, response.stamp_ns, event.frame.image, "evidence"))
        self._tell(
            p.Said(
                response.id,
                camera,
                response.text,
                response.stamp_ns,
                now_ms(),
                response.query_id,
                str(response.kind),
                response.acknowledgment,
                response.urgent,
                p_silent,
                tuple(p.Evidence(n.note_id, n.wall_ns / MS) for n in response.evidence),
            )
        )
        for alert in event.alerts:
            watch = alert.watch
            told = p.Alert(
                f"{response.id}/{watch.query_id}",
                response.id,
                watch.query_id,
                camera,
                alert.instruction,
                response.text,
                response.stamp_ns,
                now_ms(),
                str(watch.kind),
                str(watch.severity),
                watch.urgent,
                1.0 - p_silent,
                watch.index,
            )
            self._last[watch.query_id] = response.text, response.stamp_ns, told
            self._tell(told)


def note(note: Note, thumbnail: str = "") -> p.Note:
    """A note as a message. `thumbnail`: a JPEG in base64."""
    return p.Note(
        note.id,
        note.stream,
        str(note.kind),
        note.text,
        note.begin_wall_ns / MS,
        note.wall_ns / MS,
        note.question,
        note.query_id,
        note.response_id,
        thumbnail,
    )
