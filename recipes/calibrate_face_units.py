"""Make `extractors/units.json`: what neutral faces look like, and what units are made of.

    python recipes/calibrate_face_units.py --faces FOLDER [--out FILE] [--evaluate]

FOLDER holds `images/` and `labels.csv` with the columns image, person and
label (neutral, joy, surprise, anger, sadness, disgust; others are passed over).
The shipped file was made from 2,000 stills of 1,000 people, press photographs
and films, labelled by students (muxspace/facial_expressions, Apache-2.0).

1. Neutral faces: the mean of each measure by head pose, and the spread round it.
2. Units: each is a sum of deviations from that.  Which measures, and in which
   direction, is anatomy (FACS manual; `UNITS` below); how much each weighs is a
   logistic regression between the expressions that do and do not show the unit
   (EMFACS: Friesen & Ekman 1983), no measure against its direction.
3. Knots: where a unit's score lies on neutral faces and in full expressions.

`--evaluate` repeats all of it inside each fold of people and reports how well
the words of a face tell the expressions apart (0.50 balanced accuracy over six).
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from emoscribe.core.timeline import FaceTrack
from emoscribe.extractors.face.landmarker import SOURCE, read_mesh
from emoscribe.extractors.face.landmarker_models import load_networks
from emoscribe.extractors.face.units import CALIBRATION, LARGEST_DEVIATION, Calibration, action_units, pose_terms
from emoscribe.extractors.media import frames
from emoscribe.textualize.face import face_words

EXPRESSIONS = ("neutral", "joy", "surprise", "anger", "sadness", "disgust")

# Penalty on squared weights: with some 200 faces an expression, measures that
# say the same share the weight.
PENALTY = 20.0

# Where neutral faces lie: the first four of `KNOT_VALUES`; the fifth is a full
# expression, at least rarer than this among neutral faces.
NEUTRAL_QUANTILES = (0.3, 0.7, 0.88, 0.97)
FULL_QUANTILE = 0.995


@dataclass(frozen=True)
class Unit:
    """What a unit is read from.

    Attributes:
        shown, absent: the expressions that do and do not show it.
        moves: measures, each with the direction in which the unit moves it.
    """

    shown: str
    absent: str
    moves: str


UNITS = {
    "AU01": Unit(
        "sadness surprise",
        "neutral joy anger",
        "+inner_brow_height +brow_slant -brow_gap +forehead_level +glabella_upright",
    ),
    "AU02": Unit("surprise", "neutral joy anger sadness", "+outer_brow_height +middle_brow_height +forehead_level"),
    "AU04": Unit(
        "anger sadness",
        "neutral surprise joy",
        "-inner_brow_height -middle_brow_height -brow_slant -brow_gap -brow_above_nose_wing +brow_depth "
        "+glabella_upright -glabella_brightness +nose_bridge_level",
    ),
    "AU05": Unit(
        "surprise",
        "neutral joy anger sadness",
        "+eye_opening +upper_lid_height -lower_lid_height +eye_brightness",
    ),
    "AU06": Unit(
        "joy",
        "neutral surprise anger sadness disgust",
        "+cheek_width +cheek_height +lower_lid_height -cheek_below_lid +outer_eye_level +outer_eye_upright "
        "+under_eye_level",
    ),
    "AU07": Unit("anger joy", "neutral surprise", "+lower_lid_height -eye_opening +under_eye_level"),
    "AU09": Unit(
        "anger disgust",
        "neutral surprise sadness joy",
        "+nose_wing_height -brow_above_nose_wing +nasolabial_height +nose_wing_width +nose_bridge_level "
        "+nose_fold_upright",
    ),
    "AU10": Unit(
        "anger",
        "neutral surprise",
        "-philtrum_length +upper_lip_height +upper_lip_arch +nasolabial_height -nose_fold_brightness "
        "+nose_fold_upright",
    ),
    "AU12": Unit(
        "joy",
        "neutral surprise anger sadness disgust",
        "+corner_height +mouth_width -corner_depth +corner_above_lips +cheek_depth -corner_to_eye "
        "+corner_below_nose +inner_mouth_width",
    ),
    "AU15": Unit(
        "sadness disgust",
        "neutral joy",
        "-corner_height -corner_above_lips -corner_below_nose +upper_lip_bow",
    ),
    "AU25": Unit("joy surprise anger", "neutral sadness disgust", "+lip_gap +lower_gap_depth +upper_gap_height"),
    "AU26": Unit(
        "surprise",
        "neutral joy sadness disgust",
        "-chin_boss_below_lip -chin_length -corner_below_nose +lip_gap +jaw_length +mouth_height +dark_area",
    ),
    "AU43": Unit("sadness", "neutral surprise anger", "-eye_opening -upper_lid_height -iris_height"),
    "teeth": Unit(
        "joy",
        "neutral surprise sadness disgust",
        "+lip_gap +teeth_area +mouth_brightness +mouth_highlight",
    ),
    "uneven": Unit("sadness disgust", "neutral joy", "+eye_difference +brow_difference +corner_difference"),
}


@dataclass(frozen=True, eq=False)
class Faces:
    """Stills with a face: measures (N, G) by name, pose (N, 3), boxes (N, 4), blendshapes (N, B), emotions (N, 7),
    and what they are said to show."""

    names: tuple[str, ...]
    measures: np.ndarray
    pose: np.ndarray
    boxes: np.ndarray
    blendshapes: np.ndarray
    emotions: np.ndarray
    label: np.ndarray
    person: np.ndarray

    def take(self, rows: np.ndarray) -> Faces:
        return Faces(self.names, *(getattr(self, field.name)[rows] for field in fields(self)[1:]))


def read_faces(folder: Path) -> Faces:
    """The most prominent face of each labelled still; stills without one are left out."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        stills = [row for row in csv.DictReader(file) if row["label"] in EXPRESSIONS]
    found, kept = [], []
    networks = load_networks()
    if networks.classifier is None:
        raise SystemExit("the classifier of expressions is missing; get it with: emoscribe doctor --fetch embedded")
    for still in stills:
        for frame in frames(folder / "images" / still["image"]):
            for mesh in networks.finder.meshes(frame.image, max_faces=1):
                shapes, emotions = (
                    networks.landmarker.blendshapes(mesh),
                    networks.classifier.rate(frame.image, mesh.box),
                )
                found.append((*read_mesh(frame.image, mesh), mesh.box, shapes, emotions))
                kept.append(still)
    print(f"{len(kept)} of {len(stills)} stills show a face")
    measures, *others = zip(*found, strict=True)
    return Faces(
        tuple(measures[0]),
        np.array([list(each.values()) for each in measures]),
        *(np.array(each) for each in others),
        np.array([still["label"] for still in kept]),
        np.array([still["person"] for still in kept]),
    )


def calibrate(faces: Faces, source: str) -> Calibration:
    neutral = _neutral(faces)
    terms = pose_terms(faces.pose)
    deviations = {
        name: np.clip(
            (faces.measures[:, faces.names.index(name)] - terms @ np.array(mean)) / spread,
            -LARGEST_DEVIATION,
            LARGEST_DEVIATION,
        )
        for name, (mean, spread) in neutral.items()
    }
    weights, knots = {}, {}
    for code, unit in UNITS.items():
        weights[code] = _weigh(unit, deviations, faces.label)
        score = sum((w * deviations[name] for name, w in weights[code].items()), np.zeros(len(faces.label)))
        shown = np.median(score[np.isin(faces.label, unit.shown.split())])
        at_rest = score[faces.label == "neutral"]
        lower = np.quantile(at_rest, NEUTRAL_QUANTILES)
        full = max(np.quantile(at_rest, FULL_QUANTILE), shown)
        knots[code] = tuple(float(round(k, 4)) for k in (*lower, full))
    used = {name for each in weights.values() for name in each}
    return Calibration(source, {name: neutral[name] for name in faces.names if name in used}, weights, knots)


def _neutral(faces: Faces) -> dict[str, tuple[tuple[float, ...], float]]:
    """Each measure's mean by pose on neutral faces, and its spread round that."""
    at_rest = faces.take(faces.label == "neutral")
    terms = pose_terms(at_rest.pose)
    means = np.linalg.lstsq(terms, at_rest.measures, rcond=None)[0]
    rest = at_rest.measures - terms @ means
    # From the median deviation: a few faces are not at rest, whatever the label.
    spreads = 1.4826 * np.median(np.abs(rest - np.median(rest, axis=0)), axis=0)
    # What a closed mouth shows is the same on most neutral faces.
    spreads = np.where(spreads > 1e-6, spreads, rest.std(axis=0))
    return {
        name: (tuple(float(round(c, 6)) for c in means[:, i]), float(round(spreads[i], 6)))
        for i, name in enumerate(faces.names)
    }


def _weigh(unit: Unit, deviations: dict[str, np.ndarray], label: np.ndarray) -> dict[str, float]:
    """Weights of a logistic regression, every expression counting the same."""
    from scipy.optimize import minimize

    shown, absent = unit.shown.split(), unit.absent.split()
    names = [move[1:] for move in unit.moves.split()]
    sign = np.array([1.0 if move[0] == "+" else -1.0 for move in unit.moves.split()])
    rows = np.isin(label, shown + absent)
    truth = np.isin(label[rows], shown)
    x = np.stack([deviations[name][rows] for name in names], axis=1) * sign
    importance = np.zeros(len(truth))
    for side in (shown, absent):
        for expression in side:
            these = label[rows] == expression
            importance[these] = len(truth) / 2 / len(side) / max(these.sum(), 1)

    def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
        score = x @ b[1:] + b[0]
        slope = importance * (1 / (1 + np.exp(-score)) - truth)
        value = (importance * np.logaddexp(0, np.where(truth, -score, score))).sum() + PENALTY / 2 * (b[1:] ** 2).sum()
        return value, np.concatenate([[slope.sum()], x.T @ slope + PENALTY * b[1:]])

    bounds = [(None, None)] + [(0, None)] * len(names)
    start = np.concatenate([[0.0], np.full(len(names), 0.1)])
    fitted: Any = minimize(loss, start, jac=True, bounds=bounds)
    b = fitted.x[1:] * sign
    return {name: float(round(w, 4)) for name, w in zip(names, b, strict=True) if abs(w) >= 0.02}


def evaluate(faces: Faces, repeats: int = 3) -> None:
    """Print how well the words of a face tell the expressions apart, by folds of people.

    The reader is a logistic regression over a bag of the words' phrases.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import confusion_matrix
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline

    recalls = np.zeros((repeats, len(EXPRESSIONS)))
    for seed in range(repeats):
        predicted = np.empty_like(faces.label)
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        for train, test in folds.split(faces.measures, faces.label, faces.person):
            worded = words(faces, calibrate(faces.take(train), "fold"))
            reader = make_pipeline(
                CountVectorizer(tokenizer=lambda line: line.split(", "), token_pattern=None, binary=True),
                LogisticRegression(C=0.2, class_weight="balanced", max_iter=2000),
            )
            predicted[test] = reader.fit(worded[train], faces.label[train]).predict(worded[test])
        counts = confusion_matrix(faces.label, predicted, labels=EXPRESSIONS)
        recalls[seed] = np.diag(counts) / counts.sum(axis=1)
    print(f"balanced accuracy {recalls.mean():.3f} over {repeats} × 5 folds of people")
    print(", ".join(f"{name} {recall:.2f}" for name, recall in zip(EXPRESSIONS, recalls.mean(axis=0), strict=True)))


def words(faces: Faces, calibration: Calibration) -> np.ndarray:
    """What is said of each still, (N,): each a moment of its own."""
    moments_s = 10.0 * np.arange(len(faces.label))
    track = FaceTrack(
        source=SOURCE,
        names=calibration.units,
        times_s=moments_s,
        person=np.zeros(len(moments_s), dtype=int),
        boxes=faces.boxes,
        action_units=action_units(faces.measures, faces.names, faces.pose, calibration),
        frame_times_s=moments_s,
        pose=faces.pose,
    )
    return np.array([face_words(track, start_s, start_s + 1.0)[0] for start_s in moments_s], dtype=object)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--faces", type=Path, required=True, help="folder with images/ and labels.csv")
    parser.add_argument("--out", type=Path, default=CALIBRATION)
    parser.add_argument("--evaluate", action="store_true", help="report accuracy over folds of people first")
    given = parser.parse_args()
    faces = read_faces(given.faces)
    if given.evaluate:
        evaluate(faces)
    people = len(set(faces.person))
    calibration = calibrate(faces, f"{len(faces.label)} stills of {people} people, muxspace/facial_expressions")
    values = {
        "source": calibration.source,
        "neutral": calibration.neutral,
        "weights": calibration.weights,
        "knots": calibration.knots,
    }
    given.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {given.out}")


if __name__ == "__main__":
    main()
