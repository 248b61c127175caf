"""What the system refuses: a full or read-only disk, no permission.  The file is named, and nothing is half."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from emoscribe.core.errors import EmoscribeError
from emoscribe.core.files import passing_folder, write_text
from emoscribe.core.timeline import Clip, LabelledTranscript, Media, Moment, Segment
from emoscribe.evaluation.predictions import Predictions
from emoscribe.evaluation.report import write_report
from emoscribe.extractors.media.sound import decode_sound
from emoscribe.extractors.store import CueStore
from emoscribe.outputs.write import write_outputs
from emoscribe.training.checkpoints import write_checkpoint
from emoscribe.training.curves import Curves

resource = pytest.importorskip("resource", reason="limits of POSIX")


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Stands in for a full disk, wherever it lies."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ── a full disk ──────────────────────────────────────────────────────────────


def report(folder: Path, clips: int) -> None:
    labels = ("joy", "anger")
    truth = tuple(labels[number % 2] for number in range(clips))
    ids = tuple(map(str, range(clips)))
    one = Predictions("run", labels, ids, truth, np.full((clips, 2), 0.5))
    write_report(
        folder, [one], corpus="c", split="test", split_clips=[Clip(id=each) for each in ids], resamples=20
    )  # fmt: skip


def test_an_older_report_stays_whole(tmp_path: Path) -> None:
    report(tmp_path, 4)
    before = contents(tmp_path)
    with (
        no_file_larger_than(len(before["report.html"]) - 100),
        pytest.raises(EmoscribeError, match=r"cannot write .*report\.html: file too large; make room"),
    ):
        report(tmp_path, 6)
    assert contents(tmp_path) == before
    report(tmp_path, 6)
    after = contents(tmp_path)
    assert after.keys() == before.keys()
    assert after["metrics.json"] != before["metrics.json"]


def result(said: str) -> LabelledTranscript:
    moment = Moment(0.0, 1.0, None, said, None, None, {}, "enough")
    return LabelledTranscript(
        media=Media("talk.mp4", 1.0, None, None, None, "0" * 64),
        label_set="basic",
        labels=("joy", "anger"),
        segments=(Segment(moment, {"joy": 0.75, "anger": 0.25}),),
        provenance={},
    )


def test_an_older_result_stays_whole(tmp_path: Path) -> None:
    formats = ("srt", "csv", "json", "html")
    write_outputs(result("first"), tmp_path, formats)
    before = contents(tmp_path)
    with no_file_larger_than(5_000), pytest.raises(EmoscribeError, match=r"cannot write .*talk\.html: file too large"):
        write_outputs(result("second"), tmp_path, formats)
    assert contents(tmp_path) == before
    write_outputs(result("second"), tmp_path, formats)
    assert b"second" in contents(tmp_path)["talk.srt"]


def test_curves_name_the_file_and_go_on(tmp_path: Path) -> None:
    curves = Curves(tmp_path)
    with (
        no_file_larger_than(200),
        pytest.raises(EmoscribeError, match=r"cannot write .*(history\.jsonl|/curves): file too large; make room"),
    ):
        for step in range(1, 100):
            curves.add(step, loss=1.0 / step, learning_rate=0.1)
    curves.close()
    resumed = Curves(tmp_path)
    resumed.add(2, loss=0.5, learning_rate=0.1)
    resumed.close()
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]


def test_a_checkpoint_before_stays(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, {"step": 1, "weights": torch.zeros(10)})
    before = path.read_bytes()
    with no_file_larger_than(2_000), pytest.raises(EmoscribeError, match=r"cannot write .*checkpoint\.pt: file too la"):
        write_checkpoint(path, {"step": 2, "weights": torch.zeros(10_000)})
    assert contents(tmp_path) == {path.name: before}


def test_a_full_temporary_folder_is_named(tmp_path: Path, make_media) -> None:
    sound = make_media(tmp_path / "sound.wav", sound=np.zeros(32_000))
    where = r"cannot write to the temporary folder /.*: file too large; make room there or name another by TMPDIR"
    with no_file_larger_than(10_000), pytest.raises(EmoscribeError, match=where):
        decode_sound(sound)


def test_without_a_temporary_folder_that_is_said(tmp_path: Path) -> None:
    """Nothing can be written where the system has such things, nor here."""
    script = """
import tempfile
tempfile._candidate_tempdir_list = lambda: ["/dev/null/none"]
from emoscribe.core.files import passing_folder
try:
    with passing_folder():
        pass
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=os.environ | {"TMPDIR": "/dev/null/none"}
    )
    assert done.stdout.startswith("WriteError cannot write to the temporary folder /dev/null/none: no usable")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """`small_disk(options)` is a file system of its own, mounted anew with other options each time."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small disk is mounted by root, on Linux")
    where = tmp_path / "disk"
    where.mkdir()

    def mounted(options: str) -> Path:
        again = ["-o", f"remount,{options}"] if os.path.ismount(where) else ["-t", "tmpfs", "-o", options]
        done = subprocess.run(["mount", *again, "tmpfs", str(where)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr}")
        return where

    yield mounted
    if os.path.ismount(where):
        subprocess.run(["umount", str(where)], check=True)


def test_a_disk_that_fills_up_is_gone_on_with(work, small_disk, tmp_path: Path) -> None:
    """Cues of three clips: what fitted stays, the file is named, and with more room the rest comes to it."""
    disk = small_disk("size=24k")
    full = work.done("extract", disk / "store")
    assert full.returncode == 1
    line = full.stderr.splitlines()[-1]
    assert line.startswith(f"emoscribe: cannot write {disk}/store/")
    assert line.endswith(".parquet: no space left on device; make room or choose another folder")
    fitted = contents(disk)
    assert 0 < len(fitted) < 6 and not [name for name in fitted if name.startswith(".")]
    kept = set(CueStore(disk / "store"))
    small_disk("size=1m")
    assert work.done("extract", disk / "store").returncode == 0
    assert kept < set(CueStore(disk / "store"))
    small_disk("ro")
    assert work.done("extract", disk / "store").returncode == 0, "a store that lacks nothing needs no room"
    refused = work.done("analyze", disk / "out")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == (
        f"emoscribe: cannot write to the folder {disk}/out: read-only file system; choose another folder"
    )


def test_the_service_goes_on_after_its_disk_was_full(serving, small_disk, make_media, tmp_path: Path) -> None:
    disk = small_disk("size=1m")
    sound = 0.3 * np.sin(np.arange(40 * 16_000) / 16_000 * 900)
    clip = make_media(tmp_path / "clip.mp4", frame_times_s=np.arange(20) / 10, sound=sound).read_bytes()
    # How much there is to be is not said.
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'

    def sent(*parts: bytes) -> httpx2.Response:
        return client.post("/api/analyze", content=iter((head, *parts, b"\r\n--x--\r\n")), headers=form)

    def final(answer: httpx2.Response) -> dict[str, Any]:
        job = f"/api/jobs/{answer.raise_for_status().json()['id']}"
        while (status := client.get(job).json())["state"] not in ("done", "failed"):
            time.sleep(0.02)
        return status

    with (
        serving("--config", "embedded", "--set", "modalities=VA", folder=disk) as service,
        httpx2.Client(base_url=service.address, timeout=60) as client,
    ):
        # Its sound takes more than a megabyte while it is looked at.
        assert final(sent(clip))["error"] == (
            f"cannot write to the temporary folder {disk}: no space left on device; "
            "make room there or name another by TMPDIR"
        )
        for parts in ([bytes(1_500_000)], [bytes(100_000)] * 60):
            refused = sent(*parts)
            assert (refused.status_code, refused.json()["error"]) == (
                507,
                f"what was sent cannot be kept in {disk}: no space left on device; remove jobs, or make room there",
            )
        announced = client.post("/api/analyze", files={"file": ("a.mp4", bytes(1_500_000))})
        assert announced.status_code == 507 and announced.json()["error"].startswith("the disk has no room for 1,5")
        small_disk("size=8m")
        done = final(sent(clip))
        assert done["state"] == "done"
        job = f"/api/jobs/{done['id']}"
        result = client.get(f"{job}/result.json").raise_for_status().content
        # There is room for what is sent, and none for what is made of it.
        small_disk(f"size={shutil.disk_usage(disk).used + len(result) + 8192}")
        for refused in (client.put(f"{job}/result", content=result), client.get(f"{job}/result.html")):
            assert refused.status_code == 507, refused.text
            assert f"cannot write {disk}/" in refused.json()["error"], refused.text
        small_disk("size=8m")
        assert client.put(f"{job}/result", content=result).status_code == 204
        assert client.get(f"{job}/result.html").status_code == 200
    assert list(disk.iterdir()) == []


# ── no permission ────────────────────────────────────────────────────────────


def _as_anybody() -> None:
    """Root may read everything: whoever is, gives that up for the process that is begun."""
    if os.geteuid() == 0:
        drop, overriding, searching = 24, 1, 2
        for capability in (overriding, searching):
            if ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0):
                os._exit(77)


RUN_ALL = """
import json, sys
from click.testing import CliRunner
from emoscribe.cli import main
done = [CliRunner().invoke(main, args) for args in json.load(sys.stdin)]
print(json.dumps([[each.exit_code, each.stderr] for each in done]))
"""


def test_what_may_not_be_read_is_told_as_that(tmp_path: Path, make_media, lines_table: Path, write_csv) -> None:
    if sys.platform != "linux":
        pytest.skip("rights are given up by Linux's means")
    from emoscribe.llm.run import SHIPPED

    video = make_media(tmp_path / "clip.mp4", frame_times_s=np.arange(6) / 30)
    plain = ("analyze", video, "--config", "embedded", "--modalities", "V", "--offline")
    of_table = ("--data", lines_table, "--split", "dev", "--offline", "--out", tmp_path / "report")
    for name in ("locked.mp4", "locked.srt", "locked.yaml", "locked.json", "locked.csv"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0)
    for name in ("folder", "run", "adapter", "base"):
        shutil.copytree(SHIPPED / "meld-minilm", tmp_path / name)
    (tmp_path / "run" / "run.json").chmod(0)
    (tmp_path / "adapter" / "adapter_model.safetensors").chmod(0)
    (tmp_path / "base" / "config.json").write_text("{}")
    (tmp_path / "base" / "adapter_model.safetensors").chmod(0)
    (tmp_path / "table").mkdir()
    (tmp_path / "locked.csv").rename(tmp_path / "table" / "test.csv")
    (tmp_path / "folder").chmod(0)
    asked = {
        "locked.mp4": ("analyze", tmp_path / "locked.mp4", *plain[2:]),
        "folder/clip.mp4": ("analyze", tmp_path / "folder" / "clip.mp4", *plain[2:]),
        "locked.srt": (*plain, "--transcript", tmp_path / "locked.srt"),
        "locked.yaml": ("analyze", video, "--config", tmp_path / "locked.yaml"),
        "folder": (*plain, "--run", tmp_path / "folder"),
        "run/run.json": (*plain, "--run", tmp_path / "run"),
        "folder/out": (*plain, "--out", tmp_path / "folder" / "out"),
        "adapter/adapter_model": ("evaluate", "table", *of_table, "--run", tmp_path / "adapter"),
        "base/adapter_model": (
            *("finetune", "table", "--data", lines_table, "--out", tmp_path / "new"),
            *("--offline", "--set", f"base.id={tmp_path / 'base'}"),
        ),
        "table/test.csv": ("corpus", "table", "--data", tmp_path / "table"),
        "locked.json": ("export", tmp_path / "locked.json"),
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL],
        input=json.dumps([list(map(str, each)) for each in asked.values()]),
        capture_output=True,
        text=True,
        preexec_fn=_as_anybody,
    )
    (tmp_path / "folder").chmod(0o700)
    if done.returncode == 77:
        pytest.skip("this root cannot give its rights up")
    told = dict(zip(asked, json.loads(done.stdout), strict=True))
    for name, (code, said) in told.items():
        last = said.splitlines()[-1]
        assert code == 1, (name, said)
        assert str(tmp_path / name) in last and "permission denied" in last.lower(), (name, last)
        assert "damaged" not in last and "no such" not in last.lower() and "train the run anew" not in last


def test_a_file_among_the_folders_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmoscribeError, match=r"cannot write .*file/a: not a directory"):
        write_text(tmp_path / "file" / "a", "x")
    with (
        pytest.raises(EmoscribeError, match=r"cannot write .*file/.*: not a directory"),
        passing_folder(beside=tmp_path / "file"),
    ):
        pass
