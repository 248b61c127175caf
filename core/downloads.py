"""Weights from the network: files that arrive whole, and as published, or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from fnmatch import fnmatch
from functools import partial
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from .errors import EmoscribeError, UnavailableError
from .files import atomic_path, make_folder

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

# A host that has not answered a small question within this is not going to
# deliver gigabytes.
TIMEOUT_S = 3.0

# A transfer from which nothing has come for so long has ended.
_STALLED_S = 30.0

# Told how much has arrived, in 0–1.
DownloadProgress = Callable[[float], None]


def unwatched(done: float) -> None:
    """A `DownloadProgress` that nobody watches."""


def status(url: str) -> int | None:
    """The HTTP status that a host answers with within seconds; `None` where it does not."""

    def ask() -> int:
        try:
            with urlopen(Request(url, method="HEAD"), timeout=TIMEOUT_S) as answer:
                return answer.status
        except HTTPError as error:
            return error.code

    try:
        return _in_time(ask)
    except (OSError, HTTPException):
        return None


def cache_folder() -> Path:
    """Where this user's programs keep what can be had again; ours is `emoscribe` in it."""
    return Path(os.getenv("XDG_CACHE_HOME", Path.home() / ".cache"))


def models_folder() -> Path:
    """Where models are kept that were fetched, joined or written out."""
    return cache_folder() / "emoscribe" / "models"


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ── one file ─────────────────────────────────────────────────────────────────


def fetch_file(url: str, path: Path, sha256: str, progress: DownloadProgress = unwatched) -> None:
    """Download a file to `path`, which is replaced only by what has this SHA-256.

    Raises:
        UnavailableError: the host does not deliver it, stops halfway, or
            sends something else.
        EmoscribeError: the disk is full or the folder cannot be written to.
    """
    host = "://".join(urlsplit(url)[:2])
    if (answered := status(url)) != 200:
        why = "cannot be reached" if answered is None else f"answers with HTTP {answered}"
        raise UnavailableError(f"{path.name} is not to be had: {host} {why}")
    folder, digest, received = make_folder(path.parent), hashlib.sha256(), 0
    with _open(url, path.name) as answer, atomic_path(path) as arriving:
        size = answer.length or 0
        require_room(folder, size)
        with arriving.open("wb") as file:
            for chunk in _chunks(answer, path.name):
                file.write(chunk)
                digest.update(chunk)
                received += len(chunk)
                progress(received / size if size else 0.0)
        if received < size:
            raise UnavailableError(f"the download of {path.name} broke off at {received / size:.0%}; try again")
        if digest.hexdigest() != sha256:
            raise UnavailableError(
                f"what {host} sent for {path.name} is not what was published "
                f"(sha256 {digest.hexdigest()[:12]}…, not {sha256[:12]}…); try again"
            )


def _open(url: str, name: str) -> HTTPResponse:
    try:
        return urlopen(url, timeout=_STALLED_S)
    except (OSError, HTTPException) as error:
        raise UnavailableError(f"{name} cannot be downloaded ({error}); try again") from None


def _chunks(answer: HTTPResponse, name: str) -> Iterator[bytes]:
    """What arrives, piece by piece; what goes wrong with it must not pass for a full disk."""
    try:
        while chunk := answer.read(1 << 20):
            yield chunk
    except (OSError, HTTPException) as error:
        raise UnavailableError(f"the download of {name} broke off ({error}); try again") from None


# ── the model hub ────────────────────────────────────────────────────────────


def ask_hub(repository: str) -> ModelInfo:
    """What the model hub says of a repository: its files, their sizes and hashes.

    Raises:
        UnavailableError: it does not answer within seconds, or not with that.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return _in_time(lambda: HfApi().model_info(repository, files_metadata=True, timeout=TIMEOUT_S))
    except HFValidationError:
        raise UnavailableError(f"{repository} is not the id of a model on the hub") from None
    except HfHubHTTPError as error:
        raise _refused(repository, error) from None
    except Exception:  # the hub's HTTP client, and with it the names of its errors, changes with the version
        raise UnavailableError("the model hub cannot be reached") from None


def fetch_model(
    repository: str,
    patterns: Sequence[str],
    *,
    weights: str = "*.safetensors",
    cache_dir: str | Path | None = None,
    progress: DownloadProgress = unwatched,
) -> Path:
    """Download the files of a repository that fit `patterns` into the hub's cache; the folder they lie in.

    Weights come last, so that where they are, the rest is.

    Raises:
        UnavailableError: the hub cannot be reached, does not give the
            repository, stops halfway, or sends something else.
        EmoscribeError: the disk is too full.
    """
    from huggingface_hub import constants, snapshot_download, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    told = ask_hub(repository)
    files = [each for each in told.siblings or [] if any(fnmatch(each.rfilename, pattern) for pattern in patterns)]
    heavy = [each for each in files if fnmatch(each.rfilename, weights)]
    if not heavy:
        raise UnavailableError(f"{repository} has no {weights} weights on the hub, and other formats are not read")
    cache = Path(cache_dir or constants.HF_HUB_CACHE)

    def is_here(name: str) -> bool:
        return isinstance(try_to_load_from_cache(repository, name, cache, told.sha), str)

    wanted = [each for each in files if not is_here(each.rfilename)]
    size = sum(each.size or 0 for each in wanted)
    require_room(cache, size)
    before = sum(each.size or 0 for each in wanted if each not in heavy)
    others = [each.rfilename for each in files if each not in heavy]
    download = partial(snapshot_download, repository, cache_dir=cache, etag_timeout=TIMEOUT_S)
    try:
        if others:
            download(allow_patterns=others, tqdm_class=_reporting(progress, 0, size))
        names = [each.rfilename for each in heavy]
        folder = Path(download(allow_patterns=names, tqdm_class=_reporting(progress, before, size)))
    except HfHubHTTPError as error:
        raise _refused(repository, error) from None
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnavailableError(f"the download of {repository} broke off ({reason}); try again") from None
    for each in wanted:
        path = folder / each.rfilename
        if each.lfs is not None and sha256_of(path) != each.lfs.sha256:
            path.resolve().unlink()
            path.unlink(missing_ok=True)
            raise UnavailableError(f"what the model hub sent for {each.rfilename} is not what was published; try again")
    return folder


def _refused(repository: str, error: Any) -> UnavailableError:
    return UnavailableError(
        f"the model hub does not give {repository} (HTTP {error.response.status_code}); check the id, and where it is "
        "gated, accept its terms on its page and `hf auth login`"
    )


def _reporting(progress: DownloadProgress, arrived: int, size: int) -> type:
    """The hub's progress bars, which draw nothing and tell `progress` instead, after so many bytes of all."""
    from tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._of_bytes = kwargs.get("unit") == "B"
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            # Several files arrive side by side.
            with self.get_lock():
                self.n += n or 0
            if self._of_bytes and size:
                progress(min((arrived + self.n) / size, 1.0))

    return Bar


# ── both ─────────────────────────────────────────────────────────────────────

T = TypeVar("T")


def _in_time(ask: Callable[[], T]) -> T:
    """What `ask` returns; `TimeoutError` where that takes longer than `TIMEOUT_S`.

    A thread of its own, because looking up a host's name minds no timeout.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer.result(timeout=TIMEOUT_S)


def require_room(folder: Path, size: int) -> None:
    """Raises:
    EmoscribeError: the folder's disk has no room for as many bytes.
    """
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.is_dir())
    if (free := shutil.disk_usage(there).free) < size:
        raise EmoscribeError(f"{size / 1e9:.1f} GB are to be downloaded, and {folder} has room for {free / 1e9:.1f} GB")
