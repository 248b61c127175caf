"""What splits share, and folds that share no source."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from emoscribe.core.errors import SettingsError
from emoscribe.core.labels import BASIC
from emoscribe.core.timeline import Clip
from emoscribe.corpora.corpus import Corpus
from emoscribe.corpora.folds import assign, grouped_by_source
from emoscribe.corpora.identity import overlap, overlap_within, traces

# ── what splits share ────────────────────────────────────────────────────────


def corpus_of(*clips: Clip, **known) -> Corpus:
    return Corpus("table", clips, BASIC, "macro_f1", **known)


def found_within(corpus: Corpus) -> dict[tuple[str, str, str], tuple[int, int]]:
    return {(each.a, each.b, each.what): (each.shared, each.of) for each in overlap_within(corpus)}


def test_overlap_counts_clips_and_texts_by_clip_and_the_rest_once() -> None:
    corpus = corpus_of(
        Clip("a", text="Yes.", speaker="Ann", source="one", dialogue="d1", split="train"),
        Clip("b", text="No.", speaker="Bob", source="two", dialogue="d1", split="train"),
        Clip("c", text="Yes.", speaker="Ann", source="one", split="test"),
        Clip("d", text="Yes.", speaker="Ann", source="one", split="test"),
        Clip("e", text="yes.", speaker="Cid", source="three", split="test"),
        Clip("f", text="", split="test"),
        identity={"a": "x", "b": "y", "c": "z", "d": "x", "e": "w"},
    )
    assert found_within(corpus) == {
        ("train", "test", "clip"): (1, 4),
        ("train", "test", "source"): (1, 2),
        ("train", "test", "speaker"): (1, 2),
        ("train", "test", "text"): (2, 3),
    }


def test_the_same_recording_is_found_under_another_name(tmp_path: Path) -> None:
    for name, content in {"a": "one", "b": "one", "c": "two"}.items():
        (tmp_path / name).write_text(content)
    clips = [
        Clip(name, media=str(tmp_path / name), split=split)
        for name, split in (("a", "train"), ("b", "dev"), ("c", "dev"))
    ]
    assert found_within(corpus_of(*clips)) == {("train", "dev", "clip"): (1, 2)}
    # Two stretches of one video are two clips.
    stretches = [
        Clip(split, media=str(tmp_path / "a"), start_s=s, end_s=s + 1, split=split)
        for split, s in (("train", 0), ("dev", 1))
    ]
    assert found_within(corpus_of(*stretches)) == {("train", "dev", "clip"): (0, 1)}


def test_a_run_can_tell_overlap_from_its_traces_alone() -> None:
    learnt = corpus_of(Clip("a", text="Half a \ud800 pair", speaker="Ann", split="train"))
    kept = json.loads(json.dumps(traces(learnt, "train")))
    assert "Ann" not in json.dumps(kept)
    tested = corpus_of(Clip("z", text="Half a \ud800 pair", speaker="Ann", split="test"))
    found = {each.what: (each.a, each.shared, each.of) for each in overlap(kept, tested, "test", "the training data")}
    assert found == {"speaker": ("the training data", 1, 1), "text": ("the training data", 1, 1)}


# ── folds ────────────────────────────────────────────────────────────────────


def test_folds_spread_labels_as_evenly_as_sources_allow() -> None:
    clips = [
        Clip(f"{s}-{n}", source=f"s{s:02}", target="joy" if s < 10 else "fear")
        for s in range(20)
        for n in range(1 + s % 3)
    ]
    fold_of = assign(clips)
    for label, total in Counter(clip.target for clip in clips).items():
        per_fold = Counter(fold_of[str(clip.source)] for clip in clips if clip.target == label)
        assert max(per_fold.values()) - min(per_fold.values()) <= 2 and sum(per_fold.values()) == total
    assert assign(clips[::-1]) == fold_of


def test_folds_take_sets_of_labels_and_numbers_too() -> None:
    sets = [Clip(str(n), source=str(n), target=frozenset({"joy", "fear"} if n % 2 else {"fear"})) for n in range(10)]
    numbers = [Clip(str(n), source=str(n), target=n / 10) for n in range(10)]
    assert Counter(assign(sets).values()) == Counter(assign(numbers).values()) == dict.fromkeys(range(5), 2)


def test_folds_by_source_need_sources() -> None:
    with pytest.raises(SettingsError, match="need the source of every clip, and a has none"):
        grouped_by_source(corpus_of(Clip("a", split="train")), 0)
