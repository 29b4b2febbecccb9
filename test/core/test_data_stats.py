"""Statistics of samples, their languages, and near-duplicates."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from data_rig import aura, small_run
from mllm_double import light_video

from aura_core.data import stats
from aura_core.data.detector import detector
from aura_core.data.duplicates import duplicates, groups, look, same_look, shingles, similar
from aura_core.data.language import language_of
from aura_core.data.reviews import NAME
from aura_core.data.samples import Line, lines_of
from aura_core.data.schema import Conversation, Sample
from aura_core.data.stats import statistics
from aura_core.data.store import StageFolder


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run")
    small_run(out, range(1000, 1003))
    return out


@pytest.fixture(scope="module")
def lines(run: Path) -> list[Line]:
    return list(lines_of(str(run)))


@pytest.mark.parametrize(
    "text, language",
    [
        ("A red cup.", "latin"),
        ("红色的 cup", "zh"),
        ("what is 桌 here", "latin"),
        ("猫が来た", "ja"),
        ("カップ", "ja"),
        ("빨간 컵", "ko"),
        ("Красная чашка", "cyrillic"),
        ("12:30!", ""),
        ("", ""),
    ],
)
def test_the_script_tells_the_language(text, language):
    assert language_of(text) == language


SENTENCES = {
    "en": "A man has just come into the kitchen with a blue bag.",
    "de": "Ein Mann ist gerade mit einer blauen Tasche in die Küche gekommen.",
    "fr": "Un homme vient d'entrer dans la cuisine avec un sac bleu.",
    "es": "Un hombre acaba de entrar en la cocina con una bolsa azul.",
    "it": "Un uomo è appena entrato in cucina con una borsa blu.",
    "nl": "Een man kwam net de keuken binnen met een blauwe tas.",
}


def test_languages_in_latin_letters_are_told_apart():
    pytest.importorskip("py3langid")
    tell = detector()
    assert tell is not None and {tell(text): text for text in SENTENCES.values()} == SENTENCES
    assert tell("Mmm.") == ""  # not sure
    asked = [(text, "") for text in (*SENTENCES.values(), "Mmm.", "红色的杯子", "12")]
    assert stats._languages(asked) == [*SENTENCES, stats.LATIN, "zh", "none"]
    # one word does not tell it, its question does
    assert stats._languages([("Rot.", "Welche Farbe hat die Tasse auf dem Tisch?")]) == ["de"]


def test_without_the_detector_they_are_one_class_that_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)  # as if it were not installed
    assert detector() is None
    assert stats._languages([(SENTENCES["de"], ""), ("猫が来た", "")]) == ["in Latin letters", "ja"]


def test_each_sample_and_each_question_counts_once(run, lines):
    found = statistics(lines)
    folder = StageFolder(run, "refine")
    asked = [
        q
        for i in range(len(folder.all_done()))
        for c in folder.read(i, Conversation)
        for q in c.questions
    ]
    samples = [line.sample for line in lines]
    assert found["samples"] == len(samples) == sum(found["kind"].values())
    assert found["clips"] == 3 and found["hours"] == round(3 * 24 / 3600, 3)
    spoken = [s for s in samples if s.target.answer]  # others end in silence
    chinese = sum(any("\u4e00" <= c <= "\u9fff" for c in s.target.answer) for s in samples)
    assert found["language of the answer"]["zh"] == chinese
    assert sum(found["language of the answer"].values()) == len(spoken)
    sampled = {s.target.question_id for s in samples if s.target.answer}
    of_each = [len(q.answers) for q in asked if q.id in sampled]
    assert sum(found["answers of a question"].values()) == len(sampled) == len(of_each)
    assert found["answers of a question"] == {
        str(n): of_each.count(n)
        for n in sorted(set(of_each), key=lambda n: (-of_each.count(n), str(n)))
    }
    level = {q.id: q.level for q in asked}
    assert found["level"]["1"] == sum(level[s.target.question_id] == 1 for s in spoken)
    at = found["quantiles"]["seconds in view"]["at"]
    seconds = [s.stop - s.first for s in samples]
    assert (at[0], at[-1]) == (min(seconds), max(seconds))


# ---- near-duplicates ---------------------------------------------------------------------------


def jaccard(a: frozenset, b: frozenset) -> float:
    return len(a & b) / len(a | b)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_the_join_finds_every_pair_and_no_other(seed, threshold):
    """Against all pairs, on random texts of few words, which are often nearly the same."""
    rng = np.random.default_rng(seed)
    words = ["red", "cube", "cup", "the", "a"]
    texts = {" ".join(rng.choice(words, rng.integers(1, 9))) for _ in range(120)}
    sets = list({shingles(t) for t in texts})
    wanted = {
        (i, j)
        for i, j in itertools.combinations(range(len(sets)), 2)
        if jaccard(sets[i], sets[j]) >= threshold - 1e-9
    }
    assert set(similar(sets, threshold)) == wanted
    assert wanted or threshold > 0.5


def test_groups_hold_texts_that_are_alike_over_others():
    texts = ["x", "A red cup falls.", "a red cup falls", "y", "A red cup falls down.", "X!"]
    assert groups(texts, 0.5) == [[0, 5], [1, 2, 4]]
    assert groups(texts, 0.99) == [[0, 5], [1, 2]]


def test_a_picture_is_known_again_after_noise_and_not_after_a_change():
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 255, (12, 12, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    noisy = np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
    changed = image.copy()
    changed[40:46, 70:76] = 255 - changed[40:46, 70:76]  # a small thing
    alike = [same_look(look(image), look(other)) for other in (image, noisy, changed)]
    assert alike == [True, True, False]


def with_words(line: Line, question: str, answer: str, **changes: object) -> Line:
    sample = line.sample
    assert isinstance(sample, Sample)
    target = replace(sample.target, question=question, answer=answer)
    return replace(line, sample=replace(sample, target=target, **changes))


def test_only_the_same_words_about_the_same_picture_are_duplicates(lines, tmp_path):
    """One text in a dark second, in another dark one, and in a bright one."""
    light_video(tmp_path / "prepare" / "clips" / "x.mp4")  # bright from second 8 on
    line = next(line for line in lines if line.sample.target.kind == "real-time")
    shard = replace(line.shard, media=tmp_path)
    clip = replace(line.sample.clip, video="prepare/clips/x.mp4", seconds=16)
    line = replace(line, shard=shard, sample=replace(line.sample, clip=clip))
    four = [
        with_words(line, "Is there a lamp on the table?", "Yes, one lamp.", stop=4),
        with_words(line, "Is there a lamp on the table now?", "Yes, one lamp.", stop=6),
        with_words(line, "What is it?", "A lamp.", stop=6),
    ]
    pairs, twins = duplicates(four, 0.7)
    assert pairs == [[0, 1]] and twins == {1: 0}


def test_a_flat_picture_is_like_no_patterned_one(lines):
    """Two samples of different simulated worlds with the same words are no duplicates."""
    chosen = {}
    for line in lines:
        if line.sample.stop >= 20:
            chosen.setdefault(line.sample.clip.id, line)
    one, other = list(chosen.values())[:2]
    same = [with_words(line, "What is on the table?", "A cube.") for line in (one, other, one)]
    kinds = {line.sample.target.kind for line in same}
    pairs, twins = duplicates(same)
    if len(kinds) == 1:
        assert pairs == [[0, 1, 2]]
    assert twins == {2: 0}


def test_the_command_drops_duplicates_as_a_review_does(run, tmp_path):
    """Three samples are there twice, the second time under another name."""
    shutil.copytree(run, tmp_path / "run")
    shard = tmp_path / "run" / "verify" / "shard-00000.jsonl"
    lines = shard.read_text().splitlines()
    copies = [json.loads(line) for line in lines[:3]]
    names = [c["id"] for c in copies]
    more = [json.dumps(c | {"id": f"{c['id']}-again"}, separators=(",", ":")) for c in copies]
    shard.write_text("\n".join([*lines, *more]) + "\n")
    source = str(tmp_path / "run" / "verify" / "shard-*.jsonl")
    before = [line.sample.id for line in lines_of(source)]
    told = aura("stats", source, "--json", tmp_path / "stats.json", "--drop")
    assert told.returncode == 0, told.stderr
    found = json.loads((tmp_path / "stats.json").read_text())
    assert found["samples"] == len(before)
    assert found["duplicates"] == [[f"{name}-again", name] for name in names]
    left = [line.sample.id for line in lines_of(source)]
    assert left == [name for name in before if not name.endswith("-again")]
    assert (tmp_path / "run" / "verify" / NAME).is_file()
    assert "nearly the same too: 0" in aura("stats", source).stdout
