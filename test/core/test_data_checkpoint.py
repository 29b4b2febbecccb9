"""Stage 4 makes tokens for the checkpoint that will be trained.

It leaves out words that the checkpoint's tokenizer cannot encode.
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from data_rig import clip, real_time, small_run, standing
from mllm_double import light_run, light_video, settings

from aura_core.cli import main
from aura_core.config import WindowConfig
from aura_core.data import STAGES
from aura_core.data.engine import run
from aura_core.data.schema import Conversation, Sample, Scene
from aura_core.data.settings import DataConfig, StructureConfig
from aura_core.data.store import StageFolder
from aura_core.data.structure import open_codec, structure
from aura_core.data.worker import Job
from aura_core.errors import ConfigError
from aura_core.models.scripted import ByteTokenizer
from aura_core.types import Kind


@pytest.fixture
def refined(mllm, tmp_path) -> Path:
    """A run with an MLLM's words, up to stage 3."""
    config, out = settings(mllm), light_run(tmp_path)
    for stage in STAGES[1:3]:
        run(Job(stage, out, out, config, "mllm"))
    return out


def told(capsys, *arguments: object) -> str:
    """Return the one line with which the command refuses."""
    with pytest.raises(SystemExit) as e:
        main(["data", *map(str, arguments)])
    line = capsys.readouterr().err
    assert e.value.code == 1 and line.count("\n") == 1, line
    return line


def test_an_mllms_words_need_the_checkpoint_to_be_named(refined, capsys):
    """Regression: without a checkpoint, the embedded model's tokenizer dropped most words."""
    with pytest.raises(ConfigError, match="structure: no tokenizer is named"):
        run(Job("structure", refined, refined, DataConfig()))
    line = told(capsys, "structure", "--out", refined, "--quiet")
    assert "give --checkpoint, the folder or hub id that will be trained" in line
    assert not (refined / "structure" / "manifest.json").exists()


def test_the_checkpoint_is_named_on_the_command_line(refined):
    with pytest.raises(SystemExit) as e:
        main(["data", "structure", "--out", str(refined), "--checkpoint", "scripted", "--quiet"])
    assert e.value.code in (0, None)
    folder = StageFolder(refined, "structure")
    assert folder.manifest()["settings"]["checkpoint"] == "scripted" and list(
        folder.read(0, Sample)
    )


@pytest.mark.parametrize(
    ("option", "line"), [((), "structure: no tokenizer"), (("--checkpoint", "./no"), "not exist")]
)
def test_nothing_is_spent_before_the_checkpoint_is_there(mllm, tmp_path, capsys, option, line):
    light_video(tmp_path / "in" / "a.mp4")
    out = tmp_path / "run"
    known = ("--mllm", mllm.url, "--mllm-model", "m", "--quiet")
    assert line in told(capsys, "all", "--in", tmp_path / "in", "--out", out, *known, *option)
    assert not mllm.kinds and not out.exists()


def test_the_simulators_words_are_the_embedded_models(tmp_path):
    pytest.importorskip("transformers")
    small_run(tmp_path, range(1000, 1001), 30)
    folder = StageFolder(tmp_path, "structure")
    assert folder.manifest()["settings"]["checkpoint"] == "aura_tiny"
    assert list(folder.read(0, Sample)) and list(folder.rejected(0)) == []


def test_words_that_the_tokenizer_does_not_know_are_rejected():
    pytest.importorskip("transformers")
    codec = open_codec("aura_tiny")
    watch = standing(12, [(15, "the cat jumped")], Kind.PROACTIVE, "tell me when the zebra sleeps")
    good = real_time(9, "Where is the red cube?", "On the table.")
    unknown = real_time(5, "what is it?", "A barista with headphones.")
    talk = Conversation(
        clip(20), (Scene(0, 20, ""),), (unknown, good, watch, real_time(18, "what is it?", "☕"))
    )
    out = structure(talk, codec, StructureConfig("aura_tiny", after_last=0.0, unasked=0.0))
    assert [(r.item, r.reason) for r in out.rejections] == [
        (q, "words that the tokenizer does not know") for q in ("r5", "s12", "r18")
    ]
    assert out.rejections[0].detail == "of 'A barista with headphones.' is left 'a'"
    (sample,) = out.records
    assert (sample.target.question, sample.history) == ("Where is the red cube?", ())


def test_a_tokenizer_that_composes_accents_loses_nothing():
    class Composing(ByteTokenizer):
        """A tokenizer that applies NFC first, as Qwen's does."""

        def encode(self, text):
            return super().encode(unicodedata.normalize("NFC", text))

    codec = open_codec("scripted")
    codec.tokenizer = Composing()
    talk = Conversation(clip(9), (), (real_time(2, "...?", "cafe\u0301 au lait"),))
    config = StructureConfig("scripted", after_last=0.0, unasked=0.0)
    assert len(structure(talk, codec, config).records) == 1


def test_samples_are_by_default_no_longer_than_the_recipes_rows():
    """At 640x480, a second has 300 visual tokens and about 25 others.

    The 8B recipes have rows of 16,384 tokens.
    """
    window = StructureConfig().window
    assert (
        window == WindowConfig(keep=30, max=45)
        and window.max * 325 < 16384 < replace(window, max=60).max * 325
    )
