"""The service, asked as programs ask it: files in, jobs, results out; text; documents."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openpyxl
import pytest
from click.testing import CliRunner
from emoscribe.cli import main
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

# How much of the example is analysed: two lines, and a face that changes.
STRETCH = {"start_s": 5.9, "end_s": 11.0}


@pytest.fixture(scope="module")
def service(serving, example: Path) -> Iterator[Any]:
    with serving("--config", "embedded", "--root", str(example.parent)) as started:
        yield started


@pytest.fixture(scope="module")
def client(service) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=service.address, timeout=120) as opened:
        yield opened


def statuses(client: httpx2.Client, id: str) -> list[dict[str, Any]]:
    """All that is told of a job, to the end."""
    with client.stream("GET", f"/api/jobs/{id}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        return [json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: ")]


@pytest.fixture(scope="module")
def told(client: httpx2.Client, example: Path) -> list[dict[str, Any]]:
    """What is told of the analysis of the example, which is asked for before models are loaded."""
    with example.open("rb") as file:
        sent = client.post("/api/analyze", files={"file": ("tears & laughter.mp4", file)}, data=STRETCH)
    assert sent.status_code == 202
    return statuses(client, sent.json()["id"])


@pytest.fixture(scope="module")
def job(told: list[dict[str, Any]]) -> str:
    assert told[-1]["error"] is None
    return told[-1]["id"]


# ── files ────────────────────────────────────────────────────────────────────


def test_the_page_answers_before_models_are_loaded_and_tells_when_they_are(service, client: httpx2.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    script = client.get("/outputs/page/dom.js")
    assert script.headers["content-type"].startswith("text/javascript")
    options = client.get("/api/options").json()
    assert options["ready"] is False and options["choices"] == []
    runs = {run["name"]: run for run in options["runs"]}
    assert next(iter(runs)) == "meld-minilm" and runs["meld-minilm"]["label_sets"][:2] == ["basic", "compound"]
    assert "sadly angry" in runs["meld-minilm"]["labels"]["compound"]
    assert options["configs"][0] == "embedded" and options["formats"]["eaf"] == ".eaf"
    assert options["limits"]["length_s"] == 3 * 3600


def test_a_file_becomes_a_job_that_tells_how_far_it_is(told: list[dict[str, Any]], client: httpx2.Client) -> None:
    first, last = told[0], told[-1]
    assert first["name"] == "tears & laughter.mp4" and first["state"] in ("queued", "running")
    assert last["state"] == "done" and last["has_media"] and not last["corrected"]
    assert {"looking", "listening", "reading"} <= set(last["stages"]) and set(last["stages"].values()) == {1.0}
    assert any(stage.startswith("loading ") for status in told for stage in status["stages"])
    assert any(0 < status["stages"].get("looking", 0) < 1 for status in told)
    assert any(status["remaining_s"] for status in told)
    assert last["expires"] == pytest.approx(time.time() + 3600, abs=60)
    assert last["id"] in [status["id"] for status in client.get("/api/jobs").json()]
    options = client.get("/api/options").json()
    assert options["ready"] is True and any(line.startswith("speech: ") for line in options["choices"])


def test_a_result_says_what_was_said_seen_and_heard(job: str, client: httpx2.Client) -> None:
    result = client.get(f"/api/jobs/{job}/result.json").json()
    assert result["media"]["path"] == "tears & laughter.mp4"
    said = " ".join(segment["text"].lower() for segment in result["segments"])
    assert "is that really you?" in said and "believe it" in said
    assert all(segment["face"] and segment["voice"] for segment in result["segments"])


def test_every_format_comes_under_the_name_of_its_file(job: str, client: httpx2.Client) -> None:
    formats = client.get("/api/options").json()["formats"]
    for name, suffix in {**formats, "emoscribe": ".emoscribe.json"}.items():
        if name == "video-burnt":
            continue  # as `video`, and slow
        answer = client.get(f"/api/jobs/{job}/result.{name}")
        if name == "rttm":  # of somebody who speaks alone
            assert answer.status_code == 400 and "no speaker is known" in answer.json()["error"]
            continue
        assert answer.status_code == 200, (name, answer.text)
        assert f"tears%20%26%20laughter{suffix}" in answer.headers["content-disposition"] and answer.content, name
    book = openpyxl.load_workbook(io.BytesIO(client.get(f"/api/jobs/{job}/result.xlsx").content))
    assert book.sheetnames
    page = client.get(f"/api/jobs/{job}/result.html").text
    assert "tears &amp; laughter.mp4" in page and "/tmp" not in page
    assert client.get(f"/api/jobs/{job}/result.doc").json()["error"].startswith("unknown format 'doc'; there are: json")


def test_the_media_comes_in_ranges(job: str, client: httpx2.Client, example: Path) -> None:
    part = client.get(f"/api/jobs/{job}/media", headers={"Range": "bytes=1000-1999"})
    assert part.status_code == 206 and part.content == example.read_bytes()[1000:2000]
    assert part.headers["content-type"] == "video/mp4"


def test_a_correction_is_kept_beside_the_first_result(job: str, client: httpx2.Client) -> None:
    first = client.get(f"/api/jobs/{job}/result.json").json()
    corrected = json.loads(json.dumps(first))
    corrected["segments"][0] |= {"text": "somebody else's words", "label": "fear", "corrected": True}
    assert client.put(f"/api/jobs/{job}/result", json=corrected).status_code == 204
    assert client.get(f"/api/jobs/{job}").json()["corrected"] is True
    assert client.get(f"/api/jobs/{job}/result.emoscribe").json()["segments"][0]["label"] == "fear"
    assert "somebody else's words" in client.get(f"/api/jobs/{job}/result.srt").text
    assert client.get(f"/api/jobs/{job}/result.json?original=1").json() == first
    assert "somebody else's words" not in client.get(f"/api/jobs/{job}/result.srt?original=1").text
    refused = client.put(f"/api/jobs/{job}/result", json={"segments": []})
    assert refused.status_code == 400
    assert refused.json()["error"] == "what was sent is not a labelled transcript in JSON (KeyError: 'labels')"
    assert client.get(f"/api/jobs/{job}/result.json").json()["segments"][0]["label"] == "fear"


def test_a_kept_result_is_opened_again(job: str, client: httpx2.Client, example: Path) -> None:
    kept = client.get(f"/api/jobs/{job}/result.emoscribe").content
    alone = client.post("/api/results", files={"result": ("talk.emoscribe.json", kept)})
    assert alone.status_code == 201
    opened = client.get(f"/api/jobs/{alone.json()['id']}").json()
    assert (opened["state"], opened["name"], opened["has_media"]) == ("done", "tears & laughter.mp4", False)
    missing = client.get(f"/api/jobs/{opened['id']}/result.video")
    assert missing.status_code == 400 and "itself is not here" in missing.json()["error"]
    both = client.post("/api/results", files={"result": ("t.json", kept), "file": ("t.mp4", example.read_bytes())})
    assert client.get(f"/api/jobs/{both.json()['id']}/media").content == example.read_bytes()
    assert client.post("/api/results", files={"result": ("t.json", b"{}")}).status_code == 400


def test_a_file_is_analysed_where_it_is_if_its_folder_is_allowed(
    client: httpx2.Client, example: Path, tmp_path: Path
) -> None:
    sent = client.post("/api/analyze", json={"path": str(example), "end_s": 2, "modalities": "V", "labels": "compound"})
    assert sent.status_code == 202
    assert statuses(client, sent.json()["id"])[-1]["state"] == "done"
    result = client.get(f"/api/jobs/{sent.json()['id']}/result.json").json()
    assert "sadly angry" in result["labels"] and result["media"]["path"] == str(example)
    assert client.delete(f"/api/jobs/{sent.json()['id']}").status_code == 204
    assert example.exists()
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(example.read_bytes())
    for path in (str(outside), f"{example.parent}/../README.md", "/etc/passwd", str(example.parent), "\0"):
        refused = client.post("/api/analyze", json={"path": path})
        assert refused.status_code == 403 and "is no file in a folder that may be read" in refused.json()["error"]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"labels": "moods"}, "unknown label set 'moods'; there are: basic"),
        ({"start": "3"}, "unknown key 'start'"),
        ({"config": "../../etc/passwd"}, "config: there is no '../../etc/passwd' here; there are: embedded, default"),
        ({"run": "/tmp/run"}, "run: there is no '/tmp/run' here; there are: meld-minilm, goemotions-minilm"),
        ({"model": "/tmp/model"}, "settings: model: string should match pattern"),
        ({"speakers": "/etc/passwd"}, "speakers are told apart by one of auto, voices, seen, none"),
        ({"name": "Ann"}, "name: 'Ann' names nobody; give a line each, as in 'speaker 1=Ann'"),
        ({"window": "-1"}, "settings: window: input should be greater than 0, got '-1'"),
    ],
)
def test_a_setting_that_is_wrong_is_refused_at_once(
    given: dict[str, str], error: str, client: httpx2.Client, example: Path, service
) -> None:
    before = client.get("/api/jobs").json()
    refused = client.post("/api/analyze", files={"file": ("a.mp4", example.read_bytes())}, data=given)
    assert refused.status_code == 400 and error in refused.json()["error"]
    assert client.get("/api/jobs").json() == before


def test_a_job_is_called_off_within_a_second_and_the_next_one_is_done(
    client: httpx2.Client, example: Path, service
) -> None:
    def sent(**settings: Any) -> str:
        return client.post("/api/analyze", json={"path": str(example), **settings}).json()["id"]

    running, waiting, last = sent(window=0.5), sent(), sent(end_s=1.0, modalities="V")
    while not client.get(f"/api/jobs/{running}").json()["stages"].get("looking"):
        time.sleep(0.05)
    assert client.get(f"/api/jobs/{waiting}").json()["place"] == 1
    assert client.get(f"/api/jobs/{last}").json()["place"] == 2
    assert client.get(f"/api/jobs/{waiting}/result.json").status_code == 409
    for id in (running, waiting):
        began = time.monotonic()
        assert client.delete(f"/api/jobs/{id}").status_code == 204
        assert time.monotonic() - began < 1
        gone = client.get(f"/api/jobs/{id}")
        assert gone.status_code == 404 and gone.json()["error"].startswith(f"there is no job '{id}': it was removed")
    assert statuses(client, last)[-1]["state"] == "done"
    assert not [path for path in service.left if running in path.parts or waiting in path.parts]


def test_all_jobs_are_told_of_by_one_stream(client: httpx2.Client, example: Path) -> None:
    """A browser opens six connections to a service, and may have more jobs than that."""
    id = client.post("/api/analyze", json={"path": str(example), "end_s": 1.0, "modalities": "V"}).json()["id"]
    seen: list[str] = []
    with client.stream("GET", "/api/events") as events:
        for line in events.iter_lines():
            status = json.loads(line[6:]) if line.startswith("data: ") else {}
            if status.get("id") == id and status["state"] not in seen:
                seen.append(status["state"])
                if seen[-1] == "done":
                    client.delete(f"/api/jobs/{id}")
                if seen[-1] == "cancelled":
                    break
    assert seen[-2:] == ["done", "cancelled"]


# ── text ─────────────────────────────────────────────────────────────────────


def test_text_is_read_line_by_line(client: httpx2.Client, told: list[dict[str, Any]]) -> None:
    one = client.post("/api/read", json={"text": "I am so happy that you are here!"}).json()
    assert one["segments"][0]["label"] == "joy" and set(one["labels"]) == set(one["segments"][0]["scores"])
    said = ["Ann: You broke it again, I hate you!", "Bob: I did not.", "Ann: Yes: you did."]
    several = client.post("/api/read", json={"text": said, "labels": "compound"}).json()["segments"]
    assert [(each["speaker"], each["text"]) for each in several] == [
        ("Ann", "You broke it again, I hate you!"),
        ("Bob", "I did not."),
        ("Ann", "Yes: you did."),
    ]
    assert client.post("/api/read", json={"text": "No.", "speaker": "Eve"}).json()["segments"][0]["speaker"] == "Eve"
    for body, error in (
        ({"text": []}, '"text" has to be a line or a list of lines'),
        ({"text": ["a"] * 5_001}, "5,001 lines of 5,001 characters are too many"),
        ({}, 'the body has to have "text", or "signals"'),
        ([], "the body has to be an object"),
    ):
        refused = client.post("/api/read", json=body)
        assert refused.status_code in (400, 413) and error in refused.json()["error"]
    assert client.post("/api/read", content=b"{").json()["error"] == "the body is not JSON in UTF-8; send an object"


def test_a_result_is_read_again_with_other_signals(job: str, client: httpx2.Client) -> None:
    asked = {"job": job, "signals": ["TVA", "T", "V", "A"]}
    client.post("/api/read", json=asked)
    began = time.monotonic()
    readings = client.post("/api/read", json=asked).json()["readings"]
    assert time.monotonic() - began < 1
    assert list(readings) == asked["signals"]
    result = client.get(f"/api/jobs/{job}/result.json").json()
    assert all(len(each) == len(result["segments"]) for each in readings.values())
    assert readings["T"] != readings["V"]
    sent = client.post("/api/read", json={"result": result, "signals": ["V"]}).json()["readings"]
    assert sent == {"V": readings["V"]}
    assert client.post("/api/read", json={"job": "..", "signals": ["V"]}).status_code == 404
    assert '"signals" has to be' in client.post("/api/read", json={"job": job, "signals": "X"}).json()["error"]
    assert "is no labelled transcript" in client.post("/api/read", json={"result": {}, "signals": "V"}).json()["error"]


def pdf(*lines: str) -> bytes:
    """A document of one page."""
    writer = PdfWriter()
    page = writer.add_blank_page(300, 300)
    font = DictionaryObject(
        {
            NameObject(f"/{name}"): NameObject(f"/{value}")
            for name, value in (("Type", "Font"), ("Subtype", "Type1"), ("BaseFont", "Helvetica"))
        }
    )
    page[NameObject("/Resources")] = DictionaryObject(
        {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
    )
    drawn = DecodedStreamObject()
    shown = " ".join(f"1 0 0 1 20 {250 - 20 * row} Tm ({line}) Tj" for row, line in enumerate(lines))
    drawn.set_data(f"BT /F1 12 Tf {shown} ET".encode())
    page[NameObject("/Contents")] = drawn
    file = io.BytesIO()
    writer.write(file)
    assert len(PdfReader(file).pages) == 1
    return file.getvalue()


def docx(*paragraphs: str) -> bytes:
    name = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("word/document.xml", f'<w:document xmlns:w="{name}"><w:body>{body}</w:body></w:document>')
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("letter.pdf", pdf("It was late.", "Nobody came.")),
        ("letter.docx", docx("It was late.", "", "Nobody came.")),
        ("letter.txt", b"It was\r\nlate.\r\n\r\nNobody came.\r\n"),
        ("latin.txt", "It was late.\nNobody came.\n".encode("utf-16")),
    ],
)
def test_a_document_becomes_paragraphs(name: str, content: bytes, client: httpx2.Client) -> None:
    read = client.post("/api/documents", files={"file": (name, content)})
    assert read.json() == {"text": ["It was late.", "Nobody came."]}


def test_what_is_no_document_is_said_to_be_none(client: httpx2.Client, example: Path) -> None:
    for name, content, error in (
        ("clip.mp4", example.read_bytes(), "clip.mp4 is neither a PDF, a .docx nor text"),
        ("half.pdf", pdf("It was late.")[:200], "half.pdf "),
        ("scan.pdf", pdf(), "scan.pdf holds no text: its pages may be pictures"),
        ("empty.docx", docx(), "empty.docx holds no text"),
    ):
        refused = client.post("/api/documents", files={"file": (name, content)})
        assert refused.status_code == 400 and error in refused.json()["error"]
    wrong = client.post("/api/analyze", files={"file": ("letter.pdf", pdf("It was late."))})
    assert wrong.status_code == 415 and "POST it to /api/documents" in wrong.json()["error"]


def test_everything_is_described_with_an_example(client: httpx2.Client) -> None:
    described = client.get("/openapi.json").json()
    routes = {(method, path) for path, methods in described["paths"].items() for method in methods}
    assert {("post", "/api/analyze"), ("put", "/api/jobs/{id}/result"), ("get", "/api/jobs/{id}/events")} <= routes
    assert len(routes) == 13
    for methods in described["paths"].values():
        for method, about in methods.items():
            assert about["summary"]
            if method == "post":
                assert all("example" in each for each in about["requestBody"]["content"].values())
    assert described["components"]["schemas"]["Status"]["examples"]
    assert client.get("/docs").status_code == 404
    assert client.get("/nothing").json() == {"error": "GET /nothing: not found"}


PAGE = (Path(__file__).resolve().parents[1] / "docs" / "service.md").read_text(encoding="utf-8")


def test_what_the_document_shows_in_python_runs(
    service, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[1])
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(compile(block.replace("http://localhost:7860", service.address), "docs/service.md", "exec"), {})
    assert "I miss him so much." in capsys.readouterr().out


def test_what_the_document_shows_with_curl_runs(service, job: str, client: httpx2.Client, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("no curl on this machine")
    (tmp_path / "examples").symlink_to(Path(__file__).resolve().parents[1] / "examples")
    asking = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
    whole = [line for line in asking if "curl" in line and "TOKEN" not in line and "DELETE" not in line]
    assert len(whole) == 6
    shown = "\n".join(["set -e", *(line.replace("localhost:7860", service.address) for line in whole)])
    done = subprocess.run(["bash", "-c", shown], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and '"state": "done"' in done.stdout and '"readings":' in done.stdout, done.stdout[
        -500:
    ]
    assert '"speaker": "Ann"' in done.stdout
    assert (tmp_path / "tears-to-laughter.srt").read_text().startswith("1\n00:00:00")


# ── the command ──────────────────────────────────────────────────────────────


def test_ctrl_c_ends_all_of_it_within_a_second(serving) -> None:
    with serving("--config", "embedded") as service:
        children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
        assert len(children) >= 2 and service.left
        began = time.monotonic()
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(10) == 130
        assert time.monotonic() - began < 1
        assert service.left == []
    time.sleep(0.2)
    assert not [child for child in children if is_alive(child)]


def is_alive(pid: str) -> bool:
    """Whether a process goes on; one that has ended may still be listed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_cannot_be_served_is_said_in_one_line(service, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(*options: str) -> str:
        done = CliRunner().invoke(main, ["serve", *options])
        assert done.exit_code == 1 and done.stdout == "" and len(done.stderr.splitlines()) == 1
        return done.stderr

    assert "lets other machines in: give --token, which they have to show, or --insecure" in said("--host", "0.0.0.0")
    assert "token: string should match pattern" in said("--token", "short")
    assert f"127.0.0.1:{service.port}: address already in use; choose another --port" in said(
        "--port", str(service.port)
    )
    assert "unknown key 'pixel'; did you mean 'pixels'?" in said("--set", "serve.pixel=3")
    assert "unknown key 'face.fps'" in said("--set", "face.fps=3")
    monkeypatch.setitem(sys.modules, "fastapi", None)
    for name in [name for name in sys.modules if name.startswith("emoscribe.app")]:
        monkeypatch.delitem(sys.modules, name)
    assert said() == "emoscribe: the service needs fastapi, which is not installed: pip install 'emoscribe[app]'\n"
