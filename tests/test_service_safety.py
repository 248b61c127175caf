"""The service and whoever means it no good: other sites' pages, floods, bombs, and those who leave in the middle."""

from __future__ import annotations

import io
import json
import os
import socket
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

MB = 1_000_000
STALL_S = 1.0
LIMITS = {
    "upload_bytes": 21 * MB,
    "document_bytes": MB,
    "length_s": 20,
    "pixels": MB,
    "queue": 12,
    "stall_s": STALL_S,
    "connections": 40,
}
# Faces alone, and what is heard by nobody: models that load in a moment.
QUICK = ("--config", "embedded", "--set", "modalities=V")


def limits(**changed: float) -> list[str]:
    return [word for name, value in (LIMITS | changed).items() for word in ("--set", f"serve.{name}={value}")]


@pytest.fixture(scope="module")
def service(serving) -> Iterator[Any]:
    with serving(*QUICK, *limits()) as started:
        yield started


@pytest.fixture
def client(service) -> Iterator[httpx2.Client]:
    """Nothing of a test stays behind, and the service goes on."""
    with httpx2.Client(base_url=service.address, timeout=60) as opened:
        yield opened
        for job in opened.get("/api/jobs").json():
            opened.delete(f"/api/jobs/{job['id']}")
        eventually(lambda: folders(service) == [])


def eventually(holds: Callable[[], bool], within_s: float = 60.0) -> None:
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def folders(service: Any) -> list[Path]:
    """What lies in the service's own folder."""
    return [path for path in service.left if path.parent.name.startswith("emoscribe-")]


def final(client: httpx2.Client, id: str) -> dict[str, Any]:
    """A job's last status."""
    eventually(lambda: client.get(f"/api/jobs/{id}").json()["state"] in ("done", "failed"))
    return client.get(f"/api/jobs/{id}").json()


def analysed(client: httpx2.Client, name: str, content: bytes, **settings: Any) -> dict[str, Any]:
    sent = client.post("/api/analyze", files={"file": (name, content)}, data=settings)
    assert sent.status_code == 202, sent.text
    return final(client, sent.json()["id"])


@pytest.fixture(scope="module")
def clip(make_media, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two seconds of a grey picture."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return make_media(path, frame_times_s=np.arange(20) / 10).read_bytes()


# ── other sites ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "evil@127.0.0.1", "::", ""])
def test_a_host_that_is_not_ours_is_refused(host: str, client: httpx2.Client, service) -> None:
    """A name that is pointed at this machine would make its pages ours."""
    refused = client.get("/", headers={"Host": f"{host}:{service.port}"})
    assert refused.status_code == 403 and "is none of this service's" in refused.json()["error"]
    for ours in ("localhost", "127.0.0.1", "[::1]", "LOCALHOST", f"localhost:{service.port}", "localhost:9000"):
        assert client.get("/", headers={"Host": ours}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "file://", "https://localhost"]
)
def test_what_another_sites_page_would_change_is_refused(origin: str, client: httpx2.Client, service) -> None:
    for method, path in (("POST", "/api/analyze"), ("POST", "/api/read"), ("DELETE", "/api/jobs/x"), ("PUT", "/api/x")):
        refused = client.request(method, path, headers={"Origin": origin})
        assert refused.status_code == 403 and "is not this service's page" in refused.json()["error"]
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://127.0.0.1:{service.port}/ws/live", origin=origin)  # type: ignore[arg-type]
    ours = client.post("/api/read", json={}, headers={"Origin": service.address})
    assert ours.status_code == 400


def test_another_sites_page_embeds_nothing_and_a_link_leads_here(client: httpx2.Client) -> None:
    embedded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert client.get("/api/jobs", headers=embedded).status_code == 403
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status_code == 200
    assert client.get("/api/jobs", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_the_page_may_load_nothing_from_elsewhere(client: httpx2.Client, service) -> None:
    for path in ("/", "/api/jobs", "/nothing", "/outputs/page/dom.js"):
        headers = client.get(path).headers
        policy = dict(part.split(maxsplit=1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert policy["frame-ancestors"] == "'none'" and policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["connect-src"] == f"'self' ws://127.0.0.1:{service.port} wss://127.0.0.1:{service.port}"
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
        assert headers["permissions-policy"].startswith("camera=(self), microphone=(self)")
    broken = client.get("/", headers={"Host": "x; script-src *"})
    assert broken.status_code == 403 and "script-src *" not in broken.headers["content-security-policy"]


def test_no_path_leads_out_of_the_page(service) -> None:
    for path in (
        "/app/page/../service.py",
        "/outputs/page/..%2freport.py",
        "/app/page/%2e%2e/%2e%2e/cli.py",
        "//etc/passwd",
    ):
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert talked(service, head.encode()).startswith(b"HTTP/1.1 404")


def test_the_token_is_asked_of_all_and_kept_in_a_cookie(serving, labelled) -> None:
    token = "correct-horse?&"
    with serving("--host", "0.0.0.0", "--token", token, *QUICK, "--set", "serve.keep_s=3") as service:
        address = f"http://127.0.0.1:{service.port}"
        with httpx2.Client(base_url=address, timeout=30) as client:
            for given in (
                {},
                {"Authorization": "Bearer wrong"},
                {"Authorization": f"Basic {token}"},
                {"Cookie": "a=b"},
            ):
                refused = client.get("/api/jobs", headers=given)
                assert refused.status_code == 401 and "send 'Authorization: Bearer TOKEN'" in refused.json()["error"]
            assert client.get("/?token=wrong").status_code == 401
            assert client.get("/api/jobs", headers={"Authorization": f"Bearer {token}"}).json() == []
            assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
            with pytest.raises(InvalidStatus, match="403"):
                connect(f"ws://127.0.0.1:{service.port}/ws/live")
            first = client.get("/", params={"token": token, "a": "b"}, follow_redirects=False)
            assert first.status_code == 303 and first.headers["location"] == "/?a=b"
            cookie = first.headers["set-cookie"]
            assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "horse" not in cookie
            elsewhere = f"GET //evil.example/?token={quote(token)} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            assert b"location: /evil.example/\r\n" in talked(service, elsewhere.encode(), until=b"\r\n\r\n")
            assert client.get("/api/jobs").json() == []
            kept = {"Cookie": cookie.partition(";")[0]}
            with connect(f"ws://127.0.0.1:{service.port}/ws/live", additional_headers=kept) as socket:
                socket.send("{}")
                assert json.loads(socket.recv())["type"] == "error"
            # And nothing is kept for longer than it is to be.
            id = client.post("/api/results", files={"result": ("a.json", json.dumps(labelled.to_dict()))}).json()["id"]
            assert client.get(f"/api/jobs/{id}").json()["expires"] <= time.time() + 3
            eventually(lambda: not [job for job in client.get("/api/jobs").json() if job["id"] == id])
            eventually(lambda: not [path for path in service.left if id in path.parts])


# ── too much ─────────────────────────────────────────────────────────────────


def test_what_is_too_large_is_refused_before_it_has_come(client: httpx2.Client, service) -> None:
    head = (
        f"POST /api/analyze HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {22 * MB}\r\n\r\n"
    )
    answer = talked(service, head.encode(), until=b"}")
    assert answer.startswith(b"HTTP/1.1 413") and b"more than 21,000,000 bytes" in answer

    def endless() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
        for _ in range(40):
            yield bytes(MB)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    try:
        counted = client.post("/api/analyze", content=endless(), headers=headers)
        assert counted.status_code == 413
    except httpx2.TransportError:
        pass  # it was told so, and the rest of it was not waited for
    eventually(lambda: folders(service) == [])
    assert client.put("/api/jobs/x/result", content=bytes(2 * MB)).status_code == 404
    assert client.post("/api/read", content=bytes(2 * MB)).status_code == 413
    large = {"file": ("a.mp4", b"a"), "transcript": ("a.srt", bytes(2 * MB))}
    assert client.post("/api/analyze", files=large).json()["error"] == (
        "the part 'transcript' has more than 1,000,000 bytes, the most that is taken"
    )


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "the form cannot be read: unexpected end"),
        (b"--x--\r\n", "the form has no part 'file'"),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\r\n--x--\r\n',
            "the part 'file' is empty",
        ),
        (b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc\r\n--x--\r\n', "has to be a file"),
        (b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc', "the form cannot be read"),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' * 60, "the part 'a' comes twice"),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 60 + b"--x--\r\n",
            "the part 'a' comes twice",
        ),
        (b"--x\r\nA: " + b"b" * 100_000, "the form is too large"),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"b" * 20_000, "too many for a setting"),
        (b"\0" * 1000, "the form cannot be read"),
    ],
)
def test_a_form_that_is_none_is_refused(body: bytes, error: str, client: httpx2.Client, service) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    refused = client.post("/api/analyze", content=body, headers=headers)
    assert refused.status_code in (400, 413) and error in refused.json()["error"]
    eventually(lambda: folders(service) == [])
    assert client.post("/api/analyze", content=body, headers={"Content-Type": "text/plain"}).status_code == 415


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("../../../../tmp/evil.mp4", "evil.mp4"),
        ("C:\\windows\\evil.mp4", "evil.mp4"),
        ("a" * 5_00 + ".mp4", "a" * 196 + ".mp4"),
        ("..", "file"),
        ("a\x01b.mp4/.sh", "sh"),
        ("<img src=x onerror=alert(1)>.mp4", "<img src=x onerror=alert(1)>.mp4"),
    ],
)
def test_a_file_name_is_never_a_path(name: str, called: str, client: httpx2.Client, service, clip: bytes) -> None:
    status = analysed(client, name, clip)
    assert (status["name"], status["state"]) == (called, "done")
    lying = [path for path in service.left if path.stem == "sent-file"]
    assert [path.parent.name for path in lying] == [status["id"]]
    assert lying[0].parent.stat().st_mode & 0o777 == 0o700
    kept = client.get(f"/api/jobs/{status['id']}/result.json").headers["content-disposition"]
    assert "/" not in kept.partition("filename")[2].replace("utf-8''", "")


def test_too_long_and_too_many_pixels_are_told_before_anything_is_decoded(
    client: httpx2.Client, make_media, tmp_path: Path
) -> None:
    wide = io.BytesIO()
    Image.new("L", (4_000, 3_000)).save(wide, "png")
    assert len(wide.getvalue()) < 50_000
    assert analysed(client, "bomb.png", wide.getvalue())["error"] == (
        "bomb.png shows 4000 × 3000 pixels, the most that is analysed here is 1,000,000; scale it down"
    )
    video = make_media(tmp_path / "wide.mp4", frame_times_s=np.arange(2) / 10, size=(1600, 1200))
    assert "wide.mp4 shows 1600 × 1200 pixels" in analysed(client, "wide.mp4", video.read_bytes())["error"]
    long = make_media(tmp_path / "long.mp4", frame_times_s=np.arange(120) / 4).read_bytes()
    failed = analysed(client, "long.mp4", long)
    assert "long.mp4 lasts 30 s, the most that is analysed here is 20 s; choose a stretch of it" in failed["error"]
    assert not failed["has_media"] and client.get(f"/api/jobs/{failed['id']}/media").status_code == 404
    assert analysed(client, "long.mp4", long, start_s=3, end_s=5)["state"] == "done"
    assert "none.mp4 cannot be decoded" in analysed(client, "none.mp4", b"none" * 100)["error"]


def test_documents_that_unfold_are_refused(client: httpx2.Client) -> None:
    def docx(content: bytes) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("word/document.xml", content)
        return file.getvalue()

    zeros = client.post("/api/documents", files={"file": ("zeros.docx", docx(bytes(101 * MB)))})
    assert zeros.status_code == 400 and "unfolds to 101,000,000 bytes" in zeros.json()["error"]
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha" * 100}">' for n in range(12))
    laughs = docx(f"<!DOCTYPE a [{entities}]><a>&e11;</a>".encode())
    refused = client.post("/api/documents", files={"file": ("laughs.docx", laughs)})
    assert refused.status_code == 400 and "is neither a PDF, a .docx nor text" in refused.json()["error"]
    deep = client.post("/api/read", content=b"[" * 500_000)
    assert deep.status_code == 400


# ── too slow, and gone ───────────────────────────────────────────────────────


def talked(service: Any, *said: bytes, pause_s: float = 0.0, until: bytes | None = None) -> bytes:
    """What is answered to whoever says that and then waits, until the service ends it."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as line:
        answer = b""
        for part in said:
            try:
                line.sendall(part)
            except OSError:
                break
            time.sleep(pause_s)
        while until is None or until not in answer:
            try:
                more = line.recv(65_536)
            except ConnectionResetError:
                break
            if not more:
                break
            answer += more
    return answer


HEAD = (
    b"POST /api/analyze HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
)
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'


@pytest.mark.parametrize(
    ("said", "pause_s", "status"),
    [
        ((b"GET / HTTP/1.1\r\nHost:",), 0, b""),
        ((b"",), 0, b""),
        ([b"GET / HTTP/1.1\r\n", *[b"A: b\r\n"] * 20], 0.2, b""),
        ((HEAD, PART), 0, b"HTTP/1.1 408"),
        ([HEAD, PART, *[b"a"] * 20], 0.2, b"HTTP/1.1 408"),
        ((HEAD.replace(b"100000", b"99000000"), PART), 0, b"HTTP/1.1 413"),
    ],
    ids=["half a head", "nothing", "a header now and then", "half a body", "a byte now and then", "after the answer"],
)
def test_whoever_is_too_slow_is_sent_away(
    said: tuple[bytes, ...], pause_s: float, status: bytes, client: httpx2.Client, service
) -> None:
    began = time.monotonic()
    answer = talked(service, *said, pause_s=pause_s)
    assert answer.startswith(status) and time.monotonic() - began < 6 * STALL_S
    eventually(lambda: folders(service) == [])


def test_of_whoever_leaves_in_the_middle_nothing_stays(client: httpx2.Client, service) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", service.port)) as line:
            line.sendall(HEAD + PART + bytes(50_000))
            eventually(lambda: folders(service) != [])
        eventually(lambda: folders(service) == [])
    assert client.get("/api/jobs").json() == []


def test_ten_at_once_are_all_answered_and_the_memory_stays(service, client: httpx2.Client, clip: bytes) -> None:
    """What is sent goes to the disk, a megabyte at a time."""
    large, before = b"none" * 5 * MB, service.rss_bytes

    def send(number: int) -> dict[str, Any]:
        with httpx2.Client(base_url=service.address, timeout=60) as other:
            sent = other.post("/api/analyze", files={"file": (f"{number}.bin", large)})
            return sent.json() if sent.status_code == 202 else {"status": sent.status_code}

    with ThreadPoolExecutor(11) as pool:
        sent = [pool.submit(send, number) for number in range(10)]
        good = pool.submit(analysed, client, "good.mp4", clip)
        most = before
        while not all(each.done() for each in sent):
            most = max(most, service.rss_bytes)
            time.sleep(0.02)
    assert most - before < 60 * MB, f"{(most - before) / MB:.0f} MB more"
    assert good.result()["state"] == "done"
    jobs = [final(client, each.result()["id"]) for each in sent]
    assert {job["state"] for job in jobs} == {"failed"} and "cannot be decoded: it is damaged, cut off, or not" in jobs[
        0
    ]["error"]


def test_a_full_queue_says_when_to_ask_again(service, client: httpx2.Client, example: Path) -> None:
    long = example.read_bytes()
    statuses = [client.post("/api/analyze", files={"file": ("a.mp4", long)}, data={"window": 0.2}) for _ in range(16)]
    refused = [each for each in statuses if each.status_code != 202]
    assert len(statuses) - len(refused) in (12, 13, 14)
    assert {each.status_code for each in refused} == {429} and int(refused[0].headers["retry-after"]) > 0
    assert refused[0].json()["error"].startswith("12 jobs wait already, as many as may; try again later")


def test_when_the_process_with_the_models_ends_the_next_job_is_done(
    client: httpx2.Client, service, clip, example
) -> None:
    """As by a codec that crashes, or a machine that is short of memory."""
    first = client.post("/api/analyze", files={"file": ("a.mp4", example.read_bytes())}).json()["id"]
    eventually(lambda: bool(client.get(f"/api/jobs/{first}").json()["stages"].get("looking")))
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    sizes = {child: int(Path(f"/proc/{child}/statm").read_text().split()[1]) for child in children}
    os.kill(int(max(sizes, key=sizes.__getitem__)), 9)
    lost = final(client, first)
    assert lost["error"] == (
        "the process that worked on this ended by signal 9; the file may be damaged, or memory short: try it again"
    )
    assert analysed(client, "b.mp4", clip)["state"] == "done"


# ── over a WebSocket ─────────────────────────────────────────────────────────


def test_rubbish_over_a_socket_is_answered_and_then_ended(service, client: httpx2.Client) -> None:
    with connect(f"ws://127.0.0.1:{service.port}/ws/live") as line:
        for rubbish, error in (
            ("{", "a message is not JSON"),
            ("[]", "a message has to be an object"),
            ("[" * 100_000, "a message is not JSON"),
            ('{"type": "begin"}', "unknown type 'begin'"),
            ('{"type": "stop"}', "there is nothing to stop"),
            (b"\x01", "nothing has begun"),
            ('{"type": "text", "text": 3}', '"text" has to be a line'),
            ('{"type": "start", "run": "/etc/passwd"}', "run: there is no '/etc/passwd' here"),
        ):
            line.send(rubbish)
            answer = json.loads(line.recv(timeout=20))
            assert answer["type"] == "error" and error in answer["error"]
        with pytest.raises(ConnectionClosed) as ended:
            line.recv(timeout=20)
        assert ended.value.rcvd is not None and ended.value.rcvd.code == 1008
    for said, code in ((["{"] * 12, 1008), ([bytes(3 * MB)], 1009)):
        with connect(f"ws://127.0.0.1:{service.port}/ws/live") as line, pytest.raises(ConnectionClosed) as ended:
            for each in said:
                line.send(each)
            for _ in range(12):
                line.recv(timeout=20)
        assert ended.value.rcvd is not None and ended.value.rcvd.code == code
    assert client.get("/api/jobs").json() == []
