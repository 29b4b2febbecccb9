"""What the tests of the speech package share."""

from __future__ import annotations

from virtual import virtual_audio

__all__ = ["virtual_audio"]
