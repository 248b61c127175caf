"""What a config needs on this machine: packages, weights, a GPU; whether they are here, and what gets them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from ..baseline.settings import BaselineSettings
from ..core.context import Context, gpu_is_here
from ..core.errors import SettingsError, UnavailableError
from ..core.settings import Settings, load
from ..core.weights import find_base
from ..experiments.settings import FinetuneSettings
from ..extractors.features import heard, seen
from ..extractors.features.settings import FEATURES, FeatureSettings
from ..extractors.features.weights import weights_of
from ..extractors.perceive import modalities_for
from ..extractors.registry import Kind, Need
from ..extractors.registry import needs_of as engine_needs
from ..extractors.settings import PerceiveSettings
from ..extractors.speakers.turns import AUTO, VOICES
from ..llm.run import TextRun, find_run
from ..llm.settings import AnalyzeSettings

GPU_EXTRA = "pip install 'emoscribe[gpu]'"


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
        model, quantization = _base(settings.base.id, None), settings.base.quantization
        # Whoever asks for bfloat16 has a model that a CPU would train for weeks.
        heavy = settings.precision == "bfloat16" and settings.device != "cpu"
    else:
        assert isinstance(settings, AnalyzeSettings)
        run = find_run(settings.model.run)
        perceived, devices = settings.modalities, [settings.model.device]
        model = _pack(run) if run.pack is not None else _base(run.base.id, run.base.sha256)
        quantization = run.base.quantization
        heavy = False
    needs = [*_perceiving(settings, perceived), model]
    devices += [settings.speech.device, settings.face.device]
    if quantization == "nf4":
        here = importlib.util.find_spec("bitsandbytes") is not None
        needs.append(Need("bitsandbytes", None if here else "not installed", GPU_EXTRA))
    if heavy or quantization == "nf4" or "cuda" in devices:
        here = gpu_is_here()
        needs.append(Need("an NVIDIA GPU", None if here else "there is none that PyTorch can use"))
    return needs


def _perceiving(settings: PerceiveSettings | FinetuneSettings | BaselineSettings, letters: str) -> list[Need]:
    kinds: dict[Kind, bool] = {
        "speech": bool(set(letters) & set("TA")),
        "face": "V" in letters,
        "voice": "A" in letters,
        "speakers": isinstance(settings, AnalyzeSettings) and settings.speech.speakers in (AUTO, VOICES),
    }
    return [need for kind, so in kinds.items() if so for need in engine_needs(kind, getattr(settings, kind))]


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


def _base(base: str, sha256: str | None) -> Need:
    """The model under the adapter; its hash is not looked at before it is to be used or fetched."""
    missing = _refusal(lambda: find_base(base, context=Context(offline=True))) and "not downloaded"
    return Need(
        base, missing, fetch=lambda progress: find_base(base, sha256, Context(progress=lambda _, done: progress(done)))
    )


def _pack(run: TextRun) -> Need:
    """What reads a pack, which has its base in it."""
    missing = _refusal(run.check_here) and "not installed"
    return Need(f"onnxruntime, for pack {run.name}", missing, "pip install 'emoscribe[pack]'")


def _refusal(ask: Callable[[], object]) -> str | None:
    """Why something is not here; `None` where it is."""
    try:
        ask()
    except UnavailableError as error:
        return str(error)
    return None
