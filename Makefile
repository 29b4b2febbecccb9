# make demo    set up, then watch the assistant on real ROS 2; options: make demo ARGS="--headless --seconds 60"
# make test    set up, then the tests; options: make test ARGS="-k window -x"
# Others: setup, setup-voice, setup-voice-all, setup-rtsp, setup-browser, lint, format, test-slow, test-scenarios, test-audio, test-rtsp, test-browser, test-vllm, test-llama, test-transformers-457, test-gpu, bench-gpu, colcon-test, clean. Settings of the set-up: see .ci/setup.

SHELL := /bin/bash
PY := .venv/bin/python
ARGS ?=

# The ROS wheels of another environment may have set this; the Python of this one sets its own.
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE
export PYTHON TORCH TORCH_INDEX

# All processes of a run share one ROS domain, which other runs on the machine and network do not use.
ROS_RUN = env ROS_DOMAIN_ID=$${ROS_DOMAIN_ID:-$$(($$RANDOM % 100 + 1))} ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST \
	FASTDDS_DEFAULT_PROFILES_FILE="$(CURDIR)/config/fastdds.xml"

.PHONY: help setup setup-voice setup-voice-all setup-rtsp setup-browser demo test test-slow test-scenarios test-audio test-rtsp test-browser test-vllm test-llama test-transformers-457 test-gpu bench-gpu colcon-test lint format clean
help:
	@sed -n '1,3s/^# //p' Makefile

setup:
	@.ci/setup

setup-voice:
	@.ci/setup voice

setup-voice-all:
	@.ci/setup voice-all

setup-rtsp:
	@.ci/setup rtsp

setup-browser:
	@.ci/setup browser

demo: $(if $(findstring --voice,$(ARGS)),setup-voice,setup)
	@$(ROS_RUN) $(PY) -m aura_ros.demo $(ARGS)

# One process more than cores: tests wait for nodes and servers. What it saves is not measured.
test: setup
	@$(ROS_RUN) $(PY) -m pytest -n $$(($$(nproc) + 1)) --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-slow: setup
	@$(ROS_RUN) $(PY) -m pytest -m slow $(ARGS)

# Two files at a time: nodes wait for each other most of the time.
test-scenarios: setup
	@$(ROS_RUN) $(PY) -m pytest -m scenario -n 2 --dist loadfile $(ARGS)

test-audio: setup-voice-all
	@$(ROS_RUN) $(PY) -m pytest -m audio $(ARGS)

test-rtsp: setup-rtsp
	@$(ROS_RUN) $(PY) -m pytest -m rtsp $(ARGS)

# The screenshots of README and docs: AURA_PICTURES=docs/pictures make test-browser ARGS="-k pictures"
test-browser: setup-browser
	@$(PY) -m pytest -m browser test/browser $(ARGS)

test-vllm: setup
	@.ci/setup-vllm
	@$(PY) -m pytest -m vllm $(ARGS)

test-llama: setup
	@.ci/setup-llama
	@$(PY) -m pytest -m slow test/llama $(ARGS)

# What training saves, read by transformers 4.57 in an environment of its own.
test-transformers-457: setup
	@.ci/setup-transformers-457
	@$(PY) -m pytest -m transformers_457 test/transformers_457 $(ARGS)

# 8B-shaped random weights in bfloat16, 640x480, a window of 45 chunks, with and without a shadow: about 8 minutes on a GPU.
bench-gpu: setup
	@$(PY) -m aura_core.cli bench engine --size 8b --device cuda --dtype bfloat16 --max 45 --policies shadow,floating \
		--json out/gpu.json $(ARGS)

test-gpu: setup
	@$(ROS_RUN) $(PY) -m pytest -m gpu $(ARGS)

# On a ROS 2 installation, with its setup.bash sourced; the others need none.
colcon-test:
	@.ci/colcon $(ARGS)

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

format: setup
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

clean:
	rm -rf .venv .colcon build install log out .pytest_cache .ruff_cache *.egg-info
