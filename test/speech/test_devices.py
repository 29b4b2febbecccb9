"""Devices that are absent, give wrong properties, disappear and return, in a fake sounddevice."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from fake_sound import FakeSound

from aura_core.errors import ConfigError
from aura_core.speech.devices import DeviceConfig, Loudspeaker, Microphone, mixed
from aura_core.speech.portaudio import PortAudio
from aura_core.speech.types import NS, Audio

MS = NS // 1000


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> FakeSound:
    fake = FakeSound()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)  # type: ignore[arg-type]
    return fake


class Clock:
    now = 1_000 * NS

    def __call__(self) -> int:
        return self.now


def microphone(
    sound: FakeSound, audio: PortAudio | None = None, **options: Any
) -> tuple[Microphone, Clock]:
    clock = Clock()
    device = Microphone(DeviceConfig(**options), clock, audio or PortAudio())
    device._audio.join(device)  # type: ignore[union-attr]  # `open` without its thread
    return device, clock


def loudspeaker(sound: FakeSound, audio: PortAudio | None = None, **options: Any) -> Loudspeaker:
    device = Loudspeaker(
        DeviceConfig(**{"rate": 48_000, **options}), Clock(), audio or PortAudio(), True
    )
    device._audio.join(device)  # type: ignore[union-attr]
    return device


def block(n: int, channels: int = 1, first: int = 0) -> np.ndarray:
    return np.repeat(np.arange(first, first + n, dtype=np.int16)[:, None], channels, 1)


def test_a_block_is_copied_and_stamped_by_the_host_clock(sound: FakeSound) -> None:
    mic, _ = microphone(sound)
    mic.tend(0)
    data = block(320)
    sound.streams[0].call(data)
    data[:] = 0
    audio = mic.read(0)
    assert audio is not None and audio.samples.tolist() == list(range(320))
    assert (audio.rate, audio.stamp_ns) == (16_000, 1_000 * NS - 20 * MS)
    assert mic.read(0) is None and mic.state.ok and mic.state.device == "mic"


def stamps_of(
    mic: Microphone, sound: FakeSound, clock: Clock, late_ms: list[int], **options: bool
) -> np.ndarray:
    """Return the errors [ms] of the stamps of blocks of 20 ms with late callbacks.

    The reference is a steady 20 ms for each block.
    """
    stamps = []
    for late in late_ms:
        clock.now += 20 * MS
        clock.now += late * MS
        sound.streams[0].call(block(320), **options)
        clock.now -= late * MS
        stamps.append(mic.read(0).stamp_ns)  # type: ignore[union-attr]
    return (
        np.array(stamps) - (np.array([clock.now]) - 20 * MS * np.arange(len(late_ms), 0, -1))
    ) / MS


def test_late_callbacks_do_not_move_the_stamps(sound: FakeSound) -> None:
    mic, clock = microphone(sound)
    mic.tend(0)
    assert np.abs(stamps_of(mic, sound, clock, [0, 7, 0, 12, 300, 280, 260, 0, 90, 0])).max() < 1


def test_a_first_callback_that_was_late_is_mended(sound: FakeSound) -> None:
    mic, clock = microphone(sound)
    mic.tend(0)
    off = stamps_of(mic, sound, clock, [200, 0, 0, 0])
    assert off[0] == 200 and np.abs(off[1:]).max() < 1


def test_stamps_jump_where_samples_are_missing(sound: FakeSound) -> None:
    mic, clock = microphone(sound)
    mic.tend(0)
    off = stamps_of(mic, sound, clock, [0] * 10 + [500] * 60)  # nobody says so: late for a second
    assert np.abs(off[:20]).max() < 1 and np.abs(off[-5:] - 500).max() < 1
    clock.now += 1000 * MS
    sound.streams[0].call(block(320), status=True)  # PortAudio says so: at once
    assert abs(mic.read(0).stamp_ns - (clock.now - 20 * MS)) < MS  # type: ignore[union-attr]


def test_a_stream_without_times_is_stamped_by_its_latency(sound: FakeSound) -> None:
    mic, _ = microphone(sound)
    mic.tend(0)
    sound.streams[0].call(block(320), adc=0.0)
    assert mic.read(0).stamp_ns == 1_000 * NS - 30 * MS  # type: ignore[union-attr]


def test_a_device_without_the_wanted_rate_is_resampled(sound: FakeSound) -> None:
    sound.rates, sound.mono = {48_000}, False
    mic, _ = microphone(sound)
    mic.tend(0)
    assert (mic.state.rate, sound.streams[0].channels) == (48_000, 2)
    got = 0
    for _ in range(50):
        sound.streams[0].call(block(960, 2))
        audio = mic.read(0)
        assert audio is not None and audio.rate == 16_000
        got += len(audio.samples)
    assert abs(got - 16_000) < 50


def test_what_nobody_reads_is_dropped_oldest_first_and_counted(sound: FakeSound) -> None:
    mic, _ = microphone(sound, queue_s=0.1)
    mic.tend(0)
    for i in range(8):
        sound.streams[0].call(block(320, first=i), status=i == 3)
    assert mic.state.overflows == 3 + 1
    assert mic.read(0).samples[0] == 3  # type: ignore[union-attr]


def test_an_absent_device_is_tried_again_with_backoff(sound: FakeSound) -> None:
    sound.plugged = sound.seen = ["speaker"]
    mic, _ = microphone(sound, name="usb")
    tries = []
    for ms in range(0, 40_000, 100):
        before = sound.refreshes
        mic.tend(ms * MS)
        if sound.refreshes > before or ms == 0:
            tries.append(ms // 1000)
    assert tries == [0, 1, 3, 7, 15, 25, 35]
    assert mic.state.reason == "audio: there is no input device 'usb'; there is none"
    sound.plugged = ["speaker", "usb mic"]
    mic.tend(45_000 * MS)
    assert mic.state.ok and mic.state.device == "usb mic" and mic.state.reason == ""


def test_a_device_that_cannot_be_opened_is_one_line(sound: FakeSound) -> None:
    sound.plugged = []
    mic, _ = microphone(sound)
    mic.tend(0)
    assert (
        mic.state.reason == "audio: mic cannot be opened: Device unavailable" and not mic.state.ok
    )


@pytest.mark.parametrize("how", ["went away", "fell silent"])
def test_an_unplugged_device_is_noticed_and_comes_back(sound: FakeSound, how: str) -> None:
    mic, _ = microphone(sound)
    mic.tend(0)
    mic._called_ns = 5 * NS
    mic.tend(6 * NS)
    assert mic.state.ok
    sound.plugged = ["speaker"]
    if how == "went away":
        sound.streams[0].active = False
    at = 6 * NS if how == "went away" else 7 * NS + 1
    mic.tend(at)
    assert (
        mic.state.reason == f"audio: mic {how}"
        and mic.state.lost == 1
        and not sound.streams[0].open
    )
    mic.tend(at + NS - 1)
    assert sound.refreshes == 0
    mic.tend(at + NS)  # still away
    assert sound.refreshes == 1 and not mic.state.ok
    sound.plugged = ["speaker", "mic"]
    mic.tend(at + 3 * NS)
    assert mic.state.ok and mic.state.opened == 2
    sound.streams[-1].call(block(320))
    assert len(mic.read(0).samples) == 320  # type: ignore[union-attr]


def test_looking_for_one_device_pauses_the_other_but_never_its_speech(sound: FakeSound) -> None:
    audio = PortAudio()
    sound.plugged = sound.seen = ["speaker"]
    speaker, (mic, _) = loudspeaker(sound, audio), microphone(sound, audio)
    speaker.tend(0)
    mic.tend(0)
    speaker.write(Audio(np.ones(4800, dtype=np.int16), 48_000), 1, last=True)
    sound.plugged = ["mic", "speaker"]
    mic.tend(2 * NS)
    assert sound.refreshes == 0 and speaker.state.opened == 1 and not mic.state.ok
    speaker.buffer.read(4800)
    mic.tend(4 * NS)
    assert sound.refreshes == 1 and mic.state.ok and speaker.state.ok and speaker.state.opened == 2
    assert speaker.state.lost == 0


def stutter(device: Loudspeaker, sound: FakeSound, times: int) -> None:
    for _ in range(times):
        sound.streams[-1].call(block(960), status=True)


def test_a_device_that_stutters_holds_more_sound(sound: FakeSound) -> None:
    speaker = loudspeaker(sound)
    speaker.tend(0)
    stutter(speaker, sound, 2)
    speaker.tend(speaker._called_ns)
    assert sound.opens == 1  # two may happen at any time
    held = []
    for _ in range(4):
        stutter(speaker, sound, 3)
        speaker.tend(speaker._called_ns)
        held.append(sound.streams[-1].wanted)
    # the fake stream holds 0.03 s
    assert held == pytest.approx([0.045, 0.0675, 0.10125, 0.12]) and sound.opens == 5
    assert speaker.state.ok and speaker.state.lost == 0


def test_a_device_whose_latency_was_set_keeps_it(sound: FakeSound) -> None:
    speaker = loudspeaker(sound, latency_ms=20.0)
    speaker.tend(0)
    stutter(speaker, sound, 9)
    speaker.tend(speaker._called_ns)
    assert [s.wanted for s in sound.streams] == [0.02]


def test_a_loudspeaker_that_stutters_is_not_opened_again_in_a_word(sound: FakeSound) -> None:
    speaker = loudspeaker(sound)
    speaker.tend(0)
    speaker.write(Audio(np.ones(4800, np.int16), 48_000, 0), "word", last=True)
    stutter(speaker, sound, 3)
    speaker.tend(speaker._called_ns)
    assert sound.opens == 1
    stutter(speaker, sound, 3)  # the word ends
    speaker.tend(speaker._called_ns)
    assert sound.opens == 2


def test_a_word_that_begins_while_the_device_is_opened_again_is_not_lost(sound: FakeSound) -> None:
    speaker = loudspeaker(sound)
    speaker.tend(0)
    assert speaker.suspend()
    assert speaker.write(Audio(np.ones(480, np.int16), 48_000, 0), "word", last=True) > 0
    speaker.resume()
    assert not speaker.buffer.idle and speaker.refused == 0


def test_a_sound_server_that_is_gone_is_a_reason_and_tried_again(sound: FakeSound) -> None:
    audio = PortAudio()
    (mic, _), speaker = microphone(sound, audio), loudspeaker(sound, audio)
    mic.tend(0)
    speaker.tend(0)
    sound.broken = "Error initializing PortAudio:\nhost error"
    sound.streams[0].active = False
    mic.tend(NS)
    mic.tend(2 * NS)
    assert (
        mic.state.reason
        == "audio: devices cannot be found: Error initializing PortAudio: host error"
    )
    assert (
        speaker.state.reason.startswith("audio: devices cannot be listed: ")
        and not speaker.state.ok
    )
    speaker.tend(3 * NS)
    assert speaker.state.reason.startswith("audio: devices cannot be found: ")
    sound.broken = ""
    mic.tend(60 * NS)
    speaker.tend(60 * NS)
    assert mic.state.ok and speaker.state.ok


def test_a_sound_server_that_is_gone_when_the_device_is_first_opened_is_a_reason(
    sound: FakeSound,
) -> None:
    sound.seen = None
    mic, _ = microphone(sound)
    mic.tend(0)
    assert (
        mic.state.reason
        == "audio: devices cannot be listed: Error querying devices: PortAudio not initialized"
    )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_device_whose_watch_died_by_a_bug_is_not_called_well(sound: FakeSound) -> None:
    class Buggy(Microphone):
        watched = 0

        def tend(self, now_ns: int) -> None:
            self.watched += 1
            if self.watched > 1:
                raise KeyError("bug")
            super().tend(now_ns)

    mic = Buggy(audio=PortAudio())
    assert mic.open().ok
    mic._thread.join(10)  # type: ignore[union-attr]
    assert (
        mic.state.reason == "audio: the thread that watches the device has failed"
        and not sound.streams[0].open
    )
    mic.close()


def test_the_loudspeaker_plays_its_buffer_and_keeps_the_reference(sound: FakeSound) -> None:
    sound.mono = False
    speaker = loudspeaker(sound)
    speaker.tend(0)
    assert speaker.write(Audio(np.arange(1, 101, dtype=np.int16), 48_000), "a", last=True) == 100
    out = np.full((120, 2), 99, dtype=np.int16)
    sound.streams[0].call(out)
    assert out[:, 0].tolist() == list(range(1, 101)) + [0] * 20 and (out[:, 1] == out[:, 0]).all()
    assert speaker.reference is not None
    far = speaker.reference.get(0)
    assert far.samples.tolist() == out[:, 0].tolist() and far.stamp_ns == 1_000 * NS + 20 * MS
    assert speaker.buffer.finished() == ["a"]


def test_nothing_is_said_late_when_the_loudspeaker_comes_back(sound: FakeSound) -> None:
    speaker = loudspeaker(sound)
    speaker.tend(0)
    speaker.write(Audio(np.ones(4800, dtype=np.int16), 48_000), "a")
    sound.streams[0].active = False
    speaker.tend(NS)
    assert (
        speaker.write(Audio(np.ones(4800, dtype=np.int16), 48_000), "a") == 0
        and speaker.refused == 4800
    )
    sound.rates = {44_100, 48_000}
    speaker.tend(2 * NS)
    assert speaker.state.ok and speaker.buffer.idle
    out = np.full((480, 1), 99, dtype=np.int16)
    sound.streams[-1].call(out)
    assert not out.any()


def test_a_loudspeaker_at_another_rate_changes_its_buffer(sound: FakeSound) -> None:
    sound.rates = {48_000}
    speaker = loudspeaker(sound, rate=16_000)
    speaker.tend(0)
    assert speaker.buffer.rate == 48_000
    assert speaker.write(
        Audio(np.ones(1600, dtype=np.int16), 16_000), "a", last=True
    ) == pytest.approx(4800, abs=2)


def test_devices_are_found_by_index_and_part_of_a_name(sound: FakeSound) -> None:
    sound.plugged = sound.seen = ["mic", "usb mic", "speaker"]
    audio = PortAudio()
    sound.default.device = [1, 2]
    assert audio.find(None, output=False).name == "usb mic"
    assert audio.find("mic", output=False).name == "mic"  # the whole name first
    assert audio.find("USB", output=False).index == 1
    assert audio.find(2, output=True).name == "speaker"
    assert [d.name for d in audio.devices()] == sound.seen


def test_closing_ends_the_thread_and_the_stream(sound: FakeSound) -> None:
    mic = Microphone(audio=PortAudio())
    assert mic.open().ok
    mic.close()
    assert not sound.streams[0].open and not mic._thread.is_alive()  # type: ignore[union-attr]
    assert mic.state.reason == "closed"


def test_a_missing_package_and_a_missing_library_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PortAudio, "_shared", None)
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ConfigError, match="-m pip install 'sounddevice>="):
        Microphone().open()

    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(ConfigError, match="apt install libportaudio2"):
        Microphone().open()


@pytest.mark.parametrize("options", [{"rate": 100}, {"block_ms": 0}, {"queue_s": 0}])
def test_bad_settings_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="audio"):
        DeviceConfig(**options)


def test_the_channels_of_a_microphone_are_mixed() -> None:
    """A user near the second microphone was not heard."""
    left, right = np.array([100, 0, -7, 32_767]), np.array([0, 50, -8, 32_767])
    block = np.stack([left, right], axis=1).astype(np.int16)
    assert mixed(block).tolist() == [50, 25, -8, 32_767]
    assert mixed(block[:, :1]).tolist() == left.tolist()
    assert mixed(block).dtype == np.int16
