"""Microphone, ASR, TTS and speaker nodes in one process, for a laptop.

Nodes, topics and parameters are the same as in separate processes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from aura_ros.asr_node import AsrNode
from aura_ros.microphone_node import MicrophoneNode
from aura_ros.process import run
from aura_ros.speaker_node import SpeakerNode
from aura_ros.tts_node import TtsNode


def main(args: Sequence[str] | None = None) -> int:
    """Run the nodes; returns the exit code."""
    return run((SpeakerNode, TtsNode, AsrNode, MicrophoneNode), args)


if __name__ == "__main__":
    sys.exit(main())
