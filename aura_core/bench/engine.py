"""`aura bench engine`: all window policies on the same frames, questions and answers.

The policies take turns: each makes step i before any makes step i + 1, and the order rotates, so
that a busy machine slows all alike. Counters are exact. Times are CPU time of the deciding thread;
on a GPU, wall time.
"""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from aura_core.bench.random_model import RandomBackend
from aura_core.config import AssistantConfig, DeciderConfig, GenerationConfig, WindowConfig
from aura_core.models.backend import Piece
from aura_core.stream.decision import Decider
from aura_core.stream.engine import StreamEngine
from aura_core.types import NS, Chunk, Decision, Frame, Query, Step

EXACT = ("shadow", "floating", "recompute")  # they hold the same conversation
COLD_EVERY = 10  # steps between two checks of a policy (fifo, evict) against a fresh cache
# Steps, modulo PERIOD, that are not silent: a question with its answer, an unasked answer, and an
# answer that is cancelled.
ASKED, UNASKED, CANCELLED, PERIOD = 7, 23, 37, 50


class Scripted(Decider):
    """A decider that speaks at the steps above, because random weights do not know when to speak.

    It keeps the logits of the newest decision.
    """

    def __init__(self, inner: Decider) -> None:
        self.threshold, self.silent_ids, self.restraint = (
            inner.threshold,
            inner.silent_ids,
            inner.restraint,
        )
        self.logits: NDArray[np.float32] = np.empty(0, np.float32)
        self.step = -1

    def decide(
        self,
        logits: NDArray[np.float32],
        stamp_ns: int = 0,
        asked: bool = False,
        silent: Sequence[int] | None = None,
    ) -> Decision:
        """See `Decider.decide`."""
        self.logits, self.step = logits, self.step + 1
        decision = super().decide(logits, stamp_ns, asked, silent)
        if self.step % PERIOD not in (ASKED, UNASKED, CANCELLED):
            return replace(decision, silent=True, token_id=self.silent_ids[0])
        words = logits.copy()
        words[list(self.silent_ids)] = -np.inf
        return Decision(False, decision.p_silent, int(words.argmax()))


@dataclass
class Runner:
    """One policy, and what was measured of it."""

    name: str
    engine: StreamEngine
    decider: Scripted
    clock: Callable[[], float]
    ms: list[float] = field(default_factory=list)  # encode + prefill + decision
    busy_ms: list[float] = field(default_factory=list)  # the whole step and its background work
    steps: list[Step] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)  # prefilled in the step and after it
    difference: float | None = None

    def take(self, chunk: Chunk, measured: bool) -> None:
        """Make one step."""
        engine, i = self.engine, self.decider.step + 1
        query = None
        if i % PERIOD == ASKED:
            query = engine.conversation.admit(Query("what is on the table?"))
        before = replace(engine.policy.counters)
        told = 0

        def on_text(_id: str, _text: str) -> None:
            nonlocal told
            told += 1
            if i % PERIOD == CANCELLED and told == 2:
                engine.cancel(discard=i % (2 * PERIOD) == CANCELLED)

        step = engine.step(chunk, query, on_text)
        start = self.clock()
        engine.idle()
        background_ms = (self.clock() - start) * 1e3
        if measured:
            now = engine.policy.counters
            self.ms.append(step.decide_ms)
            self.busy_ms.append(step.step_ms + background_ms)
            self.steps.append(step)
            self.tokens.append(
                now.critical_tokens
                - before.critical_tokens
                + now.background_tokens
                - before.background_tokens
            )

    def differ(self, reference: NDArray[np.float32]) -> None:
        """Compare the logits of the newest decision with `reference`."""
        worst = float(np.abs(self.decider.logits - reference).max())
        self.difference = max(worst, self.difference or 0.0)

    def figures(self) -> dict[str, Any]:
        """The policy's part of the JSON."""
        silent = [s for s in self.steps if s.response is None and s.decode_tokens == 0]
        p50, p95, p99 = (float(np.percentile(self.ms, q)) for q in (50, 95, 99))
        return {
            "p50_ms": p50,
            "p95_ms": p95,
            "p99_ms": p99,
            "max_ms": max(self.ms),
            "mean_ms": float(np.mean(self.ms)),
            "busy_mean_ms": float(np.mean(self.busy_ms)),
            "critical_tokens_max": max(s.prefill_tokens for s in self.steps),
            "tokens_per_step": float(np.mean(self.tokens)),
            "vision_encodes_per_chunk": sum(s.vision_encodes for s in self.steps) / len(self.steps),
            "forwards_per_silent_step": sum(s.forwards for s in silent) / max(1, len(silent)),
            "decodes_per_silent_step": sum(s.decode_tokens for s in silent) / max(1, len(silent)),
            "switches": sum(s.switched for s in self.steps),
            "max_logit_diff": self.difference,
        }


def clock_of(device: torch.device) -> Callable[[], float]:
    """A clock in seconds: CPU time of this thread, or wall time after all GPU work has ended."""
    if device.type != "cuda":
        return time.thread_time

    def wall() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return wall


def frames(size: tuple[int, int], count: int) -> Iterator[Chunk]:
    """`count` chunks of noise; frames are RGB uint8 of `size` (height, width)."""
    rng = np.random.default_rng(0)
    for i in range(count):
        pair = [
            Frame(rng.integers(0, 256, (*size, 3), dtype=np.uint8), i * NS + k * NS // 2)
            for k in range(2)
        ]
        yield Chunk(i, (pair[0], pair[1]), i * NS, (i + 1) * NS)


def runner(backend: RandomBackend, window: WindowConfig, policy: str) -> Runner:
    """An engine with this policy over the shared weights."""
    config = AssistantConfig(
        window=replace(window, policy=policy),
        generation=GenerationConfig(max_new_tokens=8),
        decider=DeciderConfig(unsolicited=True),  # some answers are unasked
    )
    engine = StreamEngine(backend, config)
    engine.clock = clock_of(backend.device)
    engine.decider = decider = Scripted(engine.decider)
    return Runner(policy, engine, decider, engine.clock)


def cold(engine: StreamEngine) -> NDArray[np.float32]:
    """Float32 logits (vocabulary,) of the newest decision, computed with an empty cache."""
    codec, turn = engine.codec, engine.window.turns[-1]
    pieces: list[Piece] = [codec.head(engine.window.prefix)]
    for earlier in engine.window.turns[:-1]:
        pieces += earlier.pieces(codec)
    return engine.backend.open().prefill(pieces + turn.user(codec))


def compare(
    backend: RandomBackend,
    window: WindowConfig,
    policies: Iterable[str],
    steps: int,
    on_step: Callable[[], None],
) -> dict[str, Runner]:
    """Run all policies over the same stream.

    The first `window.max` steps fill the window and are not measured.
    """
    runners = [runner(backend, window, p) for p in policies]
    reference = next((r for r in runners if r.name == "recompute"), None)
    gc.collect()
    for i, chunk in enumerate(frames(backend.frame, window.max + steps)):
        gc.disable()  # a garbage collection within a step would look like a slow step
        for k in range(len(runners)):
            runners[(i + k) % len(runners)].take(chunk, i >= window.max)
        gc.enable()
        for r in runners:
            if reference is not None and r.name in EXACT:
                r.differ(reference.decider.logits)
            elif i % COLD_EVERY == 0 and r.engine.window.turns[-1].chunk == i:
                r.differ(cold(r.engine))
        on_step()
    return {r.name: r for r in runners}


def ratios(policies: dict[str, dict[str, Any]], window: WindowConfig) -> dict[str, float]:
    """Ratios that do not depend on the machine, of the policies that ran."""
    drop = window.max - window.keep
    pairs = {
        "recompute_mean_over_shadow_mean": ("recompute", "mean_ms", "shadow", "mean_ms"),
        "shadow_p99_over_p50": ("shadow", "p99_ms", "shadow", "p50_ms"),
        "floating_worst_over_shadow_worst": ("floating", "max_ms", "shadow", "max_ms"),
        "floating_worst_over_p50": ("floating", "max_ms", "floating", "p50_ms"),
        "shadow_p50_over_evict_p50": ("shadow", "p50_ms", "evict", "p50_ms"),
    }
    out = {
        k: policies[a][b] / policies[c][d]
        for k, (a, b, c, d) in pairs.items()
        if a in policies and c in policies
    }
    # evict prefills nothing twice, so its tokens are those of one chunk
    if "shadow" in policies and "evict" in policies:
        out["shadow_tokens_per_step_over_chunk"] = (
            policies["shadow"]["tokens_per_step"] / policies["evict"]["tokens_per_step"]
        )
        out["max_over_drop"] = window.max / drop
    return out


def soak(
    backend: RandomBackend, window: WindowConfig, steps: int, on_step: Callable[[], None]
) -> dict[str, float]:
    """A long run of the shadow policy: is a step as fast at the end, and does memory stay the same?

    With each of the first and the last hundred steps the same piece of work is timed: a prefill of
    one turn into an empty cache. Where its time changes, the machine has changed, and not the
    engine.
    """
    r = runner(backend, window, "shadow")
    codec, seconds = r.engine.codec, clock_of(backend.device)
    rss: list[float] = []
    control: list[float] = []
    work: list[Piece] = []
    warm = 2 * window.max
    for i, chunk in enumerate(frames(backend.frame, warm + steps)):
        r.take(chunk, i >= warm)
        del r.steps[:], r.tokens[:]
        if i >= warm:
            rss.append(resident_kb())
        if warm <= i < warm + 100 or i >= warm + steps - 100:
            work = work or [
                codec.head(r.engine.window.prefix),
                *codec.user(r.engine.window.turns[-1].video, None),
            ]
            began = seconds()
            backend.open().prefill(work)
            control.append((seconds() - began) * 1e3)
        on_step()
    half = len(rss) // 2
    slope = (
        float(np.polyfit(np.arange(len(rss) - half), rss[half:], 1)[0])
        if len(rss) > 100
        else float("nan")
    )
    first, last = np.median(r.ms[:100]), np.median(r.ms[-100:])
    machine = np.median(control[-100:]) / np.median(control[:100])
    return {
        "steps": steps,
        "last100_over_first100": float(last / first / machine),
        "last100_over_first100_raw": float(last / first),
        "control_last_over_first": float(machine),
        "rss_slope_kb_per_step": slope,
        "rss_first_kb": rss[0],
        "rss_last_kb": rss[-1],
    }


def resident_kb() -> float:
    """Resident memory of this process in kB; its peak where there is no /proc."""
    if sys.platform == "linux":
        with open("/proc/self/statm") as f:
            return int(f.read().split()[1]) * resource.getpagesize() / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
