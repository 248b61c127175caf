"""What is installed and reachable, and what `auto` would choose.

Every engine is asked for by name, through the same door as an analysis
would, so what stands here is what would happen.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterator
from typing import Any

from .core.errors import EmoscribeError
from .core.runs import find_run, shipped_runs
from .core.settings import FaceSettings, SpeechSettings, VoiceSettings
from .core.weights import find_base
from .extractors import face, speech, voice

READY, MISSING = "✓", "✗"


def examine(offline: bool = False) -> Iterator[str]:
    """The lines of the report, in order.

    Args:
        offline: do not try the network.
    """
    yield _machine()
    yield ""
    for engine in ("whisper", "pocketsphinx"):
        yield _asked("speech", engine, lambda e=engine: speech.resolve(SpeechSettings(engine=e), offline=offline)[1])
    for engine in ("py-feat", "mediapipe"):
        yield _asked("face", engine, lambda e=engine: face.resolve(FaceSettings(engine=e), offline=offline)[1])
    yield _asked("voice", "opensmile", lambda: f"version {voice.describe(VoiceSettings())['version']}")
    for name in shipped_runs():
        yield _asked("model", name, lambda n=name: _run(n, offline))
    yield ""
    yield "config default would choose:"
    yield _asked("speech", "auto", lambda: speech.resolve(SpeechSettings(), offline=offline)[1])
    yield _asked("face", "auto", lambda: face.resolve(FaceSettings(), offline=offline)[1])


def _machine() -> str:
    import torch

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    versions = f"emoscribe {importlib.metadata.version('emoscribe')}, Python {platform.python_version()}"
    return f"{versions}, PyTorch {torch.__version__}, {device}, {os.cpu_count()} cores"


def _run(name: str, offline: bool) -> str:
    run = find_run(name)
    find_base(run.base.id, run.base.sha256, offline=offline)
    return f"{run.label_set} labels, on {run.base.id}; {run.licence}"


def _asked(signal: str, name: str, ask: Callable[[], Any]) -> str:
    """One line: whether it is here, and what is to be said of it."""
    try:
        mark, answer = READY, ask()
    except EmoscribeError as error:
        mark, answer = MISSING, error
    said = " ".join(str(answer).split()).removesuffix(" (as asked)").removesuffix(" (asked for)")
    return f"{mark} {signal:7} {name:14} {said}"
