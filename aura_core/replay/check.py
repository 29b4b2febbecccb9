"""Replays one bag and judges it, without a terminal: for the pytest plugin and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aura_core.config import AssistantConfig
from aura_core.errors import InputError
from aura_core.models import foreign
from aura_core.models.backend import Backend
from aura_core.replay.bag import Bag
from aura_core.replay.expect import read
from aura_core.replay.judge import Run, Verdict, judge, quoted
from aura_core.replay.lockstep import Asked, Lockstep, drive, insert
from aura_core.replay.witness import Thumbnail, Witness
from aura_core.stream.engine import StreamEngine


@dataclass(frozen=True)
class Checked:
    """A replay that was judged.

    `thumbnails` and `steps` are there where `pictures` was true. `note` is a warning about the
    model, or "".
    """

    bag: Path
    file: Path
    run: Run
    verdict: Verdict
    thumbnails: tuple[Thumbnail, ...] = ()
    steps: tuple[Mapping[str, object], ...] = ()
    note: str = ""

    def report(self) -> str:
        """Lines of text: the bag, what failed and when, and all words that were said."""
        lines = [f"{self.bag} against {self.file}: {self.verdict}"]
        lines += [f"  {r.state}: {r.where}: {r.name}: {r.reason}" for r in self.verdict.failed]
        lines.append("  said:" if self.run.said else "  nothing was said")
        for s in self.run.said:
            lines.append(f"    {'alert' if s.alert else 'answer'} {quoted(s, 200)}")
        return "\n".join([*lines, f"  note: {self.note}"] if self.note else lines)


def bag_of(file: Path) -> Path:
    """The bag that a file of expectations is about.

    It is that of its key `bag`, else the recording beside the file that has its name:
    `kitchen.expect.yaml` is about `kitchen`, `kitchen.mcap` or `kitchen.db3`.

    Raises:
        InputError: there is none.
        ConfigError: the file is wrong.
    """
    if (named := read(file).bag) is not None:
        return file.parent / named
    stem = file.name.removesuffix(".yaml").removesuffix("expect").removesuffix(".")
    beside = [file.parent / f"{stem}{ending}" for ending in ("", ".mcap", ".db3")] if stem else []
    for path in beside:
        if path.exists():
            return path
    raise InputError(f"{file}: there is no bag of its name; name it with 'bag: PATH'")


def check(
    bag: Path,
    file: Path,
    config: AssistantConfig,
    backend: Backend,
    asked: Sequence[Asked] = (),
    pictures: bool = False,
) -> Checked:
    """Replay `bag` and compare it with the expectations in `file`.

    Args:
        bag: the recording.
        file: YAML, see `expect.py`.
        config: the engine's settings.
        backend: the model; nothing of an earlier replay is left in it.
        asked: questions beside those of the bag and of the file.
        pictures: keep thumbnails and steps for `html.page`.

    Raises:
        AuraError: the bag, the file or a question cannot be used, or the model fails at once.
    """
    expectations = read(file)
    questions = [Asked(q.text, q.at_s) for q in expectations.ask] + list(asked)
    witness = Witness(pictures)
    lockstep = Lockstep(StreamEngine(backend, config))
    c = config.sampling
    topics = expectations.image_topic, expectations.text_topic
    with Bag(bag, *topics, c.fps, c.tolerance_s, c.hold_s) as opened:
        events = witness.attending(insert(opened.events(), questions))
        steps = drive(lockstep, events, on_refused=witness.refuse, on_lost=witness.lose)
        for step in steps:
            witness.step(step)
    run = witness.run()
    verdict, note = judge(expectations, run), foreign(config.model, str(bag), config.server)
    shown = tuple(witness.thumbnails), tuple(witness.steps)
    return Checked(bag, file, run, verdict, *shown, note)
