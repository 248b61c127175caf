"""MELD's quirks, each on a miniature of the published folder, and the real transcripts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from emoscribe.core.errors import MediaError
from emoscribe.core.labels import BASIC, SENTIMENT
from emoscribe.corpora.caveats import caveats
from emoscribe.corpora.corpus import Corpus, CorpusRequest
from emoscribe.corpora.registry import read_corpus

from .fixtures.runs import write_rows

COLUMNS = [
    *("Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"),
    *("Season", "Episode", "StartTime", "EndTime"),
]


def row(dialogue: int, utterance: int, text: str = "Hi.", **changed: object) -> list[object]:
    values = dict(
        zip(
            COLUMNS,
            [1, text, "Ross", "joy", "positive", dialogue, utterance, 4, 7, "00:00:01,000", "00:00:02,000"],
            strict=True,
        )
    )
    return list((values | changed).values())


def write(path: Path, *rows: list[object], columns: list[str] = COLUMNS) -> None:
    write_rows(path, columns, *rows)


def read(data: Path, split: str = "train", **how: str) -> Corpus:
    return read_corpus(CorpusRequest("meld", data, splits=(split,), **how))


def test_turns_are_in_order_and_gaps_in_their_numbers_kept(tmp_path: Path) -> None:
    write(tmp_path / "train_sent_emo.csv", row(10, 0), row(2, 12), row(2, 3, Speaker="The Interviewer"))
    corpus = read(tmp_path)
    assert [clip.id for clip in corpus.clips] == ["train_dia2_utt3", "train_dia2_utt12", "train_dia10_utt0"]
    assert [clip.dialogue for clip in corpus.clips] == ["train_dia2", "train_dia2", "train_dia10"]
    assert [clip.speaker for clip in corpus.clips] == ["The Interviewer", "Ross", "Ross"]
    assert {clip.source for clip in corpus.clips} == {"friends-s04e07"}
    assert {(clip.start_s, clip.end_s) for clip in corpus.clips} == {
        (None, None)
    }  # times are the episode's, not the file's


def test_old_copies_are_mended(tmp_path: Path) -> None:
    """Up to 2020, Windows-1252 was stored as if it were Latin-1; U+0085 is then a line break to Unicode."""
    write(
        tmp_path / "train_sent_emo.csv",
        row(0, 0, "He\x92s lost it\x85 \x93totally\x94 \x97 Chlo\xe9!"),
        row(0, 1, "What?"),
    )
    assert [clip.text for clip in read(tmp_path).clips] == ["He’s lost it… “totally” — Chloé!", "What?"]


def test_copies_in_windows_1252_and_with_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "train_sent_emo.csv"
    write(path, row(0, 0, "He’s lost it… Chloé!"))
    text = path.read_text(encoding="utf-8")
    path.write_bytes(text.encode("cp1252"))
    assert read(tmp_path).clips[0].text == "He’s lost it… Chloé!"
    path.write_bytes(text.encode("utf-8-sig"))
    assert read(tmp_path).clips[0].text == "He’s lost it… Chloé!"


def test_emotion_or_sentiment(tmp_path: Path) -> None:
    write(tmp_path / "train_sent_emo.csv", row(0, 0, Emotion="surprise", Sentiment="negative"))
    assert (read(tmp_path).label_set, read(tmp_path).clips[0].target) == (BASIC, "surprise")
    coarse = read(tmp_path, task="sentiment")
    assert (coarse.label_set, coarse.clips[0].target, coarse.metric) == (SENTIMENT, "negative", "weighted_f1")


def test_videos_are_found_as_unpacked(tmp_path: Path) -> None:
    write(tmp_path / "dev" / "dev_sent_emo.csv", row(0, 0), row(0, 1))
    video = tmp_path / "dev" / "dev_splits_complete" / "dia0_utt1.mp4"
    video.parent.mkdir(parents=True)
    video.write_text("moving pictures")
    corpus = read(tmp_path, "dev")
    assert [clip.media for clip in corpus.clips] == [None, str(video)]
    assert corpus.missing == {"dev_dia0_utt0": str(video.with_name("dia0_utt0.mp4"))}


def test_broken_clips_are_known_and_not_looked_at(tmp_path: Path) -> None:
    write(tmp_path / "train_sent_emo.csv", row(125, 3), row(309, 0), row(400, 0))
    write(
        tmp_path / "train_audio_features.csv",
        *([f"dia{name}.wav", 41, 60, 8, 200, 40, 160, 3.5, 5] for name in ("309_utt0", "400_utt0")),
        columns=[
            "filename",
            "duration",
            "avg_intensity",
            "intensity_variation",
            "avg_pitch",
            "pitch_std",
            "pitch_range",
            "articulation_rate",
            "mean_hnr",
        ],
    )
    for name in ("dia125_utt3", "dia309_utt0", "dia400_utt0"):
        video = tmp_path / "train_splits" / f"{name}.mp4"
        video.parent.mkdir(exist_ok=True)
        video.write_text(name)
    corpus = read(tmp_path)
    assert corpus.broken == {
        "train_dia125_utt3": "the clip has no sound",
        "train_dia309_utt0": "its times are wrong: 41 s long",
    }
    # A clip without sound can still be looked at; one of another scene cannot.
    assert [clip.media is None for clip in corpus.clips] == [False, True, False]
    assert corpus.missing == {} and set(corpus.voice) == {"train_dia400_utt0"}


def test_published_voice_measurements_are_on_praat_s_scales(tmp_path: Path) -> None:
    columns = (
        "filename,duration,avg_intensity,intensity_variation,avg_pitch,pitch_std,pitch_range,articulation_rate,mean_hnr"
    )
    write(tmp_path / "train_sent_emo.csv", *(row(0, n) for n in range(4)))
    (tmp_path / "train_audio_features.csv").write_text(
        f"{columns}\n"
        "dia0_utt1.wav,1.2,60,8,0.0,0.0,0.0,,5\n"  # unvoiced, rate unknown
        "dia0_utt0.wav,2.0,62.5,8.25,200,20,164,3.5,2.25\n"
        "dia0_utt2.wav,0.5,62.5,8.25,200,20,164,3.5,2.25\n"  # too short
        "dia9_utt9.wav,2.0,62.5,8.25,200,20,164,3.5,2.25\n"  # sound without a transcript
    )
    voice = read(tmp_path).voice
    assert list(voice) == ["train_dia0_utt0", "train_dia0_utt1", "train_dia0_utt2"]
    measured = voice["train_dia0_utt0"]
    assert measured["pitch_hz"] == 200 and measured["speech_rate_syl_per_s"] == 3.5 and measured["hnr_praat_db"] == 2.25
    assert measured["intensity_praat_db"] == 62.5
    assert not {"hnr_db", "loudness", "pitch_variation_st"} & set(measured)
    assert measured["pitch_variation_praat_st"] == pytest.approx(12 * math.log2(1.1), rel=0.06)
    unvoiced = voice["train_dia0_utt1"]
    assert (
        math.isnan(unvoiced["pitch_hz"])
        and math.isnan(unvoiced["pitch_variation_praat_st"])
        and unvoiced["hnr_praat_db"] == 5
    )
    assert all(math.isnan(value) for value in voice["train_dia0_utt2"].values())


def test_without_videos_each_signal_is_said_to_be_read_from_what_it_is(tmp_path: Path) -> None:
    """Clips were said to be read without voice, and their published measurements were read."""
    columns = "filename,avg_intensity,intensity_variation,avg_pitch,pitch_std,pitch_range,articulation_rate,mean_hnr"
    write(tmp_path / "train_sent_emo.csv", *(row(0, n) for n in range(3)))
    measured = "62.5,8.25,200,20,164,3.5,2.25"
    (tmp_path / "train_audio_features.csv").write_text(
        f"{columns},duration\ndia0_utt0.wav,{measured},2\ndia0_utt1.wav,{measured},0.1\n"
    )
    corpus = read(tmp_path)
    (said,) = caveats(corpus, "train")
    assert said == (
        "3 of 3 clips have no media on disk. Read of them: words from the transcript, faces not at all and voices "
        "from measurements that the corpus publishes (of 1)"
    )
    assert caveats(corpus, "train", "T") == []
    (said,) = caveats(replace(corpus, voice={}), "train", "VA")
    assert said.endswith("Read of them: faces not at all and voices not at all")


def test_a_shout_is_very_loud_from_the_file_to_the_words(tmp_path: Path) -> None:
    """Published measurements once had openSMILE's names: no line of MELD was ever loud or quiet."""
    from emoscribe.llm.run import find_run
    from emoscribe.textualize.clips import moments_of_clips
    from emoscribe.textualize.levels import population_norms
    from emoscribe.textualize.settings import WordingSettings

    columns = "filename,duration,avg_intensity,intensity_variation,avg_pitch,pitch_std,articulation_rate,mean_hnr"
    write(tmp_path / "train_sent_emo.csv", *(row(0, n) for n in range(7)))
    lines = [f"dia0_utt{n}.wav,2.0,{55 + n / 10},8,{200 + n},25,4.0,{7 + n / 10}" for n in range(6)]
    (tmp_path / "train_audio_features.csv").write_text("\n".join([columns, *lines, "dia0_utt6.wav,2,90,8,201,25,4,2"]))
    corpus = read(tmp_path)
    norms = population_norms(find_run("meld-minilm").norms, "tenths")
    moments = moments_of_clips(corpus.clips, {}, corpus.voice, WordingSettings(), norms, "A")
    assert str(moments[6].voice).startswith("very loud, very rough")
    assert "loud" not in str(moments[3].voice)
    # Against everybody there is no loud or quiet, since gains differ; harmonics go by Praat's norms.
    wording = WordingSettings(voice_scope="population")
    assert moments_of_clips(corpus.clips, {}, corpus.voice, wording, norms, "A")[6].voice == "very monotone, very rough"


def test_the_same_scene_in_two_splits_is_one_clip(tmp_path: Path) -> None:
    from emoscribe.corpora.identity import overlap_within

    write(tmp_path / "train_sent_emo.csv", row(0, 0, "What are you doing?"))
    write(
        tmp_path / "dev_sent_emo.csv",
        row(7, 4, "What are you doing?"),
        row(7, 5, "What are you doing?", StartTime="00:09:01,000"),
    )
    found = {each.what: (each.shared, each.of) for each in overlap_within(read_corpus(CorpusRequest("meld", tmp_path)))}
    assert found == {"clip": (1, 2), "dialogue": (0, 1), "source": (1, 1), "speaker": (1, 1), "text": (2, 2)}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"Emotion": "glee"},
            r"train_sent_emo.csv, row 2 \(line 3\), column 'Emotion': unknown label 'glee'; there are: neutral, ",
        ),
        ({"Dialogue_ID": "x"}, r"row 2 \(line 3\), column 'Dialogue_ID': expected a whole number, got 'x'"),
        ({"Utterance_ID": 0}, r"row 2 \(line 3\), column 'Utterance_ID': dialogue 0 has utterance 0 already in row 1"),
    ],
)
def test_errors_name_row_and_column(tmp_path: Path, wrong: dict[str, object], message: str) -> None:
    write(tmp_path / "train_sent_emo.csv", row(0, 0), row(0, 1, **wrong))
    with pytest.raises(MediaError, match=message):
        read(tmp_path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    write(tmp_path / "train_sent_emo.csv", ["Hi.", "Ross"], columns=["Utterance", "Speaker"])
    with pytest.raises(MediaError, match="has no column 'Emotion'; there are: Utterance, Speaker"):
        read(tmp_path)


def test_the_real_transcripts(shared: Path) -> None:
    corpus = read_corpus(CorpusRequest("meld", shared / "meld"))
    assert [len(corpus.split(split)) for split in ("train", "dev", "test")] == [9989, 1109, 0]
    assert not any("\x80" <= char <= "\x9f" for clip in corpus.clips for char in clip.text or "")
    assert sum("’" in (clip.text or "") for clip in corpus.split("train")) > 2_000
    assert set(corpus.broken) == {"train_dia338_utt3", "train_dia309_utt0", "train_dia125_utt3", "dev_dia110_utt7"}
    # Ten training clips appear twice.
    scenes = [corpus.identity[clip.id] for clip in corpus.split("train")]
    assert len(scenes) - len(set(scenes)) == 10
    assert len(corpus.voice) == 9989 + 1109 - 4
    turns = [clip for clip in corpus.clips if clip.dialogue == "train_dia0"]
    assert [clip.speaker for clip in turns][:2] == ["Chandler", "The Interviewer"]
