"""Tables of one's own: three formats, renamed columns, and every way a cell can be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from emoscribe.core.errors import MediaError, SettingsError
from emoscribe.core.labels import BASIC, LabelSet, label_set
from emoscribe.corpora.corpus import Corpus, CorpusRequest
from emoscribe.corpora.registry import read_corpus
from emoscribe.corpora.table import column_names


def csv_of(data: Path, content: str, split: str = "train") -> Path:
    (data / f"{split}.csv").write_text(content, encoding="utf-8")
    return data


def read(data: Path, **how) -> Corpus:
    return read_corpus(CorpusRequest("table", data, **how))


ROWS = [
    {"text": "Hi, all.", "label": "joy", "speaker": "Ann", "dialogue": "d", "source": "v", "start_s": 0.5, "end_s": 2},
    {"text": "No.", "label": "anger", "speaker": None, "dialogue": None, "source": "v", "start_s": None, "end_s": None},
]


def test_three_formats_give_the_same_clips(tmp_path: Path) -> None:
    for name in ("csv", "jsonl", "parquet"):
        (tmp_path / name).mkdir()
    lines = ["text,label,speaker,dialogue,source,start_s,end_s", '"Hi, all.",joy,Ann,d,v,0.5,2', "No.,anger,,,v,,"]
    csv_of(tmp_path / "csv", "\n".join(lines))
    (tmp_path / "jsonl" / "train.jsonl").write_text("\n".join(map(json.dumps, ROWS)) + "\n\n")
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "parquet" / "train.parquet")
    clips = read(tmp_path / "csv").clips
    assert clips == read(tmp_path / "jsonl").clips == read(tmp_path / "parquet").clips
    first, second = clips
    assert (first.id, first.text, first.target, first.start_s, first.end_s) == ("train-1", "Hi, all.", "joy", 0.5, 2.0)
    assert (second.id, second.speaker, second.dialogue, second.start_s) == ("train-2", None, None, None)


def test_columns_can_be_called_anything(tmp_path: Path) -> None:
    csv_of(tmp_path, "Utterance,Emotion\nHi.,joy\n")
    corpus = read(tmp_path, columns=column_names(["text=Utterance", "label=Emotion"]))
    assert (corpus.clips[0].text, corpus.clips[0].target) == ("Hi.", "joy")
    with pytest.raises(MediaError, match="has no column 'Uterance' for text; there are: Utterance, Emotion"):
        read(tmp_path, columns={"text": "Uterance", "label": "Emotion"})
    with pytest.raises(SettingsError, match="unknown role 'words'; there are: label, text, video, speaker"):
        column_names(["words=Utterance"])
    with pytest.raises(SettingsError, match=r"--column takes ROLE=COLUMN \(as in text=Utterance\), got 'text'"):
        column_names(["text"])


def test_a_byte_order_mark_and_semicolons_of_spreadsheets_are_read(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes("label;text\r\njoy;Hi, all.\r\n".encode("utf-8-sig"))
    assert read(tmp_path).clips[0].text == "Hi, all."


def test_text_keeps_its_line_breaks_and_rows_their_lines(tmp_path: Path) -> None:
    csv_of(tmp_path, 'label,text,start_s\njoy,"one\ntwo\x85",1\n\njoy,three,x\n')
    with pytest.raises(MediaError, match=r"train.csv, row 2 \(line 5\), column 'start_s'"):
        read(tmp_path)
    csv_of(tmp_path, 'label,text\njoy,"one\ntwo\u2028three"\n')
    assert read(tmp_path).clips[0].text == "one\ntwo\u2028three"


# ── labels ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (BASIC.labels[::-1], BASIC),
        (("joy", "anger", "Sadness"), LabelSet("custom", ("sadness", "joy", "anger"))),
        (("zeal", "Awe"), LabelSet("custom", ("Awe", "zeal"))),
        (("joy", "awe"), LabelSet("custom", ("awe", "joy"))),
        (("2", "10"), LabelSet("custom", ("10", "2"))),
    ],
)
def test_labels_come_from_the_data_in_a_known_order_where_there_is_one(tmp_path: Path, found, expected) -> None:
    csv_of(tmp_path, "label,text\n" + "".join(f"{label},x\n" for label in found))
    corpus = read(tmp_path)
    assert corpus.label_set == expected
    assert {clip.target for clip in corpus.clips} == set(expected.labels)


def test_labels_of_all_splits_read_count(tmp_path: Path) -> None:
    csv_of(tmp_path, "label,text\nawe,x\n")
    csv_of(tmp_path, "label,text\nzeal,x\n", "dev")
    assert read(tmp_path).label_set == LabelSet("custom", ("awe", "zeal"))


def test_one_label_in_two_cases_is_one_label(tmp_path: Path) -> None:
    csv_of(tmp_path, "label,text\nHappy,x\n happy ,y\n")
    assert [clip.target for clip in read(tmp_path).clips] == ["Happy", "Happy"]
    assert [clip.target for clip in read(tmp_path, labels=label_set(["sad", "happy"])).clips] == ["happy", "happy"]


def test_labels_that_are_numbers_are_labels(tmp_path: Path) -> None:
    rows = [{"label": 1, "text": "x"}, {"label": 2, "text": "y"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    assert [clip.target for clip in read(tmp_path).clips] == ["1", "2"]


def test_given_labels_stay_possible_answers(tmp_path: Path) -> None:
    csv_of(tmp_path, "label,text\njoy,x\n")
    assert read(tmp_path, labels=BASIC).label_set == BASIC


def test_an_unknown_label_is_named_with_what_may_be_meant(tmp_path: Path) -> None:
    csv_of(tmp_path, "label,text\njoy,x\nhappy,y\n")
    with pytest.raises(MediaError) as error:
        read(tmp_path, labels=BASIC)
    said = str(error.value)
    assert "train.csv, row 2 (line 3), column 'label': unknown label 'happy'; there are: neutral, surprise" in said
    assert said.endswith("did you mean 'joy'?")


# ── several labels, and ratings ──────────────────────────────────────────────


@pytest.mark.parametrize("separator", ["|", ";", " | "])
def test_several_labels_in_a_cell(tmp_path: Path, separator: str) -> None:
    csv_of(tmp_path, f'text,label\nx,"joy{separator}Surprise"\ny,\nz,surprise\n')
    corpus = read(tmp_path)
    assert [clip.target for clip in corpus.clips] == [{"joy", "surprise"}, frozenset(), {"surprise"}]
    assert corpus.label_set == LabelSet("custom", ("surprise", "joy")) and corpus.metric == "macro_f1"
    assert corpus.recognised == f"column 'label' holds any number of labels a clip, {separator.strip()!r} between them"
    with pytest.raises(MediaError, match=r"row 1 \(line 2\), column 'label': unknown label 'joy'; there are: fear"):
        read(tmp_path, labels=label_set(["fear", "surprise"]))


def test_lists_of_labels(tmp_path: Path) -> None:
    rows = [{"text": "x", "label": ["joy", "awe"]}, {"text": "y", "label": []}, {"text": "z", "label": ["awe"]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    (tmp_path / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = read(tmp_path)
    assert [clip.target for clip in corpus.split("train")] == [{"joy", "awe"}, frozenset(), {"awe"}]
    assert [clip.target for clip in corpus.split("dev")] == [clip.target for clip in corpus.split("train")]
    (tmp_path / "test.jsonl").write_text('{"text": "x", "label": null}\n')
    with pytest.raises(MediaError, match=r"test.jsonl, row 1 \(line 1\), column 'label': no label"):
        read(tmp_path)


def test_commas_are_between_labels_where_sets_are_asked_for(tmp_path: Path) -> None:
    csv_of(tmp_path, 'text,label\nx,"joy, awe"\ny,joy\n')
    assert [clip.target for clip in read(tmp_path, task="label-sets").clips] == [{"joy", "awe"}, {"joy"}]
    assert [clip.target for clip in read(tmp_path).clips] == ["joy, awe", "joy"]
    # What is one of the labels asked for is one label, whatever is in it.
    csv_of(tmp_path, "text,label\nx,joy|awe\ny,joy\n")
    assert [clip.target for clip in read(tmp_path, labels=label_set(["joy", "joy|awe"])).clips] == ["joy|awe", "joy"]
    assert read(tmp_path, task="labels").clips[0].target == "joy|awe"


@pytest.mark.parametrize(
    ("ratings", "scale"),
    [
        (("1", "4.5", "2"), (1, 5)),
        (("-0.25", "2.1"), (-3, 3)),
        (("-0.25", "0.1"), (-1, 1)),
        (('"3,5"', "7"), (3, 7)),
        (("0.5", "0.5"), (0, 1)),
    ],
)
def test_numbers_of_which_one_is_not_whole_are_ratings(
    tmp_path: Path, ratings: tuple[str, ...], scale: tuple[float, float]
) -> None:
    csv_of(tmp_path, "text,label\n" + "".join(f"x,{rating}\n" for rating in ratings))
    corpus = read(tmp_path)
    assert (corpus.label_set, corpus.range, corpus.metric) == (None, scale, "mae")
    assert [clip.target for clip in corpus.clips] == [float(each.strip('"').replace(",", ".")) for each in ratings]
    assert corpus.recognised == "column 'label' holds ratings, taken to be from {:g} to {:g}".format(*scale)


def test_whole_numbers_are_ratings_where_these_are_asked_for(tmp_path: Path) -> None:
    csv_of(tmp_path, "text,label\nx,1\ny,5\n")
    assert (
        read(tmp_path).recognised == "column 'label' holds whole numbers, taken as labels; --task number makes them "
        "ratings"
    )
    assert [clip.target for clip in read(tmp_path, task="number").clips] == [1.0, 5.0]
    assert read(tmp_path, task="number", range=(0, 10)).range == (0, 10)
    with pytest.raises(MediaError, match=r"row 2 \(line 3\), column 'label': rating 5 is not from 0 to 4; set range"):
        read(tmp_path, task="number", range=(0, 4))
    with pytest.raises(SettingsError, match="range must go from a lower to a higher number, got 4 to 0"):
        read(tmp_path, task="number", range=(4, 0))
    with pytest.raises(SettingsError, match="range is for ratings, and column 'label' holds labels; leave it out, or"):
        read(tmp_path, range=(0, 4))
    with pytest.raises(SettingsError, match="table has numbers to predict, and 1, 5 are labels"):
        read(tmp_path, task="number", labels=label_set(["1", "5"]))
    csv_of(tmp_path, "text,label\nx,1.5\ny,NA\n")
    with pytest.raises(MediaError, match=r"row 2 \(line 3\), column 'label': no rating \('NA'\)"):
        read(tmp_path)


# ── as spreadsheets and pandas write them ────────────────────────────────────


def test_whole_numbers_that_a_reader_made_floats_are_the_same_labels(tmp_path: Path) -> None:
    """A gap in the column makes pandas write `0.0`, in that split alone."""
    csv_of(tmp_path, "text,label\nx,0\ny,1\n")
    csv_of(tmp_path, ",text,label\n0,x,0.0\n3,y,1.0\n", "dev")
    (tmp_path / "test.jsonl").write_text(
        '{"text":"a","label":1}\n{"text":"b","label":1.0}\n{"text":"c","label":"0.00"}\n'
    )
    corpus = read(tmp_path)
    assert corpus.label_set.labels == ("0", "1")
    assert [clip.target for clip in corpus.clips] == ["0", "1", "0", "1", "1", "1", "0"]
    csv_of(tmp_path, "text,label\nx,0.5\ny,1.05\n")
    assert {clip.target for clip in read(tmp_path, splits=("train",), task="labels").clips} == {"0.5", "1.05"}


@pytest.mark.parametrize("written", ["", "nan", "NaN", "None", "NA", "<NA>", "null", "#N/A"])
def test_a_missing_label_is_no_label(tmp_path: Path, written: str) -> None:
    csv_of(tmp_path, f"text,label\na,joy\nb,{written}\nc,sadness\n")
    with pytest.raises(MediaError, match=r"row 2 \(line 3\), column 'label': no label.*; fill it in or remove the row"):
        read(tmp_path)


def test_texts_that_look_missing_are_said_and_a_label_set_may_have_such_a_label(tmp_path: Path) -> None:
    csv_of(tmp_path, "text,label\nNone,joy\nNA,none\nnan,None\nnull,joy\n")
    corpus = read(tmp_path, labels=label_set(["joy", "None"]))
    assert [clip.text for clip in corpus.clips] == ["None", "NA", "nan", "null"]
    assert [clip.target for clip in corpus.clips] == ["joy", "None", "None", "joy"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_end_of_line_and_excel_s_separator(tmp_path: Path, end: str) -> None:
    lines = ["sep=;", "text;label;start_s;;", "well, well, well, well;joy;0,5;;", "no, no;anger;2;;"]
    for first in (0, 1):
        (tmp_path / "train.csv").write_bytes((end.join(lines[first:]) + end).encode())
        clips = read(tmp_path).clips
        assert [(clip.text, clip.target, clip.start_s) for clip in clips] == [
            ("well, well, well, well", "joy", 0.5),
            ("no, no", "anger", 2.0),
        ]


def test_a_comma_in_a_quoted_name_of_a_column_separates_nothing(tmp_path: Path) -> None:
    csv_of(tmp_path, '"said, a, b, c";label\nx;joy\n')
    assert read(tmp_path, columns={"text": "said, a, b, c"}).clips[0].text == "x"


# ── media ────────────────────────────────────────────────────────────────────


def test_media_are_found_from_the_folder_and_their_lack_is_no_error(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "clips").mkdir(parents=True)
    inside, outside = data / "clips" / "a.mp4", tmp_path / "b.png"
    inside.write_text("a")
    outside.write_text("b")
    csv_of(data, f"label,video\njoy,clips/a.mp4\njoy,{outside}\njoy,clips/gone.wav\njoy,\n")
    corpus = read(data)
    assert [clip.media for clip in corpus.clips] == [str(inside), str(outside), None, None]
    assert corpus.missing == {"train-3": str(data / "clips" / "gone.wav")}
    assert {clip.text for clip in corpus.clips} == {None}


def test_an_empty_text_is_nothing_said(tmp_path: Path) -> None:
    csv_of(tmp_path, "label,text\njoy,\n")
    assert read(tmp_path).clips[0].text == ""


# ── what can be wrong ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("label,text\n,x\n", r"train.csv, row 1 \(line 2\), column 'label': no label; fill it in or remove the row"),
        (
            "label,text,start_s\njoy,x,soon\n",
            r"row 1 \(line 2\), column 'start_s': expected seconds as a number from 0, got 'soon'",
        ),
        ("label,text,start_s\njoy,x,nan\n", r"column 'start_s': expected seconds as a number from 0, got 'nan'"),
        ("label,text,end_s\njoy,x,-1\n", r"column 'end_s': expected seconds as a number from 0, got '-1'"),
        ("label,text,start_s,end_s\njoy,x,3,2.5\n", r"column 'end_s': 2.5 s is not after the start, 3 s"),
        (
            "label,text\njoy,Hi, all\n",
            r"row 1 \(line 2\): 3 cells under 2 columns; text that holds commas or quotes has to be quoted",
        ),
        ("text\nx\n", "train.csv has no column 'label'; there are: text; name it with --column label="),
        (
            "label,speaker\njoy,Ann\n",
            "has neither a column 'text' nor one 'video'; there are: label, speaker; name one with --column text=",
        ),
        ("label,text,text\njoy,x,y\n", "has two columns called 'text'; rename one"),
        ("label,text\n", "train.csv has no rows"),
        ("", "train.csv is empty; its first line has to name the columns"),
        ("label,text\njoy," + "x" * 200_000, "line 2: not CSV"),
    ],
)
def test_errors_name_the_place(tmp_path: Path, content: str, message: str) -> None:
    csv_of(tmp_path, content)
    with pytest.raises(MediaError, match=message):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"label": "joy", "text": "x"}\nhello\n', r"train.jsonl, row 2 \(line 2\): not JSON"),
        ("[1, 2]\n", r"train.jsonl, row 1 \(line 1\): expected an object, got '\[1, 2\]'"),
        (
            '{"label": {"joy": 1}, "text": "x"}\n',
            r"row 1 \(line 1\), column 'label': expected text or a number, got a dict",
        ),
        (
            '{"label": "joy", "text": {"a": 1}}\n',
            r"row 1 \(line 1\), column 'text': expected text or a number, got a dict",
        ),
    ],
)
def test_errors_name_the_place_in_jsonl(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "train.jsonl").write_text(content)
    with pytest.raises(MediaError, match=message):
        read(tmp_path)


def test_files_that_are_not_what_they_are_called(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"label,text\n")
    with pytest.raises(MediaError, match=r"train.parquet cannot be read as Parquet"):
        read(tmp_path)
    (tmp_path / "train.parquet").unlink()
    (tmp_path / "train.csv").write_bytes("label,text\njoy,caf\xe9\n".encode("latin-1"))
    with pytest.raises(MediaError, match=r"train.csv, line 2: not UTF-8; save the file in that encoding"):
        read(tmp_path)


def test_two_files_for_a_split_are_one_too_many(tmp_path: Path) -> None:
    csv_of(tmp_path, "label,text\njoy,x\n")
    (tmp_path / "train.jsonl").write_text('{"label": "joy", "text": "x"}\n')
    with pytest.raises(MediaError, match=r"train.csv and train.jsonl both hold the train split; keep one"):
        read(tmp_path)


def test_a_missing_split_says_what_there_is(tmp_path: Path) -> None:
    csv_of(tmp_path, "label,text\njoy,x\n")
    with pytest.raises(MediaError, match=r"no test.csv, test.jsonl or test.parquet in .* \(there is train.csv\)"):
        read(tmp_path, splits=("test",))
