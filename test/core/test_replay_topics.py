"""Which topics of a bag are read: found by type and name; errors list what there is."""

from __future__ import annotations

import pytest
from bags import IMAGE, START, STRING, T, image, raw_bag

from aura_core.errors import InputError
from aura_core.replay import recorded
from aura_core.replay.bag import Bag

IMG = image(START)
TEXT = T[STRING]("hello")


def test_the_one_camera_is_found_by_type(tmp_path):
    path = raw_bag(
        tmp_path / "bag",
        [("/front/rgb", IMAGE, START, IMG), ("/robot_description", STRING, START, TEXT)],
        empty=[("/other/image_raw", IMAGE)],
    )
    with Bag(path) as bag:
        assert bag.topics.image_topic == "/front/rgb" and bag.topics.text_topic is None
        assert "no questions" in bag.description
    with Bag(path, text_topic="robot_description") as bag:
        assert bag.topics.text_topic == "/robot_description"


def test_image_raw_is_preferred_then_a_choice_is_asked_for(tmp_path):
    two = [("/left/image_raw", IMAGE, START, IMG), ("/left/depth", IMAGE, START, IMG)]
    with Bag(raw_bag(tmp_path / "a", two)) as bag:
        assert bag.topics.image_topic == "/left/image_raw"
    three = [*two, ("/right/image_raw", IMAGE, START, IMG)]
    with pytest.raises(InputError, match=r"several image topics .*--image-topic") as e:
        Bag(raw_bag(tmp_path / "b", three))
    assert "/left/image_raw" in str(e.value) and "/right/image_raw" in str(e.value)
    with Bag(tmp_path / "b", image_topic="/right/image_raw") as bag:
        assert bag.topics.image_topic == "/right/image_raw"


def test_several_question_topics_must_be_told_apart(tmp_path):
    messages = [
        ("/c", IMAGE, START, IMG),
        ("/a/asr/text", STRING, START, TEXT),
        ("/b/asr/text", STRING, START, TEXT),
    ]
    with pytest.raises(InputError, match="--text-topic"):
        Bag(raw_bag(tmp_path / "bag", messages))


@pytest.mark.parametrize(
    ("image_topic", "text_topic", "says"),
    [
        (
            "/nope",
            None,
            r"there is no topic /nope; the bag has /asr/text \(std_msgs/msg/String\), /idle",
        ),
        (None, "/nope", "there is no topic /nope; the bag has"),
        ("/asr/text", None, "topic /asr/text is std_msgs/msg/String, which is no image topic"),
        (None, "/image_raw", "topic /image_raw is sensor_msgs/msg/Image, which is no text topic"),
        ("/idle", None, "there are no messages on the image topic /idle"),
    ],
)
def test_wrong_topic_names_list_what_is_there(tmp_path, image_topic, text_topic, says):
    path = raw_bag(
        tmp_path / "bag",
        [("/image_raw", IMAGE, START, IMG), ("/asr/text", STRING, START, TEXT)],
        empty=[("/idle", IMAGE)],
    )
    with pytest.raises(InputError, match=says):
        Bag(path, image_topic, text_topic)


def test_a_bag_without_images_lists_its_topics(tmp_path):
    with pytest.raises(
        InputError, match=r"no images in it; the bag has /asr/text \(std_msgs/msg/String\)"
    ):
        Bag(raw_bag(tmp_path / "bag", [("/asr/text", STRING, START, TEXT)]))
    with pytest.raises(InputError, match="the bag has no topics"):
        Bag(raw_bag(tmp_path / "empty", []))


def test_what_is_recorded_in_a_namespace_is_found(tmp_path):
    names = recorded.recorded("/robot1/", ["image_raw", "/cam/depth"])
    assert names[:4] == (
        "/robot1/image_raw",
        "/cam/depth",
        "/robot1/asr/text",
        "/robot1/aura/asked",
    )
    assert names[-1] == "/diagnostics" and recorded.recorded("", ["image_raw"])[0] == "/image_raw"
    kinds = {"/robot1/image_raw": (IMAGE, IMG), "/robot1/asr/text": (STRING, TEXT)}
    messages = [(n, kinds[n][0], START, kinds[n][1]) for n in names if n in kinds]
    with Bag(raw_bag(tmp_path / "bag", messages)) as bag:
        assert (bag.topics.image_topic, bag.topics.text_topic) == tuple(kinds)


def test_the_document_names_what_is_recorded(repository):
    document = (repository / "docs" / "regression.md").read_text()
    for name in (recorded.IMAGE, recorded.COMPRESSED, *recorded.recorded("", [])):
        assert f"`{name}`" in document or f"`{name.removeprefix('/')}`" in document, name
