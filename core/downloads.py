"""Weights from the network: files that arrive whole, and as published, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from .digests import sha256_of
from .errors import EmoscribeError, UnavailableError
from .files import atomic_path, make_folder
from .patience import in_time, while_it_comes
from .text import first_line

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo, RepoSibling

# A host that has not answered a small question within this is not going to
# deliver gigabytes.
TIMEOUT_S = 3.0

# A transfer from which so little has come within so long has ended.
STALLED_S = 15.0
LEAST_BYTES = 1 << 16

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
        return in_time(ask, TIMEOUT_S)
    except (OSError, ValueError, HTTPException):
        return None


def cache_folder() -> Path:
    """Where this user's programs keep what can be had again; ours is `emoscribe` in it."""
    return Path(os.getenv("XDG_CACHE_HOME", Path.home() / ".cache"))


def models_folder() -> Path:
    """Where models are kept that were fetched, joined or written out."""
    return cache_folder() / "emoscribe" / "models"


# ── one file ─────────────────────────────────────────────────────────────────


def fetch_file(url: str, path: Path, sha256: str, progress: DownloadProgress = unwatched) -> None:
    """Download a file to `path`, which is replaced only by what has this SHA-256.

    Args:
        sha256: or how it begins, where no more is known of it.

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
        size = answer.length
        if not size:
            raise UnavailableError(f"{path.name} is not to be had: {host} does not say how much it sends")
        require_room(folder, size)
        with arriving.open("wb") as file:
            for chunk in _chunks(answer, path.name):
                file.write(chunk)
                digest.update(chunk)
                received += len(chunk)
                progress(received / size)
        if received < size:
            raise UnavailableError(f"the download of {path.name} broke off at {received / size:.0%}; try again")
        if not digest.hexdigest().startswith(sha256):
            raise UnavailableError(
                f"what {host} sent for {path.name} is not what was published "
                f"(sha256 {digest.hexdigest()[:12]}…, not {sha256[:12]}…); try again"
            )


def _open(url: str, name: str) -> HTTPResponse:
    try:
        return in_time(lambda: urlopen(url, timeout=STALLED_S), STALLED_S)
    except (OSError, ValueError, HTTPException) as error:
        raise UnavailableError(f"{name} cannot be downloaded ({first_line(error)}); try again") from None


def _chunks(answer: HTTPResponse, name: str) -> Iterator[bytes]:
    """What arrives, piece by piece; what goes wrong with it must not pass for a full disk."""
    since, received = time.monotonic(), 0
    try:
        while chunk := answer.read1(1 << 20):
            yield chunk
            received += len(chunk)
            if received >= LEAST_BYTES:
                since, received = time.monotonic(), 0
            elif time.monotonic() - since > STALLED_S:
                raise TimeoutError(f"{received} bytes in {STALLED_S:g} s")
    except (OSError, HTTPException) as error:
        raise UnavailableError(f"the download of {name} broke off ({first_line(error)}); try again") from None


# ── the model hub ────────────────────────────────────────────────────────────


def ask_hub(repository: str) -> ModelInfo:
    """What the model hub says of a repository: its files, their sizes and hashes.

    Raises:
        UnavailableError: it does not answer within seconds, or not with that.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return in_time(lambda: HfApi().model_info(repository, files_metadata=True, timeout=TIMEOUT_S), TIMEOUT_S)
    except HFValidationError:
        raise UnavailableError(f"{repository} is not the id of a model on the hub") from None
    except HfHubHTTPError as error:
        raise _refused(repository, error) from None
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError):
        raise UnavailableError(f"what answers at {ENDPOINT} is not the model hub (a proxy, or another page)") from None
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
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    told = ask_hub(repository)
    files = [each for each in told.siblings or [] if any(fnmatch(each.rfilename, pattern) for pattern in patterns)]
    heavy = [each for each in files if fnmatch(each.rfilename, weights)]
    if not heavy:
        raise UnavailableError(f"{repository} has no {weights} weights on the hub, and other formats are not read")
    cache = Path(cache_dir or constants.HF_HUB_CACHE)
    wanted = [each for each in files if not _is_here(repository, each.rfilename, told.sha, cache)]
    size = sum(each.size or 0 for each in wanted)
    require_room(cache, size)
    names = [each.rfilename for each in sorted(files, key=lambda each: each in heavy)]
    bars = _Arriving(progress, size if all(each.size is not None for each in wanted) else None)
    # It tells what came, and writes it, a piece of this size at a time.
    constants.DOWNLOAD_CHUNK_SIZE = LEAST_BYTES

    def download(name: str) -> Path:
        path = hf_hub_download(repository, name, cache_dir=cache, etag_timeout=TIMEOUT_S, tqdm_class=bars.bar())
        bars.files += 1
        return Path(path).parents[name.count("/")]

    try:
        # One by one, in one thread: those that the hub's library shares files out to would be waited for at the end
        # of the process, whatever they wait for themselves.
        folder = while_it_comes(lambda: [download(name) for name in names][-1], bars.pulse, STALLED_S)
    except HfHubHTTPError as error:
        raise _refused(repository, error) from None
    except Exception as error:
        raise UnavailableError(f"the download of {repository} broke off ({first_line(error)}); try again") from None
    for each in wanted:
        path = folder / each.rfilename
        if _is_another(path, each):
            path.resolve().unlink()
            path.unlink(missing_ok=True)
            raise UnavailableError(f"what the model hub sent for {each.rfilename} is not what was published; try again")
    return folder


def _is_here(repository: str, name: str, revision: str | None, cache: Path) -> bool:
    """Raises:
    UnavailableError: the file's name leads out of the cache's folder.
    """
    from huggingface_hub import try_to_load_from_cache

    try:
        return isinstance(try_to_load_from_cache(repository, name, cache, revision), str)
    except ValueError as error:
        raise UnavailableError(f"what the hub has of {repository} cannot be kept ({first_line(error)})") from None


def _is_another(path: Path, told: RepoSibling) -> bool:
    """Whether a file is not the one that the hub told of: weights by their SHA-256, small files as git names them."""
    if told.lfs is not None:
        return sha256_of(path) != told.lfs.sha256
    if told.blob_id is None:
        return False
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() != told.blob_id


def _refused(repository: str, error: Any) -> UnavailableError:
    code = error.response.status_code
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return UnavailableError(f"the model hub does not give {repository} now (HTTP {code}); try again later")
    return UnavailableError(
        f"the model hub does not give {repository} (HTTP {code}); check the id, and where it is "
        "gated, accept its terms on its page and `hf auth login`"
    )


class _Arriving:
    """What has come of a download of several files.

    Args:
        size: bytes of all of them, where that is known.

    Attributes:
        files: how many are here.
    """

    def __init__(self, progress: DownloadProgress, size: int | None) -> None:
        self._progress, self._size = progress, size
        self._arrived = self._sent = 0.0
        self.files = 0

    def pulse(self) -> tuple[float, int]:
        """Another with everything that comes."""
        return self._sent, self.files

    def _came(self, count: float) -> None:
        self._arrived += count
        self._sent += abs(count)
        if self._size is None:
            return
        # Who always breaks off at the same place is asked for the rest for ever.
        if self._sent > 3 * self._size + LEAST_BYTES:
            raise EmoscribeError(f"{self._sent / 1e6:.1f} MB came where {self._size / 1e6:.1f} MB were announced")
        self._progress(min(max(self._arrived, 0.0) / max(self._size, 1), 1.0))

    def bar(self) -> type:
        """The hub's progress bars, which draw nothing and tell here instead."""
        from tqdm import tqdm

        came = self._came

        class Bar(tqdm):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                self._of_bytes = kwargs.get("unit") == "B"
                super().__init__(*args, **{**kwargs, "disable": True})

            def update(self, n: float | None = 1) -> None:
                self.n += n or 0
                if self._of_bytes:
                    came(n or 0)

        return Bar


# ── room ─────────────────────────────────────────────────────────────────────


def require_room(folder: Path, size: int) -> None:
    """Raises:
    EmoscribeError: the folder's disk has no room for as many bytes.
    """
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.is_dir())
    if (free := shutil.disk_usage(there).free) < size:
        raise EmoscribeError(f"{size / 1e9:.1f} GB are to be downloaded, and {folder} has room for {free / 1e9:.1f} GB")
