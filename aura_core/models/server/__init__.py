"""The model on an OpenAI-compatible chat server (vLLM, SGLang).

Start at `backend.py`; see docs/server.md.
"""
