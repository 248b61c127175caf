"""What a person corrected: read again, told honestly in every file, and learnt from."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from emoscribe.cli import main
from emoscribe.core.errors import EmoscribeError, MediaError, SettingsError
from emoscribe.core.timeline import Cues, LabelledTranscript, Media, Moment, Segment
from emoscribe.corpora.corpus import Corpus, CorpusRequest
from emoscribe.corpora.registry import read_corpus
from emoscribe.extractors.perceive import perceive
from emoscribe.extractors.speech.subtitles import read_transcript
from emoscribe.llm.run import find_run
from emoscribe.outputs import FORMATS, load_result, segment_line
from emoscribe.outputs.lines import BY_PERSON, reading
from emoscribe.outputs.schema import from_json
from emoscribe.pipeline import Session, label, open_session
from emoscribe.textualize.moments import moments_of, weighed, with_signals

LABELS = ("neutral", "anger", "joy")


def corrected(segment: Segment, label: str) -> Segment:
    return replace(segment, corrected=True, chosen=label)


# ── read again ───────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def session():
    with open_session("embedded", offline=True, face__sampling_fps=2.0) as opened:
        yield opened


@pytest.fixture(scope="module")
def cues(session: Session, example: Path) -> Cues:
    """The first half of the example, of which its subtitles tell what is said."""
    with closing(session.opened(example, 0.0, 11.0)) as source:
        told = example.with_suffix(".srt")
        return perceive(source, session.plan.settings, session.engines, session.context, transcript=told)


@pytest.fixture(scope="module")
def read(session: Session, cues: Cues) -> LabelledTranscript:
    return label(cues, session.plan, session._predictors.begin(session.plan.run).result(), session.context)


def test_read_with_all_that_was_told_it_is_the_same(session: Session, read: LabelledTranscript) -> None:
    again = session.read_again(read, ["TVA"])["TVA"]
    for one, other in zip(again, read.segments, strict=True):
        assert one.moment == other.moment and one.scores == pytest.approx(other.scores, abs=1e-6)


@pytest.mark.parametrize("signals", ["T", "V", "A", "TV", "TA", "VA"])
def test_what_is_hidden_is_as_if_never_looked_for(
    session: Session, cues: Cues, read: LabelledTranscript, signals: str
) -> None:
    plan = session.plan
    told = moments_of(cues, plan.settings.windows, plan.wording, plan.run.population, signals)
    assert [each.moment for each in session.read_again(read, [signals])[signals]] == told


def test_a_result_from_a_file_is_read_after_corrections(session: Session, read: LabelledTranscript) -> None:
    kept = from_json(json.loads(json.dumps(replace(read, tracks=None).to_dict())))
    first, second, *others = kept.segments
    text = "I am so angry with you, I hate you!"
    halves = [replace(first.moment, end_s=1.0, text="I miss"), replace(first.moment, start_s=1.0, text="him so much.")]
    said = replace(second.moment, text=text, evidence="none")
    joyful = corrected(replace(second, moment=said), "joy")
    edited = [*(replace(first, moment=half) for half in halves), joyful, *others]
    again = session.read_again(replace(kept, segments=tuple(edited)), ["T", "TVA"])
    assert [len(each) for each in again.values()] == [len(edited)] * 2
    angry = again["T"][2]
    assert angry.label in ("anger", "disgust") and not angry.corrected and angry.moment.evidence == "enough"


def test_no_prompt_is_read_twice(session: Session, read: LabelledTranscript, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = session._predictors.begin(session.plan.run).result()
    counts: list[int] = []
    predict = type(loaded).predict

    def counted(self: Any, prompts: Any, *rest: Any) -> Any:
        counts.append(len(prompts))
        return predict(self, prompts, *rest)

    monkeypatch.setattr(type(loaded), "predict", counted)
    with Session(session.plan, session.context, predictors=session._predictors) as fresh:
        first = fresh.read_again(read, ["T", "V"])
        changed = replace(read.segments[0], moment=replace(read.segments[0].moment, text="Hello there, you."))
        second = fresh.read_again(replace(read, segments=(changed, *read.segments[1:])), ["T", "V"])
        monkeypatch.undo()
    assert counts[1:] == [1] and counts[0] >= 8
    assert second["V"] == first["V"] and second["T"][1:] == first["T"][1:] and second["T"][0] != first["T"][0]


def test_what_was_not_learnt_is_refused(read: LabelledTranscript, session: Session) -> None:
    with open_session("embedded", run="goemotions-minilm", offline=True) as words:
        with pytest.raises(SettingsError, match="trained on T and has not learnt to read V; leave modalities to it"):
            words.read_again(read, ["T", "TV"])
        assert [each.label for each in words.read(["What a wonderful day!", ""])][:1] == ["joy"]
    blends = replace(read, labels=("sadly angry",))
    with pytest.raises(SettingsError, match="the result was read as sadly angry, and run meld-minilm gives neutral, "):
        session.read_again(blends, ["T"])


@pytest.mark.parametrize(
    ("words", "evidence"),
    [
        ({"text": "", "face": "no face seen", "voice": "no speech, a long pause"}, "none"),
        ({"text": None, "face": None, "voice": "an even, medium voice"}, "weak"),
        ({"text": "Oh", "face": "no face seen", "voice": "loud"}, "enough"),
        ({"text": "", "face": "face of somebody: strong jaw drop", "voice": "no speech"}, "weak"),
        ({"text": "", "face": "strong jaw drop", "voice": "no speech"}, "enough"),
    ],
)
def test_evidence_is_what_the_words_are(words: dict[str, str | None], evidence: str) -> None:
    assert weighed(Moment(0.0, 1.0, **words)).evidence == evidence  # pyright: ignore[reportArgumentType]


def test_hidden_signals_leave_no_words() -> None:
    moment = Moment(0.0, 1.0, "Ann", "I said no", "strong jaw drop", "loud", {1: "strong jaw drop"})
    assert with_signals(moment, "A") == Moment(0.0, 1.0, "Ann", None, None, "loud", {}, "weak")


# ── in files ─────────────────────────────────────────────────────────────────


def test_a_label_that_a_person_set_has_no_score(labelled: LabelledTranscript, tmp_path: Path) -> None:
    """In no file does the model's score stand beside it, and it stands where nothing was to be judged."""
    unread = next(each for each in labelled.segments if each.moment.evidence == "none")
    least = min(unread.scores, key=unread.scores.__getitem__)
    segments = [corrected(each, least) for each in labelled.segments]
    whole = replace(labelled, segments=tuple(segments))
    assert from_json(whole.to_dict()).segments == whole.segments
    assert reading(segments[0]) == f"{least} ({BY_PERSON})" and BY_PERSON in segment_line(segments[0])
    for name, wanted in FORMATS.items():
        if name not in ("srt", "vtt", "ass", "csv", "boris", "eaf", "textgrid", "emotionml"):
            continue
        text = wanted.write(whole, tmp_path)
        assert isinstance(text, str)
        assert text.count(least if name != "emotionml" else f'<category name="{least}"') >= len(segments), name
        assert name in ("csv", "eaf", "textgrid", "emotionml") or BY_PERSON in text, name
    frame = whole.to_dataframe()
    assert frame["corrected"].all() and set(frame["label"]) == {least}
    assert 'confidence="' not in str(FORMATS["emotionml"].write(whole, tmp_path))


def test_a_label_that_is_none_is_refused(labelled: LabelledTranscript) -> None:
    value = replace(labelled, segments=(corrected(labelled.segments[0], "glee"),)).to_dict()
    with pytest.raises(ValueError, match="'glee' is none of the labels, "):
        from_json(value)


def test_a_corrected_file_is_read_like_a_result(labelled: LabelledTranscript, tmp_path: Path) -> None:
    path = labelled.save(tmp_path / "talk.emoscribe.json")
    assert load_result(path).segments == labelled.segments
    done = CliRunner().invoke(main, ["export", str(path), "--formats", "csv,emoscribe", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert {each.name for each in (tmp_path / "out").iterdir()} == {"talk.csv", "talk.emoscribe.json"}
    said = [each.moment.text for each in labelled.segments if each.moment.text]
    assert [each.text for each in read_transcript(path, labelled.media.duration_s).utterances] == said


# ── learnt from ──────────────────────────────────────────────────────────────


@pytest.fixture
def save(tmp_path: Path, sample_lines: dict[str, tuple[str, ...]]) -> Callable[..., Path]:
    """`save(name, label, …)` writes a corrected result with a moment for each label; of `None` nobody set any."""

    def write(name: str, *labels: Any, **how: Any) -> Path:
        scores = {label: 1 / 3 for label in LABELS}
        segments = []
        for number, target in enumerate(labels):
            words = sample_lines[target if isinstance(target, str) else "joy"]
            moment = Moment(float(number), number + 1.0, "ab"[number % 2], words[number % len(words)])
            about: dict[str, Any] = {"corrected": target is not None}
            if "range" in how:
                about["rating"] = 0.0 if target is None else target
            elif "thresholds" in how:
                about["given"] = ("joy",) if target is None else (target,)
            else:
                about["chosen"] = target
            segments.append(Segment(moment, {} if "range" in how else scores, **about))
        media = Media(f"{name}.mp4", float(len(labels)), f"hash of {name}", 25.0, 64, 36)
        answers = () if "range" in how else LABELS
        whole = LabelledTranscript(media, "", answers, tuple(segments), {"emoscribe": "0"}, **how)
        return whole.save(tmp_path / f"{name}.emoscribe.json")

    return write


def corpus(data: Path, **how: Any) -> Corpus:
    return read_corpus(CorpusRequest("table", data, **how))


def test_clips_are_what_a_person_set(save: Callable[..., Path], tmp_path: Path) -> None:
    path = save("talk", "joy", None, "anger", "joy", "neutral", "joy")
    (tmp_path / "talk.mp4").write_bytes(b"")
    found = corpus(path)
    assert [clip.target for clip in found.clips] == ["joy", None, "anger", "joy", "neutral", "joy"]
    assert [clip.split for clip in found.clips] == ["train"] * 5 + ["dev"]
    assert found.label_set is not None and found.label_set.labels == LABELS
    first = found.clips[0]
    assert (first.id, first.start_s, first.end_s, first.speaker, first.dialogue) == ("talk-1", 0.0, 1.0, "a", "talk")
    assert first.media == str(tmp_path / "talk.mp4") and first.text == "what a great day" and not found.missing
    assert found.recognised == "5 of 6 moments are set or confirmed by a person; those that come last are dev"
    with pytest.raises(
        MediaError, match=r"no test split in .*, which has train, dev; give more videos, or name files t"
    ):
        corpus(path, splits=("test",))


def test_a_video_is_in_one_split(save: Callable[..., Path], tmp_path: Path) -> None:
    for number in range(7):
        save(f"v{number}", "joy", "anger", None)
    found = corpus(tmp_path)
    assert found.splits == ("train", "dev", "test") and len(found.missing) == 21
    by_split = {split: {clip.source for clip in found.split(split)} for split in found.splits}
    assert sum(map(len, by_split.values())) == 7 and len(by_split["train"]) > 3
    assert corpus(tmp_path).clips == found.clips
    assert corpus(tmp_path, folds="source", fold=1).folds == "source"


def test_splits_by_name(save: Callable[..., Path], tmp_path: Path) -> None:
    save("train", "joy", "anger")
    save("dev", "joy", None)
    assert [(clip.split, clip.target) for clip in corpus(tmp_path).clips] == [
        ("train", "joy"),
        ("train", "anger"),
        ("dev", "joy"),
        ("dev", None),
    ]
    save("more", "joy")
    with pytest.raises(
        MediaError, match=r"more\.emoscribe\.json is of no split, and .*train\.emoscribe\.json is; name"
    ):
        corpus(tmp_path)


def test_sets_and_ratings(save: Callable[..., Path]) -> None:
    sets = corpus(save("sets", "joy", "anger", None, thresholds={"joy": 0.5}))
    assert [clip.target for clip in sets.clips] == [frozenset({"joy"}), frozenset({"anger"}), None]
    rated = corpus(save("rated", 0.5, None, -1.0, range=(-1.0, 1.0)))
    assert [clip.target for clip in rated.clips] == [0.5, None, -1.0] and rated.range == (-1.0, 1.0)
    assert rated.label_set is None and rated.metric == "mae"


def test_what_cannot_be_learnt_from_is_said(save: Callable[..., Path], tmp_path: Path) -> None:
    def refused(data: Path, **how: Any) -> str:
        with pytest.raises(EmoscribeError) as caught:
            corpus(data, **how)
        return str(caught.value)

    path = save("talk", None, None)
    assert "is set or confirmed by a person; correct it on the page of `emoscribe serve`, and give" in refused(path)
    path = save("talk", "joy", "joy", None)
    assert "moments in" in refused(path, task="number") and "have labels; leave it out" in refused(path, task="number")
    assert "--column goes with tables" in refused(path, columns={"label": "emotion"})
    assert "one moment in" in refused(save("one", "joy", None))
    save("sets", "joy", thresholds={"joy": 0.5})
    assert "were read with other answers" in refused(tmp_path)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.emoscribe.json").write_text("[]")
    assert "x.emoscribe.json is not a labelled transcript in JSON" in refused(tmp_path / "bad")
    assert "no folder" in refused(tmp_path / "nowhere.emoscribe.json")


@pytest.mark.usefixtures("tiny_bert_found")
def test_a_corrected_file_is_learnt_from(save: Callable[..., Path], tmp_path: Path) -> None:
    path = save("talk", *("joy", "anger", "neutral", None) * 6)
    settings = ["base.id=tiny-bert", "epochs=3", "batch_size=4", "modalities=T", "device=cpu"]
    given = [part for each in settings for part in ("--set", each)]
    learning = ["--set", "optimizer.learning_rate=0.01", "--set", "optimizer.head_learning_rate=0.02"]
    run = tmp_path / "run"
    done = CliRunner().invoke(main, ["finetune", "table", "--data", str(path), "--out", str(run), *given, *learning])
    assert done.exit_code == 0, done.output
    assert "18 of 24 moments are set or confirmed by a person; those that come last are dev" in done.output
    assert find_run(run).labels == LABELS and find_run(run).metrics["dev"]["macro_f1"] > 0.5
    seen = CliRunner().invoke(main, ["corpus", "table", "--data", str(path), "--json"])
    assert seen.exit_code == 0 and json.loads(seen.output)["splits"]["dev"]["clips"] == 6, seen.output
