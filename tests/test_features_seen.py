"""Features of what is seen: measures and embeddings of faces, how much a picture holds."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.context import Context
from emoscribe.core.timeline import Cues, FaceTrack
from emoscribe.extractors import media
from emoscribe.extractors.face.pyfeat import undisturbed
from emoscribe.extractors.features import faces, seen
from emoscribe.extractors.features.clock import Clock, clock_of
from emoscribe.extractors.features.sequences import columns, sequences_of
from emoscribe.extractors.features.settings import FeatureSettings
from emoscribe.extractors.settings import FaceSettings
from emoscribe.extractors.sources import FileSource
from emoscribe.extractors.store import CueStore

RATE = 16_000
MESH = FaceSettings(engine="landmarker", device="cpu", sampling_fps=5.0)

OFFLINE = Context(offline=True)


def test_the_most_prominent_face_at_the_nearest_picture(face_track: FaceTrack) -> None:
    track = face_track
    whole = faces.on_clock(track, track.action_units, clock_of(0.0, 3.0, 10.0))
    # Large for a second outweighs small for three.
    assert whole[10:20:2, 0] == pytest.approx(100 + np.arange(5, 10) / 5)
    assert np.isnan(whole[:9]).all() and np.isnan(whole[21:]).all()
    late = faces.on_clock(track, track.action_units, clock_of(2.4, 3.0, 10.0))
    assert late[:, 0] == pytest.approx([2.4, 2.4, 2.6, 2.6, 2.8, 2.8])


def test_what_is_measured_does_not_depend_on_a_face(feat_media: Path, track_faces) -> None:
    smiling = track_faces(feat_media / "single_face.jpg", MESH)
    names = faces.measure_names(smiling.source)
    assert names == (*smiling.names, *faces.POSE, *smiling.geometry_names, *smiling.blendshape_names)
    values = faces.measures(smiling)
    assert values[:, : len(smiling.names)] == pytest.approx(smiling.action_units)
    nobody = FaceTrack(
        smiling.source, smiling.names, *(np.empty(0),) * 2, np.empty((0, 4)), np.empty((0, 15)), np.zeros(1)
    )
    assert faces.measures(nobody).shape == (0, len(names))
    assert np.isnan(faces.on_clock(nobody, faces.measures(nobody), Clock(0.0, 4, 2.0))).all()


@pytest.fixture(scope="module")
def face_weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files of random weights: py-feat's network with a small backbone, ResNet-50 as torchvision saves it."""
    import torch
    from safetensors.torch import save_file

    with undisturbed():
        from feat.multitask import AU_NAMES_V24
        from feat.multitask.model_v2 import MEGraphAUv2, ModelV2Config
    from torchvision.models import resnet50

    assert tuple(AU_NAMES_V24) == faces.PYFEAT_UNITS
    folder = tmp_path_factory.mktemp("faces")
    torch.manual_seed(0)
    config = ModelV2Config(backbone="convnextv2_atto", n_au=20, n_emotion=7, pretrained=False, drop_mefl=True)
    config.use_head_v3 = True
    state = {key: value.clone().contiguous() for key, value in MEGraphAUv2(config).state_dict().items()}
    save_file(state, folder / "multitask.safetensors", metadata={"config": json.dumps(asdict(config))})
    torch.save({key: value.half() for key, value in resnet50().state_dict().items()}, folder / "resnet50.pth")
    return {
        "face-embedding": str(folder / "multitask.safetensors"),
        "face-resnet50": str(folder / "resnet50.pth"),
    }


def test_embeddings_of_faces(face_weights: dict[str, str], feat_media: Path, tmp_path: Path, track_faces) -> None:
    import torch

    names = ("face-embedding", "face-resnet50")
    features = FeatureSettings(names=names, weights=face_weights, informative_share=0.5, device="cpu")
    still = FileSource(feat_media / "multi_face.jpg")
    track = track_faces(still.media.path, MESH)
    store = CueStore(tmp_path / "store")
    found = sequences_of(still, Cues(still.media, face=track), features, Context(offline=True, store=store))
    assert {name: sequence.values.shape for name, sequence in found.items()} == {
        "face-embedding": (1, 320),
        "face-resnet50": (1, 2048),
        "picture-entropy": (1, 1),
    }
    # The crop of the most prominent face, through the network alone.
    person = faces.most_prominent(track, -1.0, 1.0)
    image = next(iter(media.frames(still.media.path))).image
    crop = seen.crop(image, track.boxes[track.person == person], "cpu")
    for name in names:
        with torch.inference_mode():
            expected = seen.load_network(name, features, OFFLINE)(crop).numpy()
        assert found[name].values == pytest.approx(expected, rel=1e-3, abs=1e-4)
        assert columns(name, features, OFFLINE) == found[name].names
    # Kept: found again without the picture, and by another clock.
    copied = tmp_path / "copy.jpg"
    shutil.copyfile(still.media.path, copied)
    gone = FileSource(copied)
    copied.unlink()
    faster = features.model_copy(update={"rate_hz": 25.0})
    again = sequences_of(gone, Cues(gone.media, face=track), faster, Context(offline=True, store=store))
    assert np.array_equal(again["face-resnet50"].values, found["face-resnet50"].values)


def test_embeddings_row_by_row_of_a_video(face_weights: dict[str, str], tmp_path: Path, make_media) -> None:
    """Where a face was seen in two of the frames, those have an embedding; nobody tells what width the others lack."""
    video = FileSource(make_media(tmp_path / "grey.mp4", frame_times_s=np.arange(20) / 10))
    track = FaceTrack(
        source="landmarker",
        names=(),
        times_s=np.array([0.5, 1.0]),
        person=np.zeros(2, dtype=int),
        boxes=np.full((2, 4), (10.0, 5.0, 40.0, 40.0)),
        action_units=np.empty((2, 0)),
        frame_times_s=np.arange(4) / 2,
    )
    features = FeatureSettings(names=("face-resnet50",), weights=face_weights, rate_hz=2.0, device="cpu")
    values = sequences_of(video, Cues(video.media, face=track), features, Context(offline=True))["face-resnet50"].values
    assert np.isfinite(values).all(axis=1).tolist() == [False, True, True, False]
    assert not np.array_equal(values[1], values[2])  # the picture brightens
