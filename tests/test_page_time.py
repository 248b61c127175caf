"""Time on the page: what is shown of it, how it goes by, and the keys that move it; run by Node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Node = Callable[..., Any]


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
