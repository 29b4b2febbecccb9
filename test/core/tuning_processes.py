"""A trainer run as a program, alone or under torchrun.

Usage: `python tuning_processes.py RECIPE.yaml OUT [--resume] [--float64]`.

FORCE_FSDP names a configuration of accelerate, by which two processes shard the model with FSDP2.
accelerate offers that for GPUs only, so the kind of the distributed run is set before accelerate
looks at it. Everything else is what `accelerate launch --config_file` would set.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser
from accelerate.state import PartialState
from accelerate.utils import DistributedType
from accelerate.utils.launch import prepare_multi_gpu_env


def environment(config: str) -> dict[str, str]:
    """What `accelerate launch` gives its processes for the FSDP section of `config`."""
    told = load_config_from_file(config)
    args = launch_command_parser().parse_args([__file__])
    for name, value in told.fsdp_config.items():
        setattr(args, name, value)
    args.use_fsdp, args.mixed_precision, args.dynamo_backend = True, "bf16", "no"
    args.num_processes, args.num_machines = told.num_processes, told.num_machines
    made = prepare_multi_gpu_env(args)
    return {k: v for k, v in made.items() if k.startswith("FSDP_") or k == "ACCELERATE_USE_FSDP"}


if file := os.environ.get("FORCE_FSDP"):
    PartialState(cpu=True)
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    os.environ |= environment(file)

from tuning_rig import Float64Trainer  # noqa: E402

from aura_core.training.finetune.settings import TuneRecipe  # noqa: E402
from aura_core.training.finetune.trainer import Trainer  # noqa: E402

if __name__ == "__main__":
    recipe, out, *flags = sys.argv[1:]
    kind = Float64Trainer if "--float64" in flags else Trainer
    trainer = kind(TuneRecipe.read(recipe), Path(out), resume="--resume" in flags, device="cpu")
    print(f"kind {trainer.accelerator.distributed_type.value}", flush=True)
    trainer.run()
