"""Clips that last: read in windows, scored by the frame, decided; and the challenge, which wants every frame."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from emoscribe.core.context import Context
from emoscribe.core.errors import SettingsError
from emoscribe.core.labels import COMPOUND, COMPOUND_OTHER
from emoscribe.core.prompt import Scored
from emoscribe.core.timeline import Clip
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.evaluation.over_time import decided, scores_by_frame, window_clips
from emoscribe.experiments import EvaluationRequest, evaluate, prompts
from emoscribe.extractors.store import CueStore
from emoscribe.extractors.trimming import frame_times_s

HEADER = ["Begin Time - hh:mm:ss.ms", "End Time - hh:mm:ss.ms", *(label.title() for label in COMPOUND_OTHER.labels)]
STRETCHES = [
    ("00:00:01.000", "00:00:05.500", "sadly angry"),
    ("00:00:06.000", "00:00:09.000", "fearfully surprised"),
    ("00:00:12.000", "00:00:18.000", "happily surprised"),
    ("00:00:18.000", "00:00:19.000", "other"),
]


def dashed(label: str) -> str:
    return label.title().replace(" ", "-")


@pytest.fixture(scope="module")
def data(feat_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real video, laid out and annotated as C-EXPR-DB is: crying, shocked, laughing."""
    folder = tmp_path_factory.mktemp("c-expr-db")
    for name in ("videos", "annotation", "folds/split-0"):
        (folder / name).mkdir(parents=True)
    shutil.copy(feat_media / "WolfgangLanger_Pexels.mp4", folder / "videos" / "01.mp4")
    with (folder / "annotation" / "01.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEADER)
        for start, end, label in STRETCHES:
            table.writerow([start, end, *("1" if each == label else "" for each in COMPOUND_OTHER.labels)])
    lines = "".join(f"{dashed(label)}/01_{dashed(label)}_0,0\n" for _, _, label in STRETCHES)
    for name in ("train", "val", "test"):
        (folder / "folds" / "split-0" / f"{name}.txt").write_text(lines if name == "test" else "")
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cues")


def seen(corpus: str, data: Path, out: Path, store: Path, **how):
    """Judged by the face alone: the video is silent."""
    request = EvaluationRequest(CorpusRequest(corpus, data), "test", ("meld-minilm",), modalities=("V",), **how)
    return evaluate(request, out, Context(device="cpu", offline=True, store=CueStore(store)))


# ── windows and frames ───────────────────────────────────────────────────────


def test_windows_cover_a_clip_and_nothing_else() -> None:
    clip = Clip("a", media="a.mp4", start_s=10.0, end_s=13.5, text="words", speaker="Ann")
    windows = window_clips(clip, 60.0, 2.0, 1.0)
    assert [(each.start_s, each.end_s) for each in windows] == [(10, 12), (11, 13), (12, 13.5), (13, 13.5)]
    assert {(each.dialogue, each.text, each.speaker) for each in windows} == {("a", None, "Ann")}
    assert len({each.id for each in windows}) == 4
    whole = window_clips(Clip("b"), 4.0, 2.0, 2.0)
    assert [(each.start_s, each.end_s) for each in whole] == [(0, 2), (2, 4)]


def test_a_clip_without_a_file_is_one_window_with_its_words() -> None:
    (window,) = window_clips(Clip("a", text="words"), None, 2.0, 1.0)
    assert (window.id, window.text) == ("a", "words")


def test_frames_take_the_mean_of_their_windows_and_decide_the_clip() -> None:
    clip = Clip("a", start_s=1.0, end_s=3.0)
    windows = window_clips(clip, 10.0, 1.0, 1.0)
    scores = ({"joy": 0.9, "fear": 0.1}, {"joy": 0.4, "fear": 0.6})
    scored = {each.id: Scored(each.id, row) for each, row in zip(windows, scores, strict=True)}
    times_s = np.array([0.5, 1.0, 1.9, 2.0, 2.5, 2.9, 3.0])
    frames = scores_by_frame(clip, windows, scored, ("joy", "fear"), times_s)
    assert frames.times_s is not None and frames.times_s.tolist() == [1.0, 1.9, 2.0, 2.5, 2.9]
    assert frames.scores[:, 0].tolist() == [0.9, 0.9, 0.4, 0.4, 0.4]
    (voted,) = decided([frames], ("joy", "fear"), "vote")
    assert voted.label == "fear" and voted.scores["fear"] == pytest.approx(0.6)
    (mean,) = decided([frames], ("joy", "fear"), "mean-probability")
    assert mean.label == "joy" and mean.scores["joy"] == pytest.approx(0.6)
    heard = scores_by_frame(clip, windows, scored, ("joy", "fear"), None)
    assert heard.times_s is None and len(heard.scores) == 2


# ── C-EXPR-DB ────────────────────────────────────────────────────────────────


def test_stretches_are_decided_by_their_frames(data: Path, store: Path, tmp_path: Path) -> None:
    found = seen("c-expr-db", data, tmp_path, store, window_s=2.0, hop_s=0.5, decide=["vote", "mean-logit"])
    metrics = json.loads(found.files["metrics.json"].read_text())
    assert set(metrics) == {"meld-minilm[vote]", "meld-minilm[mean-logit]"}
    for measured in metrics.values():
        assert (measured["n"], measured["labels"]) == (3, list(COMPOUND.labels))
    page = found.files["report.md"].read_text()
    assert "Clips without a label, not counted: 1." in page
    assert "windows of 2 s every 0.5 s" in page and "by vote, mean-logit" in page
    assert "gives basic labels" in page
    frames = pq.read_table(found.files["frames.parquet"]).to_pylist()
    assert {row["run"] for row in frames} == {"meld-minilm"}
    times_s = frame_times_s(data / "videos" / "01.mp4")
    for clip, start_s, end_s in (("01_Sadly-Angry_0", 1.0, 5.5), ("01_Happily-Surprised_0", 12.0, 18.0)):
        of_clip = [row for row in frames if row["clip"] == clip]
        assert [row["time_s"] for row in of_clip] == times_s[(times_s >= start_s) & (times_s < end_s)].tolist()
        assert [row["frame"] for row in of_clip] == list(range(len(of_clip)))
        probabilities = [[row[f"p_{label}"] for label in COMPOUND.labels] for row in of_clip]
        np.testing.assert_allclose(np.sum(probabilities, axis=1), 1, atol=1e-5)
        assert [COMPOUND.labels[best] for best in np.argmax(probabilities, axis=1)] == [
            row["predicted"] for row in of_clip
        ]
    with found.files["predictions.csv"].open() as file:
        answers = {(row["run"], row["clip"]): row["predicted"] for row in csv.DictReader(file)}
    assert answers["meld-minilm[vote]", "01_Happily-Surprised_0"] == "happily surprised"


def test_without_windows_a_clip_is_one_moment(data: Path, store: Path, tmp_path: Path) -> None:
    found = seen("c-expr-db", data, tmp_path, store)
    assert set(json.loads(found.files["metrics.json"].read_text())) == {"meld-minilm"}
    assert "frames.parquet" not in found.files and not (tmp_path / "frames.parquet").exists()


def test_prompts_are_those_of_the_windows(data: Path, store: Path) -> None:
    request = EvaluationRequest(CorpusRequest("c-expr-db", data), "test", ("meld-minilm",), modalities=("V",))
    context = Context(offline=True, store=CueStore(store))
    whole = prompts(request, context=context)
    assert [each.id for each in whole] == [f"01_{dashed(label)}_0" for _, _, label in STRETCHES]
    cut = prompts(replace(request, window_s=2.0), limit=1, context=context)
    assert [each.id for each in cut] == [f"01_Sadly-Angry_0 {span}" for span in ("1.00–3.00", "3.00–5.00", "5.00–5.50")]
    assert all("face" in each.text for each in cut)


# ── the challenge ────────────────────────────────────────────────────────────


def test_the_challenge_gets_every_frame_and_no_metrics(data: Path, store: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "videos", tmp_path / "data" / "videos")
    (tmp_path / "data" / "videos" / "02.mp4").write_text("no video")
    found = seen("c-expr-db-challenge", tmp_path / "data", tmp_path / "report", store)
    assert set(found.files) == {"predictions.csv", "report.html", "report.md", "frames.parquet", "submission.txt"}
    assert {path.name for path in (tmp_path / "report").iterdir()} == set(found.files)
    header, *lines = found.files["submission.txt"].read_text().splitlines()
    assert header.startswith("image_location,Fearfully_Surprised")
    frames = pq.read_table(found.files["frames.parquet"]).to_pylist()
    assert len(lines) == len(frames) == len(frame_times_s(data / "videos" / "01.mp4"))
    assert lines == [
        f"01/{number:05}.jpg,{COMPOUND.labels.index(row['predicted'])}" for number, row in enumerate(frames, 1)
    ]
    for page in (found.files["report.md"].read_text(), found.files["report.html"].read_text()):
        assert "There are no labels to compare with" in page
        assert "02.mp4 cannot be decoded" in page.replace("\\_", "_")


# ── what is wrong is said before anything is read ────────────────────────────


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"decide": ["median"], "window_s": 2.0}, "unknown clip decision 'median'; there are: vote, mean-probability"),
        ({"decide": ["vote"]}, "--decide vote needs --window"),
        ({"hop_s": 1.0}, "hop_s needs window_s"),
        ({"window_s": 0.0}, "window_s"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_wrong_windows_are_refused(data: Path, store: Path, tmp_path: Path, how: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        seen("c-expr-db", data, tmp_path / "report", store, **how)
    assert not (tmp_path / "report").exists()
