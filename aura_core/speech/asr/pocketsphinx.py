"""Recogniser: PocketSphinx with a grammar, the embedded default.

It recognises the sentences of its grammar, and gives partial results while they are spoken.

A grammar maps any speech to one of its sentences. Speech that is none of them is detected by its
acoustic score: the likelihood of a word, relative to that of a free loop of speech sounds in the
same frames (see `phone_loop`; `compallsen` makes the two comparable). The mean and the worst part
of the sentence give the confidence.

Laughs and hesitation (`SOUNDS`) compete with the sentences. What fits one of them better is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ConfigError, ModelError
from aura_core.extras import how_to_install
from aura_core.speech.asr.automaton import minimal
from aura_core.speech.asr.base import Recognition
from aura_core.speech.asr.confidence import MIDDLE, NULL, Segment, confidence, dragged, silent
from aura_core.speech.asr.grammar import Grammar
from aura_core.speech.asr.phone_loop import PhoneLoop, open_phone_loop
from aura_core.speech.wake import WakeConfig, WakeMode, WakeRule
from aura_core.words import spoken_words

# standard deviation of the added noise: with exact digital silence, recognition fails
NOISE_LSB = 25.0
NOISE_SAMPLES = 16_000
STEP = 160  # samples of 10 ms, the decoder's frames
# A word whose loudest 10 ms are quieter than those of the loudest word by this was not said. The
# quietest word of 40 questions of eight synthetic voices was 7 dB below, apart from articles.
QUIET_DB = 18.0
ARTICLES = frozenset({"a", "an", "the"})
# Frames of a speech sound, on average over a sentence. Questions that eight synthetic voices say at
# 1.5 times their usual speed (260 words a minute) had 5.1 and more.
LEAST_FRAMES = 4.5
# How much less likely than the best a path may be. With the library's own limits (1e-48, 1e-48,
# 7e-29) the only sentence that fits is lost where a voice swallows a sound, or where one of the
# `SOUNDS` fits better for a while. With 1e-60, 1e-60 and 1e-40 "tell me when a red cube appears"
# was lost, to "phew" said five times.
BEAMS = {"beam": 1e-100, "pbeam": 1e-100, "wbeam": 1e-80}
# Sounds that are no words, with their speech sounds (ARPAbet). One alone, or the same one several
# times, is an utterance. A free loop of all of them took "how is the door" for one.
SOUNDS = {
    "ah": "AA",
    "aw": "AO",
    "eh": "EH",
    "er": "ER",
    "ha": "HH AA",
    "hee": "HH IY",
    "heh": "HH EH",
    "hm": "HH M",
    "ho": "HH OW",
    "hoo": "HH UW",
    "huh": "HH AH",
    "mm": "M",
    "oh": "OW",
    "ooh": "UW",
    "oops": "UW P S",
    "ow": "AW",
    "phew": "F Y UW",
    "shh": "SH",
    "ugh": "AH G",
    "uh": "AH",
    "um": "AH M",
    "whoa": "W OW",
    "wow": "W AW",
    "yay": "Y EY",
}
SOUND, AGAIN = 0.1, 0.3  # probability of such a sound, and of one more of the same
MARK = "_"  # before a sound's name in the decoder: some are words of the dictionary too
# Middle of the confidence of the wake phrase: of five voices that say it alone, the first time, the
# lowest score was -0.0062; of 28 that say it before a question, -0.0050.
PHRASE = -0.0065
# words of the default wake phrase that the dictionary in the package lacks (ARPAbet)
WAKE_PRONUNCIATIONS = {"aura": "AO R AH"}
# words of the dictionary that sound like a wake phrase, as other pronunciations of it
HOMOPHONES = {"hey aura": ("hey or a", "hi aura", "hay aura", "hey aura's")}


class PocketSphinx:
    """A decoder with its grammar.

    Speech with a confidence below `rejection` is reported as not in the grammar.
    """

    def __init__(self, decoder: Any, loop: PhoneLoop, rejection: float, wake: WakeConfig) -> None:
        self._decoder, self._loop = decoder, loop
        self._rejection = rejection
        self._wake = WakeRule(wake)
        self._noise = np.rint(
            np.random.default_rng(0).normal(0.0, NOISE_LSB, NOISE_SAMPLES)
        ).astype(np.int32)
        self._fed = 0
        self._open = False
        self._levels = Levels()

    def begin(self) -> None:
        if self._open:
            self._decoder.end_utt()
        self._decoder.start_utt()
        self._loop.begin()
        self._open, self._fed, self._levels = True, 0, Levels()

    def feed(self, samples: NDArray[np.int16]) -> str | None:
        self._levels.add(samples)
        sound = self._noisy(samples).tobytes()
        self._decoder.process_raw(sound, False, False)
        self._loop.feed(sound)
        found = self._decoder.hyp()
        return (self._spelt(_unmarked(found.hypstr)) or None) if found is not None else None

    def finish(self) -> Recognition:
        self._decoder.end_utt()
        self._loop.finish()
        self._open = False
        found = self._decoder.hyp()
        if found is None or not found.hypstr:
            return Recognition("", 0.0, in_grammar=False)
        segments = self._loop.ratios(self._decoder.seg())
        if found.hypstr.startswith(MARK):
            sure = confidence(segments)
            reason = "filler" if sure >= self._rejection else ""
            return Recognition(_unmarked(found.hypstr), sure, in_grammar=False, reason=reason)
        levels, text = self._levels.of(segments), self._spelt(found.hypstr)
        called: bool | None = None
        phrase = len(spoken_words(found.hypstr)) - len(self._rest(found.hypstr))
        alone = 0 < phrase == len(levels)
        at = levels[phrase].segment if 0 < phrase < len(levels) else 0
        question = segments[at:]
        if at and quieter(levels[:phrase], levels[phrase:]):
            # nobody called the robot: talk or noise before the sentence was taken for the phrase
            segments, levels, called = question, levels[phrase:], False
        elif at and confidence(segments[:at], PHRASE) < self._rejection:
            # something else was said there, and counts against the question
            question, called = segments, False
        if called is False:
            text = " ".join(self._rest(found.hypstr))
        unsaid = self._hurried(segments) or dragged(segments)
        unsaid = unsaid or any(too_quiet([word], levels) for word in levels)
        sure = 0.0 if unsaid else confidence(question, PHRASE if alone else MIDDLE)
        if alone:
            called = sure >= self._rejection
        return Recognition(text, sure, in_grammar=sure >= self._rejection, called=called)

    def _rest(self, text: str) -> list[str]:
        """The words after the wake phrase."""
        return spoken_words(self._wake.without_phrase(text)[1])

    def _hurried(self, segments: Sequence[Segment]) -> bool:
        """Whether nobody speaks so fast: a sound that is no words was made to fit a sentence."""
        said = [(word, n) for word, n, _ in segments if n > 0 and not silent(word)]
        sounds = sum(len(self._decoder.lookup_word(word).split()) for word, _ in said)
        return sum(n for _, n in said) < LEAST_FRAMES * sounds

    def _spelt(self, text: str) -> str:
        """Write the wake phrase in its usual spelling, whichever homophone the decoder chose."""
        called, rest = self._wake.without_phrase(text)
        phrase = " ".join(spoken_words(self._wake.config.phrase))
        return f"{phrase} {rest}".strip() if called else text

    def _noisy(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Add the noise. A sample's noise depends only on its position in the utterance.

        The result therefore does not depend on how the sound was cut into pieces.
        """
        noise = self._noise[(self._fed + np.arange(len(samples))) % NOISE_SAMPLES]
        self._fed += len(samples)
        return np.clip(samples + noise, -32768, 32767).astype(np.int16)


@dataclass(frozen=True)
class Loudness:
    """How loud a word is [dB of one step of a sample], and the number of its segment."""

    segment: int
    word: str
    level: float


class Levels:
    """The level of each 10 ms of an utterance: a word must be about as loud as the others."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, dtype=np.int16)
        self._levels: list[float] = []  # [dB of one step of a sample]

    def add(self, samples: NDArray[np.int16]) -> None:
        """Take more sound."""
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) // STEP * STEP
        self._rest = samples[whole:]
        powers = np.mean(np.square(samples[:whole].reshape(-1, STEP), dtype=np.float32), axis=1)
        self._levels += (10.0 * np.log10(np.maximum(powers, 1e-3))).tolist()

    def of(self, segments: Sequence[Segment]) -> list[Loudness]:
        """The loudest level of each word of a sentence, in order."""
        found, at = [], 0
        for i, (word, frames, _) in enumerate(segments):
            end = at + (frames if word != NULL else 0)
            if not silent(word):
                loudest = max(self._levels[at:end], default=0.0)
                found.append(Loudness(i, word.partition("(")[0], loudest))
            at = end
        return found


def too_quiet(words: Sequence[Loudness], others: Sequence[Loudness]) -> bool:
    """Whether these words were found in the quiet around the others. Articles were not.

    A sentence must be complete, so the decoder puts there what is missing.
    """
    return quieter([w for w in words if w.word not in ARTICLES], others)


def quieter(words: Sequence[Loudness], others: Sequence[Loudness]) -> bool:
    """Whether all of these words are quieter than the loudest of the others by `QUIET_DB`."""
    loudest = max((word.level for word in others), default=0.0)
    return bool(words) and all(word.level < loudest - QUIET_DB for word in words)


def _alone(
    phrases: Sequence[tuple[str, ...]], start: int, end: int
) -> list[tuple[int, int, float] | tuple[int, int, float, str]]:
    """The arcs of the wake phrase alone: the question may come after a pause.

    Args:
        phrases: the words of each of its spellings.
        start, end: states of the decoder's grammar in which sentences begin and end.
    """
    arcs: list[tuple[int, int, float] | tuple[int, int, float, str]] = []
    state = end + len(SOUNDS)
    for words in phrases:
        at = start
        for word in words:
            state += 1
            arcs.append((at, state, 1.0, word))
            at = state
        arcs.append((at, end, 1.0))
    return arcs


def _unmarked(text: str) -> str:
    return text.replace(MARK, "")


def open_pocketsphinx(
    grammar: Grammar, wake: WakeConfig, model: str = "", rejection: float = 0.5
) -> PocketSphinx:
    """Open a decoder for a grammar.

    Args:
        model: a folder with an acoustic model and its dictionary (*.dict); empty: the English model
            in the package.
        rejection: the confidence in [0, 1] below which speech is not in the grammar.

    Raises ConfigError when the package or a file is missing, or for a word that neither the
    dictionary nor the grammar has; ModelError when the folder is no acoustic model.
    """
    try:
        import pocketsphinx
    except ImportError:
        raise ConfigError(
            f"asr.backend: pocketsphinx needs its package: {how_to_install('voice')}"
        ) from None
    homophones = HOMOPHONES.get(" ".join(spoken_words(wake.phrase)), ())
    wake = replace(wake, aliases=(*wake.aliases, *homophones))
    acoustic, dictionary = _files(pocketsphinx, model)
    try:
        decoder = pocketsphinx.Decoder(
            hmm=str(acoustic),
            dict=str(dictionary),
            lm=None,
            compallsen=True,
            bestpath=False,
            loglevel="FATAL",
            **BEAMS,
        )
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"asr.model: {acoustic} is no acoustic model of pocketsphinx") from error
    pronunciations = WAKE_PRONUNCIATIONS | dict(grammar.pronunciations)
    for word in sorted(grammar.words() | set(spoken_words(wake.phrase))):
        if decoder.lookup_word(word) is not None:
            continue
        if word not in pronunciations:
            raise ConfigError(
                f"grammar: the dictionary has no '{word}': add a line '{word} = ' with its ARPAbet"
                " sounds"
            )
        decoder.add_word(word, pronunciations[word], True)
    phrases = [s for s in wake.spellings if all(decoder.lookup_word(w) is not None for w in s)]
    sentences = minimal(grammar, tuple(" ".join(s) for s in phrases))
    end = sentences.states  # the decoder knows one final state
    arcs = [(a.begin, a.end, a.probability, a.word) for a in sentences.arcs]
    arcs += [(state, end, 1.0) for state in sentences.final]
    for state, (sound, phones) in enumerate(SOUNDS.items(), end + 1):
        word = MARK + sound
        decoder.add_word(word, phones, True)
        arcs += [(sentences.start, state, SOUND, word), (state, state, AGAIN, word)]
        arcs.append((state, end, 1.0))
    if wake.mode is not WakeMode.OFF:
        arcs += _alone(phrases, sentences.start, end)
    model = decoder.create_fsg("questions", sentences.start, end, arcs)
    decoder.add_fsg("questions", model)
    decoder.activate_search("questions")
    loop = open_phone_loop(pocketsphinx, acoustic, dictionary)
    return PocketSphinx(decoder, loop, rejection, wake)


def _files(pocketsphinx: Any, model: str) -> tuple[Path, Path]:
    if not model:
        root = Path(pocketsphinx.get_model_path()) / "en-us"
        return root / "en-us", root / "cmudict-en-us.dict"
    folder = Path(model).expanduser()
    dictionaries = sorted(folder.glob("*.dict")) or sorted(folder.parent.glob("*.dict"))
    if not (folder / "mdef").is_file() or not dictionaries:
        raise ConfigError(
            f"asr.model: {folder} is not the folder of an acoustic model (it needs mdef, and a"
            " .dict in it or beside it)"
        )
    return folder, dictionaries[0]
