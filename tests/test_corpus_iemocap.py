"""IEMOCAP's quirks, each on a miniature of the published folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from emoscribe.core.errors import MediaError
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.corpora.iemocap import FOUR, SIX
from emoscribe.corpora.registry import read_corpus

LINE = "[{start:.4f} - {end:.4f}]\t{name}\t{label}\t[2.5000, 2.5000, 2.5000]\n"


def dialogue(data: Path, name: str, *turns: tuple[str, float, str], said: str | None = None) -> None:
    """A dialogue: of each turn the last part of its name, its start, and its label."""
    folder = data / f"Session{int(name[3:5])}" / "dialog"
    lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"]
    for part, start, label in turns:
        lines.append(LINE.format(start=start, end=start + 1.5, name=f"{name}_{part}", label=label))
        lines.append("C-E2:\tNeutral;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n\n")
    text = "".join(f"{name}_{part} [{start:08.4f}-{start + 1.5:08.4f}]: Line of {part}.\n" for part, start, _ in turns)
    for kind, content in (("EmoEvaluation", "".join(lines)), ("transcriptions", said if said is not None else text)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / f"{name}.txt").write_text(content)


def record(data: Path, path: str) -> str:
    (data / path).parent.mkdir(parents=True, exist_ok=True)
    (data / path).write_text(path)
    return str(data / path)


def sessions(data: Path) -> None:
    for session in range(1, 6):
        dialogue(data, f"Ses{session:02}F_impro01", ("F000", 1.0, "neu"), ("M000", 3.0, "ang"))


def test_turns_are_in_the_order_spoken_and_of_whom_their_last_part_says(tmp_path: Path) -> None:
    # The files list one speaker after the other.
    dialogue(tmp_path, "Ses05F_impro03", ("F000", 4.0, "hap"), ("F001", 9.0, "xxx"), ("M000", 6.5, "fru"))
    clips = read_corpus(CorpusRequest("iemocap", tmp_path, splits=("test",))).clips
    assert [clip.id for clip in clips] == ["Ses05F_impro03_F000", "Ses05F_impro03_M000", "Ses05F_impro03_F001"]
    assert [clip.speaker for clip in clips] == ["Ses05F", "Ses05M", "Ses05F"]
    assert [clip.text for clip in clips] == ["Line of F000.", "Line of M000.", "Line of F001."]
    # What is none of the six is context, and nothing more.
    assert [clip.target for clip in clips] == ["happy", "frustrated", None]
    assert {(clip.dialogue, clip.source) for clip in clips} == {("Ses05F_impro03", "iemocap-session-5")}


def test_six_emotions_or_four(tmp_path: Path) -> None:
    labels = ("ang", "hap", "exc", "sad", "fru", "neu", "sur", "fea", "dis", "oth", "xxx")
    dialogue(tmp_path, "Ses05M_script01_1b", *((f"M{n:03}", float(2 * n), label) for n, label in enumerate(labels)))
    six = read_corpus(CorpusRequest("iemocap", tmp_path, splits=("test",)))
    assert six.label_set == SIX and six.metric == "weighted_f1"
    assert [clip.target for clip in six.clips] == [
        *("angry", "happy", "excited", "sad", "frustrated", "neutral"),
        *[None] * 5,
    ]
    four = read_corpus(CorpusRequest("iemocap", tmp_path, splits=("test",), task="four"))
    assert four.label_set == FOUR
    assert [clip.target for clip in four.clips] == ["angry", "happy", "happy", "sad", None, "neutral", *[None] * 5]


def test_each_fold_tests_on_a_session_and_shares_no_speaker(tmp_path: Path) -> None:
    sessions(tmp_path)
    tested = []
    for fold in range(5):
        corpus = read_corpus(CorpusRequest("iemocap", tmp_path, fold=fold))
        speakers = {split: {clip.speaker for clip in corpus.split(split)} for split in corpus.splits}
        assert [len(speakers[split]) for split in ("train", "dev", "test")] == [6, 2, 2]
        assert len(set.union(*speakers.values())) == 10
        tested.append(corpus.split("test")[0].source)
    assert tested == [f"iemocap-session-{session}" for session in (5, 1, 2, 3, 4)]
    assert read_corpus(CorpusRequest("iemocap", tmp_path)).split("dev")[0].source == "iemocap-session-4"


def test_the_sentence_is_preferred_to_the_video_of_both_actors(tmp_path: Path) -> None:
    dialogue(tmp_path, "Ses05F_impro01", ("F000", 1.0, "neu"), ("M000", 3.0, "sad"))
    expected = tmp_path / "Session5/sentences/wav/Ses05F_impro01/Ses05F_impro01_F000.wav"
    corpus = read_corpus(CorpusRequest("iemocap", tmp_path, splits=("test",)))
    assert corpus.missing["Ses05F_impro01_F000"] == str(expected) and len(corpus.missing) == 2

    video = record(tmp_path, "Session5/dialog/avi/DivX/Ses05F_impro01.avi")
    sentence = record(tmp_path, str(expected.relative_to(tmp_path)))
    corpus = read_corpus(CorpusRequest("iemocap", tmp_path, splits=("test",)))
    assert [(clip.media, clip.start_s, clip.end_s) for clip in corpus.clips] == [
        (sentence, None, None),
        (video, 3.0, 4.5),
    ]
    assert corpus.missing == {}


def test_the_release_may_lie_in_its_own_folder_and_hold_hidden_files(tmp_path: Path) -> None:
    dialogue(tmp_path / "IEMOCAP_full_release", "Ses05F_impro01", ("F000", 1.0, "neu"))
    hidden = tmp_path / "IEMOCAP_full_release/Session5/dialog/EmoEvaluation/._Ses05F_impro01.txt"
    hidden.write_bytes(b"\x00\x05\x16\x07\xff")
    assert [clip.id for clip in read_corpus(CorpusRequest("iemocap", tmp_path, splits=("test",))).clips] == [
        "Ses05F_impro01_F000"
    ]


def test_remarks_in_transcripts_are_passed_over(tmp_path: Path) -> None:
    said = "M: Huh?\nSes05F_impro01_F000 [001.0000-002.5000]: Well: no.\nSes05F_impro01_MXX0 [1-2]: Mm.\n"
    dialogue(tmp_path, "Ses05F_impro01", ("F000", 1.0, "neu"), ("F001", 4.0, "neu"), said=said)
    assert [clip.text for clip in read_corpus(CorpusRequest("iemocap", tmp_path, splits=("test",))).clips] == [
        "Well: no.",
        "",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1.0000 - 2.0000]\tSes05F_impro01_F000\tjoy\t[2, 2, 2]", r"line 1: expected \[start - end\], an utterance, "),
        ("[1.0000 - 2.0000] Ses05F_impro01_F000 neu", r"line 1: expected .* got '\[1.0000 - 2.0000\] Ses05F"),
        ("[2.0000 - 2.0000]\tSes05F_impro01_F000\tneu\t[2, 2, 2]", r"line 1: Ses05F_impro01_F000 is from 2 s to 2 s"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, line: str, message: str) -> None:
    dialogue(tmp_path, "Ses05F_impro01", ("F000", 1.0, "neu"))
    (tmp_path / "Session5/dialog/EmoEvaluation/Ses05F_impro01.txt").write_text(line + "\n")
    with pytest.raises(MediaError, match=message):
        read_corpus(CorpusRequest("iemocap", tmp_path, splits=("test",)))


def test_a_session_that_is_missing_is_named(tmp_path: Path) -> None:
    dialogue(tmp_path, "Ses01F_impro01", ("F000", 1.0, "neu"))
    with pytest.raises(MediaError, match=r"no Session5/dialog/EmoEvaluation/\*.txt \(test\) in .*; get IEMOCAP_full"):
        read_corpus(CorpusRequest("iemocap", tmp_path, splits=("test",)))
    assert read_corpus(CorpusRequest("iemocap", tmp_path)).splits == ("train",)
