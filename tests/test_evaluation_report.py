"""The files of an evaluation: keys as documented, whole, escaped, readable alone."""

from __future__ import annotations

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.errors import EmoscribeError
from emoscribe.core.labels import BASIC
from emoscribe.core.timeline import Clip
from emoscribe.evaluation.predictions import Predictions, read_predictions
from emoscribe.evaluation.report import write_report

FILES = {"metrics.json", "comparison.json", "references.json", "predictions.csv", "report.html", "report.md"}
# As documented for the command line; other programs read it.
ENTRY = {
    "n", "labels", "accuracy", "balanced_accuracy", "weighted_f1", "macro_f1", "per_class", "confusion", "ece", "auc",
    "intervals",
}  # fmt: skip
TEXTS = {"joy": "what a lovely day", "anger": "get out of my house", "neutral": "it is on the table"}


def corpus(split: str, n: int, labels: tuple[str, ...] = tuple(TEXTS)) -> list[Clip]:
    return [
        Clip(f"{split}{i}", text=f"{TEXTS.get(labels[i % len(labels)], 'well')} {i}", target=labels[i % len(labels)],
             split=split)
        for i in range(n)
    ]  # fmt: skip


def run(
    name: str, clips: list[Clip], seed: int, modalities: str | None = None, labels: tuple[str, ...] = BASIC.labels
) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = tuple(clip.target if isinstance(clip.target, str) else None for clip in clips)
    scores = rng.dirichlet(np.full(len(labels), 0.5), len(clips))
    for row, label in enumerate(truth):
        if label is not None:
            scores[row, labels.index(label)] += 0.25
    scores /= scores.sum(axis=1, keepdims=True)
    return Predictions(name, labels, tuple(clip.id for clip in clips), truth, scores, modalities)


def write(folder: Path, predictions: list[Predictions], clips: list[Clip], **more) -> dict[str, Path]:
    given = {"corpus": "made", "split": "test", "split_clips": clips, "resamples": 100} | more
    return write_report(folder, predictions, **given)


class Page(HTMLParser):
    """What a browser would see: the tags, and the text of everything outside `<style>`."""

    VOID = ("meta", "br", "img", "link", "input")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> dict[str, Path]:
    clips = corpus("test", 90)
    predictions = [run("first", clips, 0), run("second", clips, 1, "T"), run("second", clips, 2, "TVA")]
    return write(
        tmp_path_factory.mktemp("report"),
        predictions,
        clips,
        train_clips=corpus("train", 60),
        notes=["12 of 90 texts occur word for word in train."],
        about={"second": "a small model"},
    )


# ── the numbers ──────────────────────────────────────────────────────────────


def test_all_files_are_there_and_nothing_else(report: dict[str, Path]) -> None:
    assert set(report) == FILES
    assert {path.name for path in report["report.md"].parent.iterdir()} == FILES


def test_metrics_have_the_documented_keys(report: dict[str, Path]) -> None:
    entries = json.loads(report["metrics.json"].read_text())
    assert list(entries) == ["first", "second[T]", "second[TVA]"]
    for entry in entries.values():
        assert set(entry) == ENTRY
        assert entry["n"] == 90 and entry["labels"] == list(BASIC.labels)
        assert np.array(entry["confusion"]).shape == (7, 7) and np.sum(entry["confusion"]) == 90
        assert list(entry["per_class"]) == list(BASIC.labels)
        assert all(set(row) == {"precision", "recall", "f1", "support"} for row in entry["per_class"].values())
        assert set(entry["intervals"]) == {"accuracy", "balanced_accuracy", "weighted_f1", "macro_f1"}
        for name, (low, high) in entry["intervals"].items():
            assert 0 <= low <= entry[name] <= high <= 1
        assert 0 <= entry["ece"] <= 1 and 0 <= entry["auc"]["macro"] <= 1
        # Four labels of the run occur in no clip: answers all the same, in no average.
        f1 = [row["f1"] for row in entry["per_class"].values() if row["support"]]
        assert entry["macro_f1"] == pytest.approx(np.mean(f1)) and len(f1) == 3
        assert entry["auc"]["per_class"]["fear"] is None


def test_comparison_and_references(report: dict[str, Path]) -> None:
    comparison = json.loads(report["comparison.json"].read_text())
    assert comparison["bootstrap"] == {"resamples": 100, "seed": 0, "level": 0.95}
    assert [(pair["a"], pair["b"]) for pair in comparison["pairs"]] == [
        ("first", "second[T]"),
        ("first", "second[TVA]"),
        ("second[T]", "second[TVA]"),
    ]
    assert comparison["decided_by"] == {"test": "paired bootstrap", "metric": "weighted_f1", "correction": "holm"}
    by_p = sorted((pair["decision"] for pair in comparison["pairs"]), key=lambda decision: decision["p"])
    assert by_p[0]["p_holm"] == pytest.approx(min(1, 3 * by_p[0]["p"]))
    assert all((found["better"] is not None) == (found["p_holm"] < 0.05) for found in by_p)
    for pair in comparison["pairs"]:
        assert pair["decision"]["p"] == pair["differences"]["weighted_f1"]["p"]
        assert set(pair["differences"]) == {"accuracy", "balanced_accuracy", "weighted_f1", "macro_f1"}
        assert all(set(found) == {"difference", "low", "high", "p"} for found in pair["differences"].values())
        assert set(pair["mcnemar"]) == {"only_a", "only_b", "p", "p_holm"}
    found = json.loads(report["references.json"].read_text())
    assert set(found) == {"majority", "tfidf_logistic_regression"}
    assert all(set(reference) == {"how", *ENTRY} for reference in found.values())
    assert found["majority"]["accuracy"] == pytest.approx(1 / 3)
    assert found["tfidf_logistic_regression"]["accuracy"] > 0.9


def test_predictions_can_be_read_again(report: dict[str, Path]) -> None:
    entries = json.loads(report["metrics.json"].read_text())
    for one in read_predictions(report["predictions.csv"]):
        assert (one.answers == one.truth_index).mean() == pytest.approx(entries[one.key]["accuracy"])


def test_runs_may_order_their_labels_differently(tmp_path: Path) -> None:
    clips = corpus("test", 30)
    backwards = run("backwards", clips, 1, labels=BASIC.labels[::-1])
    written = write(tmp_path, [run("first", clips, 0), backwards], clips)
    entry = json.loads(written["metrics.json"].read_text())["backwards"]
    assert entry["labels"] == list(BASIC.labels)
    assert entry["accuracy"] == pytest.approx((backwards.answers == backwards.truth_index).mean())
    (_, read) = read_predictions(written["predictions.csv"])
    assert [read.labels[i] for i in read.answers] == [backwards.labels[i] for i in backwards.answers]


def test_the_same_input_gives_the_same_files(report: dict[str, Path], tmp_path: Path) -> None:
    clips = corpus("test", 30)
    first = write(tmp_path / "1", [run("first", clips, 0)], clips)
    second = write(tmp_path / "2", [run("first", clips, 0)], clips)
    for name in FILES:
        assert first[name].read_bytes() == second[name].read_bytes()


# ── the page ─────────────────────────────────────────────────────────────────


def test_the_page_stands_alone(report: dict[str, Path]) -> None:
    html = report["report.html"].read_text(encoding="utf-8")
    assert not re.search(r"https?:|//\w|@import|<script|<link|<img|javascript:", html)
    assert all(target.startswith("#") for target in re.findall(r'(?:href|src)="([^"]*)"', html))
    assert set(re.findall(r"url\(([^)]*)\)", html)) == set(
        f"#{name}" for name in re.findall(r'<clipPath id="([^"]*)"', html)
    )
    assert len(html) < 300_000


def test_the_page_says_what_a_reader_needs(report: dict[str, Path]) -> None:
    page = Page(report["report.html"].read_text(encoding="utf-8"))
    assert page.open == []
    for said in (
        "made, test",
        "90 labelled clips",
        "12 of 90 texts occur word for word in train.",
        "No clip is labelled surprise, fear, sadness, disgust",
        "majority label",
        "TF-IDF + logistic regression",
        "Is the difference real?",
        "By weighted F1,",
        "corrected (Holm) for the 3 pairs of this report",
        "What each signal brings",
        "what was said + the face + the voice",
        "a small model",
        "It is not what the person in it felt",
    ):
        assert said in page.text
    # An overview, and three pictures a run, each with words for who cannot see it.
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) == 1 + 3 * 3 and all(picture["aria-label"] for picture in pictures)
    twin = report["report.md"].read_text(encoding="utf-8")
    entries = json.loads(report["metrics.json"].read_text())
    for key, entry in entries.items():
        score = f"{100 * entry['weighted_f1']:.1f}"
        assert key in page.text and score in page.text
        assert key.replace("[", r"\[").replace("]", r"\]") in twin and score in twin


def test_tables_of_the_markdown_are_whole(report: dict[str, Path]) -> None:
    widths: list[int] = []
    for line in report["report.md"].read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            widths.append(len(re.findall(r"(?<!\\)\|", line)))
            assert widths[-1] == widths[0], line
        else:
            widths = []


HOSTILE = '</table><script>alert("x")</script> {{ 7 * 7 }} | `code` <!-- $x$'


def test_whatever_a_corpus_says_is_quoted(tmp_path: Path) -> None:
    labels = (f"joy {HOSTILE}", r"$\frac$ & b", "生气", "-->")
    clips = [Clip(f"{i} {HOSTILE}", text=HOSTILE, target=labels[i % 3]) for i in range(12)]
    written = write(
        tmp_path,
        [run(f"run {HOSTILE}", clips, 0, labels=labels), run("b", clips, 1, labels=labels)],
        clips,
        corpus=HOSTILE,
        notes=[HOSTILE],
        about={"b": HOSTILE},
    )
    html = written["report.html"].read_text(encoding="utf-8")
    assert "<script" not in html and "<!--" not in html
    page = Page(html)
    assert page.open == []
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "iframe", "object", "b"})
    assert HOSTILE in page.text and "生气" in page.text
    twin = written["report.md"].read_text(encoding="utf-8")
    assert "<script" not in twin.replace(r"\<script", "")
    assert list(json.loads(written["metrics.json"].read_text())) == [f"run {HOSTILE}", "b"]


def test_many_labels_and_one_clip_are_drawn(tmp_path: Path) -> None:
    labels = tuple(f"label {i}" for i in range(28))
    clips = [Clip("only", text=None, target="label 27")]
    written = write(tmp_path, [run("wide", clips, 0, labels=labels)], clips)
    assert Page(written["report.html"].read_text()).open == []
    assert json.loads(written["comparison.json"].read_text())["pairs"] == []
    assert json.loads(written["references.json"].read_text())["tfidf_logistic_regression"] == {
        "how": "words (1–2) and characters (2–5), counted and weighed",
        "not_fitted": "the clips have no text",
    }


def test_clips_without_a_label_are_written_and_said_but_not_counted(tmp_path: Path) -> None:
    clips = [*corpus("test", 20), Clip("other", text="who knows")]
    written = write(tmp_path, [run("first", clips, 0)], clips)
    assert json.loads(written["metrics.json"].read_text())["first"]["n"] == 20
    assert "1 clip without a label, not counted" in Page(written["report.html"].read_text()).text
    (one,) = read_predictions(written["predictions.csv"])
    assert (len(one.clip_ids), one.truth[-1]) == (21, None)


# ── what cannot be evaluated ─────────────────────────────────────────────────


def test_nothing_is_written_where_something_is_wrong(tmp_path: Path) -> None:
    clips = corpus("test", 20)
    fewer = run("fewer", clips[:15], 1)
    for predictions, message in (
        ([], "nothing to evaluate: name at least one run"),
        ([run("a", clips, 0), run("a", clips, 1)], "'a' is given twice"),
        ([run("a", clips, 0), fewer], "a and fewer cannot be compared: 5 clips"),
        ([run("a", [Clip("x")], 0)], "a: none of 1 clips has a label to compare with"),
        ([run("a", clips, 0), run("b", clips, 0, labels=tuple(TEXTS))], "a and b cannot be compared: their label sets"),
    ):
        with pytest.raises(EmoscribeError, match=message) as caught:
            write(tmp_path / "report", predictions, clips)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "report").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    clips = corpus("test", 6)
    with pytest.raises(EmoscribeError, match="cannot write to the folder"):
        write(tmp_path / "report", [run("a", clips, 0)], clips)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("")
    clips = corpus("test", 6)
    with pytest.raises(EmoscribeError, match="choose another folder"):
        write(tmp_path / "report", [run("a", clips, 0)], clips)
