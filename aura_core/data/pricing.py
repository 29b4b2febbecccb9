"""What a run of the data engine will ask an MLLM for, and what that may cost, before it begins.

The number of requests follows from the settings and the lengths of the clips, except for two things
that the MLLM and the pictures decide: how many scenes there are, and how often the event of a
multi-response question happens. So there are two figures: one for few and long scenes whose events
happen once, and one for many scenes whose events happen `events` times. In the first all times are
right at once; in the second a share of them, `off`, is claimed a second early or late, which takes
further checks to put right (`expected_checks.py`). Both take it that each scene brings as many
questions as it may, and that all pass their checks: an MLLM that writes fewer, or whose questions
are refused, asks for less.

Tokens are counted as Qwen3-VL counts a picture, and four characters of text as one. Replies are as
long as those that the prompts show (`expected_replies.py`). With the costs of an earlier run, its
mean tokens a request are used instead.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av

from aura_core.data.costs import paid
from aura_core.data.erring import Errors
from aura_core.data.expected_checks import checks_of_a_time
from aura_core.data.expected_replies import ExpectedReplies
from aura_core.data.mllm_author import LONGEST
from aura_core.data.prepare import Source
from aura_core.data.prompts import Prompts
from aura_core.data.settings import DataConfig
from aura_core.data.store import StageFolder, write
from aura_core.data.video import FPS
from aura_core.errors import InputError, one_line

STAGES = ("synthesize", "refine", "verify")  # that ask an MLLM
NAME = "price.json"
PIXELS = 32 * 32  # of a visual token of Qwen3-VL
CHARACTERS = 4  # of a token
LABEL = 8  # tokens of the words beside a picture


@dataclass(frozen=True)
class Length:
    """A clip: its length in seconds, and the size of its pictures in pixels."""

    seconds: int
    width: int
    height: int


@dataclass(frozen=True)
class Amount:
    """Requests and tokens of one stage."""

    requests: float = 0
    prompt_tokens: float = 0
    completion_tokens: float = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )

    def money(self, prompt: float, completion: float) -> float:
        """Return the price, for prices of a million tokens."""
        return (self.prompt_tokens * prompt + self.completion_tokens * completion) / 1e6


@dataclass(frozen=True)
class Estimate:
    """Amounts by stage: for few scenes and events (`low`), and for many (`high`)."""

    clips: int
    seconds: int
    low: dict[str, Amount]
    high: dict[str, Amount]


def lengths_of(sources: Sequence[Source], config: DataConfig) -> tuple[list[Length], list[str]]:
    """Return the clips that `prepare` would make, by the headers of the videos, and what has none.

    A source without a known length is named: bags, and files that are no video.
    """
    found, unknown = [], []
    c = config.prepare
    for source in sources:
        try:
            with av.open(source.place) as container:
                video = container.streams.video[0]
                seconds = int((container.duration or 0) / av.time_base)
                width, height = video.width, video.height
        except IndexError:
            unknown.append(f"{source.name}: no video stream")
            continue
        except (av.FFmpegError, OSError) as e:
            unknown.append(f"{source.name}: {e.strerror or one_line(e)}")
            continue
        if not seconds or not width:
            unknown.append(f"{source.name}: its header tells no length")
            continue
        scale = min(1.0, math.sqrt(c.max_pixels / (width * height)))
        for begin in range(0, seconds, c.max_seconds):
            part = min(c.max_seconds, seconds - begin)
            if part >= c.min_seconds:
                found.append(Length(part, int(width * scale), int(height * scale)))
    return found, unknown


def estimate(
    clips: Iterable[Length],
    config: DataConfig,
    prompts: Prompts,
    events: int,
    off: float = Errors.off,
) -> Estimate:
    """Return what clips will ask for. `events`, `off`: see the module."""
    low: dict[str, Amount] = defaultdict(Amount)
    high: dict[str, Amount] = defaultdict(Amount)
    count = seconds = 0
    c, replies = config.synthesize, ExpectedReplies(prompts)
    for clip in clips:
        few = math.ceil(clip.seconds / c.max_scene_s)
        many = max(1, clip.seconds // c.min_scene_s)
        for total, scenes, happens, share in ((low, few, 1, 0.0), (high, many, events, off)):
            _Clip(clip, config, prompts, replies, total).ask(scenes, happens, share, total is high)
        count, seconds = count + 1, seconds + clip.seconds
    return Estimate(count, seconds, dict(low), dict(high))


class _Clip:
    """Adds the requests about one clip to `total`."""

    def __init__(
        self,
        clip: Length,
        config: DataConfig,
        prompts: Prompts,
        replies: ExpectedReplies,
        total: dict[str, Amount],
    ) -> None:
        self._replies = replies
        self._clip, self._c, self._prompts, self._total = clip, config, prompts, total
        longest = max(clip.width, clip.height)
        area = clip.width * clip.height * min(1.0, LONGEST / longest) ** 2
        self._picture = math.ceil(area / PIXELS) + LABEL

    def ask(self, scenes: int, events: int, off: float, most: bool) -> None:
        """Add all requests, for so many scenes, each as long as the others."""
        c, clip = self._c.synthesize, self._clip
        if c.ask_scenes:
            self._add("synthesize", "scenes", 1, clip.seconds, listed=(scenes,))
        length = clip.seconds / scenes
        standing = c.proactive + c.multi_response
        answers = c.proactive + c.multi_response * events
        checks = c.real_time * checks_of_a_time(False, c.repair_s, off)
        checks += answers * checks_of_a_time(True, c.repair_s, off)
        back = c.look_back_s
        # requests whose event never happens: drawn for a share of the scenes
        spare = float(c.never > 0) if most else c.never
        for scene in range(scenes):
            first = scene * length
            rest = clip.seconds - first
            if c.real_time:
                self._add("synthesize", "now", 1, length, listed=(c.real_time,))
            if standing or spare:
                requests = standing + spare
                listed = (requests, answers / requests)
                self._add("synthesize", "later", 1, rest, listed=listed)
                if rest > c.stretch_s:
                    pieces = math.ceil(rest / c.stretch_s) if most else 1
                    listed = (answers / pieces,)
                    self._add("synthesize", "times", pieces, c.stretch_s + 1, listed=listed)
            self._add("synthesize", "visible", checks, back)
            stretches = c.silences if most else min(c.silences, math.ceil(rest / c.stretch_s))
            self._add("synthesize", "missed", standing * stretches, min(rest, c.stretch_s + 1))
            pieces = spare * math.ceil(rest / c.stretch_s)  # all of its silence is looked at
            self._add("synthesize", "missed", pieces, min(rest, c.stretch_s + 1))
            if self._c.refine.siblings:
                others = self._c.refine.siblings
                self._add("refine", "siblings", c.real_time, back, listed=(others,))
                share = others / (others + 1)
                chosen = c.real_time * (1.0 if most else share)
                self._add("refine", "answer", chosen, back)
                self._add("refine", "visible", chosen, back)
            self._add("refine", "rephrase", standing + spare, 0)
            samples = c.real_time + standing + spare + answers
            window = self._c.structure.window
            view = min(clip.seconds, window.max if most else window.keep)
            self._add("verify", "grounded", samples, view, self._c.verify.frames)

    def _add(
        self,
        stage: str,
        kind: str,
        requests: float,
        seconds: float,
        most: int | None = None,
        listed: tuple[float, ...] = (),
    ) -> None:
        """Add requests that show `seconds` of video, in at most `most` pictures.

        `listed`: entries of the lists in a reply.
        """
        frames = min(seconds * FPS, self._c.synthesize.frames if most is None else most)
        texts = self._prompts.texts
        words = (len(texts["system"]) + len(texts[kind])) / CHARACTERS
        prompt = requests * (words + frames * self._picture)
        reply = self._replies.characters(kind, listed) / CHARACTERS
        self._total[stage] += Amount(requests, prompt, requests * reply)


def like(found: Estimate, run: Path) -> Estimate:
    """Return the estimate with the mean tokens a request that an earlier run paid, by stage.

    Raises `InputError` when that run paid for none.
    """
    measured = {stage: spent_of(run, stage) for stage in STAGES}
    if not any(m.requests for m in measured.values()):
        raise InputError(f"{run}: no request was paid for there")

    def scaled(amounts: dict[str, Amount]) -> dict[str, Amount]:
        out = {}
        for stage, amount in amounts.items():
            one, n = measured[stage], amount.requests
            if one.requests:
                prompt, completion = one.prompt_tokens, one.completion_tokens
                amount = Amount(n, n * prompt / one.requests, n * completion / one.requests)
            out[stage] = amount
        return out

    return Estimate(found.clips, found.seconds, scaled(found.low), scaled(found.high))


def spent_of(run: Path, stage: str) -> Amount:
    """Return what a stage of a run has paid so far: nothing where it was not begun."""
    spent, _ = paid(StageFolder(run, stage).path / "replies")
    return Amount(*(spent.get(k, 0) for k in ("requests", "prompt_tokens", "completion_tokens")))


def save(run: Path, found: Estimate) -> None:
    """Store an estimate in a run folder, to compare it with what is spent. Raises `InputError`."""
    run.mkdir(parents=True, exist_ok=True)
    write(run / NAME, (json.dumps({"version": 1} | asdict(found), indent=1) + "\n").encode())


def load(run: Path) -> Estimate | None:
    """Return the estimate of a run folder; None without one. Raises `InputError`."""
    path = run / NAME
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        low, high = (
            {stage: Amount(**amount) for stage, amount in data[side].items()}
            for side in ("low", "high")
        )
        return Estimate(int(data["clips"]), int(data["seconds"]), low, high)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise InputError(f"{path}: damaged; delete it and estimate again") from e


def table(found: Estimate, run: Path | None, prices: tuple[float, float] | None) -> Any:
    """Return a table for `rich`: the estimate, and what was spent in `run`."""
    from rich.table import Table

    spent = {stage: spent_of(run, stage) for stage in STAGES} if run is not None else {}
    shown = any(a.requests for a in spent.values())
    columns = ["requests", "prompt tokens", "tokens of replies", *(["price"] if prices else [])]
    out = Table("stage", "", *columns, title=f"{found.clips} clips, {found.seconds} s")
    sides = {"few scenes and events": found.low, "many": found.high}
    if shown:
        sides |= {"spent": spent}
    for stage in (*STAGES, "all"):
        name = stage
        for side, amounts in sides.items():
            amount = amounts.get(stage, Amount())
            if stage == "all":
                amount = sum(amounts.values(), Amount())
            figures = [amount.requests, amount.prompt_tokens, amount.completion_tokens]
            row = [f"{v:,.0f}" for v in figures]
            if prices:
                row.append(f"{amount.money(*prices):,.2f}")
            out.add_row(name, side, *row)
            name = ""
    return out
