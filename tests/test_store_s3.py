"""A store in an object store that is reached over HTTP, by Arrow."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

moto = pytest.importorskip("moto.server")

# Only of this server; Arrow finds them as it finds those of a user.
KNOWN = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """What tells a process where the server is."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield dict(os.environ) | KNOWN | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    server.stop()


def run(environment: dict[str, str], *args: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "emoscribe", *map(str, args)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == code, done.stderr
    return done


def test_a_corpus_is_extracted_into_a_bucket_and_looked_after_there(environment, example: Path, tmp_path: Path) -> None:
    bucket = "import boto3; boto3.client('s3').create_bucket(Bucket='cues')"
    subprocess.run([sys.executable, "-c", bucket], env=environment, check=True)
    extract = ("extract", example, "--config", "embedded", "--modalities", "A", "--out", "s3://cues/talk")
    assert run(environment, *extract).stdout == "1 of 1 perceived\n"
    listed = run(environment, "store", "ls", "s3://cues/talk").stdout
    assert "voice" in listed
    run(environment, "store", "verify", "s3://cues/talk")
    run(environment, "store", "compact", "s3://cues/talk")
    # What is there is not perceived again.
    run(environment, *extract)
    assert run(environment, "store", "ls", "s3://cues/talk").stdout == listed


def test_a_bucket_that_is_not_there_is_a_line(environment) -> None:
    told = run(environment, "store", "ls", "s3://nowhere/talk", code=1)
    assert told.stderr.startswith("emoscribe: s3://nowhere/talk is no cue store") and told.stderr.count("\n") == 1
