"""Whose labels a fine-tuning learns, and how much each counts: adjusted logits, teachers, several corpora."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import fmean

import pytest
from emoscribe.core.context import Context
from emoscribe.core.errors import SettingsError
from emoscribe.core.files import read_json
from emoscribe.core.timeline import Moment
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.corpora.registry import read_corpus
from emoscribe.experiments import finetune
from emoscribe.experiments.teachers import as_frequent, averaged
from emoscribe.experiments.training_data import LabelledClip, TrainingCorpus, TrainingData, examples_of, mixed_in
from emoscribe.llm.predictor import load_predictor
from emoscribe.llm.run import find_run
from emoscribe.prompts.render import render
from emoscribe.textualize.mixture import Labelled
from emoscribe.training.traces import load_traces

pytestmark = pytest.mark.usefixtures("tiny_bert_found")


def write_all_alike(folder: Path) -> None:
    """A table of one line again and again: nothing tells but how frequent labels are.  Two thirds are neutral."""
    for split, times in (("train", 24), ("dev", 2)):
        labels = ["neutral", "neutral", "neutral", "neutral", "joy", "anger"] * times
        (folder / f"{split}.csv").write_text("text,label\n" + "".join(f"so fine,{label}\n" for label in labels))


def test_adjusted_logits_answer_as_if_labels_were_equally_frequent(tmp_path: Path, small_settings) -> None:
    write_all_alike(tmp_path)
    answers = {}
    for adjustment in (0.0, 1.0):
        # One epoch: to dev all are equally good, and of those the first is kept.
        changed = {"loss": {"logit_adjustment": adjustment}, "epochs": 1}
        run = finetune(CorpusRequest("table", tmp_path), tmp_path / str(adjustment), small_settings(**changed))
        # As it was learnt: the temperature is fitted to dev, where neutral lines are as frequent.
        reader = load_predictor(run.uncalibrated(), Context(device="cpu", offline=True))
        scored = reader.predict([render([Moment(0, 1, None, "so fine")], 0, run.prompt, id="")])[0]
        answers[adjustment] = scored.scores["neutral"]
    assert answers[0.0] > 0.55
    assert answers[1.0] < 0.45


def test_teachers_and_what_they_said(lines_table: Path, tmp_path: Path, small_settings, weights) -> None:
    asking = small_settings(epochs=1, teachers={"count": 2, "epochs": 1})
    run = finetune(CorpusRequest("table", lines_table), tmp_path / "taught", asking)
    opinions = read_json(run.folder / "opinions.json")
    assert len(opinions) == 36 and all(sum(said.values()) == pytest.approx(1, abs=1e-3) for said in opinions.values())
    again = small_settings(epochs=1, teachers={"opinions": [str(run.folder / "opinions.json")] * 2})
    assert weights(finetune(CorpusRequest("table", lines_table), tmp_path / "again", again).folder) == weights(
        run.folder
    )
    untaught = finetune(CorpusRequest("table", lines_table), tmp_path / "untaught", small_settings(epochs=1))
    assert weights(untaught.folder) != weights(run.folder)
    with pytest.raises(SettingsError, match="says nothing on"):
        finetune(
            CorpusRequest("table", lines_table),
            tmp_path / "no",
            small_settings(teachers={"opinions": [str(run.folder / "settings.json")]}),
        )


def test_opinions_of_several_runs_are_averaged() -> None:
    one, other = ({"a": {"joy": joy, "anger": 1 - joy}} for joy in (0.9, 0.3))
    assert averaged([one, other])["a"] == pytest.approx({"joy": 0.6, "anger": 0.4})


def test_opinions_hold_labels_as_frequent_as_they_are(tmp_path: Path, small_settings) -> None:
    """Whatever the loss adjusts."""
    assert as_frequent({"joy": 0.5, "anger": 0.5}, {"joy": 3.0, "anger": 1.0}) == pytest.approx(
        {"joy": 0.75, "anger": 0.25}
    )
    write_all_alike(tmp_path)
    asking = small_settings(loss={"logit_adjustment": 1.0}, epochs=1, teachers={"count": 2, "epochs": 1})
    run = finetune(CorpusRequest("table", tmp_path), tmp_path / "taught", asking)
    neutral = [said["neutral"] for said in read_json(run.folder / "opinions.json").values()]
    assert min(neutral) > 0.55


def test_corpora_mixed(lines_table: Path, tmp_path: Path, small_settings) -> None:
    """Other lines, as another corpus; what each is read by is measured apart."""
    mixed = mixed_in(small_settings(epochs=1), [f"table={lines_table}"])
    run = finetune(CorpusRequest("table", lines_table), tmp_path / "mixed", mixed)
    # Two tables are two corpora: neither is forgotten for the other.
    assert {"mean", "table[T] weighted_f1", "table-2[T] weighted_f1"} <= set(run.metrics["dev"])
    assert set(load_traces(run.folder)) == {"table train", "table dev", "table-2 train", "table-2 dev"}
    with pytest.raises(SettingsError, match="where is faces"):
        finetune(
            CorpusRequest("table", lines_table),
            tmp_path / "no",
            small_settings(mix=[{"corpus": "table", "name": "faces", "teaches": "T"}]),
        )
    with pytest.raises(SettingsError, match="NAME=DIR"):
        mixed_in(small_settings(), ["ravdess"])
    with pytest.raises(SettingsError, match="unknown corpus"):
        mixed_in(small_settings(), ["nothing=/tmp"])
    with pytest.raises(SettingsError, match="twice"):
        mixed_in(small_settings(), [f"table={lines_table}", "table=/tmp"])
    with pytest.raises(ValueError, match="two corpora called table"):
        small_settings(mix=[{"corpus": "table", "teaches": "T"}, {"corpus": "table", "teaches": "T"}])
    with pytest.raises(ValueError, match="teaches T, which modalities V leave out"):
        small_settings(modalities="V", mix=[{"corpus": "table", "teaches": "V"}])


def test_a_corpus_with_nothing_to_learn_from(lines_table: Path, tmp_path: Path, small_settings) -> None:
    (tmp_path / "dev").mkdir()
    shutil.copy(lines_table / "dev.csv", tmp_path / "dev")
    mix = [{"corpus": "table", "name": "other", "teaches": "T", "data": tmp_path / "dev", "examples": 3}]
    with pytest.raises(SettingsError, match=r"other in .* has no clips with one label in its train split"):
        finetune(CorpusRequest("table", lines_table), tmp_path / "words", small_settings(mix=mix))


def test_teachers_are_heard_on_their_own_corpus_alone(lines_table: Path, tmp_path: Path, small_settings) -> None:
    """Rows of two tables are called the same."""
    mixed = small_settings(mix=[{"corpus": "table", "teaches": "T", "data": lines_table}])
    data = [
        TrainingData(TrainingCorpus(name, None, "T"), {"train": (clip,)})  # pyright: ignore[reportArgumentType]
        for name, clip in (("table", line("a day", "neutral")), ("table-2", line("get out", "anger")))
    ]
    opinions = {"train-1": {"joy": 0.2, "anger": 0.2, "neutral": 0.6}}
    described = find_run("meld-minilm")
    examples = examples_of(data, described, mixed, 0, opinions)
    assert [(each.source, each.soft) for each in examples[:2]] == [("table", opinions["train-1"]), ("table-2", None)]


def line(text: str, label: str) -> LabelledClip:
    return LabelledClip("train-1", "a", Labelled(Moment(0, 1, text=text), label, "T"), ())


def before_and_after() -> tuple[LabelledClip, LabelledClip]:
    """Two turns with a face and a voice."""
    first, second = (Moment(n, n + 1, "AB"[n], text, "smile", "loud") for n, text in enumerate(("What a DAY!", "so?")))
    return (
        LabelledClip("1", "a", Labelled(first, "joy", "T"), ()),
        LabelledClip("2", "a", Labelled(second, "neutral", "T"), (first,)),
    )


def test_turns_before_are_heard_as_they_are_learnt_from(small_settings) -> None:
    run = find_run("meld-minilm")
    run = run.model_copy(update={"prompt": run.prompt.model_copy(update={"context_turns": 1})})
    mixture = {"alone": 1, "punctuated": 0, "unpunctuated": 1, "misheard": 0, "nothing": 0}
    data = [TrainingData(TrainingCorpus("table", None, "T"), {"train": before_and_after()})]  # pyright: ignore
    _, after = examples_of(data, run, small_settings(mixture=mixture), 0, {})
    assert after.prompt.text == '"so"\nbefore, someone else: "what a day"'


def test_a_clip_read_by_one_signal_remembers_no_other() -> None:
    _, after = before_and_after()
    alone = after.with_only("T")
    assert alone.labelled.moment.signals == "T" and [moment.signals for moment in alone.before] == ["T"]
    assert after.with_only("TA").before[0].voice == "loud"


def test_teachers_know_nothing_of_what_the_run_starts_from(
    lines_run, lines_table: Path, tmp_path: Path, small_settings
) -> None:
    """It may have learnt the very labels that they are asked about."""
    still = {"learning_rate": 1e-12, "head_learning_rate": 1e-12}
    asking = small_settings(
        init=str(lines_run[0].folder), epochs=1, optimizer=still, teachers={"count": 2, "epochs": 1}
    )
    run = finetune(CorpusRequest("table", lines_table), tmp_path / "taught", asking)
    opinions = read_json(run.folder / "opinions.json")
    clips = read_corpus(CorpusRequest("table", lines_table)).split("train")
    right = fmean(max(opinions[clip.id], key=opinions[clip.id].__getitem__) == clip.target for clip in clips)
    assert run.metrics["dev"]["accuracy"] > 0.8 and right < 0.6
