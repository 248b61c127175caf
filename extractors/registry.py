"""The engines that perceive: one table, which `auto`, `doctor`, `--fetch`, `--help`, errors and provenance read.

A new recogniser or face extractor is one file, with an `EngineSpec` called
`SPEC` in it, and one entry here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from ..core import carried
from ..core.context import Context, gpu_is_here, resolve_device
from ..core.downloads import DownloadProgress
from ..core.errors import SettingsError, UnavailableError
from ..core.settings import Device

if TYPE_CHECKING:
    from ..core.timeline import Transcript, Utterance, VoiceTrack
    from .face.track import Seen, Vocabulary
    from .media import Frame
    from .sources import Sound
    from .speakers.voiceprints import Voiceprints
    from .speech.vad import Stretch

Kind = Literal["speech", "face", "voice", "speakers"]

# Where each engine's `SPEC` is; loaded when it is asked for, since libraries take seconds to import.
ENGINES: Mapping[Kind, dict[str, str]] = {
    "speech": {
        "faster-whisper": ".speech.faster_whisper",
        "whisper": ".speech.whisper",
        "pocketsphinx": ".speech.pocketsphinx",
    },
    "face": {"py-feat": ".face.pyfeat", "landmarker": ".face.landmarker"},
    "voice": {"opensmile": ".voice.opensmile"},
    "speakers": {"voices": ".speakers.voices"},
}


class Rung(NamedTuple):
    """What is tried of a ladder.

    Attributes:
        engine: by name.
        device: that makes it affordable; `auto` for any.
        model: of the engine's, where it has several.
        if_here: taken where its weights are, and not fetched.
    """

    engine: str
    device: Device = "auto"
    model: str | None = None
    if_here: bool = False


# What `auto` tries, the best first.  The landmarker sees 40 frames a second on
# a core, where py-feat needs a second a face.
AUTO: Mapping[Kind, tuple[Rung, ...]] = {
    "speech": (
        Rung("faster-whisper", "cuda", "turbo"),
        Rung("whisper", "cuda", "turbo"),
        Rung("faster-whisper", model="small", if_here=True),
        Rung("faster-whisper", model="base"),
        Rung("whisper", model="base"),
        Rung("faster-whisper", model="tiny.en"),
        Rung("pocketsphinx", "cpu"),
    ),
    "face": (Rung("py-feat", "cuda"), Rung("landmarker", "cpu"), Rung("py-feat", "cpu")),
    "voice": (Rung("opensmile", "cpu"),),
    "speakers": (Rung("voices", "cpu"),),
}

# What packages carry, which is the same everywhere.  Small packages vanish, so
# that what stands in for one is fetched with it.
EMBEDDED: Mapping[Kind, tuple[Rung, ...]] = {
    "speech": (
        Rung("faster-whisper", "cpu", "base"),
        Rung("faster-whisper", "cpu", "tiny.en"),
        Rung("pocketsphinx", "cpu"),
    ),
}

# Instead of an engine's name.
LADDERS: Mapping[str, Mapping[Kind, tuple[Rung, ...]]] = {"auto": AUTO, "embedded": EMBEDDED}
AUTOMATIC, SWITCHED_OFF = "auto", "none"


@dataclass(frozen=True)
class Need:
    """Something that an engine or a config needs.

    Attributes:
        name: of the package, the weights or the device.
        missing: what is wrong with it; `None` where it is here.
        command: what gets it, where a command does.
        fetch: downloads it, unless it is here and whole; of weights.
        instead: what is made do with where it is missing.
    """

    name: str
    missing: str | None = None
    command: str | None = None
    fetch: Callable[[DownloadProgress], object] | None = None
    instead: str | None = None

    @property
    def stops(self) -> bool:
        """Whether nothing goes without it, and it is not here."""
        return self.missing is not None and self.instead is None


def need_of_model(model: str) -> Need:
    """The need for a model whose files `core.carried` finds."""
    missing = None if carried.on_disk(model) else "not on this machine"
    return Need(model, missing, fetch=partial(carried.fetch, model))


class SpeechEngine(Protocol):
    """Attributes: `source`, what it is called in a transcript, and `language`, known once it has heard something."""

    source: str
    language: str | None

    def hear(self, sound: Sound, stretches: Iterable[Stretch]) -> Iterator[Utterance]:
        """An utterance a stretch of speech of one recording, in order; one without words was not understood."""
        ...


class FaceEngine(Protocol):
    vocabulary: Vocabulary

    def see(self, frames: Iterable[Frame]) -> Iterator[Seen]:
        """The faces of each frame of one recording, in order."""
        ...


class VoiceEngine(Protocol):
    def measure(self, sound: Sound, transcript: Transcript) -> VoiceTrack:
        """The voice of each utterance: a row each, in their order."""
        ...


class SpeakersEngine(Protocol):
    def voiceprints(self, sound: Sound) -> Voiceprints:
        """How somebody sounds, along all the speech of one recording."""
        ...


def _as_given(settings: Any, context: Context) -> Any:
    return settings


@dataclass(frozen=True)
class EngineSpec:
    """One engine.

    Attributes:
        about: what it is, in a few words.
        needs: packages, weights, devices; looks at this machine and not at the network.
        describe: all that changes its output besides the file, for provenance and the store's key.
        load: the costly part, once a process.  The engine is closed, if it
            has a `close`, when other settings are asked for or work ends.
        complete: fills in what is `auto` in the engine's own settings; raises
            `UnavailableError` where it is neither here nor to be had, within seconds.
        in_words: what it is with these settings, for the line that says what was chosen.
    """

    kind: Kind
    name: str
    about: str
    needs: Callable[[Any], list[Need]]
    describe: Callable[[Any], dict[str, Any]]
    load: Callable[[Any, Context], Any]
    complete: Callable[[Any, Context], Any] = _as_given
    in_words: Callable[[Any], str] = lambda settings: settings.engine


def names_of(kind: Kind) -> tuple[str, ...]:
    """What the setting `engine` can be."""
    return (*(name for name, ladder in LADDERS.items() if kind in ladder), *ENGINES[kind], SWITCHED_OFF)


def engine_spec(kind: Kind, name: str) -> EngineSpec:
    """The engine of that name.

    Raises:
        SettingsError: there is none; the message lists those there are.
    """
    if name not in ENGINES[kind]:
        raise SettingsError(f"{kind}.engine: no engine {name!r}; there are: {', '.join(ENGINES[kind])}")
    return importlib.import_module(ENGINES[kind][name], __package__).SPEC


def describe(kind: Kind, settings: Any) -> dict[str, Any]:
    """What perceives with these (completed) settings, for provenance and the store's key."""
    return {"engine": settings.engine, **engine_spec(kind, settings.engine).describe(settings)}


def choose(kind: Kind, settings: Any, context: Context) -> tuple[Any, str]:
    """The settings with every `auto` decided, and what was chosen and why, in one line.

    Raises:
        UnavailableError: the engine that was asked for by name is not here, or none is.
        SettingsError: a setting is not for that engine.
    """
    if settings.engine == SWITCHED_OFF:
        return settings, "none (switched off)"
    if settings.engine not in LADDERS:
        spec = engine_spec(kind, settings.engine)
        settings = spec.complete(settings, context)
        return settings, f"{spec.in_words(settings)} (as asked)"
    resolve_device(getattr(settings, "device", "auto"), f"{kind}.device")
    refusals: list[str] = []
    for rung, spec, asked in _rungs(kind, settings):
        try:
            found = spec.complete(asked, replace(context, offline=True) if rung.if_here else context)
        except UnavailableError as error:
            refusals += [] if rung.if_here else [str(error)]
            continue
        why = ": ".join([settings.engine, *(["; ".join(dict.fromkeys(refusals))] if refusals else [])])
        return found, f"{spec.in_words(found)} ({why})"
    raise UnavailableError(f"no engine for {kind}: {'; '.join(dict.fromkeys(refusals))}")


def needs_of(kind: Kind, settings: Any) -> list[Need]:
    """What the engine needs on this machine.

    Of `auto`, what the best needs, and who perceives until that is here; of
    `embedded`, what stands in for it as well.
    """
    if settings.engine == SWITCHED_OFF:
        return []
    if settings.engine not in LADDERS:
        return engine_spec(kind, settings.engine).needs(settings)
    rungs = [(spec, asked) for rung, spec, asked in _rungs(kind, settings) if not rung.if_here]
    needs_of_rungs = [spec.needs(asked) for spec, asked in rungs]
    ready = [not any(need.missing for need in needs) for needs in needs_of_rungs]
    found: list[Need] = []
    for at, needs in enumerate(needs_of_rungs):
        if settings.engine == AUTOMATIC and at > 0:
            break
        # A better one that is here, or else the next best.
        others = [*range(at), *range(at + 1, len(rungs))]
        instead = next((_in_words(*rungs[other]) for other in others if ready[other]), None)
        found += [need if need.missing is None or need.instead else replace(need, instead=instead) for need in needs]
    return found


def _in_words(spec: EngineSpec, asked: Any) -> str:
    """What would perceive, as `choose` would say; what it needs is here."""
    return spec.in_words(spec.complete(asked, Context(offline=True)))


def _rungs(kind: Kind, settings: Any) -> list[tuple[Rung, EngineSpec, Any]]:
    """The rungs that can be taken on this machine, each with the settings that ask for it."""
    device = getattr(settings, "device", "auto")
    rungs: list[tuple[Rung, EngineSpec, Any]] = []
    for rung in LADDERS[settings.engine][kind]:
        if rung.device == "cuda" and (device == "cpu" or not gpu_is_here()):
            continue
        # A model that was asked for is looked for on every rung, once.
        model = {"model": rung.model} if rung.model and settings.model == AUTOMATIC else {}
        asked = settings.model_copy(update={"engine": rung.engine, **model})
        if all(asked != other for _, _, other in rungs):
            rungs.append((rung, engine_spec(kind, rung.engine), asked))
    return rungs
