"""The five-stage data engine: from raw video to samples that a streaming assistant can be trained
on.

    prepare -> synthesize -> refine -> structure -> verify        (one file each; `engine.py` runs them)

Each stage is a function from one record to a few, without state: the same in this process, in many,
and on Ray.
"""  # noqa: E501

from __future__ import annotations

STAGES = ("prepare", "synthesize", "refine", "structure", "verify")
