"""What a config needs on this machine: packages, weights, a GPU; whether they are here, and what gets them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .baseline.settings import BaselineSettings
from .core.context import Context, gpu_is_here
from .core.downloads import Progress
from .core.errors import SettingsError, UnavailableError
from .core.settings import Settings, load
from .core.weights import find_base
from .experiments.settings import FinetuneSettings
from .extractors import face_mesh, face_pyfeat_weights, speech_sphinx, speech_whisper
from .extractors.features import heard, seen
from .extractors.features.settings import FEATURES, FeatureSettings
from .extractors.features.weights import weights_of
from .extractors.perceive import modalities_for
from .extractors.settings import FaceSettings, SpeechSettings
from .llm.run import find_run
from .llm.settings import AnalyzeSettings

OFFLINE_EXTRA = "pip install 'emoscribe[offline]'"
GPU_EXTRA = "pip install 'emoscribe[gpu]'"


@dataclass(frozen=True)
class Need:
    """Something that a config needs.

    Attributes:
        name: of the package, the weights or the device.
        missing: what is wrong with it; `None` where it is here.
        command: what gets it, where a command does.
        fetch: downloads it, unless it is here and whole; of weights.
        instead: what the config makes do with where it is missing.
    """

    name: str
    missing: str | None = None
    command: str | None = None
    fetch: Callable[[Progress], object] | None = None
    instead: str | None = None

    @property
    def stops(self) -> bool:
        """Whether the config cannot be used without it, and it is not here."""
        return self.missing is not None and self.instead is None


# The settings of each command that takes a config.
COMMANDS: Mapping[str, type[Settings]] = {
    "analyze": AnalyzeSettings,
    "finetune": FinetuneSettings,
    "baseline": BaselineSettings,
}


def read_config(config: str | Path) -> tuple[str, Settings]:
    """The command that a config is for, and its settings.

    Raises:
        SettingsError: it is for none.
    """
    refused = {}
    for command, kind in COMMANDS.items():
        try:
            return command, load(kind, config)
        except SettingsError as error:
            refused[command] = str(error)
    reasons = list(refused.values())
    if len(set(reasons)) == 1:
        raise SettingsError(reasons[0])
    listed = " nor ".join(f"of {command} ({reason})" for command, reason in refused.items())
    raise SettingsError(f"neither {listed}")


def needs_of(config: str | Path) -> list[Need]:
    """What a config needs, without a look at the network.

    Raises:
        SettingsError: it is no config, or names a run that is not there.
    """
    _, settings = read_config(config)
    if isinstance(settings, BaselineSettings):
        return _of_baseline(settings)
    if isinstance(settings, FinetuneSettings):
        # The words of a corpus come with it.
        perceived, devices = settings.modalities if settings.modalities != "T" else "", [settings.device]
        base, sha256, quantization = settings.base.id, None, settings.base.quantization
        # Whoever asks for bfloat16 has a model that a CPU would train for weeks.
        heavy = settings.precision == "bfloat16" and settings.device != "cpu"
    else:
        assert isinstance(settings, AnalyzeSettings)
        run = find_run(settings.model.run)
        perceived, devices = settings.modalities, [settings.model.device]
        base, sha256, quantization = run.base.id, run.base.sha256, run.base.quantization
        heavy = False
    needs = [*_perceiving(settings, perceived), _base(base, sha256)]
    devices += [settings.speech.device, settings.face.device]
    if quantization == "nf4":
        here = importlib.util.find_spec("bitsandbytes") is not None
        needs.append(Need("bitsandbytes", None if here else "not installed", GPU_EXTRA))
    if heavy or quantization == "nf4" or "cuda" in devices:
        here = gpu_is_here()
        needs.append(Need("an NVIDIA GPU", None if here else "there is none that PyTorch can use"))
    return needs


def _perceiving(settings: AnalyzeSettings | FinetuneSettings | BaselineSettings, letters: str) -> list[Need]:
    needs = []
    if set(letters) & set("TA") and settings.speech.engine != "none":
        needs.append(_hearing(settings.speech))
    if "V" in letters and settings.face.engine != "none":
        needs.append(_seeing(settings.face))
    return needs


def _of_baseline(settings: BaselineSettings) -> list[Need]:
    needs = _perceiving(settings, modalities_for(settings.streams))
    for name in settings.streams:
        weights = weights_of(name, settings.features)
        if name in ("token-embeddings", "wav2vec2"):
            needs.append(_base(weights, None))
        elif FEATURES[name].weights is not None:
            needs.append(_feature(name, weights, settings.features))
    if "cuda" in (settings.device, settings.features.device):
        here = gpu_is_here()
        needs.append(Need("an NVIDIA GPU", None if here else "there is none that PyTorch can use"))
    return needs


def _feature(name: str, weights: str, settings: FeatureSettings) -> Need:
    """The weights of a feature that is one file."""
    find = partial(heard.vggish_file if name == "vggish" else partial(seen.weights_file, name), settings)
    missing = _refusal(lambda: find(Context(offline=True))) and "not downloaded"
    return Need(f"{name} ({weights})", missing, fetch=lambda progress: find(Context()))


def _hearing(settings: SpeechSettings) -> Need:
    """Who hears the words."""
    sphinx = _refusal(speech_sphinx.require)
    if settings.engine == "pocketsphinx":
        return Need("PocketSphinx", sphinx and "not installed", OFFLINE_EXTRA)
    model = settings.model
    if model == "auto":
        on_gpu = settings.device != "cpu" and gpu_is_here()
        model = speech_whisper.preferred("cuda" if on_gpu else "cpu")
    name = f"Whisper {Path(model).stem}"
    if speech_whisper.on_disk(model):
        return Need(name, fetch=_fetching_whisper(model))
    if not speech_whisper.is_size(model):
        return Need(name, f"there is no file {model}, and no such size")
    return Need(name, "not downloaded", fetch=_fetching_whisper(model), instead=_instead_of_whisper(settings, sphinx))


def _fetching_whisper(model: str) -> Callable[[Progress], object] | None:
    return (lambda progress: speech_whisper.fetch(model, progress)) if speech_whisper.is_size(model) else None


def _instead_of_whisper(settings: SpeechSettings, sphinx: str | None) -> str | None:
    """Who hears where the weights that were meant are not here."""
    others = [size for size in ("turbo", "base") if settings.model == "auto" and speech_whisper.on_disk(size)]
    if others:
        return f"Whisper {others[0]}"
    hears = settings.engine == "auto" and sphinx is None and settings.language in (None, "en")
    return "PocketSphinx" if hears else None


def _seeing(settings: FaceSettings) -> Need:
    """Who sees the faces."""
    mesh = _refusal(face_mesh.check_available)
    on_gpu = settings.device != "cpu" and gpu_is_here()
    if settings.engine == "mediapipe" or (settings.engine == "auto" and not on_gpu and mesh is None):
        return Need("MediaPipe", mesh, OFFLINE_EXTRA)
    name = "py-feat's weights"
    try:
        missing = None if face_pyfeat_weights.on_disk() else "not downloaded"
    except UnavailableError as error:
        return Need("py-feat", str(error))
    instead = "MediaPipe" if settings.engine == "auto" and mesh is None else None
    return Need(name, missing, fetch=face_pyfeat_weights.find_weights, instead=instead)


def _base(base: str, sha256: str | None) -> Need:
    """The model under the adapter; its hash is not looked at before it is to be used or fetched."""
    missing = _refusal(lambda: find_base(base, context=Context(offline=True))) and "not downloaded"
    return Need(
        base, missing, fetch=lambda progress: find_base(base, sha256, Context(progress=lambda _, done: progress(done)))
    )


def _refusal(ask: Callable[[], object]) -> str | None:
    """Why something is not here; `None` where it is."""
    try:
        ask()
    except UnavailableError as error:
        return str(error)
    return None
