"""Settings: what ships is valid, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from emoscribe.commands.settings import command, markdown_page, settings_reference
from emoscribe.core.derived import from_basic
from emoscribe.core.errors import SettingsError
from emoscribe.core.labels import BASIC, COMPOUND, LABEL_SETS, label_set
from emoscribe.core.settings import load, shipped_configs
from emoscribe.extractors.registry import names_of
from emoscribe.llm.settings import AnalyzeSettings


@pytest.mark.parametrize("name", ["default", "embedded"])
def test_shipped_configs_are_valid(name: str) -> None:
    assert name in shipped_configs()
    settings = load(AnalyzeSettings, name)
    assert settings.model.run == "meld-minilm"
    assert settings.offline == (name == "embedded")


def test_assignments_and_arguments_override_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("face: {sampling_fps: 2, max_faces: 1}\nlabels: basic\n")
    settings = load(AnalyzeSettings, file, ["face.sampling_fps=10"], labels="compound", windows__window_s=2.0)
    assert (settings.face.sampling_fps, settings.face.max_faces) == (10, 1)
    assert (settings.labels, settings.windows.window_s) == ("compound", 2.0)
    assert load(AnalyzeSettings, file, labels=None).labels == "basic"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("face.samplng_fps=3", r"unknown key 'face.samplng_fps'; did you mean 'face.sampling_fps'\?"),
        ("sampling_fps=3", r"unknown key 'sampling_fps'; did you mean 'face.sampling_fps'\?"),
        ("face.quux=3", r"unknown key 'face.quux'; there are: engine, sampling_fps"),
        ("face.engine=haar", r"face.engine: .*there are: auto, py-feat, landmarker, none, got 'haar'"),
        ("face.max_faces=0", r"face.max_faces: .*greater than or equal to 1, got 0"),
        ("face.sampling_fps=0", r"sampling_fps must be auto or from 0.1 to 240"),
        ("modalities=TX", r"modalities must be letters of TVA"),
        ("windows.hop_s=1", r"hop_s needs window_s"),
        ("windows.window_s=-1", r"windows.window_s: .*got -1"),
        ("labels", r"--set takes KEY=VALUE"),
        ("labels=[", r"is not a YAML value"),
    ],
)
def test_what_is_wrong_is_named(assignment: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as error:
        load(AnalyzeSettings, "default", [assignment])
    assert "\n" not in str(error.value)


# Ten aliases of ten aliases, and so on: 454 bytes for ten milliards of values.
BOMB = "a0: &a0 [0]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 11))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, r"mine\.yaml is not readable YAML: it stands for more than 100,000 values"),
        ("a: &a [*a]", r"mine\.yaml is not readable YAML: a value holds itself"),
        ("[" * 3000, r"mine\.yaml is not readable YAML: it is nested too deeply"),
        (f"labels: {'9' * 6000}", r"mine\.yaml is not readable YAML: Exceeds the limit"),
        ("labels: 2026-99-99", r"mine\.yaml is not readable YAML: month must be in 1..12"),
        ("labels: !!python/object/apply:os.system [ls]", r"mine\.yaml is not readable YAML, line 1"),
        (f"labels: [{'x, ' * 900}]", r"labels: .*got \['x', .* \.\.\. \([\d,]+ characters\)$"),
        ("face: [", r"mine\.yaml is not readable YAML, line 1"),
        ("- a\n- b", "must be a mapping of settings, got a list"),
        ("fase: {}", r"config mine\.yaml: unknown key 'fase'; did you mean 'face'\?"),
        ("!!python/object/apply:os.system ['true']", "is not readable YAML"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=message):
        load(AnalyzeSettings, file)


def test_an_unknown_config_lists_those_that_ship() -> None:
    with pytest.raises(SettingsError, match=r"no config 'fancy': .*default, embedded"):
        load(AnalyzeSettings, "fancy")


def test_compound_scores_are_highest_where_both_parts_are() -> None:
    scores = dict.fromkeys(BASIC.labels, 0.02) | {"sadness": 0.5, "anger": 0.4}
    compound = from_basic(scores, COMPOUND)
    assert list(compound) == list(COMPOUND.labels)
    assert sum(compound.values()) == pytest.approx(1)
    assert max(compound, key=compound.__getitem__) == "sadly angry"
    assert compound["sadly surprised"] / compound["angrily surprised"] == pytest.approx(0.52 / 0.42)


def test_a_broad_smile_is_happy_even_without_surprise() -> None:
    """A product of the two parts read this very face as sadly angry."""
    scores = {
        "neutral": 0.01,
        "surprise": 0.01,
        "fear": 0.05,
        "sadness": 0.11,
        "joy": 0.69,
        "disgust": 0.03,
        "anger": 0.1,
    }
    compound = from_basic(scores, COMPOUND)
    assert max(compound, key=compound.__getitem__) == "happily surprised"


def test_compound_scores_of_pure_neutral_are_even() -> None:
    scores = dict.fromkeys(BASIC.labels, 0.0) | {"neutral": 1.0}
    assert set(from_basic(scores, COMPOUND).values()) == {1 / 7}


def test_compound_scores_need_basic_ones() -> None:
    with pytest.raises(SettingsError, match="'fear' is not among joy"):
        from_basic({"joy": 1.0}, COMPOUND)


def test_label_sets() -> None:
    assert len(BASIC.labels) == len(COMPOUND.labels) == 7
    with pytest.raises(SettingsError, match=f"unknown label set 'moods'; there are: {', '.join(LABEL_SETS)}"):
        label_set("moods")


# ── described ────────────────────────────────────────────────────────────────


def test_every_setting_says_what_it_is() -> None:
    for command_name, keys in settings_reference().items():
        for key in keys:
            assert key.text.endswith((".", ")")) and key.allowed, f"{command_name}: {key}"


def test_the_reference_shows_defaults_ranges_and_alternatives() -> None:
    keys = {name: {key.name: key for key in keys} for name, keys in settings_reference().items()}
    assert keys["analyze"]["face.max_faces"].default == "4"
    assert keys["analyze"]["face.max_faces"].allowed == "whole number ≥ 1, ≤ 32"
    assert keys["analyze"]["windows.window_s"].allowed == "number ≥ 0.1, ≤ 3600 or null"
    assert keys["analyze"]["speech.engine"].allowed == ", ".join(names_of("speech"))
    # A section's default is that of the settings around it.
    assert keys["analyze"]["speech.engine"].default == "auto"
    assert keys["finetune"]["speech.engine"].default == "faster-whisper"
    assert keys["finetune"]["mix.teaches"].allowed == "T, V, A" and not keys["finetune"]["mix.teaches"].default


def test_one_section_can_be_asked_for() -> None:
    assert {key.name.partition(".")[0] for keys in settings_reference("face").values() for key in keys} == {"face"}
    assert list(settings_reference("finetune.optimizer")) == ["finetune"]
    assert [key.name for key in settings_reference("sampling_fps")["analyze"]] == ["face.sampling_fps"]
    with pytest.raises(
        SettingsError, match=r"no settings 'fase'; there are: analyze, finetune, baseline, serve, speech"
    ):
        settings_reference("fase")
    shown = CliRunner().invoke(command, ["finetune.optimizer"]).output
    assert (
        "windows.hop_s = null  [number ≥ 0.05, ≤ 3600 or null; seconds]"
        in CliRunner().invoke(command, ["hop_s"]).output
    )
    assert "optimizer.warmup_share = 0.06  [number ≥ 0, < 1]\n    Share of all updates" in shown


def test_the_page_of_settings_is_the_one_that_is_printed() -> None:
    page = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == markdown_page(settings_reference()), (
        "make it anew: emoscribe settings --markdown > docs/settings.md"
    )
