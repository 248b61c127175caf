"""Cues on disk come back as they were, keyed by content and settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.errors import EmoscribeError
from emoscribe.core.timeline import FaceTrack, Media, Sequence, Transcript, Utterance, VoiceTrack, Word
from emoscribe.extractors.store import CueStore, settings_hash

PARTS = {
    "media": Media("a b/ü.mp4", 1.5, "ff", 25.0, 640, 360, True),
    "transcript": Transcript(
        (Utterance(0.5, 1.0, "hé “you”", "Ann", (Word(0.5, 0.7, "hé", 0.25), Word(0.7, 1.0, "“you”"))),), "en", "file"
    ),
    "face": FaceTrack(
        "landmarker",
        ("AU12",),
        times_s=np.array([0.0, 0.2]),
        person=np.array([0, 1]),
        boxes=np.arange(8.0).reshape(2, 4),
        action_units=np.array([[0.5], [np.nan]], dtype=np.float32),
        frame_times_s=np.array([0.0, 0.2, 0.4]),
        pose=np.zeros((2, 3)),
    ),
    "voice": VoiceTrack(("pitch_hz",), np.array([0.5]), np.array([1.0]), ("Ann",), np.array([[np.nan]])),
    "mfcc": Sequence(("c0", "c1"), np.array([0.0]), np.ones((1, 2))),
}


def same(a: object, b: object) -> None:
    assert type(a) is type(b)
    for name, value in vars(a).items():
        if isinstance(value, np.ndarray):
            assert value.dtype == vars(b)[name].dtype
            np.testing.assert_array_equal(value, vars(b)[name])
        else:
            assert value == vars(b)[name], name


@pytest.mark.parametrize("part", PARTS)
def test_a_part_comes_back_as_it_was_in_another_process(tmp_path: Path, part: str) -> None:
    CueStore(tmp_path).put("abc", part, "s1", PARTS[part])
    same(CueStore(tmp_path).get("abc", part, "s1"), PARTS[part])


def test_only_what_is_the_same_is_found(tmp_path: Path) -> None:
    store = CueStore(tmp_path)
    store.put("abc", "face", "s1", PARTS["face"])
    assert store.get("abd", "face", "s1") is None
    assert store.get("abc", "voice", "s1") is None
    assert store.get("abc", "face", "s2") is None
    assert store.get("abc", "face", "s1", interval=(0.0, 1.0)) is None


def test_the_hash_does_not_depend_on_order_but_on_values() -> None:
    assert settings_hash({"a": 1, "b": None}) == settings_hash({"b": None, "a": 1}) != settings_hash({"a": 1, "b": 0})


def test_a_damaged_shard_and_a_blocked_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "face-1.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(EmoscribeError, match=r"face-1\.parquet is damaged; delete it"):
        CueStore(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(EmoscribeError, match=r"cue store .*file is a file; give a folder"):
        CueStore(tmp_path / "file" / "store")


def test_other_tools_read_it_as_it_is(tmp_path: Path) -> None:
    """The shards are one Parquet data set: a row a part, arrays as little-endian bytes with their type and shape."""
    import pyarrow.parquet as pq
    from datasets import load_dataset

    store = CueStore(tmp_path / "store")
    for part, value in PARTS.items():
        store.put("abc", part, "s1", value)
    rows = load_dataset(
        "parquet", data_files=str(tmp_path / "store" / "*.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert sorted(rows["part"]) == sorted(PARTS) and set(rows["sha256"]) == {"abc"}
    (face,) = (row for row in rows if row["part"] == "face")
    units = next(array for array in face["arrays"] if array["name"] == "action_units")
    values = np.frombuffer(units["data"], dtype=units["dtype"]).reshape(units["shape"])
    np.testing.assert_array_equal(values, PARTS["face"].action_units)
    frame = pq.read_table(tmp_path / "store").to_pandas()
    assert sorted(frame["kind"]) == sorted(type(value).__name__ for value in PARTS.values())
