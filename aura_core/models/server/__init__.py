"""The engine over an OpenAI-compatible chat server (vLLM, SGLang). Start at `backend.py`; see
docs/server.md."""
