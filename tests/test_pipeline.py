"""The library, as somebody imports it."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import emoscribe
import pytest
from emoscribe.core.labels import BLEND, COMPOUND
from emoscribe.core.settings import load
from emoscribe.llm.plan import Plan, make_plan
from emoscribe.llm.run import find_run
from emoscribe.llm.settings import AnalyzeSettings
from emoscribe.pipeline import context_for


def plan_of(settings: AnalyzeSettings) -> Plan:
    return make_plan(settings, context_for(settings))


@pytest.fixture(scope="module")
def smiling(feat_media: Path) -> emoscribe.LabelledTranscript:
    return emoscribe.analyze(feat_media / "single_face.jpg", config="embedded", labels="compound")


def test_analyze_returns_a_labelled_transcript(smiling: emoscribe.LabelledTranscript) -> None:
    assert isinstance(smiling, emoscribe.LabelledTranscript)
    (segment,) = smiling.segments
    assert (segment.moment.start_s, segment.moment.end_s) == (0.0, 0.0)
    assert segment.moment.face and segment.moment.evidence in ("weak", "enough")
    assert smiling.tracks is not None


def test_compound_scores_say_where_they_come_from(smiling: emoscribe.LabelledTranscript) -> None:
    assert (smiling.label_set, smiling.labels) == ("compound", COMPOUND.labels)
    assert list(smiling.segments[0].scores) == list(COMPOUND.labels)
    assert smiling.provenance["model"]["rule"] == "compound scores from basic ones"
    assert smiling.provenance["model"]["label_set"] == "basic"


def test_blends_say_where_they_come_from(feat_media: Path) -> None:
    settings = {"labels": "blend", "blends__presence": 0.05}
    smiling = emoscribe.analyze(feat_media / "single_face.jpg", config="embedded", **settings)
    (segment,) = smiling.segments
    assert smiling.labels == BLEND.labels == tuple(segment.scores) and "joy" in segment.label
    assert sum(segment.scores.values()) == pytest.approx(1)
    assert smiling.provenance["model"]["rule"] == "blend scores from basic ones"
    assert smiling.provenance["settings"]["blends"] == {"presence": 0.05, "balance": 0.4}


def test_provenance_names_what_perceived(smiling: emoscribe.LabelledTranscript) -> None:
    face, model = smiling.provenance["face"], smiling.provenance["model"]
    assert (face["engine"], face["version"], face["sampling_fps"]) == ("landmarker", version("ai-edge-litert"), 5.0)
    assert len(model["sha256"]) == 64 and not Path(model["base"]).is_absolute()
    assert smiling.provenance["speech"] == {"missing": "the file has no sound"} | {
        "seconds": smiling.provenance["speech"]["seconds"]
    }


def test_what_cannot_be_read_raises_one_line() -> None:
    with pytest.raises(emoscribe.EmoscribeError, match=r"no file nowhere\.mp4"):
        emoscribe.analyze("nowhere.mp4", config="embedded")


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("wording.face_pooling=max", r"wording\.face_pooling=max contradicts run meld-minilm, .*choose another --run"),
        ("prompt.template=paper", r"prompt\.template=paper contradicts run meld-minilm"),
        ("labels=sentiment", r"run meld-minilm scores basic labels .* cannot give 'sentiment' ones"),
    ],
)
def test_what_contradicts_the_run_is_refused_by_name(assignment: str, message: str) -> None:
    with pytest.raises(emoscribe.EmoscribeError, match=message):
        plan_of(load(AnalyzeSettings, "embedded", [assignment]))


def test_saying_what_the_run_says_is_no_contradiction() -> None:
    plan = plan_of(load(AnalyzeSettings, "embedded"))
    same = load(AnalyzeSettings, "embedded", [f"prompt.template={plan.prompt.template}"])
    assert plan_of(same).prompt == plan.prompt


def test_a_run_is_given_what_it_was_trained_on_and_nothing_else(tmp_path: Path) -> None:
    run = find_run("meld-minilm").model_copy(update={"folder": tmp_path, "training": {"modalities": "T"}})
    run.save()
    words_only = f"model.run={tmp_path}"
    assert plan_of(load(AnalyzeSettings, "embedded", [words_only])).settings.modalities == "T"
    with pytest.raises(emoscribe.EmoscribeError, match="trained on T and has not learnt to read V"):
        plan_of(load(AnalyzeSettings, "embedded", [words_only], modalities="TV"))
