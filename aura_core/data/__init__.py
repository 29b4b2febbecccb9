"""The data engine: from raw video to training samples for a streaming assistant.

    prepare -> synthesize -> refine -> structure -> verify

Each stage has one file; `engine.py` runs them. A stage is a function without state from one record
to a few. It gives the same results in this process, in several processes, and on Ray.
"""

from __future__ import annotations

STAGES = ("prepare", "synthesize", "refine", "structure", "verify")
