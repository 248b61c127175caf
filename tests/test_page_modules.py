"""What the modules of the report's page work out, run by Node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emoscribe.core.timeline import LabelledTranscript
from emoscribe.outputs.lines import clock, reading
from emoscribe.outputs.people import people_of

Node = Callable[..., Any]

MOMENTS = [
    {"start_s": 0, "end_s": 2, "evidence": "enough", "label": "joy", "scores": {"joy": 0.7, "anger": 0.3}},
    {"start_s": 1, "end_s": 3, "evidence": "weak", "label": "anger", "scores": {"joy": 0.4, "anger": 0.6}},
    {"start_s": 5, "end_s": 6, "evidence": "none", "label": "joy", "scores": {"joy": 0.6, "anger": 0.4}},
]


# ── moments, and how they read ───────────────────────────────────────────────


def test_of_overlapping_moments_the_one_that_began_last_is_on(node: Node) -> None:
    script = (
        "import { momentAt } from './emotions.js'; answer(given.times.map((time) => momentAt(given.segments, time)));"
    )
    times = [-1, 0, 1, 1.5, 2.5, 3, 5.5, 9]
    assert node(script, {"segments": MOMENTS, "times": times}) == [-1, 0, 1, 1, 1, -1, 2, -1]
    # A long one goes on after short ones that began later.
    long = [{"start_s": 0, "end_s": 60}, *({"start_s": at, "end_s": at + 1} for at in range(10, 50, 5))]
    assert node(script, {"segments": long, "times": [9, 10.5, 12, 58, 61]}) == [0, 1, 0, 0, -1]


def test_of_many_labels_those_that_were_read_are_drawn(node: Node) -> None:
    script = "import { drawnLabels } from './emotions.js'; answer(given.map(drawnLabels));"
    few, many = ["joy", "anger", "fear"], ["joy", "anger", *(f"feeling {i}" for i in range(15))]
    unread = [{**moment, "evidence": "none"} for moment in MOMENTS]
    transcripts = [{"labels": few, "segments": MOMENTS}, {"labels": many, "segments": MOMENTS}]
    assert node(script, [*transcripts, {"labels": many, "segments": unread}]) == [few, many[:2], many]
    # Of sets all that are given, not the likeliest alone.
    several = [{**MOMENTS[0], "labels": ["joy", many[5]]}]
    assert node(script, [{"labels": many, "segments": several}]) == [["joy", many[5]]]


def test_times_and_readings_are_worded_as_on_the_terminal(labelled: LabelledTranscript, node: Node) -> None:
    times = [0, 6.24, 59.96, 61, 3599.99, 3723.4]
    script = "import { clockTime } from './dom.js'; answer(given.map((time) => clockTime(time, true)));"
    assert node(script, times) == ["0:06.2" if time == 6.24 else clock(time).removeprefix("0") for time in times]
    script = "import { reading } from './dom.js'; answer(given.map(reading));"
    corrected = [replace(labelled.segments[6], corrected=True, chosen="fear"), *labelled.segments]
    given = [segment.to_dict() for segment in corrected]
    assert node(script, given) == [reading(segment) for segment in corrected]


def test_words_face_and_voice_that_disagree_are_told(node: Node) -> None:
    def read(label: str, evidence: str = "enough", score: float = 0.6) -> dict[str, Any]:
        return {"label": label, "evidence": evidence, "scores": {"joy": score, "anger": score, "fear": score}}

    agreed = {"T": read("joy"), "V": read("joy"), "A": read("anger", "none")}
    apart = {"T": read("joy"), "V": read("anger"), "A": read("joy", "none")}
    several = {"T": {**read("joy"), "labels": ["joy", "fear"]}, "A": {**read("fear"), "labels": ["fear", "joy"]}}
    alone = {"T": read("joy")}
    unsure = {"T": read("joy"), "V": read("anger", score=0.4)}
    rated = {letter: {"rating": rating, "evidence": "enough"} for letter, rating in (("T", 0.2), ("A", 0.9))}
    script = "import { disagreement } from './disagreement.js';"
    script += "answer(given.map(([alone, range]) => disagreement(alone, range)?.map(([letter]) => letter) ?? null));"
    cases = [(each, None) for each in (agreed, apart, several, alone, unsure)] + [(rated, [-1, 1]), (rated, [-3, 3])]
    assert node(script, cases) == [None, ["T", "V"], None, None, None, ["T", "A"], None]


# ── who, and how often ───────────────────────────────────────────────────────


def test_everybody_has_one_name_everywhere(labelled: LabelledTranscript, node: Node) -> None:
    """The page's people, and what they showed most, are those of the table of people."""
    tracks = labelled.to_dict()["tracks"]
    tracks["faces"]["people"][0]["speaker"] = "Clara"
    for transcript in (labelled, replace(labelled, tracks=tracks)):
        script = """
            import { faceNames, peopleOf, whose } from './people.js';
            import { dominant } from './summary.js';
            const names = faceNames(given.tracks);
            answer(peopleOf(given).map(({ name }) =>
                [name, dominant(given.segments.filter((one) => whose(one, names) === name), given.labels)]));
        """
        table = {row["person"]: row.get("dominant") for row in people_of(transcript).rows}
        assert dict(node(script, transcript.to_dict())) == table


def test_shares_add_up_to_a_hundred(node: Node) -> None:
    """49 %, 28 % and 24 % were 101 %."""
    rng = np.random.default_rng(0)
    amounts = [
        [49.4, 27.8, 24.8],
        [1, 1, 1],
        [0.1, 99.9],
        [5],
        *rng.dirichlet(np.ones(7), 50).tolist(),
    ]
    whole = node("import { percentages } from './series.js'; answer(given.map(percentages));", amounts)
    for exact, rounded in zip(amounts, whole, strict=True):
        assert sum(rounded) == 100
        assert np.abs(np.array(rounded) - 100 * np.array(exact) / sum(exact)).max() < 1
    assert node("import { percentages } from './series.js'; answer(percentages(given));", [0, 0]) == [0, 0]


def test_ratings_are_averaged_over_the_time_that_was_rated(node: Node) -> None:
    script = "import { meanRating } from './summary.js'; answer(given.map(meanRating));"
    rated = [{**moment, "rating": rating} for moment, rating in zip(MOMENTS, (1.0, -0.5, 3.0), strict=True)]
    length_s = [moment["end_s"] - moment["start_s"] for moment in MOMENTS]
    mean = (length_s[0] * 1.0 - length_s[1] * 0.5) / (length_s[0] + length_s[1])
    assert node(script, [rated, rated[2:]]) == [pytest.approx(mean), None]


# ── searching ────────────────────────────────────────────────────────────────


def test_a_search_minds_neither_case_nor_accents(node: Node) -> None:
    script = """
        import { placesOf } from './filter.js';
        answer(given.map(([text, query]) => placesOf(text, query).map(([from, to]) => text.slice(from, to))));
    """
    texts = [
        ("¡No me lo creó! no ME", "NO ME"),
        ("Straße, STRASSE", "straße"),
        ("信じられない", "られ"),
        ("ﬁne 👍🏽 fine", "fi"),
        ("a", ""),
        ("a.b", "."),
    ]
    found = node(script, texts)
    assert found == [["No me", "no ME"], ["Straße"], ["られ"], ["ﬁ", "fi"], [], ["."]]


def test_a_filter_keeps_by_label_and_person_and_finds_among_those(labelled: LabelledTranscript, node: Node) -> None:
    script = """
        import { sift } from './filter.js';
        import { faceNames } from './people.js';
        const names = faceNames(given.result.tracks);
        answer(given.wanted.map((wanted) => {
            const { kept, hits } = sift(given.result.segments, { query: "", label: "", person: "", ...wanted }, names);
            return [kept.flatMap((is, i) => (is ? [i] : [])), hits];
        }));
    """
    wanted = [
        {},
        {"label": "surprise"},
        {"label": "no evidence"},
        {"person": "Clara"},
        {"person": "Clara", "query": "WAIT"},
        {"query": "smile"},
    ]
    everything = list(range(7))
    assert node(script, {"result": labelled.to_dict(), "wanted": wanted}) == [
        [everything, everything],
        [[2], [2]],
        [[6], [6]],
        [[0, 2, 4], [0, 2, 4]],
        [[0, 2, 4], [2]],
        [everything, [4, 5]],
    ]


# ── numbers over time ────────────────────────────────────────────────────────


def test_the_greatest_of_any_stretch(node: Node) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=1000)
    values[rng.uniform(size=1000) < 0.2] = np.nan
    values[400:500] = np.nan
    stretches = [sorted(rng.integers(0, 1001, 2).tolist()) for _ in range(200)] + [[0, 1000], [420, 460], [5, 5]]
    script = """
        import { greatest, levelsOf } from './series.js';
        const levels = levelsOf(given.values.map((value) => value ?? NaN));
        answer(given.stretches.map(([first, last]) => greatest(levels, first, last)));
    """
    told = node(script, {"values": [None if np.isnan(v) else v for v in values], "stretches": stretches})
    for (first, last), value in zip(stretches, told, strict=True):
        part = values[first:last][~np.isnan(values[first:last])]
        assert (value is None) == (len(part) == 0)
        if len(part):
            assert value == pytest.approx(part[np.argmax(np.abs(part))], rel=1e-6)


def test_the_nearest_sample_and_none_that_is_far(node: Node) -> None:
    script = "import { nearest } from './series.js'; answer(given.map((time) => nearest([0, 1, 2, 5], time, 0.6)));"
    assert node(script, [-0.5, 0.4, 0.6, 2.5, 3, 4.5, 9]) == [0, 0, 1, 2, -1, 3, -1]


def test_what_a_face_looks_like_is_told_in_stretches(node: Node) -> None:
    script = "import { expressions } from './faces.js'; answer(expressions(given, given.people[0]));"
    person = {
        "times_s": [0, 1, 2, 3, 9, 10],
        "emotions": [[0.6, 0.4], [0.9, 0.1], [0.3, 0.7], [None, None], [0.8, 0.2], [0.8, 0.2]],
    }
    told = node(script, {"emotions": ["joy", "anger"], "people": [person]})
    assert [(one["segment"]["label"], one["segment"]["score"], one["start_s"], one["end_s"]) for one in told] == [
        ("joy", 0.9, 0, 2),
        ("anger", 0.7, 2, 3),
        ("joy", 0.8, 9, 11),
    ]


def test_the_way_through_valence_and_arousal_is_that_of_what_is_shown(node: Node) -> None:
    script = """
        import { wayOf } from './affect.js';
        const times_s = Array.from({ length: 1000 }, (_, i) => i);
        const valence = times_s.map((time) => (time % 7 ? time / 1000 : NaN));
        answer([[0, 1000], [100, 109]].map(([from_s, to_s]) =>
            wayOf({ times_s, valence, arousal: valence }, { from_s, to_s })));
    """
    all_of_it, part = node(script)
    assert 100 < len(all_of_it) <= 120 and all_of_it[0][0] < 0.01 and all_of_it[-1][0] > 0.99
    assert [round(1000 * valence) for valence, _ in part] == [100, 101, 102, 103, 104, 106, 107, 108, 109]


# ── the modules themselves ───────────────────────────────────────────────────


def test_nothing_of_a_page_is_fetched_from_elsewhere() -> None:
    """Modules import their neighbours alone, on one line each, and what they declare has one name in all of them."""
    import emoscribe

    folder = Path(emoscribe.__file__).parent / "outputs" / "page"
    for path in folder.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        for line in (line for line in text.splitlines() if line.startswith("import")):
            assert line.endswith('";') and ' from "./' in line, f"{path.name}: {line}"
        assert "export default" not in text, path.name
