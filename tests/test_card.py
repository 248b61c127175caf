"""The model card says what the run knows, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from emoscribe.experiments.settings import FinetuneSettings
from emoscribe.extractors.settings import FaceSettings, SpeechSettings
from emoscribe.llm.card import model_card
from emoscribe.llm.run import Base, Extractors, TextRun, find_run, shipped_runs
from emoscribe.llm.settings import Head
from emoscribe.prompts.settings import PromptSettings

EPOCH = {"epoch": 0, "loss": 1.5, "seconds": 3.0}
LABELS = {"joy": 90, "fear": 2}


def run_of(tmp_path: Path, **known: Any) -> TextRun:
    given = {
        "folder": tmp_path / "mine",
        "base": Base(id="some/base-model", sha256="ab" * 32),
        "label_set": "custom",
        "labels": ("joy", "fear"),
        "prompt": PromptSettings(template="brief", context_turns=2),
    }
    return TextRun(**{**given, **known})


@pytest.fixture
def full(tmp_path: Path) -> TextRun:
    part = {"corpus": "meld", "licence": "GPL-3.0: research only"}
    return run_of(
        tmp_path,
        licence="GPL-3.0: research only",
        seeds=(3,),
        temperature=1.25,
        extractors=Extractors(speech=SpeechSettings(engine="pocketsphinx"), face=FaceSettings(engine="landmarker")),
        metrics={
            "selected_on": "weighted_f1",
            "best_epoch": 1,
            "epochs": [
                {"epoch": 0, "loss": 1.5, "dev": {"weighted_f1": 0.5, "accuracy": 0.6}, "seconds": 3.0},
                {"epoch": 1, "loss": 1.25, "dev": {"weighted_f1": 0.55, "accuracy": 0.61}, "seconds": 3.0},
                {"epoch": 2, "loss": 1.1, "dev": {"weighted_f1": 0.54, "accuracy": 0.65}, "seconds": 3.0},
            ],
            "dev": {"weighted_f1": 0.55, "accuracy": 0.61},
        },
        training={
            "modalities": "TV",
            "data": [
                {**part, "split": "train", "clips": 9989, "labels": LABELS, "fingerprint": "f00d"},
                {**part, "split": "dev", "clips": 1109, "labels": {"joy": 9}, "fingerprint": "beef"},
            ],
            "settings": FinetuneSettings().model_dump(mode="json"),
            "versions": {"torch": "2.15.0", "peft": "0.21"},
            "seconds": 5400.0,
        },
    )


def front(card: str) -> dict[str, Any]:
    return yaml.safe_load(card.split("---\n")[1])


def test_the_front_matter_is_the_hubs(full: TextRun, tmp_path: Path) -> None:
    assert front(model_card(full)) | {"tags": []} == {
        "base_model": "some/base-model",
        "library_name": "peft",
        "pipeline_tag": "text-classification",
        "license": "other",
        "license_name": "GPL-3.0: research only",
        "tags": [],
    }
    free = front(model_card(run_of(tmp_path, licence="Apache-2.0")))
    assert free["license"] == "apache-2.0" and "license_name" not in free


def test_what_is_known_is_said(full: TextRun) -> None:
    card = model_card(full)
    for said in (
        "# mine\n",
        "Reads what was said and how the face looked in words, and gives a probability for each of 2 labels",
        "A LoRA adapter (rank 16, α 32, on every linear layer) and a classification head for [some/base-model]",
        "ab" * 32,
        "| meld | train | 9,989 | joy 90, fear 2 | GPL-3.0: research only |",
        "meld train `f00d`; meld dev `beef`",
        "Seed 3. Trained for 90 minutes. With torch 2.15.0, peft 0.21.",
        "  learning_rate: 0.0005\n",
        "The epoch was chosen by weighted F1",
        "| weighted F1 | 0.550 |",
        "| 1 | 1.500 | 0.500 |\n| **2** | **1.250** | **0.550** |\n| 3 | 1.100 | 0.540 |",
        "temperature of 1.25",
        "template `brief` with 2 preceding turns",
        "pocketsphinx (what was said), landmarker (how the face looked)",
        "emoscribe analyze VIDEO --run mine\n",
        "emoscribe evaluate meld --data DIR --split test --run mine --out REPORT\n",
        "Measured on meld dev (1,109 clips)",
        "Rare in training, and so the least to be trusted: fear (2 of 92 clips).",
        "not what somebody feels",
        "at work or in education is forbidden",
    ):
        assert said in card


def test_the_curves_are_shown_where_there_are_any(full: TextRun) -> None:
    assert "curves.svg" not in model_card(full)
    full.folder.mkdir()
    (full.folder / "curves.svg").touch()
    assert "](curves.svg)" in model_card(full)


def test_what_is_not_known_is_not_said(tmp_path: Path) -> None:
    card = model_card(run_of(tmp_path, prompt=PromptSettings()))
    for absent in ("None", "Data", "Recipe", "Scores", "Seed", "Licence", "license", "temperature", "Measured", "Rare"):
        assert absent not in card
    assert "no preceding turns" in card and "Not for" in card


@pytest.mark.parametrize("name", shipped_runs())
def test_adapters_that_ship_have_one(name: str) -> None:
    assert model_card(find_run(name)).startswith("---\nbase_model: ")


def test_names_from_data_stay_names(tmp_path: Path) -> None:
    evil = "a|b <script>alert(1)</script> [x](http://y) `z`\n# title"
    run = run_of(
        tmp_path,
        labels=(evil, "fear"),
        licence=f"---\n{evil}",
        training={
            "data": [
                {
                    "corpus": "; rm -rf ~",
                    "split": evil,
                    "clips": 1,
                    "labels": {evil: 1},
                    "licence": evil,
                    "fingerprint": "f00d",
                }
            ]
        },
        metrics={"selected_on": evil, "best_epoch": 0, "dev": {evil: 0.5}, "epochs": [EPOCH | {"dev": {evil: 0.5}}]},
    )
    card = model_card(run)
    assert "<script>" not in card.split("---\n", 2)[2]
    assert front(card)["license_name"].startswith("--- a|b")
    assert "\n# title" not in card
    assert all(line.count(" | ") == 4 for line in card.splitlines() if "rm -rf" in line and line.startswith("|"))
    assert "evaluate '; rm -rf ~' --data" in card


def test_a_measure_that_was_not_defined_is_a_dash(full: TextRun) -> None:
    dev = {"weighted_f1": None}
    undefined = full.metrics | {"dev": dev, "epochs": [EPOCH | {"epoch": 1, "dev": dev}]}
    card = model_card(full.model_copy(update={"metrics": undefined}))
    assert "| weighted F1 | – |" in card and "None" not in card


def test_label_words_have_no_head(tmp_path: Path) -> None:
    card = model_card(run_of(tmp_path, head=Head(kind="label-words")))
    assert "A LoRA adapter that scores each label by how likely its words are" in card
