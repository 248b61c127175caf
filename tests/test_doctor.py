"""What configs need, and getting it: from a real server on this machine, with real checkpoints."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from emoscribe import doctor
from emoscribe.cli import main
from emoscribe.core import downloads
from emoscribe.core.context import Context, gpu_is_here
from emoscribe.core.errors import EmoscribeError, SettingsError, UnavailableError
from emoscribe.core.settings import shipped_configs
from emoscribe.core.weights import FOLDERS_VARIABLE, find_base, weights_sha256
from emoscribe.doctor import needs
from emoscribe.extractors.face import pyfeat_weights as face_pyfeat_weights
from emoscribe.extractors.registry import choose
from emoscribe.extractors.settings import SpeechSettings
from emoscribe.extractors.speech import whisper as speech_whisper

BASE = "someone/tiny"
OFFLINE = Context(offline=True)
COMMIT = "c" * 40


class Hub(ThreadingHTTPServer):
    """Answers what `huggingface_hub` asks of a hub about models in a folder, and gives plain files.

    Attributes:
        got: paths of the files that were given.
        refused: names of files that are not given although they are listed.
        spoilt: names of files of which something else is given.
        cut: names of files of which only the first half is given.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.folder = folder
        self.got: list[str] = []
        self.refused: set[str] = set()
        self.spoilt: set[str] = set()
        self.cut: set[str] = set()
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path.strip("/")
        if path.startswith("api/models/"):
            organisation, name, *rest = path.removeprefix("api/models/").split("/")
            self._tell(self.server.folder / organisation / name, tree=rest[:1] == ["tree"])
        else:
            self._give(self.server.folder / path.replace(f"/resolve/{COMMIT}/", "/").replace("/resolve/main/", "/"))

    def _tell(self, model: Path, tree: bool) -> None:
        if not model.is_dir():
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        files = [path for path in sorted(model.rglob("*")) if path.is_file()]
        entries = [self._entry(path, str(path.relative_to(model)), "path" if tree else "rfilename") for path in files]
        self._send(json.dumps(entries if tree else {"id": BASE, "sha": COMMIT, "siblings": entries}).encode())

    def _entry(self, path: Path, name: str, key: str) -> dict:
        entry = {"type": "file", key: name, "size": path.stat().st_size, "oid": etag(path), "blobId": etag(path)}
        if path.suffix == ".safetensors":
            entry["lfs"] = {"oid": etag(path), "sha256": etag(path), "size": path.stat().st_size, "pointerSize": 134}
        return entry

    def _give(self, path: Path) -> None:
        if not path.is_file() or (path.name in self.server.refused and self.command == "GET"):
            self.send_error(403 if path.is_file() else 404)
            return
        content = path.read_bytes()
        if path.name in self.server.spoilt:
            content = content[::-1]
        if self.command == "GET":
            self.server.got.append(path.name)
        self._send(content, etag(path), half=path.name in self.server.cut)

    def _send(self, content: bytes, tag: str = "", *, half: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{tag}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[: len(content) // 2] if half else content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def etag(path: Path) -> str:
    """As the hub names a file's content: large files by their SHA-256, others as git does."""
    content = path.read_bytes()
    if path.suffix == ".safetensors":
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def set_endpoint(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """What `HF_ENDPOINT` does where it is set before the hub's library is imported."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def machine(no_carried_models: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which no weights are, and nothing can be reached."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    set_endpoint(monkeypatch, "http://127.0.0.1:9")
    monkeypatch.setenv(face_pyfeat_weights.CACHE_VARIABLE, str(tmp_path / "feat"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for variable in (FOLDERS_VARIABLE, "FEAT_MULTITASK_WEIGHTS"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.fixture
def hub(machine: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The network is there: it has `someone/tiny` in several shards, and py-feat's weights."""
    import torch
    from safetensors.torch import save_file
    from transformers import BertModel

    folder = machine / "served"
    model = folder / BASE
    BertModel.from_pretrained(tiny_bert).save_pretrained(model, max_shard_size="30KB")
    (model / "tokenizer.json").write_bytes((tiny_bert / "tokenizer.json").read_bytes())
    (model / "pytorch_model.bin").write_bytes(b"the same weights as pickle")
    for repository, name in (face_pyfeat_weights.DETECTOR, face_pyfeat_weights.RATER):
        (folder / repository).mkdir(parents=True)
        save_file({"weight": torch.rand(64)}, folder / repository / name)
    with Hub(folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        set_endpoint(monkeypatch, server.url)
        yield server
        server.shutdown()


@pytest.fixture
def whisper_tiny(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The served checkpoint of Whisper's size `tiny`: as many layers and heads, but narrow ones."""
    import torch
    import whisper

    dims = whisper.ModelDimensions(
        n_mels=80, n_audio_ctx=1500, n_audio_state=12, n_audio_head=6, n_audio_layer=4,
        n_vocab=51865, n_text_ctx=16, n_text_state=12, n_text_head=6, n_text_layer=4,
    )  # fmt: skip
    path = hub.folder / "tiny.pt"
    torch.save({"dims": vars(dims), "model_state_dict": whisper.model.Whisper(dims).state_dict()}, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    (hub.folder / sha256).mkdir()
    path = path.rename(hub.folder / sha256 / "tiny.pt")
    monkeypatch.setitem(whisper._MODELS, "tiny", f"{hub.url}/{sha256}/tiny.pt")
    return path


def write_config(folder: Path, **sections: object) -> str:
    path = folder / "mine.yaml"
    path.write_text(json.dumps(sections))
    return str(path)


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith((".partial", ".incomplete"))]


def fetched(config: str) -> list[str]:
    return list(doctor.fetch(config, lambda stage, done: None))


# ── what configs need ────────────────────────────────────────────────────────


def test_every_config_that_ships_has_a_line(machine: Path) -> None:
    lines = list(doctor.examine(offline=True))
    for name in shipped_configs():
        (line,) = (line for line in lines if line.startswith((f"✓ {name} ", f"✗ {name} ")))
        assert "ready" in line or "lacks" in line


def test_embedded_needs_nothing_that_is_not_installed(machine: Path, landmarker_models: None) -> None:
    lines, ready = doctor.examine_config("embedded")
    assert ready
    assert lines[: lines.index("")] == [
        "✗ Whisper base: not on this machine; until then PocketSphinx, which mishears much",
        "✗ Whisper tiny.en: not on this machine; until then PocketSphinx, which mishears much",
        "✓ PocketSphinx",
        "✓ LiteRT",
        "✓ mediapipe/face_landmarker",
        "✓ mediapipe/face_detection_full_range_sparse",
        "✓ fer/emotion_model",
        "✓ openSMILE",
        "✓ 3D-Speaker/campplus-common",
        "✓ sentence-transformers/all-MiniLM-L6-v2",
    ]
    assert lines[-1].strip() == "emoscribe doctor --fetch embedded"


def test_a_big_model_lacks_much_and_says_how_to_get_it(machine: Path) -> None:
    lines, ready = doctor.examine_config("meld-llama3-8b")
    assert not ready
    assert {"✗ Whisper turbo: not downloaded", "✗ py-feat's weights: not downloaded"} <= set(lines)
    assert "✗ meta-llama/Meta-Llama-3-8B: not downloaded" in lines
    assert "  emoscribe doctor --fetch meld-llama3-8b" in lines
    if not gpu_is_here():
        assert any(line.startswith("✗ an NVIDIA GPU") for line in lines)


def test_what_auto_makes_do_with_is_ready(machine: Path) -> None:
    config = write_config(machine, speech={"device": "cpu"}, face={"device": "cpu"})
    lines, ready = doctor.examine_config(config)
    assert ready
    assert lines[0] == "✗ Whisper base: not on this machine; until then PocketSphinx, which mishears much"
    german = write_config(machine, speech={"device": "cpu", "language": "de"}, modalities="T")
    assert not doctor.examine_config(german)[1]


def test_corpora_bring_the_words_for_a_model_of_words_alone(machine: Path) -> None:
    config = write_config(machine, base={"id": BASE}, modalities="T", speech={"engine": "whisper"})
    assert [need.name for need in needs.needs_of(config)] == [BASE]


def test_a_file_that_is_no_config_of_either_kind(machine: Path) -> None:
    config = write_config(machine, speach={"engine": "whisper"})
    with pytest.raises(SettingsError, match="unknown key 'speach'; did you mean 'speech'"):
        needs.needs_of(config)
    config = write_config(machine, base={"id": BASE}, hed={})
    with pytest.raises(
        SettingsError, match=r"neither of analyze \(.*'base'.*\) nor of finetune \(.*'hed'; did you mean"
    ):
        needs.needs_of(config)
    with pytest.raises(SettingsError, match="no config 'no-such'"):
        needs.needs_of("no-such")


# ── fetching ─────────────────────────────────────────────────────────────────


def test_fetched_once_and_usable_offline(hub: Hub, whisper_tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write_config(
        hub.folder.parent,
        base={"id": BASE},
        modalities="TV",
        speech={"engine": "whisper", "model": "tiny", "device": "cpu"},
        face={"engine": "py-feat", "device": "cpu"},
    )
    assert not doctor.examine_config(config)[1]
    told: dict[str, list[float]] = {}
    lines = list(doctor.fetch(config, lambda stage, done: told.setdefault(stage, []).append(done)))
    assert lines == [
        line
        for name in ("Whisper tiny", "py-feat's weights", BASE)
        for line in (f"… {name}: fetching", f"✓ {name}: fetched")
    ]
    assert set(told) == {"Whisper tiny", "py-feat's weights", BASE}
    for done in told.values():
        assert done == sorted(done) and done[-1] == 1.0

    given = list(hub.got)
    assert fetched(config) == [f"✓ {name}: here" for name in ("Whisper tiny", "py-feat's weights", BASE)]
    assert hub.got == given and len(given) == len(set(given)) and "pytorch_model.bin" not in given

    hub.shutdown()
    hub.server_close()
    set_endpoint(monkeypatch, "http://127.0.0.1:9")
    assert doctor.examine_config(config)[1]
    from transformers import AutoModel

    folder = find_base(BASE, weights_sha256(hub.folder / BASE), OFFLINE)
    assert AutoModel.from_pretrained(folder).num_parameters() > 0
    settings, _ = choose("speech", SpeechSettings(engine="whisper", model="tiny", device="cpu"), OFFLINE)
    speech_whisper.Whisper(settings, OFFLINE).close()
    served = {name: hub.folder / repository / name for repository, name in FEAT}
    assert face_pyfeat_weights.find_weights().sha256() == {
        "detector": etag(served[FEAT[0][1]]),
        "rater": etag(served[FEAT[1][1]]),
    }


FEAT = (face_pyfeat_weights.DETECTOR, face_pyfeat_weights.RATER)


def test_what_breaks_off_is_not_there_and_goes_on_later(hub: Hub, machine: Path) -> None:
    config = write_config(machine, base={"id": BASE}, modalities="T")
    shards = sorted(path.name for path in (hub.folder / BASE).glob("*.safetensors"))
    assert len(shards) > 2
    hub.refused.add(shards[-1])
    with pytest.raises(UnavailableError, match=r"does not give someone/tiny \(HTTP 403\)"):
        fetched(config)
    assert not leftovers(machine)
    with pytest.raises(UnavailableError, match="is not on this machine"):
        find_base(BASE, context=OFFLINE)
    hub.refused.clear()
    fetched(config)
    assert sorted(hub.got) == sorted(set(hub.got))
    assert find_base(BASE, weights_sha256(hub.folder / BASE), OFFLINE)


def test_what_cannot_be_had_does_not_keep_the_rest_from_coming(hub: Hub, machine: Path, whisper_tiny: Path) -> None:
    config = write_config(
        machine, base={"id": BASE}, modalities="TV", speech={"engine": "whisper", "model": "tiny", "device": "cpu"},
        face={"engine": "py-feat", "device": "cpu"},
    )  # fmt: skip
    hub.refused.add(FEAT[0][1])
    lines: list[str] = []
    with pytest.raises(UnavailableError, match=r"py-feat: its weights cannot be fetched"):
        lines.extend(doctor.fetch(config, lambda stage, done: None))
    assert find_base(BASE, weights_sha256(hub.folder / BASE), OFFLINE)


def test_a_tokenizer_that_is_not_what_was_published_is_thrown_away(hub: Hub, machine: Path) -> None:
    """Small files have no SHA-256 on the hub; git's name for their content it tells."""
    hub.spoilt.add("tokenizer.json")
    with pytest.raises(UnavailableError, match=r"sent for tokenizer\.json is not what was published; try again"):
        find_base(BASE)
    assert not list((machine / "hub").rglob("tokenizer.json"))
    hub.spoilt.clear()
    assert find_base(BASE, weights_sha256(hub.folder / BASE))


def test_a_shard_that_is_not_what_was_published_is_thrown_away(hub: Hub, machine: Path) -> None:
    shard = sorted(path.name for path in (hub.folder / BASE).glob("*.safetensors"))[0]
    hub.spoilt.add(shard)
    with pytest.raises(UnavailableError, match=f"sent for {shard} is not what was published; try again"):
        find_base(BASE)
    assert not list((machine / "hub").rglob(shard))
    hub.spoilt.clear()
    assert find_base(BASE, weights_sha256(hub.folder / BASE))


@pytest.mark.parametrize(("how", "words"), [("cut", "broke off at 50%"), ("spoilt", "is not what was published")])
def test_a_checkpoint_that_does_not_arrive_whole(
    hub: Hub, whisper_tiny: Path, machine: Path, how: str, words: str
) -> None:
    getattr(hub, how).add("tiny.pt")
    with pytest.raises(UnavailableError, match=words):
        speech_whisper.fetch("tiny")
    assert not speech_whisper.on_disk("tiny") and not leftovers(machine)


def test_half_a_checkpoint_is_fetched_again(hub: Hub, whisper_tiny: Path, machine: Path) -> None:
    kept = machine / "cache" / "whisper" / "tiny.pt"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(whisper_tiny.read_bytes()[:1000])
    speech_whisper.fetch("tiny")
    assert kept.read_bytes() == whisper_tiny.read_bytes()


def test_a_repository_that_the_hub_does_not_have(hub: Hub) -> None:
    with pytest.raises(UnavailableError, match=r"does not give someone/else \(HTTP 404\).*`hf auth login`"):
        find_base("someone/else")
    (hub.folder / "someone" / "pickled").mkdir()
    (hub.folder / "someone" / "pickled" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UnavailableError, match=r"someone/pickled has no \*\.safetensors weights"):
        find_base("someone/pickled")


def test_more_than_the_disk_holds(tmp_path: Path) -> None:
    with pytest.raises(EmoscribeError, match=r"^1000000000\.0 GB are to be downloaded, and .* has room for"):
        downloads.require_room(tmp_path / "not" / "yet", 10**18)


# ── no network ───────────────────────────────────────────────────────────────


def test_a_host_that_never_answers_is_not_waited_for(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert downloads.TIMEOUT_S <= 3
    monkeypatch.setattr(downloads, "TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        set_endpoint(monkeypatch, url)
        assert downloads.status(f"{url}/base.pt") is None
        with pytest.raises(UnavailableError, match="the model hub cannot be reached"):
            downloads.ask_hub(BASE)


def test_a_host_that_refuses_is_heard(hub: Hub, whisper_tiny: Path) -> None:
    hub.refused.add("tiny.pt")
    assert downloads.status(f"{hub.url}/{whisper_tiny.parent.name}/tiny.pt") == 200
    assert downloads.status(f"{hub.url}/none.pt") == 404


def test_the_command(hub: Hub, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write_config(machine, base={"id": BASE}, modalities="T")
    usage = CliRunner().invoke(main, ["doctor", "--fetch"])
    assert usage.exit_code == 2
    lacking = CliRunner().invoke(main, ["doctor", config])
    assert (lacking.exit_code, lacking.stdout.splitlines()[0]) == (1, f"✗ {BASE}: not downloaded")

    # As it is run: what is to be asked and where things are kept is in the environment.
    home = machine / "home"
    variables = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "XDG_CACHE_HOME": str(home)}
    there = subprocess.run(
        [sys.executable, "-m", "emoscribe", "doctor", "--fetch", config],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )
    assert (there.returncode, there.stdout) == (0, f"… {BASE}: fetching\n✓ {BASE}: fetched\n"), there.stderr
    assert there.stderr == ""

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "hub"))
    set_endpoint(monkeypatch, "http://127.0.0.1:9")
    ready = CliRunner().invoke(main, ["doctor", config])
    assert (ready.exit_code, ready.stdout) == (0, f"✓ {BASE}\n")


def test_without_a_network_it_is_said_in_a_line(machine: Path) -> None:
    config = write_config(machine, base={"id": BASE}, modalities="T")
    away = CliRunner().invoke(main, ["doctor", "--fetch", config])
    assert away.exit_code == 1 and away.stderr.count("\n") == 1
    assert "the model hub cannot be reached; get it with: hf download someone/tiny" in away.stderr
