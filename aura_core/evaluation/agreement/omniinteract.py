"""OmniInteract: slots, cuts at the due time, triggers, spill, interruptions, and all figures.

Compared with `eval/evaluation` of github.com/Lucky-Lance/OmniInteract.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

from aura_core.evaluation.agreement.base import Hashed, Table, clock, modules, sentence, words
from aura_core.evaluation.judge import Grade
from aura_core.evaluation.tasks import omniinteract
from aura_core.evaluation.tasks.base import Broken

SCENES = ("multi_turn", "nested", "1QnA")


class _Judge(Hashed):
    """Gives a trigger too: one of the words of the core."""

    def phrase(self, truth: str, said: str) -> str:
        found = re.findall(r"[a-z]{2}\d\d|[\u4e00-\u9fff]{2}", "".join(said.split()))
        k = round(self.draw("phrase", truth, said) * 100)
        return found[k % len(found)] if found and k % 3 else ""

    def grade(self, prompt: str, question: str, truth: str, said: str, later: str = "") -> Grade:
        graded = super().grade(prompt, question, truth, said)
        phrase = self.phrase(truth, said) if prompt == "core" else ""
        return Grade(graded.score, graded.flag, phrase)

    # the authors' judge

    def judge_early(self, slot: Any, full: str, said: str) -> tuple[str, float, dict[str, Any]]:
        grade = self.grade("acknowledgment", "", slot["gt_answer"], said)
        return ("hallucination", 0.0, {}) if grade.flag else ("neutral", grade.score, {})

    def judge_core(self, slot: Any, full: str, said: str, later: str) -> tuple[float, Any]:
        grade = self.grade("core", "", slot["gt_answer"], said)
        return grade.score, {"trigger_phrase": grade.phrase}

    def judge_interrupted_partial(self, slot: Any, said: str) -> dict[str, Any]:
        return {"score": self.grade("interrupted", "", slot["gt_answer"], said).score}


def compare(checkout: Path, work: Path, n: int, seed: int) -> Table:
    """Return how far both sides agree on `n` videos."""
    rng, table, judge = random.Random(seed), Table(), _Judge(seed)
    drawn = [_draw(rng, work, k) for k in range(n)]
    _maps(work, drawn)
    items = {i.id: i for i in omniinteract.read(work / "data", Broken())}
    predictions = {p.item: p for p in omniinteract.published(work / "out", [*items.values()], "")}
    names = ("build_slots", "match_slots", "common", "compute_unified_eval")
    folder = "eval/evaluation"
    with modules(checkout, folder, (*names, "summarize_unified_eval")) as of:
        build, match, common, compute, summarize = of
        results = work / "eval"
        for subset, name, scene, annotation, transcript in drawn:
            slots = [s.to_dict() for s in build.build_slots(annotation, scene, 60.0)]
            matched = match.build_matching(slots, common.normalize_chunks(transcript))
            theirs = compute.compute_unified_eval(matched, judge, 0.2, 1.0, 1.0, 0.5, True)
            id = f"{subset}/videos/{name}.mp4"
            ours = omniinteract.score([items[id]], predictions, judge)
            for k, (row, o) in enumerate(zip(theirs["slots"], ours.outcomes, strict=True)):
                table.add("true positive of a slot", f"{id} slot {k}", row["TP_n"], o.value)
            one = theirs["summary"]["IA_QTF1"]
            table.add("IA-QTF1 of a video", id, one, ours.figures["IA-QTF1"].value)
            common.save_json(results / f"{subset}_{name}.unified_eval.json", theirs)
        paper = summarize.build_summary(results)["summary"]["paper_metrics"]
    figures = omniinteract.score([*items.values()], predictions, judge).figures
    _figures(table, paper, {name: m.value for name, m in figures.items()})
    return table


def _figures(table: Table, paper: Any, ours: dict[str, float]) -> None:
    f1, cut, nested = paper["exp_f1"], paper["exp_interruption"], paper["exp_nested"]
    pairs = {
        "IA-QTF1 realtime": f1["realtime"]["IA_QTF1"],
        "IA-QTF1 proactive": f1["proactive"]["IA_QTF1"],
        "IA-QTF1 nested": f1["nested"]["IA_QTF1"],
        "IA-QTF1 1Q1A global": f1["one_q1a_global"]["IA_QTF1"],
        "IA-QTF1 1qna": f1["one_qna"]["IA_QTF1"],
        "IA-QTF1": f1["all_global"]["IA_QTF1"],
        "IA-QTF1 nested, inner": nested["inner_IA_QTF1"],
        "IA-QTF1 nested, outer": nested["outer_IA_QTF1"],
        "NCCS": nested["NCCS"],
        "nested: missed outer": nested["missed_outer"] / max(1, nested["num_pairs"]),
        "interrupted: silent": cut["NOR"],
        "interrupted: quality": cut["PAQ"],
        "interrupted: goes on (CSM-SR)": cut["CSM_SR"],
        "interrupted: seconds over (CSM-AS)": cut["CSM_AS_seconds"],
    }
    for name, theirs in pairs.items():
        table.add("figures of all videos", name, theirs, ours.get(name))


def _draw(rng: random.Random, work: Path, k: int) -> tuple[str, str, str, Any, Any]:
    """Write one annotation and one transcript: (subset, name, scene, annotation, transcript)."""
    scene = SCENES[k % 3]
    subset = "1qna" if scene == "1QnA" else rng.choice(("1q1a", "1q1a_math"))
    annotation: Any
    if scene == "nested":
        rows, at_s = [], rng.randint(0, 5)
        for _ in range(rng.randint(1, 3)):
            inner_s, due_s = at_s + rng.randint(1, 9), at_s + rng.randint(20, 40)
            inner_due_s = rng.randint(inner_s, due_s)
            rows += [
                _row(rng, at_s, due_s, "proactive"),
                _row(rng, inner_s, inner_due_s, "realtime"),
            ]
            at_s = due_s + rng.randint(1, 30)
        annotation = rows
    elif scene == "1QnA":
        due = sorted(rng.sample(range(5, 120), rng.randint(1, 6)))
        key = rng.choice(("interrupted", "is_interrupted"))
        answers = [
            {"answer_time": t, "answer_text": sentence(rng), key: rng.random() < 0.2} for t in due
        ]
        asked = {"question_time": rng.randint(0, 5), "question_text": sentence(rng)}
        annotation = asked | {"answers": answers}
    else:
        starts = sorted(rng.sample(range(0, 150), rng.randint(1, 5)))
        annotation = [
            _row(rng, s, s + rng.choice((0, 0, 3, 12, 40)), rng.choice(("realtime", "proactive")))
            for s in starts
        ]
    name = f"{k:05d}"
    transcript = {"text": "", "chunks": [_chunk(rng) for _ in range(rng.randint(0, 12))]}
    for path, data in (
        (work / "data" / subset / "annotations" / f"{name}.json", annotation),
        (work / "out" / subset / f"videos__{name}" / "precise_truncation.json", transcript),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data), encoding="utf-8")
    return subset, name, scene, annotation, transcript


def _row(rng: random.Random, asked_s: int, due_s: int, kind: str) -> dict[str, Any]:
    return {
        "question_time": clock(asked_s),
        "question_text": sentence(rng),
        "answer_time": clock(due_s),
        "answer_text": sentence(rng),
        "question_type": kind,
        "is_interrupted": rng.random() < 0.2,
    }


def _chunk(rng: random.Random) -> dict[str, Any]:
    """Return words of a voice, often with the time of each, sometimes with other spaces."""
    start_s = round(rng.uniform(0, 240), 2)
    drawn = words(rng, 1, 8)
    chinese = drawn[0][0] >= "\u4e00"
    text, end_s, aligned = "", start_s, []
    for word in drawn:
        length_s = round(rng.uniform(0.1, 4), 2)
        aligned.append({"text": word, "start": end_s, "end": round(end_s + length_s, 2)})
        end_s = round(end_s + length_s + rng.choice((0, 0, 0.5)), 2)
        text += ("" if chinese or not text else " ") + word
    if rng.random() < 0.2:
        text += "."
    if rng.random() < 0.1:
        text = text.replace(" ", ", ")
    chunk: dict[str, Any] = {"text": text, "timestamp": [start_s, round(end_s + 0.3, 2)]}
    return chunk | ({"aligned_words": aligned} if rng.random() < 0.7 else {})


def _maps(work: Path, drawn: list[tuple[str, str, str, Any, Any]]) -> None:
    for subset in {d[0] for d in drawn}:
        entries = [
            {"video": f"videos/{n}.mp4", "annotation": f"annotations/{n}.json", "scene_type": scene}
            for of, n, scene, _, _ in drawn
            if of == subset
        ]
        path = work / "data" / subset / "video_json_map.json"
        path.write_text(json.dumps({"entries": entries}), encoding="utf-8")
