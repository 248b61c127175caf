"""BLEMORE: blends in their shares, folds by actor, a test split without labels; and a run measured on it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from emoscribe.commands.evaluate import command
from emoscribe.core.context import Context
from emoscribe.core.errors import MediaError, SettingsError
from emoscribe.core.labels import BLEND
from emoscribe.corpora.blemore import BLENDS, PRESENT
from emoscribe.corpora.corpus import Corpus, CorpusRequest
from emoscribe.corpora.registry import read_corpus
from emoscribe.experiments import EvaluationRequest, evaluate
from emoscribe.extractors.store import CueStore

from .fixtures.runs import write_rows

HEADER = ["filename", "video_id", "mix", "emotion_1", "emotion_2", "emotion_1_salience", "emotion_2_salience", "fold"]
SINGLE = ["A1_ang_int1_ver1", "A1", 0, "ang", "", "", "", 0]
NEUTRAL = ["A2_neu_sit1_ver1", "A2", 0, "neu", "", "", "", 1]
LESS = ["A1_mix_disg_hap_30_70_ver1", "A1", 1, "disg", "hap", 30.0, 70.0, 0]
EVEN = ["A3_mix_sad_fea_50_50_ver1", "A3", 1, "sad", "fea", "50", "50", 2]
ROWS = [SINGLE, NEUTRAL, LESS, EVEN]


def write(data: Path, rows: list[list] = ROWS, name: str = "train_metadata.csv") -> Path:
    write_rows(data / name, HEADER, *rows)
    return data


def read(data: Path, **asked) -> Corpus:
    return read_corpus(CorpusRequest("blemore", data, **asked))


def test_a_blend_is_a_label_and_as_a_set_what_is_there(tmp_path: Path) -> None:
    write(tmp_path)
    targets = {clip.id: clip.target for clip in read(tmp_path).clips}
    assert targets == {
        "A1_ang_int1_ver1": "anger",
        "A2_neu_sit1_ver1": "neutral",
        "A1_mix_disg_hap_30_70_ver1": "70 % joy + 30 % disgust",
        "A3_mix_sad_fea_50_50_ver1": "50 % fear + 50 % sadness",
    }
    assert len(BLENDS.labels) == 6 + 3 * 10 and set(BLENDS.labels) < set(BLEND.labels)
    sets = {clip.id: clip.target for clip in read(tmp_path, task="emotions").clips}
    assert sets["A1_mix_disg_hap_30_70_ver1"] == {"joy", "disgust"} and sets["A1_ang_int1_ver1"] == {"anger"}
    assert read(tmp_path, task="emotions").label_set == PRESENT


def test_a_fold_is_dev_and_no_actor_is_in_two(tmp_path: Path) -> None:
    write(tmp_path)
    for fold, actors in ((0, {"A1"}), (1, {"A2"}), (2, {"A3"})):
        corpus = read(tmp_path, fold=fold)
        assert {clip.speaker for clip in corpus.split("dev")} == actors
        assert {clip.source for clip in corpus.split("train")}.isdisjoint(f"blemore-{actor}" for actor in actors)
    with pytest.raises(SettingsError, match="fold 5 of blemore is not there: published folds are 0 to 4"):
        read(tmp_path, fold=5)


def test_nobody_speaks_and_a_recording_is_found_anywhere(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "train" / "part 2").mkdir(parents=True)
    video = tmp_path / "train" / "part 2" / "A1_ang_int1_ver1.mov"
    for path in (video, video.with_suffix(".wav")):
        path.touch()
    clips = {clip.id: clip for clip in read(tmp_path).clips}
    assert clips["A1_ang_int1_ver1"].media == str(video)
    assert {clip.text for clip in clips.values()} == {""}
    assert read(tmp_path).missing["A2_neu_sit1_ver1"].endswith("A2_neu_sit1_ver1.mov")


def test_test_has_labels_where_they_are_known(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(MediaError, match=r"no .*test_metadata\.csv nor test_0001\.mov …; get train_metadata\.csv"):
        read(tmp_path, splits=("test",))
    for number in (2, 1):
        (tmp_path / f"test_000{number}.mov").touch()
    assert [(clip.id, clip.target, clip.source) for clip in read(tmp_path).split("test")] == [
        ("test_0001", None, None), ("test_0002", None, None),
    ]  # fmt: skip
    # Whose actor is unknown cannot be kept apart from others.
    with pytest.raises(SettingsError, match="5 folds by source need as many sources, and there are 3"):
        read(tmp_path, folds="source")
    write(tmp_path, [["test_0001", "A9", 0, "hap", "", "", "", ""]], "test_metadata.csv")
    assert [(clip.id, clip.target) for clip in read(tmp_path).split("test")] == [("test_0001", "joy")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            [*SINGLE[:3], "bored", *SINGLE[4:]],
            r"row 1 \(line 2\), column 'emotion_1': expected one of ang, .*'bored'",
        ),
        ([*LESS[:5], 40, 60, 0], r"expected two emotions at 50/50, 70/30 or 30/70, got 40 % disgust and 60 % joy"),
        ([*LESS[:4], "neu", 50, 50, 0], r"got 50 % disgust and 50 % neutral"),
        ([*LESS[:5], "", "", 0], r"got nan % disgust and nan % joy"),
        ([*SINGLE[:-1], ""], r"column 'fold': expected a whole number"),
    ],
)
def test_a_row_that_cannot_be_is_named(tmp_path: Path, row: list, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        read(write(tmp_path, [row]))


# ── a run on it ──────────────────────────────────────────────────────────────


@pytest.fixture
def smiles(tmp_path: Path, feat_media: Path, landmarker_models: None) -> Path:
    """Somebody smiles, in two recordings of one fold and two for test; the others have no file."""
    data = tmp_path / "BLEMORE"
    data.mkdir()
    joy = ["A4_hap_int1_ver1", "A4", 0, "hap", "", "", "", 4]
    mixed = ["A4_mix_hap_sad_70_30_ver1", "A4", 1, "hap", "sad", 70, 30, 4]
    write(data, [*ROWS, joy, mixed])
    for name in (joy[0], mixed[0], "test_0001", "test_0002"):
        shutil.copy(feat_media / "single_face.jpg", data / f"{name}.mov")
    return data


def test_a_basic_run_answers_with_blends(smiles: Path, tmp_path: Path) -> None:
    asked = ["blemore", "--data", smiles, "--fold", 4, "--run", "meld-minilm", "--modalities", "V"]
    asked += ["--cues", tmp_path / "cues", "--offline"]
    done = CliRunner().invoke(
        command, [*map(str, asked), "--split", "dev", "--out", str(tmp_path / "dev")], obj=False, catch_exceptions=False
    )
    assert done.exit_code == 0 and done.stdout.startswith("meld-minilm  presence accuracy 0.500  salience accuracy ")
    entry = json.loads((tmp_path / "dev" / "metrics.json").read_text())["meld-minilm"]
    assert entry["labels"] == list(BLENDS.labels) and {"presence_accuracy", "salience_accuracy"} < set(entry)
    page = (tmp_path / "dev" / "report.md").read_text(encoding="utf-8")
    assert "meld-minilm gives basic labels: its score for a blemore one is put together from its parts" in page
    assert "Blends of meld-minilm begin at the default thresholds: presence 0.15, balance 0.4" in page
    with (tmp_path / "dev" / "predictions.csv").open(encoding="utf-8") as table:
        assert {row["predicted"] for row in csv.DictReader(table)} == {"joy"}
    fitted = json.loads((tmp_path / "dev" / "blends.json").read_text())["meld-minilm"]
    assert set(fitted) == {"presence", "balance", "presence_accuracy", "salience_accuracy"}

    # Of a test split without labels nothing is measured, and nothing fitted.
    (tmp_path / "blends.json").write_text(json.dumps({"meld-minilm": fitted | {"presence": 0.002}}))
    answered = CliRunner().invoke(
        command,
        [*map(str, asked), "--blends", str(tmp_path / "blends.json"), "--out", str(tmp_path / "test")],
        obj=False,
        catch_exceptions=False,
    )
    assert answered.exit_code == 0, answered.output
    assert {path.name for path in (tmp_path / "test").iterdir()} == {
        *("predictions.csv", "report.html", "report.md", "submission.json")
    }
    with (tmp_path / "test" / "predictions.csv").open(encoding="utf-8") as table:
        (smile,) = {row["predicted"] for row in csv.DictReader(table)}
    assert smile.startswith("70 % joy + 30 % ")
    page = (tmp_path / "test" / "report.md").read_text(encoding="utf-8")
    assert "Blends of meld-minilm begin at thresholds given: presence 0.002, balance" in page
    submission = json.loads((tmp_path / "test" / "submission.json").read_text())["predictions"]
    assert set(submission) == {"test_0001.mov", "test_0002.mov"}
    more, less = submission["test_0001.mov"]
    assert more == {"emotion": "hap", "salience": 70} and less["salience"] == 30


def test_thresholds_are_fitted_to_dev_alone(smiles: Path, tmp_path: Path) -> None:
    """And are told apart by the signals that were read."""
    write(smiles, [["test_0001", "A9", 0, "hap", "", "", "", ""]], "test_metadata.csv")
    context = Context(device="cpu", offline=True, store=CueStore(tmp_path / "cues"))

    def report(split: str, blends: Path | None = None) -> set[str]:
        request = EvaluationRequest(
            CorpusRequest("blemore", smiles, fold=4), split, ("meld-minilm",), modalities=("V", "TV"), blends=blends
        )
        out = tmp_path / f"{split}-{blends is not None}"
        return set(evaluate(request, out, context).files)

    assert "blends.json" in report("dev")
    fitted = tmp_path / "dev-False" / "blends.json"
    assert set(json.loads(fitted.read_text())) == {"meld-minilm[V]", "meld-minilm[TV]"}
    for split, given in (("test", None), ("test", fitted), ("dev", fitted)):
        assert "blends.json" not in report(split, given)
    decided = json.loads((tmp_path / "test-True" / "comparison.json").read_text())["decided_by"]
    assert decided["metric"] == "presence_accuracy"


def test_thresholds_of_blends_are_for_blends(smiles: Path, tmp_path: Path) -> None:
    request = EvaluationRequest(
        CorpusRequest("blemore", smiles), "dev", ("meld-minilm",), window_s=1, blends=tmp_path / "blends.json"
    )
    with pytest.raises(
        SettingsError,
        match="is for blends that a language model makes of basic emotions, without --window; leave it out for blem",
    ):
        evaluate(request, tmp_path / "report")
