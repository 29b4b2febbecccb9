"""What vLLM 0.32 refuses, as it was seen to (`make test-vllm`)."""

from __future__ import annotations

from typing import Any

VIDEOS = 70  # --limit-mm-per-prompt
MAX_LOGPROBS = 20  # --max-logprobs


def refusal_of(body: dict[str, Any]) -> tuple[int, str] | None:
    """Status of a refusal, and words of its message; None for a body that is taken."""
    if "media_io_kwargs" in body:
        return 400, "media_io_kwargs"
    if (body.get("top_logprobs") or 0) > MAX_LOGPROBS:
        return 400, "logprobs"
    if body.get("continue_final_message") and body.get("add_generation_prompt"):
        return 400, "add_generation_prompt"
    contents = [m["content"] for m in body["messages"] if isinstance(m["content"], list)]
    videos = sum(part["type"] == "video_url" for parts in contents for part in parts)
    if videos > VIDEOS:
        return 400, f"At most {VIDEOS} video(s)"
    return None
