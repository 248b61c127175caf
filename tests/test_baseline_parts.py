"""What a fusion model is fed with and asked for: normalised windows in batches, losses, decisions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from emoscribe.baseline.batches import check_streams, collate, shuffled_batches, sorted_batches
from emoscribe.baseline.deciding import decided, with_thresholds
from emoscribe.baseline.frames import FeatureFrames
from emoscribe.baseline.learner import mean_loss
from emoscribe.baseline.run import FusionRun
from emoscribe.baseline.scaler import Scaler, fit_scaler, load_scaler, save_scaler
from emoscribe.baseline.seeds import over_seeds
from emoscribe.baseline.settings import BaselineSettings, SearchSettings
from emoscribe.baseline.windows import Window, stitched, windows_of
from emoscribe.core.errors import EmoscribeError, SettingsError
from emoscribe.core.settings import CONFIGS, load, validate
from emoscribe.extractors.features.settings import FeatureSettings
from emoscribe.training.answers import scores_of, tuned_thresholds
from emoscribe.training.run import Task
from emoscribe.training.tasks import Objective, check_target, objective_for, targets_of
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

NAN = float("nan")
LABELS = ("anger", "joy", "neutral")


def clip(values: object, target: str | frozenset[str] | float | None = None, id: str = "a") -> FeatureFrames:
    """With one feature, (T, D)."""
    array = np.array(values, dtype=np.float32)
    return FeatureFrames(id, np.arange(len(array)) / 5, {"egemaps": array}, target)


def run_of(task: Task, labels: tuple[str, ...] = LABELS, **settings: object) -> FusionRun:
    asked = BaselineSettings(modalities="A", features=FeatureSettings(names=("egemaps",)), **settings)  # pyright: ignore
    return FusionRun(folder=Path("nowhere"), settings=asked, task=task, labels=labels, streams={"egemaps": 2})


# ── the scaler ───────────────────────────────────────────────────────────────


def test_features_get_zero_mean_and_unit_variance_and_what_is_missing_is_the_mean() -> None:
    train = [clip([[1, NAN, 7, NAN], [3, 10, 7, NAN]]), clip([[5, 20, 7, NAN], [NAN, 30, 7, np.inf]])]
    scaler = fit_scaler(train, ["egemaps"])
    np.testing.assert_allclose(scaler.mean["egemaps"], [3, 20, 7, 0])
    np.testing.assert_allclose(scaler.scale["egemaps"], [np.std([1, 3, 5]), np.std([10, 20, 30]), 1, 1])
    normalised = scaler("egemaps", np.array([[NAN, 20, 8, NAN], [3, 30, 7, 2]], dtype=np.float32))
    np.testing.assert_allclose(normalised, [[0, 0, 1, 0], [0, 10 / np.std([10, 20, 30]), 0, 2]], rtol=1e-6)


def test_a_small_variance_far_from_zero_is_not_swallowed() -> None:
    values = np.random.default_rng(0).normal(20_000, 0.5, (500, 1))
    scaler = fit_scaler([clip(values)], ["egemaps"])
    assert scaler.scale["egemaps"][0] == pytest.approx(values.astype(np.float32).astype(float).std(), rel=1e-3)


def test_a_scaler_is_the_same_when_it_was_kept(tmp_path: Path) -> None:
    scaler = fit_scaler([clip([[1, 2], [4, 9]])], ["egemaps"])
    save_scaler(scaler, tmp_path / "scaler.safetensors")
    kept = load_scaler(tmp_path / "scaler.safetensors", ["egemaps"])
    np.testing.assert_array_equal(kept.mean["egemaps"], scaler.mean["egemaps"])
    np.testing.assert_array_equal(kept.scale["egemaps"], scaler.scale["egemaps"])
    with pytest.raises(EmoscribeError, match=r"does not know log-mel, which the run reads; train the run anew$"):
        load_scaler(tmp_path / "scaler.safetensors", ["egemaps", "log-mel"])
    (tmp_path / "scaler.safetensors").write_bytes(b"\x00" * 4)
    with pytest.raises(EmoscribeError, match=r"scaler.safetensors cannot be read \(.*\); train the run anew$"):
        load_scaler(tmp_path / "scaler.safetensors", ["egemaps"])


# ── windows ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (1, [(0, 1)]),
        (300, [(0, 300)]),
        (301, [(0, 300), (1, 301)]),
        (500, [(0, 300), (200, 500)]),
        (620, [(0, 300), (200, 500), (320, 620)]),
    ],
)
def test_windows_overlap_and_the_last_one_ends_with_the_clip(length: int, expected: list[tuple[int, int]]) -> None:
    clips = [clip([[0]]), clip(np.zeros((length, 1)))]
    assert windows_of(clips, 300, 200)[1:] == [Window(1, *each) for each in expected]


def test_overlaps_are_averaged() -> None:
    windows = windows_of([clip(np.zeros((6, 1)))], 3, 2)
    assert [(each.first, each.end) for each in windows] == [(0, 3), (2, 5), (3, 6)]
    logits = [np.array([[1.0, 0], [2, 0], [3, 9]]), np.array([[5.0, 1], [6, 2], [7, 3]]), np.array([[10.0, 4]] * 3)]
    expected = [[1, 0], [2, 0], [4, 5], [8, 3], [8.5, 3.5], [10, 4]]
    np.testing.assert_allclose(stitched(windows, logits), expected)
    # What is said of windows as a whole holds for each of their frames.
    whole = [np.array([3.0]), np.array([6.0]), np.array([12.0])]
    np.testing.assert_allclose(stitched(windows, whole)[:, 0], [3, 3, 4.5, 9, 9, 12])


# ── batches ──────────────────────────────────────────────────────────────────


def test_batches_hold_every_window_once_with_others_of_its_length() -> None:
    lengths = np.random.default_rng(0).permutation(np.repeat([3, 7, 20], 8))
    windows = [Window(0, 0, int(length)) for length in lengths]
    batches = shuffled_batches(windows, 4, seed=1)
    assert sorted(np.concatenate(batches)) == list(range(24))
    assert all(len({lengths[place] for place in batch}) == 1 for batch in batches)
    again, other = shuffled_batches(windows, 4, seed=1), shuffled_batches(windows, 4, seed=2)
    assert [list(batch) for batch in again] == [list(batch) for batch in batches]
    assert [list(batch) for batch in other] != [list(batch) for batch in batches]
    in_order = np.concatenate(sorted_batches(windows, 5))
    assert list(lengths[in_order]) == sorted(lengths, reverse=True)


def test_a_batch_is_normalised_and_padded_to_its_longest_window() -> None:
    clips = [clip([[1, 5], [3, NAN], [5, 5]]), clip([[7, 9]])]
    scaler = Scaler({"egemaps": np.float32([1, 5])}, {"egemaps": np.float32([2, 4])})  # pyright: ignore
    streams, there = collate(clips, [Window(1, 0, 1), Window(0, 1, 3)], scaler, "cpu")
    assert there.tolist() == [[True, False], [True, True]]
    assert streams["egemaps"].tolist() == [[[3, 1], [0, 0]], [[1, 0], [2, 0]]]
    assert streams["egemaps"].dtype == torch.float32


def test_clips_without_the_runs_features_are_named() -> None:
    with pytest.raises(SettingsError, match="clip a lacks log-mel, which the run reads; extract the features log-mel"):
        check_streams([clip([[1]])], {"log-mel": 1})
    with pytest.raises(SettingsError, match="clip a: egemaps is 2 × 1, the run reads 2 × 25"):
        check_streams([clip([[1], [2]])], {"egemaps": 25})
    with pytest.raises(SettingsError, match="at least one frame"):
        check_streams([clip(np.zeros((0, 2)))], {"egemaps": 2})


# ── losses ───────────────────────────────────────────────────────────────────


def test_a_window_counts_as_much_as_any_other_and_padding_not_at_all() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(2, 4, 3), torch.tensor([2, 0])
    there = torch.tensor([[True] * 4, [True, False, False, False]])
    logits[1, 1:] = NAN
    logits.requires_grad_()
    loss = mean_loss(Objective("labels"), logits, targets, there)
    first = cross_entropy(logits[0], targets[:1].expand(4))
    assert float(loss.detach()) == pytest.approx(
        float((first + cross_entropy(logits[1, :1], targets[1:])).detach() / 2)
    )
    loss.backward()
    assert logits.grad is not None and logits.grad[0].abs().sum() > 0
    assert logits.grad[1, 1:].abs().sum() == 0


def test_losses_of_whole_windows_and_of_numbers() -> None:
    logits, there = torch.tensor([[1.0], [-2.0]]), torch.ones(2, 5, dtype=torch.bool)
    assert float(mean_loss(Objective("number"), logits, torch.tensor([[0.5], [1.0]]), there)) == pytest.approx(1.75)
    given = torch.tensor([[1.0, 0.0]])
    weighted = mean_loss(
        Objective("label-sets", torch.tensor([3.0, 1.0])), torch.tensor([[0.3, -1.0]]), given, there[:1]
    )
    plain = binary_cross_entropy_with_logits(torch.tensor([[0.3, -1.0]]), given, reduction="none")
    assert float(weighted) == pytest.approx(float((3 * plain[0, 0] + plain[0, 1]) / 2))


@pytest.mark.parametrize(("kind", "power"), [("none", 0), ("sqrt", 0.5), ("balanced", 1)])
def test_rare_labels_weigh_more(kind: str, power: float) -> None:
    run = run_of("labels")
    targets = targets_of(run, ["anger", *["joy"] * 4])
    weights = objective_for(run, targets, kind).weights
    if not power:
        assert weights is None
        return
    assert weights is not None
    assert float(weights[0] / weights[1]) == pytest.approx(4**power)
    assert float(weights[targets].mean()) == pytest.approx(1)
    run = run_of("label-sets")
    sets = [frozenset(each) for each in ({"anger"}, {"joy"}, {"joy"}, {"joy", "anger"}, set())]
    positive = objective_for(run, targets_of(run, sets), kind).weights
    assert positive is not None
    assert positive.tolist() == pytest.approx([(3 / 2) ** power, (2 / 3) ** power, 4**power])


def test_targets() -> None:
    assert targets_of(run_of("labels"), ["neutral", "anger"]).tolist() == [2, 0]
    sets = [frozenset({"joy", "anger"}), frozenset()]
    assert targets_of(run_of("label-sets"), sets).tolist() == [[1, 1, 0], [0, 0, 0]]
    assert targets_of(run_of("number", ()), [-1.5]).tolist() == [[-1.5]]


def test_ratings_are_learnt_alike_on_every_scale() -> None:
    """The ends of the scale are −1 and 1 to a model, and what it answers is on the scale again."""
    run = run_of("number", ()).model_copy(update={"range": (1.0, 5.0)})
    targets = targets_of(run, [1, 3, 4.5])
    assert targets.tolist() == [[-1], [0], [0.75]]
    assert scores_of(run, targets.numpy()).tolist() == [[1], [3], [4.5]]


@pytest.mark.parametrize(
    ("task", "target", "message"),
    [
        ("labels", "envy", r"clip a has the target 'envy', the run learns a label of anger, joy, neutral"),
        ("labels", None, r"clip a has the target None, the run learns a label"),
        ("label-sets", frozenset({"envy"}), r"the target \{envy\}, the run learns a set of labels of anger"),
        ("label-sets", "joy", r"the target 'joy', the run learns a set of labels"),
        ("number", "joy", r"the target 'joy', the run learns a number"),
        ("number", NAN, r"the target nan, the run learns a number"),
    ],
)
def test_other_targets_are_refused(task: Task, target: str | frozenset[str] | float | None, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        check_target(run_of(task, () if task == "number" else LABELS), target, "clip a")


# ── decisions ────────────────────────────────────────────────────────────────

# Two frames for the first label by a little, one against it by much.
PROBABILITIES = np.array([[0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.001, 0.599, 0.4]])


def test_the_frames_of_a_clip_decide_by_vote_mean_probability_or_mean_logit() -> None:
    scored = {
        decision: decided(run_of("labels"), "a", np.log(PROBABILITIES), decision)
        for decision in ("vote", "mean-probability", "mean-logit")
    }
    scores = {decision: np.array(list(dict(each.scores).values())) for decision, each in scored.items()}  # pyright: ignore
    np.testing.assert_allclose(scores["vote"], [2 / 3, 1 / 3, 0])
    np.testing.assert_allclose(scores["mean-probability"], PROBABILITIES.mean(axis=0))
    geometric = PROBABILITIES.prod(axis=0) ** (1 / 3)
    np.testing.assert_allclose(scores["mean-logit"], geometric / geometric.sum())
    assert [each.answer for each in scored.values()] == ["anger", "joy", "joy"]
    np.testing.assert_allclose(scored["vote"].frames, PROBABILITIES)
    with pytest.raises(SettingsError, match="unknown clip decision 'median'; there are: vote, mean-probability"):
        decided(run_of("labels"), "a", np.log(PROBABILITIES), "median")


def test_each_label_of_a_set_is_decided_by_itself() -> None:
    logits = np.array([[2.0, -1, 0], [-1, -1, 0], [2, -1, 0]])
    run = run_of("label-sets")
    expected = {
        "vote": [2 / 3, 0, 0],
        "mean-probability": (1 / (1 + np.exp(-logits))).mean(axis=0),
        "mean-logit": 1 / (1 + np.exp(-logits.mean(axis=0))),
    }
    for decision, scores in expected.items():
        each = decided(run, "a", logits, decision)
        np.testing.assert_allclose(list(dict(each.scores).values()), scores, err_msg=decision)  # pyright: ignore
    assert decided(run, "a", logits, "mean-logit").answer == {"anger", "neutral"}
    tuned = run.model_copy(update={"thresholds": {"anger": 0.9, "joy": 0.2}})
    assert decided(tuned, "a", logits, "mean-logit").answer == {"joy", "neutral"}


def test_numbers_are_averaged_and_clipped_to_nothing() -> None:
    scored = decided(run_of("number", ()), "a", np.array([[1.0], [9.0]]), "vote")
    assert (scored.scores, scored.answer, scored.frames.tolist()) == (5.0, 5.0, [1.0, 9.0])


def test_thresholds_are_those_with_the_best_f1() -> None:
    rng = np.random.default_rng(3)
    run, logits = run_of("label-sets"), np.round(rng.normal(size=(40, 3)), 1)
    targets = [frozenset(label for label, chance in zip(LABELS[:2], row, strict=False) if chance > 0.5) for row in
               1 / (1 + np.exp(-logits)) + rng.normal(0, 0.2, logits.shape)]  # fmt: skip
    scored = [decided(run, str(i), row[None], "mean-probability") for i, row in enumerate(logits)]
    thresholds = tuned_thresholds([dict(each.scores) for each in scored], targets)  # pyright: ignore
    answered = with_thresholds(scored, thresholds)
    for label in LABELS[:2]:
        scores = np.array([dict(each.scores)[label] for each in scored])  # pyright: ignore
        given = np.array([label in target for target in targets])

        def f1(answers: np.ndarray, given: np.ndarray = given) -> float:
            return 2 * float((answers & given).sum()) / float(answers.sum() + given.sum())

        reached = f1(np.array([label in each.answer for each in answered]))  # pyright: ignore
        assert reached == pytest.approx(max(f1(scores >= threshold) for threshold in scores))
        assert thresholds[label] not in scores
    # Nobody has it: nothing to tune.
    assert thresholds["neutral"] == 0.5


# ── settings, and several seeds ──────────────────────────────────────────────


def test_the_config_that_ships_says_what_the_defaults_are() -> None:
    shipped = load(BaselineSettings, CONFIGS / "baseline.yaml")
    assert shipped.model_copy(update={"face": BaselineSettings().face}) == BaselineSettings()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"svm": True}, r"svm reads the embedding of bilstm-attention, and lfan has none; set svm: false"),
        ({"optimizer": {"head_learning_rate": 0.1}}, r"a fusion model has no head of its own rate; leave it null"),
        ({"search": {"learning_rate": [0.1, 0.01]}}, r"must be a range above 0, the lower end first, got 0.1 to 0.01"),
        ({"search": {"dropout": [1.0]}}, r"search.dropout must be values from 0 to below 1"),
        ({"search": {"weight_decay": []}}, r"search.weight_decay must be values of 0 or more"),
        ({"window_frames": 10}, r"hop_frames must not exceed window_frames"),
        ({"modalities": "V", "features": {"names": ["egemaps"]}}, r"modalities V ask for V, which no feature is about"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as raised:
        validate(BaselineSettings, values, "here")
    assert "\n" not in str(raised.value)


def test_one_set_key_leaves_the_other_defaults_alone() -> None:
    settings = load(BaselineSettings, None, ["optimizer.momentum=0.9", "optimizer.name=sgd"])
    assert (settings.optimizer.learning_rate, settings.optimizer.weight_decay) == (1e-3, 1e-4)
    assert SearchSettings().trials == 8


def test_mean_and_spread_over_seeds() -> None:
    summary = over_seeds([{"f1": 0.5, "acc": 1, "r": NAN}, {"f1": 0.7, "r": None}, {"f1": 0.6, "r": 0.1}])
    assert summary == {"f1": (pytest.approx(0.6), pytest.approx(0.1))}
    mean, spread = over_seeds([{"f1": 0.5}])["f1"]
    assert mean == 0.5 and np.isnan(spread)
