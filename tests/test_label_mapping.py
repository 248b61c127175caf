"""What the labels of one corpus are among the answers of another, and what becomes of those that are none."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
from emoscribe.core.errors import MediaError, SettingsError
from emoscribe.core.labels import (
    BASIC,
    COMPOUND,
    SENTIMENT,
    LabelSet,
    as_basic,
    counterpart,
    is_emotion,
    label_set,
    polarity,
)
from emoscribe.corpora.caveats import caveats
from emoscribe.corpora.cmu_mosei_files import SIX as MOSEI
from emoscribe.corpora.corpus import Corpus, CorpusRequest
from emoscribe.corpora.describe import describe
from emoscribe.corpora.emorynlp import SEVEN
from emoscribe.corpora.iemocap import FOUR, SIX
from emoscribe.corpora.ravdess import WITH_CALM
from emoscribe.corpora.registry import read_corpus

from .fixtures.runs import write_rows

# ── the table ────────────────────────────────────────────────────────────────


def as_answers(labels: LabelSet, answers: LabelSet) -> list[str | None]:
    return [counterpart(label, answers.labels) for label in labels.labels]


def test_the_labels_of_other_corpora_among_the_basic_ones() -> None:
    assert as_answers(SIX, BASIC) == ["joy", "sadness", "neutral", "anger", None, None]
    assert as_answers(SEVEN, BASIC) == ["joy", "anger", "neutral", None, None, "sadness", "fear"]
    assert as_answers(MOSEI, BASIC) == ["joy", "sadness", "anger", "surprise", "disgust", "fear"]
    assert as_answers(WITH_CALM, BASIC) == ["neutral", "neutral", *BASIC.labels[1:]]


def test_the_basic_ones_among_those_of_other_corpora() -> None:
    #                                neutral    surprise    fear      sadness  joy      disgust    anger
    assert as_answers(BASIC, SIX) == ["neutral", None, None, "sad", "happy", None, "angry"]
    assert as_answers(BASIC, SEVEN) == ["neutral", None, "scared", "sad", "joyful", None, "mad"]
    assert as_answers(BASIC, MOSEI) == [None, "surprise", "fear", "sad", "happy", "disgust", "anger"]
    assert as_answers(BASIC, WITH_CALM) == list(BASIC.labels)


def test_calm_counts_as_neutral_and_neutral_is_not_calm() -> None:
    assert counterpart("calm", ["joy", "neutral"]) == "neutral"
    assert counterpart("neutral", ["joy", "calm"]) is None
    assert counterpart("calm", WITH_CALM.labels) == "calm"


def test_the_same_word_comes_first_and_case_does_not_matter() -> None:
    assert counterpart("Happy", ["joy", "happy"]) == "happy"
    assert counterpart("mad", ["Anger", "Joy"]) == "Anger"
    assert counterpart("glee", ["glee"]) == "glee" and counterpart("glee", BASIC.labels) is None
    assert as_basic(" Scared ") == "fear" and as_basic("excited") is None


def test_words_for_emotions_are_known_from_misspelt_ones() -> None:
    every = {label for labels in (BASIC, SIX, FOUR, SEVEN, MOSEI, WITH_CALM) for label in labels.labels}
    assert all(is_emotion(label) for label in every)
    assert not any(is_emotion(label) for label in ("jpy", "sadly angry", "other", ""))


def test_the_sign_of_a_rating() -> None:
    assert [polarity(rating) for rating in (-0.2, -0.0, 0.0, 3.0)] == ["negative", "neutral", "neutral", "positive"]


# ── corpora read with the labels of a run ────────────────────────────────────


def emorynlp(data: Path, train: list[str], test: list[str]) -> Path:
    columns = ["Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID", "Season", "Episode"]
    for episode, (split, labels) in enumerate((("train", train), ("test", test)), start=1):
        rows = [["Hi.", "['Ross Geller']", label, 1, n, 1, episode] for n, label in enumerate(labels)]
        write_rows(data / f"emorynlp_{split}_final.csv", columns, *rows)
    return data


def cmu_mosei(data: Path, *emotions: str) -> Path:
    (data / "cmu_mosei_std_folds.py").write_text(
        "standard_train_fold=[]\nstandard_valid_fold=[]\nstandard_test_fold=['a']\n"
    )
    with h5py.File(data / "CMU_MOSEI_Labels.csd", "w") as file:
        file["All Labels/data/a/intervals"] = [[n, n + 1] for n in range(len(emotions))]
        file["All Labels/data/a/features"] = [
            [0.0, *(float(label in present.split()) for label in MOSEI.labels)] for present in emotions
        ]
    return data


def targets(corpus: Corpus, split: str) -> list[object]:
    return [clip.target for clip in corpus.split(split)]


def test_what_maps_is_scored_and_what_does_not_is_counted_by_split(tmp_path: Path) -> None:
    data = emorynlp(tmp_path, ["Mad", "Powerful"], ["Joyful", "Peaceful", "Powerful", "Peaceful", "Scared"])
    corpus = read_corpus(CorpusRequest("emorynlp", data, labels=BASIC))
    assert corpus.label_set == BASIC
    assert targets(corpus, "train") == ["anger", None]
    assert targets(corpus, "test") == ["joy", None, None, None, "fear"]
    assert sorted(corpus.unmapped.values()) == ["peaceful", "peaceful", "powerful", "powerful"]
    assert set(corpus.unmapped) <= {clip.id for clip in corpus.clips if clip.target is None}
    said = next(caveat for caveat in caveats(corpus, "test") if "counterpart" in caveat)
    assert said == (
        "Of the 5 clips of the test split, those labelled peaceful (2) and powerful (1) have no counterpart among "
        "neutral, surprise, fear, sadness, joy, disgust, anger: they are left out of the measures"
    )
    assert any("labelled powerful (1) have" in caveat for caveat in caveats(corpus, "train"))


def test_a_corpus_read_with_its_own_labels_leaves_nothing_out(tmp_path: Path) -> None:
    data = emorynlp(tmp_path, ["Mad"], ["Joyful", "Peaceful"])
    turned = LabelSet("turned", SEVEN.labels[::-1])
    corpus = read_corpus(CorpusRequest("emorynlp", data, labels=turned))
    assert (corpus.label_set, corpus.unmapped) == (turned, {})
    assert not any("counterpart" in caveat for caveat in caveats(corpus, "test"))


def test_the_description_counts_what_has_no_counterpart(tmp_path: Path) -> None:
    data = emorynlp(tmp_path, ["Mad"], ["Joyful", "Peaceful"])
    text = describe(CorpusRequest("emorynlp", data, labels=BASIC)).as_text()
    assert "Of the 2 clips of the test split, those labelled peaceful (1) have no counterpart among neutral" in text
    assert any(line.split() == ["(not", "scored)", "0", "1"] for line in text.splitlines())


def test_folds_by_source_are_the_same_whatever_the_answers(tmp_path: Path) -> None:
    columns = ["Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID", "Season", "Episode"]
    labels = ["Joyful", "Mad", "Peaceful", "Peaceful", "Powerful", "Sad", "Scared", "Sad"]
    rows = [["Hi.", "['Ross Geller']", label, 1, n, 1, n] for n, label in enumerate(labels)]
    write_rows(tmp_path / "emorynlp_train_final.csv", columns, *rows)
    own = read_corpus(CorpusRequest("emorynlp", tmp_path, folds="source", fold=2))
    mapped = read_corpus(CorpusRequest("emorynlp", tmp_path, folds="source", fold=2, labels=label_set("basic")))
    assert [(clip.id, clip.split) for clip in own.clips] == [(clip.id, clip.split) for clip in mapped.clips]
    folds = [
        fold
        for fold in describe(CorpusRequest("emorynlp", tmp_path, labels=label_set("basic"))).folds
        if fold.folds == "source"
    ]
    assert folds == [fold for fold in describe(CorpusRequest("emorynlp", tmp_path)).folds if fold.folds == "source"]


def test_of_sets_a_single_emotion_is_a_label_and_the_others_are_counted(tmp_path: Path) -> None:
    data = cmu_mosei(tmp_path, "happy", "sad anger", "", "fear", "sad disgust fear")
    corpus = read_corpus(CorpusRequest("cmu-mosei", data, labels=BASIC))
    assert targets(corpus, "test") == ["joy", None, None, "fear", None]
    (said,) = [caveat for caveat in caveats(corpus, "test") if "counterpart" in caveat]
    assert "those labelled several emotions (2) and none of its emotions (1) have no counterpart" in said


def test_sets_stay_sets_where_the_answers_are_their_own(tmp_path: Path) -> None:
    data = cmu_mosei(tmp_path, "happy", "sad anger", "")
    corpus = read_corpus(CorpusRequest("cmu-mosei", data, labels=label_set(MOSEI.labels[::-1])))
    assert targets(corpus, "test") == [frozenset({"happy"}), frozenset({"sad", "anger"}), frozenset()]
    assert corpus.unmapped == {}


def meld(data: Path, *emotions: str) -> Path:
    columns = ["Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID", "Season", "Episode"]
    rows = [["Hi.", "Ross", label, "neutral", 0, n, 4, 7] for n, label in enumerate(emotions)]
    write_rows(data / "test_sent_emo.csv", columns, *rows)
    return data


def test_some_of_the_labels_may_be_asked_for(tmp_path: Path) -> None:
    corpus = read_corpus(
        CorpusRequest("meld", meld(tmp_path, "joy", "surprise", "neutral"), labels=label_set(["neutral", "joy"]))
    )
    assert targets(corpus, "test") == ["joy", None, "neutral"]
    assert corpus.unmapped == {"test_dia0_utt1": "surprise"}


def test_a_label_that_is_no_known_emotion_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("label,text\njoy,x\njpy,y\n")
    with pytest.raises(MediaError, match=r"test.csv, row 2 \(line 3\), column 'label': unknown label 'jpy'"):
        read_corpus(CorpusRequest("table", tmp_path, labels=BASIC))
    (tmp_path / "folds" / "split-0").mkdir(parents=True)
    (tmp_path / "folds" / "split-0" / "test.txt").write_text("Sadly-Angry/07_Sadly-Angry_0,6\n")
    with pytest.raises(MediaError, match=r"clip 07_Sadly-Angry_0: label 'sadly angry' is none of neutral, surprise"):
        read_corpus(CorpusRequest("c-expr-db", tmp_path, labels=BASIC))
    assert targets(read_corpus(CorpusRequest("c-expr-db", tmp_path, labels=COMPOUND)), "test") == ["sadly angry"]


def test_answers_of_which_a_corpus_has_not_two_are_refused(tmp_path: Path) -> None:
    data = emorynlp(tmp_path, ["Mad"], ["Neutral", "Peaceful"])
    with pytest.raises(SettingsError, match=r"emorynlp has joyful, .*: only neutral is in both, so there is nothing"):
        read_corpus(CorpusRequest("emorynlp", data, labels=SENTIMENT))
    with pytest.raises(SettingsError, match=r"yes, no are asked for: nothing is in both"):
        read_corpus(CorpusRequest("emorynlp", data, labels=label_set(["yes", "no"])))
