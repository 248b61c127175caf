"""Paired tests between runs, and the references any score is read by."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from emoscribe.core.errors import EmoscribeError
from emoscribe.core.labels import BASIC
from emoscribe.core.timeline import Clip
from emoscribe.evaluation.columns import Column
from emoscribe.evaluation.comparison import (
    Comparison,
    Difference,
    McNemar,
    compare,
    holm,
    mcnemar_p,
    paired_bootstrap,
)
from emoscribe.evaluation.predictions import Predictions
from emoscribe.evaluation.references import references
from emoscribe.evaluation.verdict import decided, in_words
from scipy.stats import binomtest

LABELS = ("calm", "glad", "cross")
WEIGHTED_F1 = Column("weighted_f1", "weighted F1")
ERRORS = Column("weighted_f1", "errors", is_share=False, lower_is_better=True)


def answered(run: str, truth: np.ndarray, answers: np.ndarray, labels: tuple[str, ...] = LABELS) -> Predictions:
    scores = np.full((len(truth), len(labels)), 0.1)
    scores[np.arange(len(truth)), answers] = 1 - 0.1 * (len(labels) - 1)
    ids = tuple(f"clip{i}" for i in range(len(truth)))
    return Predictions(run, labels, ids, tuple(labels[i] for i in truth), scores)


def two_runs(n: int = 600, seed: int = 0) -> tuple[Predictions, Predictions]:
    """Both answer from the same truth; the second is right more often."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    weak = np.where(rng.random(n) < 0.55, truth, rng.integers(0, 3, n))
    strong = np.where(rng.random(n) < 0.4, truth, weak)
    return answered("weak", truth, weak), answered("strong", truth, strong)


# ── McNemar ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"), [(0, 0, 1.0), (5, 0, 0.0625), (10, 3, 0.09228515625), (7, 7, 1.0), (3, 12, 0.03515625)]
)
def test_mcnemar_frozen(only_a: int, only_b: int, p: float) -> None:
    assert mcnemar_p(only_a, only_b) == pytest.approx(p)
    assert mcnemar_p(only_b, only_a) == pytest.approx(p)


@pytest.mark.parametrize(("only_a", "only_b"), [(1, 0), (14, 31), (120, 151), (900, 1100)])
def test_mcnemar_agrees_with_the_binomial_test_of_scipy(only_a: int, only_b: int) -> None:
    assert mcnemar_p(only_a, only_b) == pytest.approx(binomtest(only_a, only_a + only_b).pvalue, rel=1e-9)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


# ── paired bootstrap ─────────────────────────────────────────────────────────


def test_paired_bootstrap_agrees_with_drawing_clip_by_clip() -> None:
    weak, strong = two_runs()
    found = paired_bootstrap(weak, strong, resamples=2000, seed=3)["accuracy"]
    right = [(one.answers == one.truth_index).astype(float) for one in (weak, strong)]
    assert found.difference == pytest.approx(right[1].mean() - right[0].mean())
    rows = np.random.default_rng(4).integers(0, 600, (2000, 600))
    drawn = right[1][rows].mean(axis=1) - right[0][rows].mean(axis=1)
    assert [found.low, found.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist(), abs=0.006)


def test_a_better_run_is_seen_and_said() -> None:
    (one,) = compare(two_runs())
    assert (one.a, one.b, one.n) == ("weak", "strong", 600)
    difference = one.differences["weighted_f1"]
    assert 0 < difference.low < difference.difference < difference.high
    assert difference.p < 0.002 and one.mcnemar.p < 0.001
    (reverse,) = compare(two_runs()[::-1])
    assert reverse.differences["weighted_f1"].difference == pytest.approx(-difference.difference)
    for pair in (one, reverse):
        (pair,) = decided([pair], WEIGHTED_F1)
        assert pair.decision.better == "strong"
        said = in_words(pair, WEIGHTED_F1, 1)
        assert re.match(r"By weighted F1, strong lies \d+\.\d points above weak \(95 % interval \+\d", said)
        assert (
            "): strong is better than weak (p < .001)." in said or "): strong is better than weak (p = .001)." in said
        )


def test_the_same_answers_cannot_be_told_apart() -> None:
    weak, _ = two_runs()
    twin = Predictions("twin", weak.labels, weak.clip_ids, weak.truth, weak.scores)
    (one,) = compare([weak, twin])
    found = one.differences["macro_f1"]
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert (one.mcnemar.only_a, one.mcnemar.only_b, one.mcnemar.p) == (0, 0, 1)
    (one,) = decided([one], WEIGHTED_F1)
    assert in_words(one, WEIGHTED_F1, 1) == (
        "By weighted F1, twin lies 0.0 points above weak (95 % interval 0.0 to 0.0): weak and twin cannot be told "
        "apart (p = 1.000). Of 600 clips, 0 were answered rightly by weak alone and 0 by twin alone."
    )


def pair_of(b: str, difference: float, p: float) -> Comparison:
    """Run `a` against `b`, with an interval that leaves out 0."""
    found = Difference(difference, min(difference / 2, 2 * difference), max(difference / 2, 2 * difference), p)
    return Comparison(a="a", b=b, n=200, differences={"weighted_f1": found}, mcnemar=McNemar(9, 20, 0.06, 0.12))


def test_one_of_many_comparisons_is_no_verdict() -> None:
    """A run was called better by an interval of its own, though chance explained it among all that were compared."""
    pairs = decided([pair_of("b", 0.04, 0.03), pair_of("c", 0.01, 0.4), pair_of("d", -0.2, 0.001)], WEIGHTED_F1)
    assert [one.decision.p_holm for one in pairs] == pytest.approx([0.06, 0.4, 0.003])
    assert [one.decision.better for one in pairs] == [None, None, "a"]
    assert in_words(pairs[0], WEIGHTED_F1, 3).startswith(
        "By weighted F1, b lies 4.0 points above a (95 % interval +2.0 to +8.0): a and b cannot be told apart "
        "(p = .060, corrected for 3 pairs). Of 200 clips, 9"
    )
    assert "By weighted F1, a lies 20.0 points above d (95 % interval +10.0 to +40.0): a is better than d" in in_words(
        pairs[2], WEIGHTED_F1, 3
    )


def test_of_errors_fewer_are_better() -> None:
    (one,) = decided([pair_of("b", -0.2, 0.001)], ERRORS)
    assert one.decision.better == "b"
    assert "b lies 0.200 below a (95 % interval −0.400 to −0.100): b is better than a" in in_words(one, ERRORS, 1)


def test_where_a_metric_is_not_defined_nothing_is_decided() -> None:
    bare = Comparison(a="a", b="c", n=200, differences={}, mcnemar=McNemar(0, 0, 1, 1))
    decisions = [one.decision for one in decided([pair_of("b", 0.04, 0.03), bare], WEIGHTED_F1)]
    assert decisions[0].p_holm == pytest.approx(0.03) and decisions[1] is None
    assert "cannot be compared" in in_words(bare, WEIGHTED_F1, 1)


def test_p_is_rarely_small_where_there_is_no_difference() -> None:
    rng = np.random.default_rng(0)
    small = 0
    for seed in range(100):
        truth = rng.integers(0, 3, 150)
        runs = [answered(name, truth, np.where(rng.random(150) < 0.6, truth, rng.integers(0, 3, 150))) for name in "ab"]
        small += paired_bootstrap(*runs, resamples=400, seed=seed)["accuracy"].p < 0.05
    assert small <= 12


def test_every_pair_is_compared_and_seeded() -> None:
    weak, strong = two_runs()
    third = answered("third", weak.truth_index, np.zeros(600, dtype=int))
    pairs = compare([weak, strong, third])
    assert [(one.a, one.b) for one in pairs] == [("weak", "strong"), ("weak", "third"), ("strong", "third")]
    assert pairs == compare([weak, strong, third])
    assert compare([weak]) == ()


def test_order_of_clips_and_labels_does_not_matter() -> None:
    weak, strong = two_runs()
    rows, columns = np.random.default_rng(0).permutation(600), [2, 0, 1]
    shuffled = Predictions(
        "strong",
        tuple(LABELS[i] for i in columns),
        tuple(strong.clip_ids[i] for i in rows),
        tuple(strong.truth[i] for i in rows),
        strong.scores[rows][:, columns],
    )
    assert compare([weak, shuffled]) == compare([weak, strong])


def test_what_cannot_be_compared_is_said_in_a_line() -> None:
    weak, strong = two_runs()
    other_labels = answered("other", strong.truth_index, strong.answers, ("calm", "glad", "sad"))
    with pytest.raises(EmoscribeError, match=r"label sets differ \(calm, glad, cross against calm, glad, sad\)"):
        compare([weak, other_labels])
    fewer = answered("fewer", strong.truth_index[:590], strong.answers[:590])
    with pytest.raises(EmoscribeError, match="weak and fewer cannot be compared: 10 clips were scored by only one"):
        compare([weak, fewer])
    relabelled = answered("relabelled", (strong.truth_index + (np.arange(600) < 7)) % 3, strong.answers)
    with pytest.raises(EmoscribeError, match="7 clips have another true label"):
        compare([weak, relabelled])


# ── references ───────────────────────────────────────────────────────────────

GLAD = ["what a lovely day", "I love this so much", "this is wonderful, thank you", "lovely, just lovely"]
CROSS = ["leave me alone right now", "how dare you say that", "I hate this so much", "get out, you liar"]


def clips(split: str, glad: list[str], cross: list[str]) -> list[Clip]:
    texts = [(text, "glad") for text in glad] + [(text, "cross") for text in cross]
    return [Clip(f"{i}", text=text, target=label, split=split) for i, (text, label) in enumerate(texts)]


def uniform(split_clips: list[Clip]) -> Predictions:
    targets = tuple(str(clip.target) for clip in split_clips)
    return Predictions("run", LABELS, tuple(c.id for c in split_clips), targets, np.full((len(split_clips), 3), 1 / 3))


def test_references_are_fitted_on_the_training_split() -> None:
    # What the run cannot answer is not learnt from.
    train = [*clips("train", GLAD, CROSS[:2]), Clip("other", text="whatever", target="other", split="train")]
    test = clips("test", ["a lovely, wonderful day"], ["how dare you leave", "you liar"])
    majority, tfidf = references(uniform(test), train, test, resamples=50, seed=0)
    assert majority.measured and tfidf.measured
    assert "“glad”, the most frequent label of 6 training clips" in majority.how
    assert majority.measured["accuracy"] == pytest.approx(1 / 3)
    assert majority.measured["confusion"] == [[0, 0, 0], [0, 1, 0], [0, 2, 0]]
    assert tfidf.measured["accuracy"] >= 2 / 3
    assert set(tfidf.as_json()) == {"how", *majority.measured}


@pytest.mark.parametrize(
    ("train", "test", "why"),
    [
        ([], clips("test", GLAD, CROSS), "there are no training texts at hand"),
        (clips("train", GLAD, []), clips("test", GLAD, CROSS), "all 4 training texts have the same label"),
        (clips("train", GLAD, CROSS), [Clip("1", target="glad", split="test")], "the clips have no text"),
        (clips("train", ["..."], ["?!"]), clips("test", GLAD, CROSS), "the training texts hold nothing to count"),
        (clips("train", GLAD, CROSS), clips("train", GLAD, CROSS), "8 of the scored clips are its training clips"),
    ],
)
def test_why_a_reference_is_not_fitted(train: list[Clip], test: list[Clip], why: str) -> None:
    majority, tfidf = references(uniform(test), train, test, resamples=50, seed=0)
    assert majority.measured is not None
    assert tfidf.measured is None
    assert why in tfidf.as_json()["not_fitted"]
    assert "\n" not in tfidf.as_json()["not_fitted"]


def test_references_on_meld(shared) -> None:
    def split(name: str) -> list[Clip]:
        with open(shared / "meld" / f"{name}_sent_emo.csv", encoding="utf-8", newline="") as file:
            return [
                Clip(f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}", text=row["Utterance"], target=row["Emotion"])
                for row in csv.DictReader(file)
            ]

    dev = [Clip(**{**vars(clip), "split": "dev"}) for clip in split("dev")]
    targets = tuple(str(clip.target) for clip in dev)
    scored = Predictions("run", BASIC.labels, tuple(c.id for c in dev), targets, np.full((len(dev), 7), 1 / 7))
    majority, tfidf = references(scored, split("train"), dev, resamples=50, seed=0)
    assert majority.measured and tfidf.measured
    assert majority.measured["accuracy"] == pytest.approx(470 / 1109, abs=1e-9)
    assert 0.55 < tfidf.measured["accuracy"] < 0.61
    assert 0.49 < tfidf.measured["weighted_f1"] < 0.57
