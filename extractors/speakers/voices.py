"""Engine `voices`: vectors of how somebody sounds, along all speech, to tell by who speaks.

CAM++ is heard once over each stretch of speech; its rows are pooled over
windows of a second and a half.  Any other network for speakers does too, as
an ONNX file: it is heard a window at a time.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core import carried
from ...core.context import Context
from ...core.errors import EmoscribeError, UnavailableError
from ...core.onnx_files import open_network
from ...core.weights import MODELS
from ..media import SAMPLE_RATE, Sound, sha256_of
from ..registry import EngineSpec, Need, need_of_model
from ..speech.vad import MARGIN_S, Stretch, stretches
from .voiceprints import HOP_S, WINDOW_S, Voiceprints, windows_of

if TYPE_CHECKING:
    from ..settings import SpeakerSettings

# What `speakers.model` calls the network that a package carries.
CARRIED = "campplus"
MODEL = "3D-Speaker/campplus-common"

# Who takes over leaves at least such a pause, as a rule; a vector of two voices is nobody's.
MIN_PAUSE_S = 0.1
# Of what is shorter nobody can say who it was.
SHORTEST_S = 0.3
# What is cut off at either end of a stretch of speech, of what was added there.
_MARGIN_S = 0.7 * MARGIN_S


class VoiceEncoder:
    """What makes vectors of voices."""

    def __init__(self, settings: SpeakerSettings) -> None:
        self._windows = _of_file(settings.model) if settings.model != CARRIED else _of_campplus()

    def voiceprints(self, sound: Sound) -> Voiceprints:
        """The voices along all the speech in a sound.

        Raises:
            EmoscribeError: the ONNX file takes no sound.
        """
        rows: list[tuple[float, float, int, float, np.ndarray]] = []
        noise_db = _noise_db(sound)
        for number, (start_s, end_s) in enumerate(_tight(stretches(sound, min_pause_s=MIN_PAUSE_S))):
            samples = sound.read(start_s, end_s)
            if len(samples) >= SHORTEST_S * SAMPLE_RATE:
                windows = windows_of(start_s, end_s)
                vectors = self._windows(samples, [(first - start_s, last - start_s) for first, last in windows])
                for window, vector in zip(windows, vectors, strict=True):
                    rows.append((*window, number, _level_db(sound.read(*window)) - noise_db, vector))
        start_s, end_s, number, above_db, vectors = zip(*rows, strict=True) if rows else ((), (), (), (), ())
        return Voiceprints(
            np.array(start_s, dtype=float),
            np.array(end_s, dtype=float),
            np.array(number, dtype=int),
            np.array(above_db, dtype=float),
            np.array(vectors, dtype=np.float32) if rows else np.zeros((0, 0), np.float32),
        )


def _noise_db(sound: Sound) -> float:
    """What the quietest tenth of a sound is no louder than, in fiftieths of a second."""
    step = SAMPLE_RATE // 50
    frames = [samples[: len(samples) // step * step].reshape(-1, step) for _, samples in sound.blocks(10.0)]
    levels_db = [_level_db(each) for each in frames if len(each)]
    return float(np.percentile(np.concatenate(levels_db), 10)) if levels_db else 0.0


def _level_db(samples: np.ndarray) -> Any:
    """Of samples (…, N), how loud they are: (…) decibels below full scale."""
    return 10 * np.log10((samples.astype(float) ** 2).mean(axis=-1) + 1e-10)


def _tight(found: Iterable[Stretch]) -> Iterator[tuple[float, float]]:
    """Where stretches begin and end, without what is added at either end: across a short pause that is another's."""
    for stretch in found:
        yield stretch.start_s + _MARGIN_S, max(stretch.end_s - _MARGIN_S, stretch.start_s + _MARGIN_S)


# Samples of a stretch (N,), and windows in seconds from its start, to a vector each.
_Windows = Callable[[np.ndarray, list[tuple[float, float]]], Iterator[np.ndarray]]


def _of_campplus() -> _Windows:
    import torch

    from .campplus import FRAME_S, Campplus

    folder = carried.on_disk(MODEL)
    if folder is None:
        raise UnavailableError(f"speakers.engine voices: {MODEL} is not here; {carried.how_to_get(MODEL)}")
    (name,) = MODELS[MODEL].files
    network = Campplus(torch.load(folder / name, map_location="cpu", weights_only=True))

    def windows(samples: np.ndarray, bounds: list[tuple[float, float]]) -> Iterator[np.ndarray]:
        frames = network.frames(samples)
        for start_s, end_s in bounds:
            first = min(round(start_s / FRAME_S), len(frames) - 2)
            yield network.vector(frames[first : max(round(end_s / FRAME_S), first + 2)])

    return windows


def _of_file(path: str) -> _Windows:
    """A network of samples (1, N), or of 80 log-mel bands (1, T, 80) less their mean."""
    from .campplus import log_mel

    session = open_network(Path(path), "speakers.model")
    (given,) = session.get_inputs()
    rank = len(given.shape)

    def windows(samples: np.ndarray, bounds: list[tuple[float, float]]) -> Iterator[np.ndarray]:
        for start_s, end_s in bounds:
            heard = samples[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
            if rank == 3:
                bands = log_mel(heard)
                heard = bands - bands.mean(axis=0)
            try:
                vector = np.asarray(session.run(None, {given.name: heard[None]})[0]).ravel()
            except Exception as error:  # onnxruntime has classes of its own for what does not fit
                raise EmoscribeError(
                    f"speakers.model: {path} takes neither samples (1, N) nor log-mel bands (1, T, 80): {error}"
                ) from None
            yield vector / max(float(np.linalg.norm(vector)), 1e-9)

    return windows


# ── the engine ───────────────────────────────────────────────────────────────


def _needs(settings: SpeakerSettings) -> list[Need]:
    instead = "speakers are not told apart by voice"
    if settings.model == CARRIED:
        need = need_of_model(MODEL)
        return [Need(need.name, need.missing, need.command, need.fetch, instead)]
    missing = None if Path(settings.model).is_file() else "no such file"
    return [Need(settings.model, missing), _onnxruntime()]


def _onnxruntime() -> Need:
    here = importlib.util.find_spec("onnxruntime") is not None
    return Need("onnxruntime", None if here else "not installed", "pip install onnxruntime")


def _describe(settings: SpeakerSettings) -> dict[str, Any]:
    if settings.model == CARRIED:
        (file,) = MODELS[MODEL].files.values()
        about = {"model": MODEL, "sha256": file.sha256}
    else:
        about = {"model": Path(settings.model).name, "sha256": sha256_of(settings.model)}
    return about | {"window_s": WINDOW_S, "hop_s": HOP_S}


def _complete(settings: SpeakerSettings, context: Context) -> SpeakerSettings:
    if settings.model == CARRIED:
        carried.find_files(MODEL, context)
        return settings
    for need in _needs(settings):
        if need.missing:
            raise UnavailableError(f"speakers.model: {need.name} is {need.missing}; {need.command or 'give another'}")
    return settings


def _in_words(settings: SpeakerSettings) -> str:
    return f"voices by {'CAM++' if settings.model == 'campplus' else Path(settings.model).name}"


SPEC = EngineSpec(
    kind="speakers",
    name="voices",
    about="who speaks, by voice: CAM++, or any ONNX network for speakers, and clustering",
    needs=_needs,
    describe=_describe,
    load=lambda settings, context: VoiceEncoder(settings),
    complete=_complete,
    in_words=_in_words,
)
