"""A trainer run as a program, alone or under torchrun.

Usage: `python tuning_processes.py RECIPE.yaml OUT [--resume] [--float64]`.

With FORCE_FSDP the two processes shard the model with FSDP2. accelerate offers that for GPUs only,
so the kind of the distributed run is set before accelerate looks at it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from accelerate.state import PartialState
from accelerate.utils import DistributedType

if os.environ.get("FORCE_FSDP"):
    PartialState(cpu=True)
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    os.environ |= {
        "ACCELERATE_USE_FSDP": "true",
        "FSDP_VERSION": "2",
        "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
        "FSDP_TRANSFORMER_CLS_TO_WRAP": "Qwen3VLTextDecoderLayer",
        "FSDP_RESHARD_AFTER_FORWARD": "true",
        "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT",
    }

from tuning_rig import Float64Trainer

from aura_core.training.finetune.settings import TuneRecipe
from aura_core.training.finetune.trainer import Trainer

if __name__ == "__main__":
    recipe, out, *flags = sys.argv[1:]
    kind = Float64Trainer if "--float64" in flags else Trainer
    trainer = kind(TuneRecipe.read(recipe), Path(out), resume="--resume" in flags, device="cpu")
    print(f"kind {trainer.accelerator.distributed_type.value}", flush=True)
    trainer.run()
