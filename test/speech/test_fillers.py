"""What is no question is told from what is one, in two languages."""

from __future__ import annotations

import pytest

from aura_core.speech.fillers import Fillers, is_filler

SOUNDS = """
HMM. | Oh. | Ah | MMMM | Mm-hmm. | Uh-huh | Um, uh... | Ha ha ha ha | Hahaha! | Hehe | Eh? | Ugh.
Uhm. | Argh! | Whoops | Yikes! | Nuh-uh | Ho ho ho | Hmph. | 嘘 | 感谢观看
谢谢收看 | You know? | Let me see. | Whooops! | Umm, you know, uh... | Thank you for watching!
Untertitel der Amara.org-Community | Pfft | Sous-titres réalisés par la communauté d'Amara.org
ご視聴ありがとうございました | 시청해 주셔서 감사합니다
(laughs) | [MUSIC] | *sighs* | ♪ la la ♪ | Thanks for watching! | 嗯。 | 哈哈哈 | 哎呀 | 谢谢观看
"""
WORDS = """
um, what is there | oh no, the soup | what | stop | no | yes | hi | he | her | were | thank you all
well okay then | Right. | left | do you know | let me see the garden
thank you and goodbye | also | Ben | sabe | それは何
hmm where is my cup | 嗯,杯子在哪里? | 好 | 哪里 | haha what is that
"""


@pytest.mark.parametrize("text", [t.strip() for t in SOUNDS.replace("\n", "|").split("|") if t])
def test_sounds_are_fillers(text: str) -> None:
    if text:
        assert is_filler(text) and is_filler(text, answers=True)


@pytest.mark.parametrize("text", [t.strip() for t in WORDS.replace("\n", "|").split("|") if t])
def test_words_are_not(text: str) -> None:
    assert not is_filler(text)


def test_a_remark_may_answer_the_robot() -> None:
    for remark in ("Okay.", "yeah", "Right, thanks", "Thank you.", "呃，那个", "那个"):
        assert is_filler(remark) and not is_filler(remark, answers=True)


def test_a_text_without_words_is_empty_and_no_filler() -> None:
    for text in ("", " ... ", "?"):
        assert not is_filler(text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Äh, ähm, tja."),
        ("de", "Also, na gut."),
        ("fr", "Euh, bon, alors..."),
        ("es", "Pues, este, bueno."),
        ("it", "Ehm, allora."),
        ("pt", "Então, tipo..."),
        ("ja", "えっと、あの、うーん"),
        ("ko", "음, 저기"),
        ("de", "Hmm."),
    ],
)
def test_each_language_has_its_own(language: str, text: str) -> None:
    assert is_filler(text, language=language)
    assert (language == "de" and text == "Hmm.") or not is_filler(text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Also was ist das?"),
        ("fr", "Bon, où est la tasse ?"),
        ("ja", "あの赤い箱は何"),
        ("ko", "그 상자"),
    ],
)
def test_in_front_of_a_question_they_are_kept(language: str, text: str) -> None:
    assert not is_filler(text, language=language)


def test_a_house_has_its_own() -> None:
    fillers = Fillers(("good grief", "Servus!", "..."))
    assert fillers.is_filler("Um, good grief.") and fillers.is_filler("servus", answers=True)
    assert not fillers.is_filler("good") and not is_filler("good grief")
