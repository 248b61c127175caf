"""A store that is reached over HTTP, by Arrow: S3 and Google Cloud Storage, each from a server on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

s3 = pytest.importorskip("moto.server")
google = pytest.importorskip("gcp_storage_emulator.server")


@dataclass(frozen=True)
class Cloud:
    """An object store with one bucket, `cues`.

    Attributes:
        url: with `{}` for what is under it.
        environment: of a process that reaches it, as Arrow finds it.
    """

    url: str
    environment: dict[str, str]

    def run(self, *args: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "emoscribe", *map(str, args)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, encoding="utf-8")
        assert done.returncode == code, done.stderr
        return done


@pytest.fixture(scope="module", params=["s3", "gs"])
def cloud(request) -> Iterator[Cloud]:
    environment = dict(os.environ)
    if request.param == "s3":
        server = s3.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        keys = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
        environment |= keys | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
        bucket = "import boto3; boto3.client('s3').create_bucket(Bucket='cues')"
        subprocess.run([sys.executable, "-c", bucket], env=environment, check=True)
        url = "s3://{}"
    else:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = google.create_server("127.0.0.1", port, in_memory=True, default_bucket="cues")
        server.start()
        url = f"gs://anonymous@{{}}?scheme=http&endpoint_override=127.0.0.1:{port}"
    yield Cloud(url, environment)
    server.stop()


def test_a_corpus_is_extracted_into_a_bucket_and_looked_after_there(cloud: Cloud, example: Path) -> None:
    store = cloud.url.format("cues/talk")
    extract = ("extract", example, "--config", "embedded", "--modalities", "A", "--out", store)
    assert cloud.run(*extract).stdout == "1 of 1 perceived\n"
    listed = cloud.run("store", "ls", store).stdout
    assert "voice" in listed
    cloud.run("store", "verify", store)
    cloud.run("store", "compact", store)
    # What is there is not perceived again.
    cloud.run(*extract)
    assert cloud.run("store", "ls", store).stdout == listed


def test_a_bucket_that_is_not_there_is_a_line(cloud: Cloud) -> None:
    store = cloud.url.format("nowhere/talk")
    told = cloud.run("store", "ls", store, code=1)
    assert told.stderr.startswith(f"emoscribe: {store} is no cue store") and told.stderr.count("\n") == 1
