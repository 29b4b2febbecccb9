"""Stage 2: the language model learns when to speak and what to say, on frozen vision features."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aura_core.errors import InputError
from aura_core.plain import one_of
from aura_core.sim.episode import TEST_PLAN, UNSEEN_SHARE, Episode
from aura_core.sim.talk import DECLINED
from aura_core.stream.prompt import PromptCodec
from aura_core.training.loss import Supervised, balanced_loss, plain_loss, weights
from aura_core.training.tiny.auxiliary import Auxiliary
from aura_core.training.tiny.batches import PAST_CHUNKS, PAST_PLAN, Batch, collate, on, windows
from aura_core.training.tiny.forward import WIDTH, logits_of
from aura_core.training.tiny.remembered import KINDS_ASKED
from aura_core.training.tiny.samples import Sample, build
from aura_core.training.tiny.settings import LOSSES
from aura_core.training.tiny.store import CHUNKS, Pictures, Store, training_world
from aura_core.training.tiny.targets import TOKENS
from aura_core.training.tiny.teacher import Teacher, divergence
from aura_core.training.tiny.vision import batched_vision, optimizers, patches_of

SAVE_MIN = 0.75  # between two saves
REPORTS = 60  # of the stage
WARM_UP = 100  # steps
FIGURES = (
    "real-time",
    "follow-up",
    "declined",
    "due",
    "due text",
    "false alarm",
    "chatter",
    "memory",
    *(f"memory {kind}" for kind in (*KINDS_ASKED, "nothing")),
    "note",
    "note words",
    "nothing new",
)
NOTE_CHUNKS = (14, 24)  # of the windows in which notes are held out
LAST = 48  # batches that may be given again


Held = list[tuple[Batch, list[Sample], list[Episode]]]


def held_out(codec: PromptCodec, places: list[int], device: str) -> Held:
    """Development windows of the rooms at these places: of a minute, then short ones with questions
    about the past and with notes."""
    held: Held = []
    for i in range(0, len(places), 8):
        some = places[i : i + 8]
        episodes = [
            Episode.generate(Store.seed(p), CHUNKS, TEST_PLAN, training_world(Store.seed(p)))
            for p in some
        ]
        samples = [build(e, codec, 0, 60) for e in episodes]
        rows = [p * CHUNKS + np.arange(60) for p in some]
        held.append((on(collate(samples, rows), device), samples, episodes))
    for plan, chunks, n in ((PAST_PLAN, PAST_CHUNKS, 6), (TEST_PLAN, NOTE_CHUNKS, 2)):
        for i in range(0, len(places), 4):
            samples, episodes, rows = [], [], []
            for p in places[i : i + 4]:
                rng = np.random.default_rng([p, 43])
                drawn = windows(rng, p, codec, (plan,), chunks, unseen=UNSEEN_SHARE)
                for sample, episode in itertools.islice(drawn, n):
                    samples.append(sample)
                    episodes.append(episode)
                    rows.append(p * CHUNKS + np.asarray(sample.chunks))
            held.append((on(collate(samples, rows), device), samples, episodes))
    return held


def encoded(visual: Any, pictures: Pictures) -> torch.Tensor:
    """Merged and deepstack features of every chunk that is here: float16 (rooms * CHUNKS, 12, 2 *
    WIDTH)."""
    frames = pictures.frames
    bank = torch.zeros(
        (len(frames), CHUNKS, TOKENS, 2 * WIDTH), dtype=torch.float16, device=frames.device
    )
    with torch.no_grad():
        places = [*pictures.held(), *pictures.places]
        for some in (places[i : i + 8] for i in range(0, len(places), 8)):
            told = batched_vision(visual, patches_of(frames[some].flatten(0, 1)))
            features = torch.cat(told, dim=-1).half()
            bank[some] = features.view(len(some), *bank.shape[1:])
    return bank.flatten(0, 1)


def teacher_forced(model: Any, batches: Held, bank: torch.Tensor) -> dict[str, float]:
    """Quick development figures; the true ones are free-running (`aura eval sim`)."""
    right: dict[str, list[bool]] = {k: [] for k in FIGURES}
    for batch, samples, episodes in batches:
        with torch.no_grad():
            guess = logits_of(model, batch, bank)[0].argmax(-1)
        good = (guess == batch.supervised.target).cpu().numpy()
        offset = 0
        for s, e in zip(samples, episodes, strict=True):
            ok = good[offset : offset + len(s.at)]
            offset += len(s.at)
            for k, label in enumerate(s.labels, start=1):
                mine = ok[s.of_branch == k]
                right[label].append(bool(mine.all()))
                if label == "note":
                    right["note words"] += mine.tolist()
                elif label.startswith("memory"):
                    right["memory"].append(bool(mine.all()))
            dues, asks = {d.chunk for d in e.dues}, {a.chunk: a for a in e.asks}
            for c in s.chunks:
                mine = ok[(s.chunk == c) & (s.of_branch == 0)]
                if not len(mine):  # its evidence is not in view
                    continue
                if c in dues:
                    right["due"].append(bool(mine[0]))
                    right["due text"].append(bool(mine.all()))
                elif c in asks:
                    ask = asks[c]
                    if ask.topic.startswith("memory"):
                        right["memory"].append(bool(mine.all()))
                        right[ask.topic].append(bool(mine.all()))
                    elif ask.condition is None:
                        name = "follow-up" if ask.follows else "real-time"
                        name = "declined" if ask.topic in DECLINED else name
                        right[name].append(bool(mine.all()))
                elif e.world.event_at(c) is not None:
                    right["false alarm"].append(not mine[0])
                else:
                    right["chatter"].append(not mine[0])
    return {k: float(np.mean(v)) if v else float("nan") for k, v in right.items()}


def train(
    model: Any,
    codec: PromptCodec,
    store: Store,
    pictures: Pictures,
    bank: torch.Tensor,
    minutes: float,
    *,
    lr: float = 2.5e-3,
    seed: int = 0,
    loss: str = "balanced_all",
    begin: float = 0.0,
    heads: Path | None = None,
    aside: bool = True,
    mean: float = 0.0,
    spent: float = 0.0,
    reports: int = REPORTS,
    save: Callable[[], None] = lambda: None,
    device: str = "cpu",
    teacher: Teacher | None = None,
    teaching: float = 1.0,
    told: Callable[[str, float, str], None] = lambda stage, share, line: None,
) -> None:
    """Train the language model in place for `minutes`; `begin` skips that share of the curriculum.

    Args:
        bank: see `encoded`.
        heads: where the read-outs of the auxiliary losses are kept beside what `save` saves.
        aside: with the auxiliary losses.
        mean: kept at each step of the running mean of the weights, which is what is reported and
            saved; 0: no mean.
        spent: minutes of these that an earlier run has spent.
        teacher: who is followed in conversation, with the weight `teaching`; see `teacher`.
    """
    one_of("loss", loss, LOSSES)
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    model.model.visual.requires_grad_(False)
    model.to(device)
    held = held_out(codec, pictures.held(), device)
    auxiliary = Auxiliary(model.model.language_model)
    if heads is not None and heads.exists():  # drawn anew they disturb a model that is trained on
        auxiliary.heads.load_state_dict(torch.load(heads, weights_only=True, map_location="cpu"))
    parameters = torch.nn.ModuleDict({"lm": model.model.language_model, "main": auxiliary.heads})
    parameters.to(device)
    opts = optimizers(parameters, lr)
    trained = [p for opt in opts for g in opt.param_groups for p in g["params"]]
    learned = [p for p in model.model.language_model.parameters()]
    means = [p.detach().clone() for p in learned]
    teacher = teacher.to(device) if teacher is not None else None
    start, step, seen, reported, saved = time.monotonic(), 0, 0, spent, spent
    waited, told_at = 0.0, 0
    total = torch.zeros(2, device=device)
    with Feed(store, device) as feed:
        while (used := spent / minutes + (time.monotonic() - start) / (60 * minutes)) < 1.0:
            store.progress.value = begin + (1.0 - begin) * used
            before = time.monotonic()
            batch = feed.next()
            waited += time.monotonic() - before
            warm = min(1.0, (step + 1) / WARM_UP)
            scale = warm * max(0.01, min(1.0, (1.0 - used) / 0.7))
            for opt in opts:
                for group in opt.param_groups:
                    group["lr"] = lr * scale
            logits, hidden = logits_of(model, batch, bank)
            besides = auxiliary(batch, hidden) if aside else torch.zeros(())
            value = besides + (
                plain_loss(logits, batch.supervised)
                if loss == "plain"
                else balanced_loss(logits, batch.supervised, len(batch.ids), batch.answers)
            )
            if teacher is not None:
                value = value + teaching * followed(teacher, batch, bank, logits, loss)
            parameters.zero_grad(set_to_none=True)
            value.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            for opt in opts:
                opt.step()
            with torch.no_grad():
                torch._foreach_lerp_(means, learned, 1.0 - mean)
            step, seen = step + 1, seen + batch.tokens
            minute = used * minutes
            total += torch.stack((value.detach(), besides.detach()))
            if minute - reported >= minutes / reports:
                rate = seen / (60 * (minute - reported))
                mean, extra = (total / (step - told_at)).tolist()
                with exchanged(learned, means):
                    figures = teacher_forced(model, held, bank)
                words = " ".join(f"{k} {v:.3f}" for k, v in figures.items())
                told(
                    "language",
                    used,
                    f"step {step} {(step - told_at) / (60 * (minute - reported)):.1f} steps/s"
                    f" {rate:.0f} tok/s waited {waited:.0f} s repeated {feed.repeated}"
                    f" lr {lr * scale:.1e} loss {mean:.4f} auxiliary {extra:.4f} | {words}",
                )
                seen, told_at, reported = 0, step, minute
                total = torch.zeros_like(total)
            if minute - saved >= SAVE_MIN:
                saved = minute
                with exchanged(learned, means):
                    save()
                if heads is not None:
                    torch.save(auxiliary.heads.state_dict(), heads)
    with torch.no_grad():
        torch._foreach_copy_(learned, means)
    save()
    if heads is not None:
        torch.save(auxiliary.heads.state_dict(), heads)


def followed(
    teacher: Teacher, batch: Batch, bank: torch.Tensor, logits: torch.Tensor, loss: str
) -> torch.Tensor:
    """How far the model is from its teacher, a scalar, with the weights of the loss `loss`.

    `logits`: of the model, float32 (N, vocabulary) at all supervised positions.
    """
    mine, taught = teacher.told(batch, bank)
    s: Supervised = batch.supervised
    weight = torch.ones_like(s.target, dtype=torch.float32)
    if loss != "plain":
        weight = weights(s, len(batch.ids), batch.answers)
    apart = divergence(logits[mine], taught, s.target[mine], weight[mine])
    return apart / len(s.target)


@contextmanager
def exchanged(weights: list[Any], others: list[torch.Tensor]) -> Iterator[None]:
    """The parameters `weights` hold the values of `others` for so long."""
    kept = [p.detach().clone() for p in weights]
    with torch.no_grad():
        torch._foreach_copy_(weights, others)
        try:
            yield
        finally:
            torch._foreach_copy_(weights, kept)


class Feed:
    """Batches of a store on a device, a few of them fetched ahead by a thread. On a GPU, which may
    be faster than what draws them, `next` gives one of the last batches again where no new one is
    there; `repeated` counts these."""

    def __init__(self, store: Store, device: str) -> None:
        self._store, self._device = store, device
        self._ahead: queue.Queue[Batch | BaseException] = queue.Queue(6)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._fetch, daemon=True)
        self._last: list[Batch] = []
        self._given = self.repeated = 0

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        while not self._ahead.empty():
            self._ahead.get()

    def next(self) -> Batch:
        """The next batch. Raises what hindered it."""
        if len(self._last) == LAST and self._ahead.empty() and self.repeated < self._given:
            self.repeated += 1
            return self._last[(self.repeated * 7) % LAST]
        batch = self._ahead.get()
        if isinstance(batch, BaseException):
            raise batch
        if self._device != "cpu":
            self._last = [*self._last, batch][-LAST:]
        self._given += 1
        return batch

    def _fetch(self) -> None:
        while not self._ended.is_set():
            try:
                self._ahead.put(on(self._store.batch(), self._device))
            except InputError as e:
                self._ahead.put(e)
                return
