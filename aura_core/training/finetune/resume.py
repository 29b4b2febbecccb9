"""The state of a run on disk, from which it continues exactly as if it had not stopped.

    steps/000100/recipe.json    recipe, data and number of processes, to refuse others
    steps/000100/weights/       trained weights and optimizer state, sharded over the processes
    steps/000100/rank-0.pt      for each process: random states and number of samples used

A folder is written under another name, and renamed when it is complete; only then the oldest one is
deleted. So a killed run always finds the last complete one, also where `keep` is 1.
"""

from __future__ import annotations

import json
import pickle
import random
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from aura_core.errors import ConfigError
from aura_core.training.finetune.settings import TuneRecipe

_TRAINED = StateDictOptions(ignore_frozen_params=True, strict=False)


class Steps:
    """The folders of one run.

    This process is number `rank` of `world`. Process 0 creates and renames the folders. `wait` is a
    barrier of all processes.
    """

    def __init__(
        self, folder: Path, recipe: TuneRecipe, data: str, rank: int, world: int, wait: Any
    ) -> None:
        self._folder, self._rank, self._world, self._wait = folder / "steps", rank, world, wait
        self._recipe, self._data = recipe, data

    def newest(self) -> int | None:
        """Return the step of the newest complete folder, or None."""
        if not self._folder.is_dir():
            return None
        return max(
            (int(p.name) for p in self._folder.iterdir() if p.name.isdecimal()), default=None
        )

    def check(self, step: int) -> None:
        """Raise `ConfigError` when the folder of `step` does not fit this run.

        That is, when it was made by another recipe, from other data, or by another number of
        processes. The places in the data belong to the processes.
        """
        at = self._at(step)
        told = json.loads((at / "recipe.json").read_text(encoding="utf-8"))
        if unlike := self._recipe.unlike(told["recipe"]):
            raise ConfigError(
                f"{at}: made by another recipe (other: {', '.join(unlike)}); use another --out"
            )
        if told["data"] != self._data:
            raise ConfigError(
                f"{at}: made from other data than {self._recipe.data.train}; use another --out"
            )
        # Older versions did not store the number; there is one file for each process.
        processes = told.get("processes", len(list(at.glob("rank-*.pt"))))
        if processes != self._world:
            raise ConfigError(
                f"{at}: made by {processes} processes, not {self._world}; go on with as many as"
                " before"
            )

    def save(
        self, step: int, model: torch.nn.Module, optimizer: torch.optim.Optimizer, samples: int
    ) -> None:
        """Save the state after `step`, and delete the oldest folders.

        `samples` is the number of samples that this process has used.
        """
        part = self._folder / f"{step:06d}.part"
        if self._rank == 0:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            told = {"recipe": self._recipe.as_json(), "data": self._data, "processes": self._world}
            (part / "recipe.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        self._wait()
        with warnings.catch_warnings(action="ignore"):  # torch warns about a single process
            dcp.save(_state(model, optimizer), checkpoint_id=part / "weights")
        torch.save({"random": _random(), "samples": samples}, part / f"rank-{self._rank}.pt")
        self._wait()
        if self._rank == 0:
            part.rename(self._at(step))
            saved = sorted(p for p in self._folder.iterdir() if p.name.isdecimal())
            for old in saved[: -self._recipe.keep]:
                shutil.rmtree(old)
        self._wait()

    def load(self, step: int, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> int:
        """Restore the state after `step`. Returns the samples that this process had used.

        Raises `ConfigError` when the file of this process is missing, or holds more than values.
        """
        state = _state(model, optimizer)
        with warnings.catch_warnings(action="ignore"):
            dcp.load(state, checkpoint_id=self._at(step) / "weights")
        set_model_state_dict(model, state["model"], options=_TRAINED)
        set_optimizer_state_dict(model, optimizer, state["optimizer"], options=_TRAINED)
        mine = self._at(step) / f"rank-{self._rank}.pt"
        if not mine.is_file():
            raise ConfigError(
                f"{mine} is missing: the checkpoint is not whole; delete its folder to go on from"
                " the one before (keep: 2 keeps one), or begin anew"
            )
        try:
            told = torch.load(mine, weights_only=True, map_location="cpu")
        except pickle.UnpicklingError as e:
            raise ConfigError(
                f"{mine} holds more than numbers (an older version wrote it so); delete its folder"
                " to go on from the one before, or begin anew"
            ) from e
        _set_random(told["random"])
        return int(told["samples"])

    def _at(self, step: int) -> Path:
        return self._folder / f"{step:06d}"


def _state(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    return {
        "model": get_model_state_dict(model, options=_TRAINED),
        "optimizer": get_optimizer_state_dict(model, optimizer, options=_TRAINED),
    }


def _random() -> dict[str, Any]:
    """The states of all random generators, as numbers and tensors: no other class is read back."""
    name, keys, *rest = np.random.get_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "python": random.getstate(),
        "numpy": (name, keys.tolist(), *rest),
        "torch": torch.get_rng_state(),
        "cuda": cuda,
    }


def _set_random(states: dict[str, Any]) -> None:
    random.setstate(states["python"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.asarray(keys, np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])
