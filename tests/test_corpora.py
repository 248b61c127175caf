"""The contract of the corpora, over every reader and a miniature tree of each."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import h5py
import pytest
from emoscribe.core.errors import EmoscribeError, MediaError, SettingsError
from emoscribe.core.labels import LabelSet, label_set
from emoscribe.core.timeline import Clip
from emoscribe.corpora.corpus import SPLITS, CorpusRequest
from emoscribe.corpora.describe import describe
from emoscribe.corpora.folds import FOLD_COUNT
from emoscribe.corpora.identity import fingerprint
from emoscribe.corpora.registry import READERS, read_corpus, reader
from emoscribe.evaluation import metrics, regression

from .fixtures.runs import write_rows

# ── miniature trees ──────────────────────────────────────────────────────────


def a_file(path: Path, content: str = "") -> None:
    """A file whose content no other has, unless it is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content or str(path))


def meld(data: Path) -> None:
    header = [
        "Sr No.",
        "Utterance",
        "Speaker",
        "Emotion",
        "Sentiment",
        "Dialogue_ID",
        "Utterance_ID",
        "Season",
        "Episode",
    ]
    for split in SPLITS:
        write_rows(
            data / f"{split}_sent_emo.csv",
            [*header, "StartTime", "EndTime"],
            [1, f"What, {split}?", "Ross", "surprise", "negative", 0, 0, 4, 7, "00:20:57,256", "00:21:00,049"],
            [2, "It’s fine.", "Monica", "neutral", "neutral", 0, 2, 4, 7, "0:21:01,92", "00:21:03,261"],
        )
    a_file(data / "train_splits" / "dia0_utt0.mp4")


def c_expr_db(data: Path) -> None:
    labels = [
        "Fearfully Surprised",
        "Happily Surprised",
        "Sadly Surprised",
        "Disgustedly Surprised",
        "Angrily Surprised",
    ]
    header = ["Begin Time - hh:mm:ss.ms", "End Time - hh:mm:ss.ms", *labels, "Sadly Fearful", "Sadly Angry", "Other"]
    for video in range(1, 7):
        rows = [["00:00:00.500", "00:00:01.250", "1", *[""] * 7], ["00:00:02.000", "00:00:03.000", *[""] * 7, "1"]]
        write_rows(data / "annotation" / f"{video:02}.csv", header, *rows)
    for split in range(5):
        lines = {"train": [f"Fearfully-Surprised/{v:02}_Fearfully-Surprised_0,0" for v in range(1, 5)]}
        lines["val"] = lines["test"] = ["Fearfully-Surprised/05_Fearfully-Surprised_0,0", "Other/01_Other_0,7"]
        for name, content in lines.items():
            a_file(data / "folds" / f"split-{split}" / f"{name}.txt", "\n".join(content) + "\n")
    a_file(data / "trimmed_videos" / "Other" / "01_Other_0.mp4")


def c_expr_db_challenge(data: Path) -> None:
    a_file(data / "videos" / "01.mp4")
    a_file(data / "videos" / "02.mp4")


def ravdess(data: Path) -> None:
    for actor in range(1, 25):
        for emotion in (1, 2, 5):
            a_file(data / f"Actor_{actor:02}" / f"03-01-{emotion:02}-01-02-01-{actor:02}.wav")


def iemocap(data: Path) -> None:
    for session in range(1, 6):
        dialogue = f"Ses{session:02}F_impro01"
        lines, said = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""], []
        for second, (speaker, label) in enumerate([("F", "neu"), ("M", "fru"), ("F", "hap"), ("M", "xxx")]):
            name = f"{dialogue}_{speaker}{second:03}"
            lines.append(f"[{second}.0000 - {second + 1}.0000]\t{name}\t{label}\t[2.5000, 2.5000, 2.5000]")
            said.append(f"{name} [{second:03}.0000-{second + 1:03}.0000]: Line {second}.")
        dialog = data / f"Session{session}" / "dialog"
        a_file(dialog / "EmoEvaluation" / f"{dialogue}.txt", "\n".join(lines) + "\n")
        a_file(dialog / "transcriptions" / f"{dialogue}.txt", "\n".join(said) + "\n")
    a_file(data / "Session1" / "sentences" / "wav" / "Ses01F_impro01" / "Ses01F_impro01_F000.wav")


def cmu_mosei(data: Path) -> None:
    videos = {"train": ["a", "b", "c_1"], "dev": ["d"], "test": ["e"]}
    names = {"train": "standard_train_fold", "dev": "standard_valid_fold", "test": "standard_test_fold"}
    a_file(data / "cmu_mosei_std_folds.py", "".join(f"{names[split]}={videos[split]}\n" for split in SPLITS))
    with h5py.File(data / "CMU_MOSEI_Labels.csd", "w") as file:
        for video in (*videos["train"], *videos["dev"], *videos["test"]):
            file[f"All Labels/data/{video}/intervals"] = [[2.5, 4.0], [-0.4, 2.0], [4.0, 5.0]]
            file[f"All Labels/data/{video}/features"] = [
                [1.5, 2.0, 0, 0, 0, 0, 0],
                [-2.0, 0, 1.0, 0.5, 0, 0, 0],
                [0] * 7,
            ]
            lines = [
                f"{video}___{n}___{start}___{end}___Opinion {n}.\n" for n, start, end in ((0, -0.4, 2), (3, 2.5, 4))
            ]
            a_file(data / "Raw" / "Transcript" / "Segmented" / "Combined" / f"{video}.txt", "".join(lines))
    a_file(data / "Raw" / "Videos" / "Segmented" / "Combined" / "a_3.mp4")


def ch_sims(data: Path) -> None:
    header = ["video_id", "clip_id", "text", "label", "label_T", "label_A", "label_V", "annotation", "mode"]
    modes = ["train", "train", "train", "valid", "test"]
    rows = [
        [f"video_{video:04}", f"{clip:04}", "我不知道。", rating, 0.2, -0.4, 1.0, "Negative", modes[video - 1]]
        for video in range(1, 6)
        for clip, rating in ((1, -0.8), (2, 0.0), (3, 0.6))
    ]
    write_rows(data / "label.csv", header, *rows)
    a_file(data / "Raw" / "video_0001" / "0001.mp4")


def emorynlp(data: Path) -> None:
    header = [
        "Utterance",
        "Speaker",
        "Emotion",
        "Scene_ID",
        "Utterance_ID",
        "Season",
        "Episode",
        "Start_Time",
        "End_Time",
    ]
    episodes = {"train": [2, 3, 4], "dev": [15], "test": [1]}
    for split in SPLITS:
        rows = [
            [f"What, {n}?", "['Ross Geller']", emotion, 1, n, 1, episode, "00:00:03.795", "00:00:05.004"]
            for episode in episodes[split]
            for n, emotion in ((1, "Scared"), (2, "Peaceful"))
        ]
        write_rows(data / f"emorynlp_{split}_final.csv", header, *rows)
    a_file(data / "emorynlp_train_splits" / "sea1_ep2_sc1_utt1.mp4")


def blemore(data: Path) -> None:
    header = ["filename", "video_id", "gender", "mix", "emotion_1", "version", "intensity_level", "situation"]
    header += ["emotion_2", "emotion_1_salience", "emotion_2_salience", "fold"]
    rows = []
    for actor in range(5):
        rows += [
            [f"A{actor}_ang_int1_ver1", f"A{actor}", "f", 0, "ang", 1, 1.0, "", "", "", "", actor],
            [f"A{actor}_neu_sit2_ver1", f"A{actor}", "f", 0, "neu", 1, "", 2.0, "", "", "", actor],
            [f"A{actor}_mix_disg_hap_30_70_ver1", f"A{actor}", "f", 1, "disg", 1, "", "", "hap", 30.0, 70.0, actor],
        ]
    write_rows(data / "train_metadata.csv", header, *rows)
    a_file(data / "train" / "A1_ang_int1_ver1.mov")


def table(data: Path) -> None:
    for split in SPLITS:
        rows = [[f"{split} {n}", "joy" if n % 2 else "anger", f"{split}{n}"] for n in range(4)]
        write_rows(data / f"{split}.csv", ["text", "label", "source"], *rows)


MINIATURES = {
    "meld": meld,
    "c-expr-db": c_expr_db,
    "c-expr-db-challenge": c_expr_db_challenge,
    "iemocap": iemocap,
    "cmu-mosei": cmu_mosei,
    "ch-sims": ch_sims,
    "emorynlp": emorynlp,
    "ravdess": ravdess,
    "blemore": blemore,
    "table": table,
}


@pytest.fixture(params=sorted(READERS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def data(name: str, tmp_path: Path) -> Path:
    MINIATURES[name](tmp_path / "data")
    return tmp_path / "data"


def targets_of(clip: Clip) -> frozenset[str]:
    assert not isinstance(clip.target, float)
    return frozenset({clip.target}) if isinstance(clip.target, str) else clip.target or frozenset()


# ── every reader ─────────────────────────────────────────────────────────────


def test_a_reader_says_what_a_person_has_to_know(name: str) -> None:
    about = reader(name)
    for text in (about.description, about.citation, about.licence, about.layout, about.obtain, about.metric):
        assert text.strip() == text and text
    labels = next((answers.labels for answers in about.tasks.values() if answers is not None), ())
    assert about.metric in {*metrics.metrics_for(labels), *regression.metrics_for(about.range)}


def test_clips_keep_the_contract(name: str, data: Path) -> None:
    corpus = read_corpus(CorpusRequest(name, data))
    assert corpus.name == name and corpus.clips
    order = [SPLITS.index(str(clip.split)) for clip in corpus.clips]
    assert order == sorted(order)
    for split in corpus.splits:
        ids = [clip.id for clip in corpus.split(split)]
        assert len(set(ids)) == len(ids)
    for clip in corpus.clips:
        assert isinstance(clip, Clip)
        assert clip.media is None or Path(clip.media).is_file()
        assert clip.media is not None or clip.text is not None or clip.id in corpus.missing
        assert clip.end_s is None or 0 <= (clip.start_s or 0) < clip.end_s
        if corpus.label_set is None:
            lowest, highest = reader(name).range
            assert clip.target is None or (type(clip.target) is float and lowest <= clip.target <= highest)
        else:
            assert targets_of(clip) <= set(corpus.label_set.labels)
    ids = {clip.id for clip in corpus.clips}
    assert ids >= set(corpus.missing) | set(corpus.broken) | set(corpus.identity) | set(corpus.voice)
    assert not any(Path(path).exists() for path in corpus.missing.values())


def test_reading_twice_gives_the_same(name: str, data: Path) -> None:
    assert read_corpus(CorpusRequest(name, data)) == read_corpus(CorpusRequest(name, data))


def test_only_the_split_asked_for_is_needed(name: str, data: Path) -> None:
    whole = read_corpus(CorpusRequest(name, data))
    for split in whole.splits:
        assert read_corpus(CorpusRequest(name, data, splits=(split,))).clips == whole.split(split)


def test_a_missing_folder_names_what_to_get(name: str, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"no folder .*nowhere; (get|write) "):
        read_corpus(CorpusRequest(name, tmp_path / "nowhere"))


def test_an_empty_folder_names_the_file_and_how_to_get_it(name: str, tmp_path: Path) -> None:
    expected = {"meld": "train_sent_emo.csv", "c-expr-db": "split-0/train.txt", "c-expr-db-challenge": "videos/01.mp4"}
    expected |= {"iemocap": "EmoEvaluation", "cmu-mosei": "CMU_MOSEI_Labels.csd", "ch-sims": "label.csv"}
    expected |= {"emorynlp": "emorynlp_train_final.csv", "ravdess": "03-01-05-01-02-01-12.wav", "table": "train.csv"}
    expected["blemore"] = "train_metadata.csv"
    with pytest.raises(MediaError) as error:
        read_corpus(CorpusRequest(name, tmp_path))
    assert expected[name] in str(error.value) and "; " + reader(name).obtain in str(error.value)
    assert "\n" not in str(error.value)


def test_what_cannot_be_is_refused_with_what_can(name: str, data: Path) -> None:
    with pytest.raises(SettingsError, match="unknown split 'valid'; there are: train, dev, test"):
        read_corpus(CorpusRequest(name, data, splits=("valid",)))
    with pytest.raises(SettingsError, match="unknown kind of folds 'mine'; there are: published, source"):
        read_corpus(CorpusRequest(name, data, folds="mine"))
    with pytest.raises(SettingsError, match=f"fold 5 of {name} is not there"):
        read_corpus(CorpusRequest(name, data, fold=5))
    tasks = ", ".join(reader(name).tasks)
    with pytest.raises(SettingsError, match=f"unknown task of {name} 'mood'; there are: {tasks}"):
        read_corpus(CorpusRequest(name, data, task="mood"))


def test_folds_by_source_share_no_source_and_lose_no_clip(name: str, data: Path) -> None:
    if name == "meld":
        pytest.skip("the miniature has a single episode")
    if name == "c-expr-db-challenge":
        with pytest.raises(SettingsError, match="5 folds by source need as many sources, and there are 2"):
            read_corpus(CorpusRequest(name, data, folds="source"))
        return
    tested: Counter[str] = Counter()
    for fold in range(FOLD_COUNT):
        corpus = read_corpus(CorpusRequest(name, data, folds="source", fold=fold))
        sources = {split: {clip.source for clip in corpus.split(split)} for split in SPLITS}
        assert sum(map(len, sources.values())) == len(set().union(*sources.values()))
        tested.update(clip.id for clip in corpus.split("test"))
        assert read_corpus(
            CorpusRequest(name, data, splits=("test",), folds="source", fold=fold)
        ).clips == corpus.split("test")
    assert set(tested.values()) == {1}
    assert set(tested) >= {clip.id for clip in read_corpus(CorpusRequest(name, data)).clips}
    with pytest.raises(SettingsError, match="fold 5 is not there: folds by source are 0 to 4"):
        read_corpus(CorpusRequest(name, data, folds="source", fold=5))


def test_the_fingerprint_is_of_the_data_not_of_their_place(name: str, data: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(data, elsewhere)
    first = fingerprint(read_corpus(CorpusRequest(name, data)))
    assert first == fingerprint(read_corpus(CorpusRequest(name, elsewhere))) and len(first) == 64
    change = {"meld": "train_splits/dia0_utt0.mp4", "c-expr-db": "trimmed_videos/Other/01_Other_0.mp4"}
    change |= {
        "c-expr-db-challenge": "videos/01.mp4",
        "iemocap": "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav",
        "cmu-mosei": "Raw/Videos/Segmented/Combined/a_3.mp4",
        "ch-sims": "Raw/video_0001/0001.mp4",
        "emorynlp": "emorynlp_train_splits/sea1_ep2_sc1_utt1.mp4",
        "ravdess": "Actor_01/03-01-05-01-02-01-01.wav",
        "blemore": "train/A1_ang_int1_ver1.mov",
        "table": "dev.csv",
    }
    third = tmp_path / "third"
    shutil.copytree(data, third)
    with (third / change[name]).open("a") as file:
        file.write("more, joy, new\n" if name != "table" else "more,joy,new\n")
    assert fingerprint(read_corpus(CorpusRequest(name, third))) != first


def test_each_split_has_a_fingerprint_of_its_own(name: str, data: Path) -> None:
    corpus = read_corpus(CorpusRequest(name, data))
    assert len({fingerprint(corpus, split) for split in corpus.splits}) == len(corpus.splits)


def test_the_description_has_exactly_the_promised_form(name: str, data: Path) -> None:
    description = describe(CorpusRequest(name, data))
    said = json.loads(json.dumps(description.as_json()))
    assert set(said) == {"corpus", "splits", "overlap", "folds"} and said["corpus"] == name
    corpus = read_corpus(CorpusRequest(name, data))
    for split, figures in said["splits"].items():
        clips = corpus.split(split)
        numbers = {"numbers"} if corpus.label_set is None else set()
        assert set(figures) == {"clips", "labels", "missing_media", "sources"} | numbers
        assert figures["clips"] == len(clips)
        if numbers:
            assert figures["labels"] == {} and set(figures["numbers"]) == {"mean", "sd", "lowest", "highest"}
        else:
            assert Counter(figures["labels"]) == Counter(label for clip in clips for label in targets_of(clip))
        assert figures["missing_media"] == sum(clip.id in corpus.missing for clip in clips)
        assert figures["sources"] == len({clip.source for clip in clips} - {None})
    for shared in said["overlap"]:
        assert set(shared) == {"a", "b", "what", "shared", "of"} and 0 <= shared["shared"] <= shared["of"]
    text = description.as_text()
    for word in (name, *said["splits"], "clips", "missing media", *next(iter(said["splits"].values()))["labels"]):
        assert word in text


# ── the registry ─────────────────────────────────────────────────────────────


def test_an_unknown_corpus_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unknown corpus 'melt'; there are: meld, c-expr-db, c-expr-db-challenge"):
        read_corpus(CorpusRequest("melt", tmp_path))


def test_every_reader_is_known_by_its_own_name_and_has_a_miniature() -> None:
    assert set(READERS) == set(MINIATURES)
    assert all(reader(name).name == name for name in READERS)


def test_columns_are_for_tables(tmp_path: Path) -> None:
    meld(tmp_path)
    with pytest.raises(SettingsError, match="--column goes with table"):
        read_corpus(CorpusRequest("meld", tmp_path, columns={"text": "Utterance"}))


def test_the_labels_of_a_run_choose_the_task_and_the_order(tmp_path: Path) -> None:
    meld(tmp_path)
    turned = LabelSet("mine", ("positive", "negative", "neutral"))
    corpus = read_corpus(CorpusRequest("meld", tmp_path, labels=turned))
    assert corpus.label_set == turned and {clip.target for clip in corpus.clips} == {"negative", "neutral"}
    assert read_corpus(CorpusRequest("meld", tmp_path, labels=label_set("sentiment"))).label_set != turned
    with pytest.raises(SettingsError, match="unknown label set 'moods'"):
        read_corpus(CorpusRequest("meld", tmp_path, labels=label_set("moods")))


def test_a_split_asked_for_must_not_be_empty(tmp_path: Path) -> None:
    meld(tmp_path)
    header = (tmp_path / "test_sent_emo.csv").read_text(encoding="utf-8").splitlines()[0]
    (tmp_path / "test_sent_emo.csv").write_text(header + "\n")
    with pytest.raises(MediaError, match=r"the test split of meld in .* is empty"):
        read_corpus(CorpusRequest("meld", tmp_path, splits=("test",)))


def test_numbers_and_sets_are_described_as_such(tmp_path: Path) -> None:
    ch_sims(tmp_path / "ch-sims")
    described = describe(CorpusRequest("ch-sims", tmp_path / "ch-sims"))
    assert described.splits["train"].numbers == pytest.approx(
        {"mean": -1 / 15, "sd": (1 / 3 - 1 / 225) ** 0.5, "lowest": -0.8, "highest": 0.6}
    )
    rows = {line.split()[0]: line.split()[1:] for line in described.as_text().splitlines() if line.startswith("  ")}
    assert rows["lowest"] == ["-0.80"] * 3 and rows["highest"] == ["0.60"] * 3

    cmu_mosei(tmp_path / "cmu-mosei")
    text = describe(CorpusRequest("cmu-mosei", tmp_path / "cmu-mosei")).as_text()
    # Of a video, one segment shows happiness, one sadness and anger, and one nothing.
    for row in (("sad", 3, 1, 1), ("anger", 3, 1, 1), ("(none of them)", 3, 1, 1), ("(several)", 3, 1, 1)):
        assert any(line.split() == [*row[0].split(), *map(str, row[1:])] for line in text.splitlines())
    assert "not scored" not in text


# ── the real things ──────────────────────────────────────────────────────────


def test_the_real_corpora_are_what_was_published(shared: Path) -> None:
    said = {name: describe(CorpusRequest(name, shared / name)).as_json() for name in ("meld", "c-expr-db", "ravdess")}
    assert {split: figures["clips"] for split, figures in said["meld"]["splits"].items()} == {
        "train": 9989,
        "dev": 1109,
    }
    assert said["meld"]["splits"]["dev"]["labels"]["fear"] == 40
    published = [fold for fold in said["c-expr-db"]["folds"] if fold["folds"] == "published"]
    assert [sum(fold["clips"][split] for split in ("train", "dev")) for fold in published] == [125] * 5
    in_train = [
        (each["shared"], each["of"])
        for fold in published
        for each in fold["overlap"]
        if (each["a"], each["b"]) == ("train", "dev")
    ]
    # As counted from the published files: the leak that folds by source avoid.
    assert in_train == [(18, 22), (12, 22), (19, 22), (13, 17), (12, 17)]
    assert {split: figures["clips"] for split, figures in said["ravdess"]["splits"].items()} == {
        "train": 900,
        "dev": 180,
    }
    assert all(
        each["shared"] == 0
        for name in said
        for fold in said[name]["folds"]
        for each in fold["overlap"]
        if fold["folds"] == "source"
    )


def test_every_message_is_one_line(tmp_path: Path) -> None:
    table(tmp_path)
    (tmp_path / "dev.csv").write_text('label,text\n"jo\ny","a\nb"\n')
    with pytest.raises(EmoscribeError) as error:
        read_corpus(CorpusRequest("table", tmp_path, labels=label_set("basic")))
    assert "\n" not in str(error.value)
