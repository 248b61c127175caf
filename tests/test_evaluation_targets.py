"""Sets of labels and numbers: metrics against scikit-learn and SciPy, pairs, files, pages."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.errors import EmoscribeError
from emoscribe.core.prompt import Scored
from emoscribe.core.timeline import Clip
from emoscribe.evaluation import multilabel, regression
from emoscribe.evaluation.label_sets import LabelSetPredictions, label_sets_of
from emoscribe.evaluation.predictions import Predictions, predictions_of
from emoscribe.evaluation.ratings import NumberPredictions, numbers_of
from emoscribe.evaluation.report import write_report
from emoscribe.evaluation.resampling import sampled_sums
from scipy.stats import pearsonr
from sklearn import metrics as sk

FILES = {"metrics.json", "comparison.json", "references.json", "predictions.csv", "report.html", "report.md"}
LABELS = ("happiness", "sadness", "anger", "fear")
MOSEI, SIMS = (-3.0, 3.0), (-1.0, 1.0)


def sets(n: int = 300, seed: int = 0, run: str = "run", skill: float = 1.0, modalities: str | None = None):
    """Truth that is the same for every run; `fear` is never true, some clips have no label."""
    truth = np.random.default_rng(7).random((n, 4)) < (0.5, 0.25, 0.1, 0.0)
    noise = np.random.default_rng(seed).normal(size=(n, 4))
    scores = 1 / (1 + np.exp(-(noise + skill * (2 * truth - 1))))
    targets = tuple(frozenset(np.array(LABELS)[row].tolist()) for row in truth)
    ids = tuple(f"clip{i}" for i in range(n))
    return LabelSetPredictions(run, LABELS, ids, targets, scores, np.array([0.5, 0.4, 0.6, 0.9]), modalities)


def ratings(
    n: int = 300, seed: int = 0, run: str = "run", bounds=MOSEI, noise: float = 0.8, modalities: str | None = None
):
    """Ratings in thirds of a step, as means of three annotators are; many zeros."""
    truth = np.clip(np.round(np.random.default_rng(7).normal(0.3, 1.2, n) * 3) / 3, -3, 3) * bounds[1] / 3
    values = 0.9 * truth + np.random.default_rng(seed).normal(0, noise * bounds[1] / 3, n)
    ids = tuple(f"clip{i}" for i in range(n))
    return NumberPredictions(run, ids, tuple(truth.tolist()), values, bounds, modalities)


def clips_of(one) -> list[Clip]:
    return [
        Clip(clip, text=f"words <b>{clip}</b>", target=target)
        for clip, target in zip(one.clip_ids, one.truth, strict=True)
    ]


# ── sets of labels ───────────────────────────────────────────────────────────


def test_metrics_of_sets_agree_with_scikit_learn() -> None:
    one = sets()
    entry = multilabel.measure(one, resamples=50)
    truth, answers = one.truth_matrix, one.answers
    present = truth.any(axis=0)
    assert entry["macro_f1"] == pytest.approx(sk.f1_score(truth[:, present], answers[:, present], average="macro"))
    assert entry["micro_f1"] == pytest.approx(sk.f1_score(truth, answers, average="micro"))
    # Two empty sets agree: scikit-learn's `zero_division=1`.
    assert entry["samples_f1"] == pytest.approx(sk.f1_score(truth, answers, average="samples", zero_division=1))
    assert entry["jaccard"] == pytest.approx(sk.jaccard_score(truth, answers, average="samples", zero_division=1))
    assert entry["exact_match"] == pytest.approx(sk.accuracy_score(truth, answers))
    assert entry["hamming_loss"] == pytest.approx(sk.hamming_loss(truth, answers))
    for column, label in enumerate(LABELS):
        found, true, given = entry["per_class"][label], truth[:, column], answers[:, column]
        assert found["precision"] == pytest.approx(sk.precision_score(true, given, zero_division=0))
        assert found["recall"] == pytest.approx(sk.recall_score(true, given, zero_division=0))
        assert found["f1"] == pytest.approx(sk.f1_score(true, given, zero_division=0))
        assert found["weighted_f1"] == pytest.approx(sk.f1_score(true, given, average="weighted"))
        assert found["accuracy"] == pytest.approx(sk.accuracy_score(true, given))
        assert (found["support"], found["answered"]) == (true.sum(), given.sum())
        if present[column]:
            assert found["weighted_accuracy"] == pytest.approx(sk.balanced_accuracy_score(true, given))
            assert entry["auc"]["per_class"][label] == pytest.approx(sk.roc_auc_score(true, one.scores[:, column]))
    assert entry["auc"]["per_class"]["fear"] is None


def test_weighted_accuracy_as_published() -> None:
    # TP 3 of 4 positives, TN 10 of 16 negatives: (3·16/4 + 10) / 32.
    truth = np.arange(20)[:, None] < 4
    answers = (np.arange(20)[:, None] < 3) | (np.arange(20)[:, None] >= 14)
    of = multilabel.tallies(multilabel.rows(truth, answers).sum(axis=0))
    assert multilabel.weighted_accuracy(of) == pytest.approx([22 / 32])
    nobody = multilabel.tallies(multilabel.rows(np.zeros((4, 1), bool), np.eye(4, 1, dtype=bool)).sum(axis=0))
    assert multilabel.weighted_accuracy(nobody) == pytest.approx([0.75])


def test_clips_without_a_label_by_hand() -> None:
    truth = (frozenset(), frozenset(), frozenset({"sadness"}), frozenset({"happiness", "sadness"}), None)
    scores = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.1], [0.9, 0.1], [0.9, 0.9]])
    one = LabelSetPredictions("run", LABELS[:2], tuple("abcde"), truth, scores, np.full(2, 0.5))
    entry = multilabel.measure(one, resamples=50)
    assert entry["n"] == 4 and entry["none"] == {"true": 2, "answered": 2, "both": 1}
    assert entry["exact_match"] == 1 / 4 and entry["hamming_loss"] == 3 / 8
    assert entry["jaccard"] == pytest.approx((1 + 0 + 0 + 1 / 2) / 4)
    assert entry["samples_f1"] == pytest.approx((1 + 0 + 0 + 2 / 3) / 4)


# ── numbers ──────────────────────────────────────────────────────────────────


def test_metrics_of_ratings_agree_with_scikit_learn_and_scipy() -> None:
    one = ratings()
    entry = regression.measure(one, resamples=50)
    truth, values = np.array(one.truth), one.values
    assert entry["mae"] == pytest.approx(sk.mean_absolute_error(truth, values))
    assert entry["pearson"] == pytest.approx(pearsonr(truth, values).statistic)
    together = np.cov(truth, values, bias=True)
    lin = 2 * together[0, 1] / (together.trace() + (truth.mean() - values.mean()) ** 2)
    assert entry["ccc"] == pytest.approx(lin)
    for most, name in ((3, "accuracy_7"), (2, "accuracy_5"), (1, "accuracy_3")):
        classes = [np.round(np.clip(numbers, -most, most)) for numbers in (truth, values)]
        assert entry[name] == pytest.approx(sk.accuracy_score(*classes))
    assert entry["accuracy_2_non_negative"] == pytest.approx(sk.accuracy_score(truth >= 0, values >= 0))
    weighted = sk.f1_score(truth >= 0, values >= 0, average="weighted")
    assert entry["f1_2_non_negative"] == pytest.approx(weighted)
    rated = truth != 0
    assert 0 < rated.sum() < len(truth) and entry["classes"]["2_nonzero"]["n"] == rated.sum()
    assert entry["accuracy_2_nonzero"] == pytest.approx(sk.accuracy_score(truth[rated] > 0, values[rated] > 0))
    weighted = sk.f1_score(truth[rated] > 0, values[rated] > 0, average="weighted")
    assert entry["f1_2_nonzero"] == pytest.approx(weighted)


def test_ch_sims_by_the_published_bounds() -> None:
    truth = (-1.0, -0.8, -0.6, -0.2, 0.0, 0.0, 0.2, 0.6, 0.8, 1.0)
    # On a bound is in the class below it; out of range is clipped, for the errors as well.
    values = np.array([-1.4, -0.7, -0.7, -0.1, 0.1, 0.11, 0.7, 0.71, 0.0, 0.9])
    one = NumberPredictions("run", tuple(map(str, range(10))), truth, values, SIMS)
    entry = regression.measure(one, resamples=50)
    cut = [np.digitize(numbers, [-0.7, -0.1, 0.1, 0.7], right=True) for numbers in (truth, values)]
    assert cut[0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert cut[1].tolist() == [0, 0, 0, 1, 2, 3, 3, 4, 2, 4]
    assert entry["accuracy_5"] == pytest.approx(6 / 10) == sk.accuracy_score(*cut)
    assert entry["accuracy_3"] == pytest.approx(8 / 10)
    assert entry["accuracy_2"] == pytest.approx(7 / 10)
    assert entry["f1_2"] == pytest.approx(sk.f1_score(np.array(truth) > 0, values > 0, average="weighted"))
    assert entry["mae"] == pytest.approx(np.abs(np.clip(values, -1, 1) - truth).mean())
    assert "accuracy_7" not in entry and "accuracy_2_nonzero" not in entry


def test_what_is_not_defined_is_null_and_never_a_number() -> None:
    ids = tuple("abc")
    flat = regression.measure(NumberPredictions("run", ids, (-1.0, 0.5, 2.0), np.full(3, 0.37), MOSEI), resamples=50)
    assert flat["pearson"] is None and flat["intervals"]["pearson"] is None and flat["ccc"] == pytest.approx(0)
    same = regression.measure(NumberPredictions("run", ids, (0.0,) * 3, np.zeros(3), MOSEI), resamples=50)
    assert (same["pearson"], same["ccc"], same["mae"]) == (None, None, 0)
    # No clip is rated other than 0: nothing is left to count.
    assert same["accuracy_2_nonzero"] is None and same["f1_2_nonzero"] is None
    # Another scale has no published classes.
    other = regression.measure(NumberPredictions("run", ids, (1.0, 5.0, 9.0), np.array([2.0, 4, 9]), (1, 9)))
    assert other["classes"] == {} and other["pearson"] > 0.9


# ── how sure, and which is better ────────────────────────────────────────────


def test_sampled_sums_draw_n_clips_and_the_same_for_every_matrix() -> None:
    of_clips = np.column_stack([np.ones(40), np.arange(40)])
    sums = sampled_sums(of_clips, 500, 3)
    assert sums.shape == (500, 2) and (sums[:, 0] == 40).all()
    assert sums[:, 1].std() == pytest.approx(np.arange(40).std() * np.sqrt(40), rel=0.15)
    assert (sampled_sums(2 * of_clips, 500, 3) == 2 * sums).all()


def test_intervals_hold_the_metric_and_match_a_plain_bootstrap() -> None:
    one = ratings()
    entry = regression.measure(one, resamples=1000)
    for name, (low, high) in entry["intervals"].items():
        assert low < entry[name] < high
    truth, rng = np.array(one.truth), np.random.default_rng(1)
    drawn = [rng.integers(300, size=300) for _ in range(1000)]
    plain = np.quantile([pearsonr(truth[row], one.values[row]).statistic for row in drawn], [0.025, 0.975])
    assert entry["intervals"]["pearson"] == pytest.approx(plain, abs=0.012)


@pytest.mark.parametrize(
    ("compare", "better", "worse", "metric", "sign"),
    [
        (multilabel.compare, sets(run="b", skill=2, seed=1), sets(run="a", skill=0.3), "macro_f1", 1),
        (regression.compare, ratings(run="b", noise=0.3, seed=1), ratings(run="a", noise=2.0), "mae", -1),
    ],
)
def test_pairs_are_told_apart_or_not(compare, better, worse, metric: str, sign: int) -> None:
    (pair,) = compare([worse, better], resamples=300)
    found = pair.differences[metric]
    assert (pair.a, pair.b, pair.n) == ("a", "b", 300)
    assert sign * found.difference > 0 and found.low < found.difference < found.high and found.p < 0.01
    (same,) = compare([worse, worse], resamples=300)
    assert all(one.difference == one.low == one.high == 0 and one.p == 1 for one in same.differences.values())
    assert compare([worse]) == ()


# ── joined by id ─────────────────────────────────────────────────────────────


def test_clips_and_scores_are_joined_by_id() -> None:
    clips = [Clip("b", target=frozenset({"x"})), Clip("a")]
    scored = [Scored("a", {"y": 0.5, "x": 0.2}), Scored("b", {"x": 0.9, "y": 0.8})]
    one = label_sets_of("run", ("x", "y"), clips, scored, {"y": 0.85})
    assert one.scores.tolist() == [[0.9, 0.8], [0.2, 0.5]] and one.thresholds.tolist() == [0.5, 0.85]
    assert one.answers.tolist() == [[True, False], [False, False]] and one.truth == (frozenset({"x"}), None)
    rated = numbers_of("run", SIMS, [Clip("b", target=0.5), Clip("a")], {"a": -2, "b": 0.25}, "TA")
    assert rated.values.tolist() == [0.25, -2.0] and rated.truth == (0.5, None) and rated.key == "run[TA]"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: label_sets_of("run", LABELS, [Clip("a", target=0.5)], [Scored("a", {})]), "'a' has the target 0.5"),
        (lambda: label_sets_of("run", LABELS, [Clip("a", target=frozenset())], []), "'a' has no scores"),
        (lambda: numbers_of("run", SIMS, [Clip("a", target="joy")], {"a": 1.0}), "run answers with a number a clip"),
        (lambda: numbers_of("run", SIMS, [Clip("a", target=2.0)], {"a": 1.0}), "rated 2, outside of the range -1 … 1"),
        (lambda: numbers_of("run", SIMS, [Clip("a", target=0.0)], {"a": np.nan}), "answered with nan"),
        (
            lambda: predictions_of("run", LABELS, [Clip("a", target=frozenset({"fear"}))], [Scored("a", {})]),
            r"the target \['fear'\], and run answers with one label a clip",
        ),
        (
            lambda: LabelSetPredictions("run", ("x",), ("a",), (frozenset({"z"}),), np.ones((1, 1)), np.array([0.5])),
            "labelled 'z', which run cannot answer",
        ),
        (
            lambda: LabelSetPredictions("run", ("x",), ("a",), (None,), np.array([[1.5]]), np.array([0.5])),
            "scores must be probabilities",
        ),
        (lambda: NumberPredictions("run", ("a", "a"), (0.0, 0.0), np.zeros(2), SIMS), "'a' was scored twice"),
        (lambda: NumberPredictions("run", ("a",), (0.0,), np.zeros(2), SIMS), "1 clips do not fit"),
        (lambda: ratings().in_order_of(ratings(bounds=SIMS)), "their scales differ"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(wrong, message: str) -> None:
    with pytest.raises(EmoscribeError, match=message) as caught:
        wrong()
    assert "\n" not in str(caught.value)


# ── the files ────────────────────────────────────────────────────────────────


def write(folder: Path, predictions: list, **more) -> dict[str, Path]:
    given = {"corpus": "made <i>", "split": "test", "split_clips": clips_of(predictions[0]), "resamples": 60} | more
    return write_report(folder, predictions, **given)


COSTS = {"run": {"parameters": 1234567, "bytes": 4.9e6, "seconds_a_clip": 0.0123}}


@pytest.mark.parametrize(
    ("runs", "reference", "first_metric", "said"),
    [
        (
            [sets(modalities="TA"), sets(seed=1, skill=0.5, modalities="T"), sets(seed=2, run="other")],
            "majority_set",
            "macro_f1",
            ["4 labels, any number of them a clip", "No clip is labelled fear", "Without any label:", "Hamming loss"],
        ),
        (
            [ratings(modalities="TA"), ratings(seed=1, noise=2, modalities="T"), ratings(seed=2, run="other")],
            "mean",
            "mae",
            ["ratings from −3 to 3", "Answered over true", "Acc-7", "Lin’s concordance"],
        ),
        (
            [ratings(bounds=SIMS, modalities="TA"), ratings(seed=1, bounds=SIMS, run="other")],
            "mean",
            "mae",
            ["ratings from −1 to 1", "weakly negative", "Acc-5"],
        ),
    ],
)
def test_every_kind_has_its_report(tmp_path: Path, runs, reference: str, first_metric: str, said: list[str]) -> None:
    train = clips_of(runs[0])[:50]
    backwards = runs[1]._rows(range(299, -1, -1))
    written = write(tmp_path, [runs[0], backwards, *runs[2:]], train_clips=train, notes=["a <u>note"], costs=COSTS)
    assert set(written) == {path.name for path in tmp_path.iterdir()} == FILES
    entries = json.loads(written["metrics.json"].read_text())
    assert list(entries) == [one.key for one in runs]
    assert entries["run[TA]"]["cost"] == COSTS["run"] and "cost" not in entries["other"]
    for entry in entries.values():
        assert entry["n"] == 300 and next(iter(entry["intervals"])) == first_metric
        assert all(low <= entry[name] <= high for name, (low, high) in entry["intervals"].items())
    pairs = json.loads(written["comparison.json"].read_text())["pairs"]
    assert (pairs[0]["a"], pairs[0]["b"]) == (runs[0].key, runs[1].key)
    assert set(pairs[0]["differences"]) == set(entries["run[TA]"]["intervals"])
    found = json.loads(written["references.json"].read_text())
    assert list(found) == [reference] and "of 50 training clips" in found[reference]["how"]
    with open(written["predictions.csv"], newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 300 * len(runs) and [row["clip"] for row in rows[300:302]] == ["clip0", "clip1"]
    html, twin = (written[name].read_text(encoding="utf-8") for name in ("report.html", "report.md"))
    for text in [*said, "What each takes", "1,234,567", "4.9 MB", "12.3 ms", "Is the difference real?"]:
        assert text in html
    assert "<u>" not in html and "<b>" not in html and "<i>" not in html and "<script" not in html
    assert "1,234,567" in twin and html.count("<svg") == 1 + 2 * len(runs)
    widths: list[int] = []
    for line in twin.splitlines():
        widths = [*widths, line.replace("\\|", "").count("|")] if line.startswith("|") else []
        assert len(set(widths)) <= 1, line


def test_tables_of_predictions_hold_what_was_answered(tmp_path: Path) -> None:
    truth = (frozenset({"x"}), frozenset(), None)
    scores = np.array([[0.9, 0.1], [0.1, 0.7], [0.2, 0.3]])
    one = LabelSetPredictions("run", ("x", "y"), tuple("abc"), truth, scores, np.array([0.5, 0.5]))
    assert write(tmp_path / "sets", [one])["predictions.csv"].read_text() == (
        "run,clip,true_x,true_y,given_x,given_y,p_x,p_y\n"
        "run,a,1,0,1,0,0.9,0.1\nrun,b,0,0,0,1,0.1,0.7\nrun,c,,,0,0,0.2,0.3\n"
    )
    rated = NumberPredictions("run", tuple("ab"), (0.5, None), np.array([0.1, 0.2]), SIMS)
    assert write(tmp_path / "numbers", [rated])["predictions.csv"].read_text() == (
        "run,clip,true,predicted\nrun,a,0.5,0.1\nrun,b,,0.2\n"
    )


def test_the_majority_set_and_the_mean_come_from_training_clips(tmp_path: Path) -> None:
    train = [Clip(f"t{i}", target=target) for i, target in enumerate([frozenset({"fear"})] * 2 + [frozenset()])]
    (most,) = multilabel.references(sets(), train, resamples=10, seed=0)
    assert most.how == "always answers “fear”, the most frequent set of 3 training clips"
    assert most.measured is not None and most.measured["per_class"]["fear"]["answered"] == 300
    (mean,) = regression.references(ratings(), [Clip("t", target=-0.5)], resamples=10, seed=0)
    assert mean.how == "always answers −0.50, the mean rating of 1 training clips"
    assert mean.measured is not None and mean.measured["pearson"] is None
    (own,) = regression.references(ratings(), [], resamples=10, seed=0)
    assert "the scored split itself" in own.how


def test_kinds_are_not_mixed_and_nothing_is_written(tmp_path: Path) -> None:
    label = Predictions("label", ("x",), ("clip0",), ("x",), np.ones((1, 1)))
    unlabelled = NumberPredictions("run", ("a",), (None,), np.zeros(1), SIMS)
    for runs, message in (
        ([ratings(), label], "run and label cannot be compared: one label, a set of labels and a number"),
        ([ratings(), ratings(200, run="fewer")], "run and fewer cannot be compared: 100 clips"),
        ([sets(), sets()], "'run' is given twice"),
        ([unlabelled], "none of 1 clips has a label"),
    ):
        with pytest.raises(EmoscribeError, match=message):
            write(tmp_path / "report", runs)
    assert not (tmp_path / "report").exists()
