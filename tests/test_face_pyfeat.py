"""py-feat's real networks with random weights: streamed, bounded, and leaving no trace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.context import Context
from emoscribe.core.errors import MediaError, UnavailableError
from emoscribe.core.timeline import FaceTrack
from emoscribe.extractors.engines import Engines
from emoscribe.extractors.face import pyfeat as face_pyfeat
from emoscribe.extractors.face import pyfeat_weights as face_pyfeat_weights
from emoscribe.extractors.media import Frame, frames
from emoscribe.extractors.perceive import follow_faces
from emoscribe.extractors.registry import choose
from emoscribe.extractors.registry import describe as describe_engine
from emoscribe.extractors.settings import FaceSettings
from emoscribe.extractors.sources import FileSource

Boxes = list[list[float]]

PYFEAT = FaceSettings(engine="py-feat", device="cpu", sampling_fps=5.0, batch_size=4, max_faces=2)
OFFLINE = Context(offline=True)


def resolve(settings: FaceSettings) -> tuple[FaceSettings, str]:
    return choose("face", settings, OFFLINE)


def describe(settings: FaceSettings) -> dict:
    return describe_engine("face", settings)


def track_faces(path: Path, settings: FaceSettings) -> FaceTrack:
    with Engines(OFFLINE) as engines:
        return follow_faces(FileSource(path), resolve(settings)[0], engines)


RED, BLUE = (200, 30, 30), (30, 30, 200)


@pytest.fixture(autouse=True)
def weights(pyfeat_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(face_pyfeat_weights.CACHE_VARIABLE, str(pyfeat_weights))
    monkeypatch.delenv("FEAT_MULTITASK_WEIGHTS", raising=False)
    return pyfeat_weights


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[np.ndarray], Boxes]], None]:
    """Fixes what RetinaFace finds, which random weights leave to chance: from a picture (H, W, 3) to its boxes."""
    from feat.face_detectors.Retinaface.Retinaface_test import Retinaface

    def fix(boxes_in: Callable[[np.ndarray], Boxes]) -> None:
        monkeypatch.setattr(
            Retinaface,
            "forward",
            lambda self, pictures: [
                [[*box, 0.9] for box in boxes_in(picture)] for picture in pictures.permute(0, 2, 3, 1).numpy()
            ],
        )

    return fix


@pytest.fixture
def crops(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many faces are cropped at a time."""
    from feat.utils import image_operations

    counts: list[int] = []
    crop = image_operations.extract_face_square_pad_torch

    def watched(frame, boxes, **given):
        counts.append(len(boxes))
        return crop(frame, boxes, **given)

    monkeypatch.setattr(image_operations, "extract_face_square_pad_torch", watched)
    return counts


@pytest.fixture(scope="module")
def grey(write_frames, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames, five a second."""
    shades = [np.full((128, 160, 3), shade, dtype=np.uint8) for shade in range(60, 180, 20)]
    return write_frames(tmp_path_factory.mktemp("grey") / "grey.mp4", shades, fps=5)


# ── what is rated ────────────────────────────────────────────────────────────


def test_as_detectorv2_rates_it(weights: Path, feat_media: Path, write_frames, tmp_path: Path) -> None:
    """The whole of it on streamed frames, against py-feat's own detector on the same boxes."""
    settings, why = resolve(PYFEAT.model_copy(update={"sampling_fps": 1.0}))
    assert "py-feat on cpu, 1 frames a second" in why
    small = next(frames(feat_media / "single_face.jpg")).image[100:420:2, 160:416:2]
    video = write_frames(tmp_path / "small.mp4", [small] * 3, fps=1)
    track = track_faces(video, settings)

    assert track.source == "py-feat"
    assert len(track.frame_times_s) == 3
    assert 0 < len(track.times_s) <= 2 * 3  # random weights see faces everywhere
    assert track.action_units.shape == (len(track.times_s), 20)
    assert track.emotion_names == ("neutral", "joy", "sadness", "surprise", "fear", "disgust", "anger")
    assert track.emotions is not None and track.emotions.sum(axis=1) == pytest.approx(1.0, abs=1e-3)
    assert_as_detectorv2(track, weights, next(frames(video)).image)


def assert_as_detectorv2(track: FaceTrack, weights: Path, image: np.ndarray) -> None:
    import torch
    from feat import detector_v2

    rater = next(weights.glob("models--py-feat--face_multitask_v2/snapshots/*/*.safetensors"))
    with pytest.MonkeyPatch.context() as patch:
        # Its constructor would fetch the face detector; here the boxes are given.
        patch.setattr(detector_v2, "Retinaface", lambda device: None)
        detector = detector_v2.Detectorv2(device="cpu", identity_model=None, multitask_weights=str(rater))
    first = np.flatnonzero(track.times_s == track.times_s[0])
    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    nothing = torch.zeros(1)
    padding = {"Left": nothing, "Top": nothing, "Right": nothing, "Bottom": nothing}
    faces = detector.crop_faces_from_boxes(batch, torch.from_numpy(track.boxes[first]))
    theirs = detector.forward(faces, {"Image": batch, "Padding": padding, "Scale": torch.ones(1)})
    assert theirs[list(track.names)].to_numpy() == pytest.approx(track.action_units[first], abs=1e-4)
    emotions = theirs[["Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger"]].to_numpy()
    assert track.emotions is not None and emotions == pytest.approx(track.emotions[first], abs=1e-4)
    assert track.valence is not None and theirs["valence"].to_numpy() == pytest.approx(track.valence[first], abs=1e-4)
    assert track.arousal is not None and theirs["arousal"].to_numpy() == pytest.approx(track.arousal[first], abs=1e-4)
    assert track.pose is not None
    # py-feat's yaw is positive to the person's right, ours to the viewer's.
    expected = np.degrees(theirs[["Pitch", "Yaw", "Roll"]].to_numpy()) * (1, -1, 1)
    assert track.pose[first] == pytest.approx(expected, abs=1e-3)


def test_several_faces_keep_their_identities(find, write_frames, tmp_path: Path) -> None:
    """Two walk past each other, and are found now in this order, now in that."""
    scenes = []
    for x in range(8, 104, 8):
        scene = np.full((128, 160, 3), 110, dtype=np.uint8)
        scene[16:56, x : x + 40] = RED
        scene[72:112, 112 - x : 152 - x] = BLUE
        scenes.append(scene)

    def where_coloured(image: np.ndarray) -> Boxes:
        boxes: Boxes = []
        for channel in (0, 2):
            rows, columns = np.nonzero(image[..., channel] > 160)
            boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        return boxes[::-1] if boxes[0][0] // 8 % 2 else boxes

    find(where_coloured)
    track = track_faces(write_frames(tmp_path / "crossing.mp4", scenes, fps=5), PYFEAT)
    assert len(track.times_s) == 2 * len(scenes)
    above = track.boxes[:, 1] < 64
    assert set(track.person[above].tolist()) != set(track.person[~above].tolist())
    assert len(set(track.person[above].tolist())) == len(set(track.person[~above].tolist())) == 1


def test_looked_and_saw_nobody(find, grey: Path) -> None:
    find(lambda image: [])
    track = track_faces(grey, PYFEAT)
    assert len(track.frame_times_s) == 6
    assert track.action_units.shape == (0, 20) and track.boxes.shape == (0, 4)
    assert track.emotions is not None and track.emotions.shape == (0, 7)


# ── bounded, and the same however it is cut ──────────────────────────────────


def everywhere(image: np.ndarray) -> Boxes:
    """As random weights see it: faces of all sizes, some endless, some none."""
    x, y = np.meshgrid(np.arange(0, 160, 8), np.arange(0, 128, 8))
    size = 4.0 + (x * 7 + y * 3) % 40
    boxes = np.stack([x, y, x + size, y + size], axis=-1).reshape(-1, 4).astype(float)
    boxes[0] = (-1e9, -1e9, 1e9, 1e9)
    boxes[1] = (np.nan, 0, 9, 9)
    boxes[2] = (5, 5, 5, 5)
    return boxes.tolist()


def test_boxes_are_bounded_before_faces_are_cropped(find, crops: list[int], grey: Path) -> None:
    find(everywhere)
    track = track_faces(grey, PYFEAT)
    assert crops == [4 * 2, 2 * 2]
    assert len(track.times_s) == 6 * 2
    width, height = 160, 128
    assert (track.boxes >= (-0.5 * width, -0.5 * height) * 2).all()
    assert (track.boxes <= (1.5 * width, 1.5 * height) * 2).all()


def test_however_it_is_cut_the_track_is_the_same(
    find, crops: list[int], grey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find(everywhere)
    whole = track_faces(grey, PYFEAT)
    crops.clear()
    one_by_one = track_faces(grey, PYFEAT.model_copy(update={"batch_size": 1}))
    assert crops == [2] * 6
    crops.clear()
    # As if the frames were large: three fit into a batch, and three faces are cropped at a time.
    monkeypatch.setattr(face_pyfeat, "PIXELS_FOUND_IN", 3 * 160 * 128)
    monkeypatch.setattr(face_pyfeat, "PIXELS_CROPPED_FROM", 3 * 160 * 128)
    in_parts = track_faces(grey, PYFEAT)
    assert crops == [3, 3, 3, 3]
    for other in (one_by_one, in_parts):
        assert other.person.tolist() == whole.person.tolist()
        for name in ("times_s", "boxes", "action_units", "emotions", "valence", "arousal", "pose"):
            assert getattr(other, name) == pytest.approx(getattr(whole, name), abs=1e-4), name


def test_frames_of_other_sizes_are_other_batches() -> None:
    large, small = np.zeros((2160, 3840, 3), np.uint8), np.zeros((48, 64, 3), np.uint8)
    stream = [Frame(time_s, image) for time_s, image in enumerate([small] * 5 + [large] * 5)]
    batches = list(face_pyfeat.batches_of(iter(stream), 4))
    assert [frame.time_s for batch in batches for frame in batch] == list(range(10))
    assert [len(batch) for batch in batches] == [4, 1, 2, 2, 1]


def test_decoding_is_one_batch_ahead_and_no_more() -> None:
    made = 0

    def making() -> Iterator[list[Frame]]:
        nonlocal made
        while made < 7:
            made += 1
            yield []

    for used, _ in enumerate(face_pyfeat.ahead(making()), start=1):
        assert made <= used + 1
    assert used == made == 7


def test_what_goes_wrong_while_decoding_is_told(grey: Path, tmp_path: Path) -> None:
    (tmp_path / "note.mp4").write_text("not a video")
    with pytest.raises(MediaError, match=r"note\.mp4"):
        list(face_pyfeat.ahead(face_pyfeat.batches_of(frames(tmp_path / "note.mp4"), 4)))
    threads = threading.active_count()
    ahead = face_pyfeat.ahead(face_pyfeat.batches_of(frames(grey), 2))
    assert len(next(ahead)) == 2
    ahead.close()  # as when the ratings cannot be made
    assert threading.active_count() == threads


# ── torch as it was found ────────────────────────────────────────────────────

# A process of its own: py-feat sets the environment once, when it is imported.
LEFT_AS_FOUND = """
import os, sys, threading, torch
from emoscribe.core.errors import UnavailableError
from emoscribe.core.context import Context
from emoscribe.extractors.engines import Engines
from emoscribe.extractors.perceive import follow_faces
from emoscribe.extractors.settings import FaceSettings
from emoscribe.extractors.sources import FileSource

def state():
    return torch.is_grad_enabled(), torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")

def look(video, cache):
    before = state()
    os.environ["FEAT_CACHE"] = cache
    try:
        with Engines(Context(offline=True)) as engines:
            track = follow_faces(FileSource(video), settings, engines)
        seen.append(len(track.frame_times_s))
    except UnavailableError as error:
        seen.append(str(error))
    assert state() == before, (before, state())

def elsewhere(*given):
    thread = threading.Thread(target=look, args=given)
    thread.start()
    thread.join()

video, broken, whole = sys.argv[1:]
settings = FaceSettings(engine="py-feat", device="cpu", sampling_fps=0.1, max_faces=1)
seen = []
torch.set_num_threads(2)
before = state()
assert before == (True, 2, None)
elsewhere(video, broken)  # imports py-feat
elsewhere(video, whole)
look(video, whole)
torch.set_grad_enabled(False)
look(video, broken)
torch.set_grad_enabled(True)
assert "feat" in sys.modules and state() == before
fresh = []
thread = threading.Thread(target=lambda: fresh.append(state()))
thread.start(); thread.join()
assert fresh == [before], fresh
assert seen[1:3] == [1, 1] and all("cannot load its weights" in seen[at] for at in (0, 3)), seen
"""


def broken_copy(weights: Path, folder: Path) -> Path:
    """The weights, the face detector's cut off."""
    shutil.copytree(weights, folder)
    for path in folder.glob("models--py-feat--retinaface_r34/snapshots/*/*.safetensors"):
        os.truncate(path, path.stat().st_size // 2)
    return folder


def test_torch_and_the_environment_are_left_as_found(weights: Path, grey: Path, tmp_path: Path) -> None:
    """Where it loads and where it does not, in the main thread and beside it."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    environment["OMP_WAIT_POLICY"] = "passive"  # two threads that wait for each other take a busy machine minutes
    done = subprocess.run(
        [sys.executable, "-c", LEFT_AS_FOUND, str(grey), str(broken_copy(weights, tmp_path / "broken")), str(weights)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def of_something_else(path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(3)}, path, metadata={"config": "{}"})


@pytest.mark.parametrize("network", ["retinaface_r34", "face_multitask_v2"])
@pytest.mark.parametrize("spoil", [cut_off, of_something_else])
def test_weights_that_are_none_are_one_line(
    network: str, spoil: Callable[[Path], None], weights: Path, grey: Path, tmp_path: Path, monkeypatch
) -> None:
    import torch

    shutil.copytree(weights, tmp_path / "cache")
    (path,) = (tmp_path / "cache").glob(f"models--py-feat--{network}/snapshots/*/*.safetensors")
    spoil(path)
    monkeypatch.setenv(face_pyfeat_weights.CACHE_VARIABLE, str(tmp_path / "cache"))
    with pytest.raises(UnavailableError, match=r"py-feat cannot load its weights .* hf download") as error:
        track_faces(grey, PYFEAT)
    assert "\n" not in str(error.value)
    assert torch.is_grad_enabled()


def test_a_rater_given_by_name_is_never_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the other network is yet to be fetched."""
    (tmp_path / "rater.pt").write_bytes(b"pickle")
    monkeypatch.setenv(face_pyfeat_weights.CACHE_VARIABLE, str(tmp_path / "empty"))
    monkeypatch.setenv("FEAT_MULTITASK_WEIGHTS", str(tmp_path / "rater.pt"))
    with pytest.raises(UnavailableError, match=r"FEAT_MULTITASK_WEIGHTS must name a \.safetensors file"):
        face_pyfeat_weights.find_weights()


def test_provenance_says_what_changes_the_track() -> None:
    here = describe(PYFEAT)
    assert set(here["weights_sha256"]) == {"detector", "rater"}
    assert here["precision"] == "float32"
    # A GPU rates in bfloat16; how many frames it rates at a time changes nothing.
    assert describe(PYFEAT.model_copy(update={"device": "cuda"}))["precision"] == "bfloat16"
    assert describe(PYFEAT.model_copy(update={"batch_size": 1})) == here
