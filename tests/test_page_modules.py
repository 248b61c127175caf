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
    assert 200 < len(all_of_it) <= 240 and all_of_it[0][0] < 0.01 and all_of_it[-1][0] > 0.99
    assert [round(1000 * valence) for valence, _ in part] == [100, 101, 102, 103, 104, 106, 107, 108, 109]


# ── time ─────────────────────────────────────────────────────────────────────


def test_what_is_shown_is_zoomed_and_panned_and_stays_within(node: Node) -> None:
    script = """
        import { createSpan } from './span.js';
        const span = createSpan(), told = [];
        span.listen(() => told.push([span.from_s, span.to_s].map((time) => +time.toFixed(6))));
        span.fit(100);
        span.zoom(0.5, 20);
        span.pan(-30);
        span.pan(1000);
        span.reveal(60);
        span.reveal(10);
        span.zoom(0.001, 30);
        span.fit(200);
        span.zoom(1e9, 30);
        span.fit(50);
        answer({ told, whole: span.whole });
    """
    assert node(script) == {
        "told": [
            [0, 100],
            [10, 60],
            [0, 50],
            [50, 100],
            [6, 56],
            [29.52, 30.52],
            [29.52, 30.52],
            [0, 200],
            [0, 50],
        ],
        "whole": True,
    }


# A clock whose frames are ours to give, and whose player is a real event target.
FRAMES = """
    import { createClock } from './clock.js';
    let next = null, now_ms = 0;
    globalThis.requestAnimationFrame = (run) => (next = run);
    performance.now = () => now_ms;
    const frames = (count) => {
        for (let i = 0; i < count; i++) { now_ms += 100; const run = next; next = null; run?.(now_ms); }
    };
    const at = (clock) => +clock.now.toFixed(4);
"""


def test_time_stays_within_the_video_and_whoever_listens_is_told(node: Node) -> None:
    script = """
        const clock = createClock(null, 10), told = [];
        clock.listen((time_s) => told.push(time_s));
        for (const time_s of given) clock.seek(time_s);
        answer({ told, now: clock.now });
    """
    assert node(FRAMES + script, [3, -1, 12, 4]) == {"told": [3, 0, 10, 4], "now": 4}


def test_time_goes_by_without_a_player_at_any_speed_and_back(node: Node) -> None:
    script = """
        const clock = createClock(null, 10), told = [];
        const note = () => told.push([at(clock), clock.playing, clock.rate]);
        clock.play(); frames(10); note();
        clock.rate = 3; frames(10); note();
        clock.play(-1); frames(20); note();
        clock.pause(); frames(5); note();
        clock.play(2); frames(100); note();
        clock.play(-2); frames(100); note();
        answer(told);
    """
    assert node(FRAMES + script) == [
        [1, True, 1],
        [4, True, 3],
        [2, True, -1],
        [2, False, 1],
        [10, False, 2],
        [0, False, 1],
    ]


def test_a_moment_is_repeated_and_frames_are_stepped_through(node: Node) -> None:
    script = """
        const clock = createClock(null, 10), told = [];
        clock.loop = [2, 3];
        clock.seek(2);
        clock.play();
        for (let i = 0; i < 40; i++) { frames(1); told.push(at(clock)); }
        clock.pause();
        clock.loop = null;
        clock.fps = 25;
        clock.seek(0);
        const steps = [1, 1, 1, -1, -1, -1, -1].map((step) => (clock.step(step), Math.floor(clock.now * 25)));
        const faster = (by) => (clock.faster(by), clock.rate);
        const rates = [1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1].map(faster);
        const turns = told.filter((time) => time === 2).length;
        answer({ low: Math.min(...told), high: Math.max(...told), turns, steps, rates });
    """
    told = node(FRAMES + script)
    assert told["low"] == 2 and told["high"] < 3 and told["turns"] >= 3
    assert told["steps"] == [1, 2, 3, 2, 1, 0, 0]
    assert told["rates"] == [1.25, 1.5, 2, 2.5, 3, 3, 2.5, 2, 1.5, 1.25, 1, 0.75, 0.5, 0.25, 0.25]


def test_the_players_time_is_the_clocks_once_it_has_something_to_play(node: Node) -> None:
    script = """
        const player = new EventTarget();
        Object.assign(player, { currentTime: 0, readyState: 0, paused: true });
        player.play = async () => (player.paused = false);
        player.pause = () => (player.paused = true);
        const clock = createClock(player, 10), seen = [];
        clock.seek(7);
        seen.push(player.currentTime);
        player.currentTime = 0;
        player.dispatchEvent(new Event("timeupdate"));
        seen.push(clock.now);
        clock.rate = 2;
        player.readyState = 1;
        player.dispatchEvent(new Event("loadedmetadata"));
        seen.push(player.currentTime, player.playbackRate);
        Object.assign(player, { readyState: 4, currentTime: 10.2 });
        player.dispatchEvent(new Event("timeupdate"));
        seen.push(clock.now);
        clock.seek(1);
        clock.play(1);
        seen.push(player.paused);
        player.currentTime = 1.5;
        frames(1);
        seen.push(clock.now);
        player.pause();
        player.dispatchEvent(new Event("pause"));
        seen.push(clock.playing);
        answer(seen);
    """
    assert node(FRAMES + script) == [7, 7, 7, 2, 10, False, 1.5, False]


def test_the_keys_do_what_hands_expect(node: Node) -> None:
    script = """
        import { viewerKeys } from './keys.js';
        import { createSpan } from './span.js';
        const clock = createClock(null, 100), span = createSpan(), steps = [];
        span.fit(100);
        const made = viewerKeys({ clock, span, step: (by) => steps.push(by), filter: { active: false } });
        const keys = new Map(made.map(([key, , run]) => [key, run]));
        const told = given.map((key) => (keys.get(key)(), [key, at(clock), clock.playing, clock.rate]));
        answer({ told, steps, names: [...keys.keys()] });
    """
    pressed = ["ArrowRight", "ArrowRight", "ArrowLeft", "l", "l", "l", "k", "j", "j", " ", " ", "ArrowDown", "n", "N"]
    done = node(FRAMES + script, pressed)
    assert done["told"] == [
        ["ArrowRight", 1, False, 1],
        ["ArrowRight", 2, False, 1],
        ["ArrowLeft", 1, False, 1],
        ["l", 1, True, 1],
        ["l", 1, True, 1.5],
        ["l", 1, True, 2],
        ["k", 1, False, 1],
        ["j", 1, True, -1],
        ["j", 1, True, -1.5],
        [" ", 1, False, 1],
        [" ", 1, True, 1],
        ["ArrowDown", 1, True, 1],
        ["n", 1, True, 1],
        ["N", 1, True, 1],
    ]
    assert done["steps"] == [1, 1, -1]
    assert len(set(done["names"])) == len(done["names"])


def test_nothing_of_a_page_is_fetched_from_elsewhere() -> None:
    """Modules import their neighbours alone, on one line each, and what they declare has one name in all of them."""
    import emoscribe

    folder = Path(emoscribe.__file__).parent / "outputs" / "page"
    for path in folder.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        for line in (line for line in text.splitlines() if line.startswith("import")):
            assert line.endswith('";') and ' from "./' in line, f"{path.name}: {line}"
        assert "export default" not in text, path.name
