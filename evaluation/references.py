"""Two scores to read any other by: the most frequent label, and a bag of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.timeline import Clip
from .metrics import measure
from .predictions import Predictions

MAJORITY = "majority"
TFIDF = "tfidf_logistic_regression"


@dataclass(frozen=True)
class Reference:
    """A simple way to answer, and how well it does.

    Attributes:
        how: what it is and what it was fitted on, in a line.
        measured: as an entry of `metrics.json`; `None` where not fitted.
        not_fitted: why not.
    """

    name: str
    how: str
    measured: dict[str, Any] | None = None
    not_fitted: str | None = None

    def as_json(self) -> dict[str, Any]:
        outcome = {"not_fitted": self.not_fitted} if self.measured is None else self.measured
        return {"how": self.how, **outcome}


def references(
    scored: Predictions,
    train_clips: Sequence[Clip],
    split_clips: Sequence[Clip],
    *,
    resamples: int,
    seed: int,
) -> tuple[Reference, Reference]:
    """The majority label and TF-IDF with logistic regression, on the clips that `scored` was measured on.

    Args:
        scored: any run's predictions; its labels are the possible answers.
        train_clips: what to fit on; may be empty.
        split_clips: the clips of `scored`, for their texts.
    """
    scored = scored.labelled()
    train = [clip for clip in train_clips if clip.target in scored.labels]
    found = []
    for name, (how, outcome) in (
        (MAJORITY, majority(scored, train)),
        (TFIDF, tfidf(scored, train, split_clips)),
    ):
        if isinstance(outcome, str):
            found.append(Reference(name, how, not_fitted=outcome))
        else:
            answers = Predictions(name, scored.labels, scored.clip_ids, scored.truth, outcome)
            found.append(Reference(name, how, measured=measure(answers, resamples=resamples, seed=seed)))
    return found[0], found[1]


def majority(scored: Predictions, train: Sequence[Clip]) -> tuple[str, np.ndarray]:
    """How it was fitted, and (N, L) scores: the share of each label, for every clip the same."""
    targets = [clip.target for clip in train] or list(scored.truth)
    shares = np.array([targets.count(label) for label in scored.labels]) / len(targets)
    most = scored.labels[int(shares.argmax())]
    where = f"{len(train):,} training clips" if train else "the scored split itself, there being no training split"
    return f"always answers “{most}”, the most frequent label of {where}", np.tile(shares, (len(scored.truth), 1))


def tfidf(scored: Predictions, train: Sequence[Clip], split_clips: Sequence[Clip]) -> tuple[str, np.ndarray | str]:
    """How it is fitted, and (N, L) scores or why there are none.

    Words in ones and twos and, within words, characters in twos to fives, in
    sublinear TF-IDF; multinomial logistic regression at scikit-learn's C = 1.
    """
    how = "words (1–2) and characters (2–5), counted and weighed"
    texts = {clip.id: clip.text or "" for clip in split_clips}
    train = [clip for clip in train if clip.text]
    seen = {(clip.split, clip.id) for clip in train} & {(clip.split, clip.id) for clip in split_clips}
    if not any(texts.get(clip) for clip in scored.clip_ids):
        return how, "the clips have no text"
    if not train:
        return how, "there are no training texts at hand"
    if seen:
        return how, f"{len(seen):,} of the scored clips are its training clips"
    if len({clip.target for clip in train}) < 2:
        return how, f"all {len(train):,} training texts have the same label"
    try:
        classes, probabilities = _fit_and_score(
            [clip.text or "" for clip in train],
            [str(clip.target) for clip in train],
            [texts.get(clip, "") for clip in scored.clip_ids],
        )
    except ValueError as error:
        return how, f"the training texts hold nothing to count ({error})"
    scores = np.zeros_like(scored.scores, dtype=float)
    scores[:, [scored.labels.index(label) for label in classes]] = probabilities
    return f"{how}; fitted on {len(train):,} training texts", scores


def _fit_and_score(texts: list[str], labels: list[str], unseen: list[str]) -> tuple[list[str], np.ndarray]:
    """The labels met in training, and (N, their number) probabilities."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    model = make_pipeline(
        make_union(
            # Unlike scikit-learn's default, one-letter words count: “I”.
            TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
        ),
        LogisticRegression(max_iter=300, tol=1e-3),
    )
    model.fit(texts, labels)
    return [str(label) for label in model.classes_], model.predict_proba(unseen)
