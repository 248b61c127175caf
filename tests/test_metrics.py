"""Metrics against scikit-learn, frozen and live; calibration; decisions over time."""

from __future__ import annotations

import numpy as np
import pytest
from emoscribe.core.errors import EmoscribeError, SettingsError
from emoscribe.core.labels import BASIC
from emoscribe.core.prompt import Scored
from emoscribe.core.timeline import Clip
from emoscribe.evaluation import calibration, deciding, metrics, over_time
from emoscribe.evaluation.predictions import (
    Predictions,
    predictions_of,
    read_predictions,
    to_csv,
    unique_names,
)
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

LABELS = BASIC.labels
LETTERS = dict(zip("nufsjda", LABELS, strict=True))
TRUE = [LETTERS[letter] for letter in "nnnnnjjjjaaassuuuddnjasn"]
ANSWERED = [LETTERS[letter] for letter in "nnjnajjnuanasnujuannjfnn"]
PERCENT = [91, 62, 48, 77, 35, 88, 69, 51, 44, 72, 58, 83, 66, 57, 94, 41, 79, 38, 46, 85, 63, 33, 54, 96]
CONFIDENCE = [sure / 100 for sure in PERCENT]


def scores_for(answered: list[str], confidence: list[float]) -> np.ndarray:
    """Each answer's score is its confidence; the others share the rest unevenly."""
    scores = np.zeros((len(answered), len(LABELS)))
    for row, (label, sure) in enumerate(zip(answered, confidence, strict=True)):
        others = np.roll(np.arange(1.0, 8.0), row)
        others[LABELS.index(label)] = 0
        scores[row] = others / others.sum() * (1 - sure)
        scores[row, LABELS.index(label)] = sure
    return scores


def made(true: list[str | None], scores: np.ndarray, run: str = "run", labels: tuple[str, ...] = LABELS) -> Predictions:
    return Predictions(run, labels, tuple(f"clip{i}" for i in range(len(true))), tuple(true), scores)


def random_predictions(n: int, seed: int = 0, labels: int = 7, present: int | None = None) -> Predictions:
    rng = np.random.default_rng(seed)
    names = tuple(f"label {i}" for i in range(labels))
    truth = rng.integers(0, present or labels, n)
    scores = rng.dirichlet(np.full(labels, 0.5), n)
    scores[np.arange(n), truth] += 0.3 * rng.random(n)
    return made([names[i] for i in truth], scores / scores.sum(axis=1, keepdims=True), labels=names)


@pytest.fixture(scope="module")
def frozen() -> dict:
    return metrics.measure(made(list(TRUE), scores_for(ANSWERED, CONFIDENCE)))


# ── against scikit-learn 1.9 ─────────────────────────────────────────────────


def test_frozen_numbers_of_scikit_learn(frozen: dict) -> None:
    assert frozen["n"] == 24
    assert frozen["labels"] == list(LABELS)
    assert frozen["accuracy"] == pytest.approx(0.5416666666666666)
    assert frozen["balanced_accuracy"] == pytest.approx(0.4690476190476191)
    assert frozen["weighted_f1"] == pytest.approx(0.5257352941176471)
    # Over the six labels that the data have; fear is answered once, an error.
    assert frozen["macro_f1"] == pytest.approx(0.4758169934640523)
    assert frozen["confusion"] == [
        [5, 0, 0, 0, 1, 0, 1],
        [0, 2, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
        [2, 0, 0, 1, 0, 0, 0],
        [1, 1, 0, 0, 3, 0, 0],
        [1, 0, 0, 0, 0, 0, 1],
        [1, 0, 1, 0, 0, 0, 2],
    ]
    assert frozen["auc"]["per_class"] == pytest.approx(
        {
            "neutral": 0.865546218487395,
            "surprise": 0.7619047619047619,
            "fear": None,
            "sadness": 0.8253968253968255,
            "joy": 0.8842105263157896,
            "disgust": 0.4772727272727273,
            "anger": 0.875,
        }
    )


@pytest.mark.parametrize(
    ("label", "precision", "recall", "f1", "support"),
    [
        ("neutral", 0.5, 0.7142857142857143, 0.5882352941176471, 7),
        ("surprise", 0.6666666666666666, 0.6666666666666666, 0.6666666666666666, 3),
        ("fear", 0.0, 0.0, 0.0, 0),
        ("sadness", 1.0, 0.3333333333333333, 0.5, 3),
        ("joy", 0.6, 0.6, 0.6, 5),
        ("disgust", 0.0, 0.0, 0.0, 2),
        ("anger", 0.5, 0.5, 0.5, 4),
    ],
)
def test_frozen_numbers_by_label(
    frozen: dict, label: str, precision: float, recall: float, f1: float, support: int
) -> None:
    expected = {"precision": precision, "recall": recall, "f1": f1, "support": support}
    assert frozen["per_class"][label] == pytest.approx(expected)


@pytest.mark.parametrize(("labels", "present"), [(7, 7), (7, 5), (2, 2), (28, 20)])
def test_agrees_with_scikit_learn_live(labels: int, present: int) -> None:
    one = random_predictions(800, seed=labels, labels=labels, present=present)
    entry = metrics.measure(one, resamples=10)
    truth, answers = list(one.truth), [one.labels[i] for i in one.answers]
    there = sorted(set(truth))
    assert entry["accuracy"] == pytest.approx(sk.accuracy_score(truth, answers))
    expected = sk.recall_score(truth, answers, labels=there, average="macro", zero_division=0)
    assert entry["balanced_accuracy"] == pytest.approx(expected)
    assert entry["weighted_f1"] == pytest.approx(
        sk.f1_score(truth, answers, labels=list(one.labels), average="weighted", zero_division=0)
    )
    assert entry["macro_f1"] == pytest.approx(
        sk.f1_score(truth, answers, labels=there, average="macro", zero_division=0)
    )
    assert entry["confusion"] == sk.confusion_matrix(truth, answers, labels=list(one.labels)).tolist()
    for column, label in enumerate(one.labels):
        area = entry["auc"]["per_class"][label]
        if label in there:
            positive = np.array(truth) == label
            assert area == pytest.approx(sk.roc_auc_score(positive, one.scores[:, column]))
        else:
            assert area is None


def test_roc_goes_through_the_points_of_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(3)
    positive, score = rng.random(300) < 0.3, rng.integers(0, 12, 300) / 12
    alarms, hits = metrics.roc(positive, score)
    expected_alarms, expected_hits, _ = sk.roc_curve(positive, score, drop_intermediate=False)
    np.testing.assert_allclose(alarms, expected_alarms)
    np.testing.assert_allclose(hits, expected_hits)
    assert metrics.auc(positive, score) == pytest.approx(sk.roc_auc_score(positive, score))
    assert sk.auc(alarms, hits) == pytest.approx(metrics.auc(positive, score))


# ── at the edges ─────────────────────────────────────────────────────────────


def test_one_clip() -> None:
    entry = metrics.measure(made(["joy"], scores_for(["joy"], [0.9])))
    assert (entry["accuracy"], entry["macro_f1"], entry["weighted_f1"], entry["balanced_accuracy"]) == (1, 1, 1, 1)
    assert entry["intervals"]["accuracy"] == [1.0, 1.0]
    assert entry["auc"]["macro"] is None
    assert entry["ece"] == pytest.approx(0.1)


def test_everything_wrong() -> None:
    entry = metrics.measure(made(["joy"] * 5, scores_for(["anger"] * 5, [0.8] * 5)))
    assert (entry["accuracy"], entry["macro_f1"], entry["weighted_f1"], entry["balanced_accuracy"]) == (0, 0, 0, 0)
    assert entry["per_class"]["anger"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert entry["ece"] == pytest.approx(0.8)


def test_the_first_of_equal_scores_is_the_answer() -> None:
    one = made(["neutral", "anger"], np.full((2, 7), 1 / 7))
    assert one.answers.tolist() == [0, 0]
    assert metrics.measure(one)["auc"]["macro"] == 0.5


def test_clips_without_a_label_do_not_count() -> None:
    scores = scores_for(["joy", "anger", "fear"], [0.9, 0.8, 0.7])
    entry = metrics.measure(made(["joy", None, "fear"], scores))
    assert (entry["n"], entry["accuracy"]) == (2, 1.0)


@pytest.mark.parametrize("truth", [[], [None, None]])
def test_nothing_labelled_is_said(truth: list[None]) -> None:
    with pytest.raises(EmoscribeError, match=r"run: none of \d clips has a label to compare with; choose a split"):
        metrics.measure(made(truth, np.full((len(truth), 7), 1 / 7)))


# ── intervals ────────────────────────────────────────────────────────────────


def test_intervals_agree_with_drawing_clip_by_clip() -> None:
    one = random_predictions(400, seed=5)
    entry = metrics.measure(one, seed=1)
    rng = np.random.default_rng(2)
    drawn = []
    for _ in range(400):
        rows = rng.integers(0, 400, 400)
        drawn.append(sk.f1_score(one.truth_index[rows], one.answers[rows], average="macro", zero_division=0))
    assert entry["intervals"]["macro_f1"] == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist(), abs=0.01)
    for name, (low, high) in entry["intervals"].items():
        assert low < entry[name] < high


def test_an_interval_leaves_a_fortieth_on_either_side() -> None:
    assert metrics.interval(np.arange(1001.0)) == pytest.approx([25, 975])


def test_intervals_are_seeded() -> None:
    one = random_predictions(300)
    first = metrics.measure(one, resamples=200, seed=4)["intervals"]
    assert first == metrics.measure(one, resamples=200, seed=4)["intervals"]
    assert first != metrics.measure(one, resamples=200, seed=5)["intervals"]


# ── calibration ──────────────────────────────────────────────────────────────


def test_reliability_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1, 2000)
    confidence[:3] = 0.2, 1.0, 1 / 3  # on the edges of bins
    right = rng.random(2000) < confidence**1.5
    curve = calibration.reliability(confidence, right)
    accuracy, mean = calibration_curve(right, confidence, n_bins=calibration.BINS)
    met = curve.count > 0
    np.testing.assert_allclose(curve.accuracy[met], accuracy)
    np.testing.assert_allclose(curve.confidence[met], mean)
    expected = (curve.count[met] * np.abs(accuracy - mean)).sum() / 2000
    assert calibration.expected_calibration_error(curve) == pytest.approx(expected)


# ── predictions ──────────────────────────────────────────────────────────────


def test_predictions_join_clips_and_scores_by_id() -> None:
    clips = [Clip("b", target="joy"), Clip("a"), Clip("c", target="fear")]
    scored = [Scored(i, dict.fromkeys(LABELS, 0.0) | {label: 1.0}) for i, label in zip("abc", LABELS, strict=False)]
    one = predictions_of("run", LABELS, clips, scored, "TA")
    assert one.key == "run[TA]"
    assert (one.clip_ids, one.truth, one.answers.tolist()) == (("b", "a", "c"), ("joy", None, "fear"), [1, 0, 2])
    with pytest.raises(EmoscribeError, match="clip 'c' has no scores; 2 of 3 clips have"):
        predictions_of("run", LABELS, clips, scored[:2])
    with pytest.raises(EmoscribeError, match=r"clip 'd' has the target 1\.5"):
        predictions_of("run", LABELS, [Clip("d", target=1.5)], [Scored("d", scored[0].scores)])


def test_a_label_the_run_does_not_know_is_named() -> None:
    with pytest.raises(EmoscribeError, match=r"clip 'clip0' is labelled 'calm', which run cannot answer .*neutral"):
        made(["calm"], np.full((1, 7), 1 / 7))


def test_scores_must_be_probabilities() -> None:
    for scores in (np.full((1, 7), 0.5), np.full((1, 7), np.nan), np.eye(7)[:1] * 2 - np.eye(7)[1:2]):
        with pytest.raises(EmoscribeError, match="must be probabilities that sum to 1"):
            made(["joy"], scores)


def test_predictions_survive_their_file(tmp_path) -> None:
    labels = ("a,b", 'say "so"', "joy\nand more")
    one = Predictions(
        "first", labels, ("1", "=2"), ("a,b", None), np.array([[0.1, 0.2, 0.7], [1 / 3, 1 / 3, 1 / 3]]), "TV"
    )
    two = Predictions("second", labels, ("1", "=2"), ("a,b", None), np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]))
    (tmp_path / "predictions.csv").write_bytes(to_csv([one, two]).encode())
    read = read_predictions(tmp_path / "predictions.csv")
    assert [r.key for r in read] == ["first[TV]", "second"]
    for before, after in zip((one, two), read, strict=True):
        assert (after.labels, after.clip_ids, after.truth) == (before.labels, before.clip_ids, before.truth)
        np.testing.assert_array_equal(after.scores, before.scores)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip,label\n1,joy\n", "its columns must be run, clip, label, predicted and p_<label>"),
        ("", "its columns must be"),
        ("run,clip,label,predicted,p_joy\nr,1,joy,joy,high\n", "line 2: expected 1 scores"),
        ("run,clip,label,predicted,p_joy\nr,1,joy,joy,1\nr,2\n", "line 3: expected 1 scores"),
    ],
)
def test_a_broken_file_of_predictions_is_one_line(tmp_path, text: str, message: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(EmoscribeError, match=message) as caught:
        read_predictions(tmp_path / "p.csv")
    assert "\n" not in str(caught.value)
    with pytest.raises(EmoscribeError, match="cannot be read as predictions"):
        read_predictions(tmp_path / "none.csv")


def test_names_of_runs_are_made_unique() -> None:
    assert unique_names(["best", "best", "other", "best-2"]) == ["best", "best-3", "other", "best-2"]


# ── over time ────────────────────────────────────────────────────────────────

JOY, FEAR, BOTH = [0.9, 0.1], [0.2, 0.8], [0.55, 0.45]


def test_a_frame_has_the_mean_of_its_windows_and_the_nearest_outside() -> None:
    start_s, end_s = np.array([1.0, 2.0, 5.0]), np.array([3.0, 4.0, 6.0])
    times_s = np.array([0.0, 1.5, 2.5, 3.0, 4.2, 4.9, 7.0])
    frames = over_time.frame_scores(times_s, start_s, end_s, np.array([JOY, FEAR, BOTH]))
    np.testing.assert_allclose(frames, [JOY, JOY, [0.55, 0.45], FEAR, FEAR, BOTH, BOTH])


def test_the_three_decisions_can_differ() -> None:
    # Two lukewarm frames for the first label, one that is nearly sure of the
    # third, and one that rules the third out.
    scores = np.array([[0.45, 0.35, 0.2], [0.45, 0.35, 0.2], [0.05, 0.1, 0.85], [0.35, 0.645, 0.005]])
    assert deciding.vote(scores).tolist() == [0.5, 0.25, 0.25]
    np.testing.assert_allclose(deciding.mean_probability(scores), [0.325, 0.36125, 0.31375])
    logit = deciding.mean_logit(scores)
    geometric = np.exp(np.log(scores).mean(axis=0))
    np.testing.assert_allclose(logit, geometric / geometric.sum())
    assert [int(f(scores).argmax()) for f in deciding.DECISIONS.values()] == [0, 1, 1]
    assert logit[2] < deciding.mean_probability(scores)[2]


@pytest.mark.parametrize("decision", deciding.DECISIONS)
def test_clips_are_decided_from_their_own_frames(decision: str) -> None:
    ids, scores = over_time.clip_scores(["b", "a", "b"], np.array([JOY, FEAR, JOY]), decision)
    assert ids == ("b", "a")
    assert scores.argmax(axis=1).tolist() == [0, 1]
    np.testing.assert_allclose(scores.sum(axis=1), 1)
    # A frame of certainty has a logit of minus infinity for all other labels.
    certain = deciding.DECISIONS[decision](np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
    assert np.isfinite(certain).all() and certain.argmax() == 0


def test_an_unknown_decision_is_named() -> None:
    with pytest.raises(SettingsError, match="unknown clip decision 'median'; there are: vote, mean-prob"):
        over_time.clip_scores(["a"], np.array([JOY]), "median")
