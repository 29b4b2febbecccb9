"""StreamEQA: which letter a reply means, and the authors' files."""

from __future__ import annotations

import eval_rig as rig
import pytest
from eval_rig import figures, items_of
from eval_samples import KITCHEN

from aura_core.errors import InputError
from aura_core.evaluation.tasks import streameqa

ID = "Perception/P01-20240202-171220"
LETTERED = ["A. on the hob", "B. in the sink", "C. away", "D. here"]


@pytest.fixture
def data(tmp_path):
    rows = [KITCHEN, KITCHEN | {"id": 2, "realtime": 1}, KITCHEN | {"id": 3, "task": "XX"}]
    rig.write(tmp_path / "data/annotations/Perception.json", rows)
    return tmp_path


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("B", "B"),
        (" B. in the sink", "B"),
        ("B) yes", "B"),
        ("in the sink", "B"),
        ("The answer is (C).", "C"),
        ("Because A pan", "A"),
        ("none", "none"),
        ("b", "A"),  # the first option that contains it
    ],
)
def test_letters(reply, letter):
    assert streameqa.letter(reply, LETTERED) == letter


def test_items_and_scores(data):
    (item,) = items_of("streameqa", data)  # the question at 1 s has no clip
    assert item.id == ID and item.videos[0] == "videos/P01/P01-20240202-171220.mp4"
    assert [(q.id, q.at_s, q.truth, q.group) for q in item.questions] == [
        ("1", 5, "B", "OL"),
        ("3", 5, "B", "XX"),
    ]
    f = figures("streameqa", [item], rig.said(ID, (5, "B.", "1"), (5, "C", "3")))
    assert f["OL"] == (1.0, 1) and f["XX"] == (0.0, 1)
    assert f["part Perception"] == f["total"] == (0.5, 2)


def test_the_authors_files(data, tmp_path):
    items = items_of("streameqa", data)
    rows = [KITCHEN | {"Qwen3VL": "B"}, KITCHEN | {"id": 3, "Qwen3VL": ""}]
    (p,) = streameqa.published(rig.write(tmp_path / "out.json", rows), items, "")
    assert p.item == ID and p.unasked == ("3",)
    assert figures("streameqa", items, p)["total"] == (1.0, 1)
    with pytest.raises(InputError, match="M, N; choose --published"):
        rows = [KITCHEN | {"M": "A", "N": "B"}]
        streameqa.published(rig.write(tmp_path / "two.json", rows), items, "")
