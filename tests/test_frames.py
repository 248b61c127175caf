"""Faces over time as tables that py-feat's and OpenFace's readers take."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from emoscribe.core.measures import UnitScale
from emoscribe.core.timeline import FaceTrack, LabelledTranscript
from emoscribe.outputs import load_result, write_outputs
from emoscribe.outputs.tracks import face_tracks


@pytest.fixture
def watched(labelled: LabelledTranscript) -> LabelledTranscript:
    """Two faces at 25 pictures a second, one of them late; nobody in the last picture."""
    face = FaceTrack(
        source="py-feat",
        names=("AU12", "AU43", "AU28", "teeth"),
        times_s=np.array([0.0, 0.04, 0.04, 60.04]),
        person=np.array([1, 1, 2, 1]),
        boxes=np.array([(10, 20, 50, 80), (11, 20, 51, 80), (100, 20, 140, 80), (12, 20, 52, 80)], dtype=float),
        action_units=np.array([(0.1, 0.9, 0.0, 0.0), (0.5, 0.2, 0.6, 0.1), (0.49, np.nan, 0.0, 0.0), (1.0, 0, 0, 0)]),
        frame_times_s=np.array([0.0, 0.04, 60.04, 60.08]),
        pose=np.array([(10.0, 20.0, 30.0), (0, 0, 0), (-5, 0, 0), (np.nan,) * 3]),
        emotion_names=("sadness", "joy"),
        emotions=np.array([(0.9, 0.1), (0.2, 0.8), (0.5, 0.5), (np.nan, np.nan)]),
        valence=np.array([-0.5, 0.5, 0.0, 0.25]),
        arousal=np.array([0.1, 0.2, 0.3, 0.4]),
        scale=UnitScale(grades=(0.4, 0.5, 0.8)),
    )
    return replace(labelled, media=replace(labelled.media, fps=25.0), tracks=face_tracks(face))


def read(transcript: LabelledTranscript, name: str, folder: Path) -> pd.DataFrame:
    """The file, of the transcript as it comes back from its JSON."""
    (kept,) = write_outputs(transcript, folder, ["json"])
    (path,) = write_outputs(load_result(kept), folder, [name])
    assert path.name == f"WolfgangLanger_Pexels.{name}.csv"
    return pd.read_csv(path)


def test_py_feat_s_columns(watched: LabelledTranscript, tmp_path: Path) -> None:
    table = read(watched, "frames", tmp_path)
    assert list(table)[:3] == ["input", "frame", "approx_time"] and list(table)[-7:] == [
        "Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger",
    ]  # fmt: skip
    assert sum(name.startswith("AU") for name in table) == 20
    assert table["frame"].tolist() == [0, 1, 1, 1501, 1502] and table["approx_time"].tolist()[-1] == "01:00"
    assert table["Identity"].tolist()[:4] == [1, 1, 2, 1] and math.isnan(table["Identity"][4])
    first = table.iloc[0]
    assert first[["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"]].tolist() == [10, 20, 40, 60]
    assert (first["AU12"], first["AU43"], first["Sad"], first["Happy"]) == (0.1, 0.9, 0.9, 0.1)
    assert (first["valence"], first["arousal"]) == (-0.5, 0.1)
    # py-feat's yaw is positive to the person's own right, which is the viewer's left.
    turned = np.degrees(first[["Pitch", "Roll", "Yaw"]].tolist())
    assert turned == pytest.approx([10, 30, -20], abs=0.01)
    assert table[["AU01", "FaceScore", "gaze_yaw", "X", "Neutral"]].isna().all(axis=None)
    assert math.isnan(table["AU43"][2]) and math.isnan(table["Pitch"][3]) and math.isnan(table["AU12"][4])


def test_open_face_s_columns(watched: LabelledTranscript, tmp_path: Path) -> None:
    table = read(watched, "openface", tmp_path)
    assert list(table)[:5] == ["frame", "face_id", "timestamp", "confidence", "success"]
    assert sum(name.endswith("_r") for name in table) == 17 and sum(name.endswith("_c") for name in table) == 18
    assert table["frame"].tolist() == [1, 2, 2, 1502, 1503] and table["success"].tolist() == [1, 1, 1, 1, 0]
    assert table["timestamp"].tolist() == [0.0, 0.04, 0.04, 60.04, 60.08]
    assert table["AU12_r"].tolist()[:4] == [0.5, 2.5, 2.45, 5.0] and table["AU45_r"][0] == 4.5
    # Present from the plain grade on.
    assert table["AU12_c"].tolist()[:4] == [0, 1, 0, 1] and table["AU28_c"][1] == 1 and math.isnan(table["AU12_c"][4])
    # Its axes: down, to the viewer's left and clockwise are positive.
    turned = np.degrees(table.loc[0, ["pose_Rx", "pose_Ry", "pose_Rz"]].tolist())
    assert turned == pytest.approx([-10, -20, -30], abs=0.01)
    assert table[["confidence", "pose_Tx", "AU01_r", "AU01_c"]].isna().all(axis=None)


@pytest.mark.parametrize("name", ["frames", "openface"])
def test_of_what_nobody_looked_at_there_are_columns_and_no_rows(
    labelled: LabelledTranscript, tmp_path: Path, name: str
) -> None:
    table = read(replace(labelled, tracks=None), name, tmp_path)
    assert len(table) == 0 and "frame" in table


def test_a_result_from_before_has_what_was_kept(labelled: LabelledTranscript, tmp_path: Path) -> None:
    """Tracks that tell no pose, no grades and not what was looked at."""
    tracks = face_tracks(FaceTrack("x", ("AU12",), np.array([0.5]), np.array([0]), np.zeros((1, 4)), np.ones((1, 1)),
                                   np.array([0.5, 1.0])))  # fmt: skip
    del tracks["faces"]["grades"], tracks["faces"]["looked_s"]
    table = read(replace(labelled, tracks=tracks), "openface", tmp_path)
    assert table["AU12_r"].tolist() == [5.0] and table[["AU12_c", "pose_Rx"]].isna().all(axis=None)
