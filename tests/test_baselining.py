"""The feature-based baseline from corpus to report: sounds, lines, ratings and sets of labels that the tests make."""

from __future__ import annotations

import csv
import json
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from emoscribe.baseline.run import FusionRun
from emoscribe.baseline.settings import BaselineSettings
from emoscribe.cli import main
from emoscribe.core.context import Context
from emoscribe.core.errors import MediaError, SettingsError
from emoscribe.core.files import read_json
from emoscribe.core.labels import COMPOUND
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.experiments import EvaluationRequest, baseline, evaluate
from emoscribe.training.traces import load_traces

PITCH_HZ = {"anger": 1200.0, "neutral": 300.0}
SMALL: dict[str, Any] = {
    "fusion": "unimodal",
    "modalities": "A",
    "features": {"names": ["log-mel"], "rate_hz": 10},
    "labels": "basic",
    "epochs": 8,
    "batch_size": 4,
    "optimizer": {"learning_rate": 0.003},
    "device": "cpu",
}


def settings(**changed: Any) -> BaselineSettings:
    return BaselineSettings.model_validate(SMALL | changed)


def keeping(cues: Path) -> Context:
    """Keeps what was perceived in a folder."""
    from emoscribe.extractors.store import CueStore

    return Context(store=CueStore(cues))


def write_tone(path: Path, hz: float, seconds: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    times_s = np.arange(round(16_000 * seconds)) / 16_000
    samples = 0.3 * np.sin(2 * np.pi * hz * times_s) + 0.02 * rng.standard_normal(len(times_s))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory, write_csv) -> Path:
    """Two labels, told apart by pitch; the last source of train comes back in dev."""
    folder = tmp_path_factory.mktemp("tones")
    for split, count in (("train", 12), ("dev", 6)):
        rows: list[tuple[object, ...]] = [("video", "text", "label", "source")]
        for number in range(count):
            label = list(PITCH_HZ)[number % 2]
            name = f"{split}-{number}.wav"
            write_tone(folder / name, PITCH_HZ[label] * (1 + 0.02 * number), 0.8 + 0.1 * (number % 3), number)
            source = "shared" if number == count - 1 else f"{split}-{number}"
            rows.append((name, "well then", label, source))
        write_csv(folder / f"{split}.csv", *rows)
    return folder


@pytest.fixture(scope="module")
def trained(tones: Path, tmp_path_factory: pytest.TempPathFactory):
    lines: list[str] = []
    out = tmp_path_factory.mktemp("runs") / "pitch"
    (run,) = baseline(
        CorpusRequest("table", tones), out, settings(), context=keeping(out.parent / "cues"), report=lines.append
    )
    return run, lines


def test_a_run_learns_from_sound_and_tells_what_is_doubtful(trained: Any) -> None:
    run, lines = trained
    assert run.metrics["dev"]["accuracy"] == 1.0
    assert lines[0] == "table: 12 clips to train on, 6 to choose by"
    assert any("1 of 6 sources" in line and "flattered" in line for line in lines)
    assert any(line.startswith("epoch 1/8: loss ") for line in lines)
    described = FusionRun.load(run.folder)
    assert (described.task, described.streams, described.label_set) == ("labels", {"log-mel": 64}, "basic")
    assert described.training["clips"] == {"train": 12, "dev": 6}
    assert described.training["labels"] == {"anger": 6, "neutral": 6}
    assert set(load_traces(run.folder)) == {"table train", "table dev"}
    assert {"curves.svg", "settings.json", "model.safetensors", "scaler.safetensors"} <= {
        path.name for path in run.folder.iterdir()
    }


def test_it_is_compared_with_a_run_that_reads_words(trained: Any, tones: Path, tmp_path: Path) -> None:
    run, _ = trained
    found = evaluate(
        EvaluationRequest(CorpusRequest("table", tones), "dev", (run.folder, "meld-minilm"), modalities=("A",)),
        tmp_path,
        context=replace(keeping(run.folder.parent / "cues"), offline=True),
    )
    measured = read_json(found.files["metrics.json"])
    assert measured["pitch"]["accuracy"] == 1.0
    assert measured["pitch"]["cost"]["parameters"] == run.sizes["parameters"]
    assert measured["meld-minilm"]["cost"]["parameters"] > 20e6
    assert all(0 < measured[name]["cost"]["seconds_a_clip"] < 60 for name in measured)
    (pair,) = read_json(found.files["comparison.json"])["pairs"]
    assert {pair["a"], pair["b"]} == {"pitch", "meld-minilm"}
    assert found.train_overlap == ("pitch",)
    assert "What each takes" in found.files["report.html"].read_text(encoding="utf-8")


def test_frames_decide_in_three_ways(trained: Any, tones: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    run, _ = trained
    decisions = ["vote", "mean-probability", "mean-logit"]
    cues = run.folder.parent / "cues"
    found = evaluate(
        EvaluationRequest(CorpusRequest("table", tones), "dev", (run.folder,), window_s=1, decide=decisions),
        tmp_path,
        context=keeping(cues),
    )
    assert set(read_json(found.files["metrics.json"])) == {f"pitch[{decision}]" for decision in decisions}
    frames = pq.read_table(found.files["frames.parquet"])
    # 0.8, 0.9 and 1.0 s at 10 Hz, twice each.
    assert frames.num_rows == 2 * (8 + 9 + 10)


def test_basic_answers_become_compound_ones_in_every_frame(trained: Any, tmp_path: Path) -> None:
    """There are seven of either, so that their number tells nothing."""
    import pyarrow.parquet as pq

    run, _ = trained
    (tmp_path / "videos").mkdir()
    write_tone(tmp_path / "videos" / "01.mp4", PITCH_HZ["anger"], 1.0, 0)
    found = evaluate(
        EvaluationRequest(CorpusRequest("c-expr-db-challenge", tmp_path), "test", (run.folder,)), tmp_path / "report"
    )
    frames = pq.read_table(found.files["frames.parquet"]).to_pylist()
    with found.files["predictions.csv"].open(encoding="utf-8") as file:
        (answer,) = csv.DictReader(file)
    # Of a voice that is plainly angry, what has anger in it.
    angry = {label for label, parts in (COMPOUND.parts or {}).items() if "anger" in parts}
    assert {frame["predicted"] for frame in frames} <= angry and answer["predicted"] in angry
    # Both share the anger, which as an answer of its own would leave nothing to the others.
    surprised, sad = (sum(frame[f"p_{of}"] for frame in frames) for of in ("angrily surprised", "sadly angry"))
    assert 0.7 < surprised / sad < 1.4


def test_what_is_trained_is_not_trained_again(trained: Any, tones: Path) -> None:
    run, _ = trained
    cues = run.folder.parent / "cues"
    with pytest.raises(SettingsError, match="holds a run already; --resume goes on with it"):
        baseline(CorpusRequest("table", tones), run.folder, settings(), context=keeping(cues))
    with pytest.raises(SettingsError, match=r"cannot be resumed: .* \(settings\.epochs: 8, now 9\)"):
        baseline(CorpusRequest("table", tones), run.folder, settings(epochs=9), context=keeping(cues), resume=True)
    lines: list[str] = []
    (again,) = baseline(
        CorpusRequest("table", tones), run.folder, settings(), context=keeping(cues), resume=True, report=lines.append
    )
    assert lines[-1].endswith("is trained to its end already") and again.metrics == run.metrics


def test_several_seeds_and_their_spread_from_the_command_line(trained: Any, tones: Path, tmp_path: Path) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(json.dumps(SMALL | {"epochs": 2}))
    command = ["baseline", "table", "--data", str(tones), "--out", str(tmp_path / "runs"), "--config", str(config)]
    command += ["--cues", str(trained[0].folder.parent / "cues"), "--seed", "1", "--seed", "2", "--offline"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    spread = read_json(tmp_path / "runs" / "seeds.json")
    reached = [FusionRun.load(tmp_path / "runs" / f"seed-{seed}").metrics["dev"]["macro_f1"] for seed in (1, 2)]
    assert spread["dev"]["macro_f1"]["mean"] == pytest.approx(np.mean(reached))
    assert spread["dev"]["macro_f1"]["sd"] == pytest.approx(np.std(reached, ddof=1))
    assert "2 seeds: " in done.output and f"→ {tmp_path / 'runs' / 'seed-2'}: epoch " in done.output


def test_what_a_corpus_has_nothing_of_is_left_out_and_said(tones: Path, trained: Any, tmp_path: Path) -> None:
    cues, lines = trained[0].folder.parent / "cues", []
    both = settings(
        modalities="VA", fusion="late-fusion", epochs=1, features={"names": ["face-measures", "log-mel"], "rate_hz": 10}
    )
    (run,) = baseline(CorpusRequest("table", tones), tmp_path / "run", both, context=keeping(cues), report=lines.append)
    assert "table has nothing of face-measures: left out" in lines
    assert dict(run.streams) == {"log-mel": 64}
    seen = settings(modalities="V", features={"names": ["face-measures"], "rate_hz": 10})
    with pytest.raises(SettingsError, match="table has nothing of face-measures; choose other features"):
        baseline(CorpusRequest("table", tones), tmp_path / "nothing", seen, context=keeping(cues))
    assert not (tmp_path / "nothing").exists()


# ── ratings and sets ─────────────────────────────────────────────────────────


def words(tiny_bert: Path, **changed: Any) -> BaselineSettings:
    features = {"names": ["token-embeddings"], "rate_hz": 4, "weights": {"token-embeddings": str(tiny_bert)}}
    return settings(modalities="T", features=features, labels=None, epochs=8, **changed)


def test_ratings_of_lines(tiny_bert: Path, tmp_path: Path, write_csv) -> None:
    """CH-SIMS' own table, in English; no videos."""
    columns = ("video_id", "clip_id", "text", "label", "label_T", "label_A", "label_V", "annotation", "mode")
    said = {"what a great happy day": 0.8, "awful , awful you": -0.8}
    rows = [
        (f"v{mode}{i}", "1", text, rating, rating, 0, 0, "", mode)
        for mode, count in (("train", 4), ("valid", 2), ("test", 3))
        for i in range(count)
        for text, rating in [list(said.items())[i % 2]]
    ]
    write_csv(tmp_path / "label.csv", columns, *rows)
    (run,) = baseline(CorpusRequest("ch-sims", tmp_path), tmp_path / "run", words(tiny_bert))
    assert (run.task, run.labels, run.metrics["selected_on"]) == ("number", (), "mae")
    found = evaluate(EvaluationRequest(CorpusRequest("ch-sims", tmp_path), "test", (run.folder,)), tmp_path / "report")
    measured = read_json(found.files["metrics.json"])["run"]
    assert measured["n"] == 3 and measured["mae"] < 0.8 and measured["accuracy_2"] == 1.0
    with pytest.raises(SettingsError, match="runs that answer in different kinds cannot be compared"):
        evaluate(
            EvaluationRequest(CorpusRequest("ch-sims", tmp_path), "test", (run.folder, "meld-minilm")),
            tmp_path / "both",
        )
    (signs,) = baseline(CorpusRequest("ch-sims", tmp_path), tmp_path / "signs", words(tiny_bert, task="polarity"))
    other = tmp_path / "mosei"
    other.mkdir()
    lines = [(f"v{i}", i, text, 3 * rating, "test") for i, (text, rating) in enumerate(said.items())]
    write_csv(other / "label.csv", ("video_id", "clip_id", "text", "label", "mode"), *lines)
    # What a corpus calls the same is found by the labels, and ratings are brought to its scale.
    found = evaluate(
        EvaluationRequest(CorpusRequest("cmu-mosei", other), "test", (signs.folder,)), tmp_path / "elsewhere"
    )
    assert read_json(found.files["metrics.json"])["signs"]["n"] == 2
    found = evaluate(EvaluationRequest(CorpusRequest("cmu-mosei", other), "test", (run.folder,)), tmp_path / "scaled")
    assert measured["mae"] < read_json(found.files["metrics.json"])["run"]["mae"] < 3 * 0.8
    assert "brought to -3 to 3 in proportion" in found.files["report.md"].read_text(encoding="utf-8")
    write_csv(other / "test.csv", ("text", "label"), ("well then", "joy"), ("no", "anger"))
    with pytest.raises(MediaError, match=r"test\.csv, row 1 .*: expected a rating, got 'joy'"):
        evaluate(EvaluationRequest(CorpusRequest("table", other), "test", (run.folder,)), tmp_path / "no")


def test_any_number_of_emotions_a_line(tiny_bert: Path, tmp_path: Path, write_csv) -> None:
    """CMU-MOSEI as its label tables have it: joy, disgust with anger, or nothing."""
    emotions = ("happy", "sad", "anger", "surprise", "disgust", "fear")
    said = {"what a great happy day": {"happy"}, "awful , awful you": {"anger", "disgust"}, "a train at noon": set()}
    header = ("video", "start_time", "end_time", "sentiment", *emotions, "text", "ASR")
    for split, count in (("Train", 6), ("Val", 3), ("Test", 3)):
        rows = [
            (f"{split}{i}", 0, 2, 0, *(float(emotion in present) for emotion in emotions), text, "")
            for i in range(count)
            for text, present in [list(said.items())[i % 3]]
        ]
        write_csv(tmp_path / f"Data_{split}_modified.csv", header, *rows)
    (run,) = baseline(CorpusRequest("cmu-mosei", tmp_path), tmp_path / "run", words(tiny_bert))
    assert run.task == "label-sets" and len(run.thresholds) == len(run.labels) == 6
    found = evaluate(
        EvaluationRequest(CorpusRequest("cmu-mosei", tmp_path), "test", (run.folder,)), tmp_path / "report"
    )
    measured = read_json(found.files["metrics.json"])["run"]
    assert measured["macro_f1"] == 1.0 and measured["none"]["true"] == 1
    assert {label: each["support"] for label, each in measured["per_class"].items() if each["support"]} == {
        "happy": 1,
        "anger": 1,
        "disgust": 1,
    }
