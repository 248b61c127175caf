"""Where the weights that faster-whisper reads are: in packages, on the hub, or in a folder of one's own."""

from __future__ import annotations

from pathlib import Path

from ...core import carried
from ...core.context import Context
from ...core.digests import sha256_of
from ...core.downloads import DownloadProgress, ask_hub, fetch_model, unwatched
from ...core.errors import SettingsError, UnavailableError
from ...core.weights import MODELS, hub_cache, named_folders

WEIGHTS = "model.bin"
# What a model is read from.
_FILES = (WEIGHTS, "config.json", "preprocessor_config.json", "tokenizer.json", "vocabulary.*")


def on_disk(model: str) -> Path | None:
    """The folder with the weights of a size, an id or a folder, if they are on this machine.

    Raises:
        SettingsError: there is no such size or folder.
    """
    if Path(model).is_dir():
        if not (Path(model) / WEIGHTS).is_file():
            raise SettingsError(
                f"speech.model: no {WEIGHTS} in the folder {model}; give one that CTranslate2 converted"
            )
        return Path(model)
    repository = repository_of(model)
    if _is_carried(repository):
        return carried.on_disk(repository)
    places = [*named_folders(repository), hub_cache(repository)]
    return next((folder for folder in places if folder is not None and (folder / WEIGHTS).is_file()), None)


def repository_of(model: str) -> str:
    """The id on the hub of a size, or of an id.

    Raises:
        UnavailableError: it is a checkpoint of openai-whisper's.
        SettingsError: it is neither.
    """
    from faster_whisper.utils import _MODELS

    if model.endswith(".pt"):
        raise UnavailableError(f"faster-whisper does not read {model}; give it to the engine whisper, as speech.model")

    if model in _MODELS:
        return _MODELS[model]
    if model.count("/") == 1 and not model.startswith((".", "/", "~")):
        return model
    raise SettingsError(
        f"speech.model: {model!r} is no folder, no size of Whisper's ({', '.join(_MODELS)}) and no id on the hub"
    )


def fetch(model: str, progress: DownloadProgress = unwatched) -> Path:
    """Bring the weights of a size or an id onto this machine, unless they are here; the folder that they are in.

    Raises:
        UnavailableError: they cannot be had.
    """
    repository = repository_of(model)
    if _is_carried(repository):
        return carried.fetch(repository, progress)
    return on_disk(model) or fetch_model(repository, _FILES, weights=WEIGHTS, progress=progress)


def _is_carried(repository: str) -> bool:
    return repository in MODELS and bool(MODELS[repository].files)


def require_to_be_had(model: str, context: Context) -> None:
    """Raises:
    UnavailableError: the weights are not here, and cannot be fetched.
    """
    if on_disk(model) is not None:
        return
    repository = repository_of(model)
    if _is_carried(repository):
        # It verifies what it finds, and says how else to get it.
        carried.find_files(repository, context)
    elif context.offline:
        raise UnavailableError(
            f"the weights of Whisper {model!r} are not on this machine and are not fetched offline; "
            f"get them with: hf download {repository}"
        )
    else:
        ask_hub(repository)


def weights_sha256(model: str) -> str | None:
    """The SHA-256 of a model's weights: as published, or else of those that are here or the hub has."""
    if not Path(model).is_dir() and _is_carried(repository := repository_of(model)):
        return MODELS[repository].files[WEIGHTS].sha256
    if (folder := on_disk(model)) is not None:
        return sha256_of(folder / WEIGHTS)
    files = ask_hub(repository_of(model)).siblings or []
    return next((each.lfs.sha256 for each in files if each.rfilename == WEIGHTS and each.lfs), None)
