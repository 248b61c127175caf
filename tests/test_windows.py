"""How time is cut into moments."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from emoscribe.core.timeline import Cues, FaceTrack, Media, Transcript, Utterance, Word, timed_words
from emoscribe.textualize.settings import WindowSettings
from emoscribe.textualize.windows import cut


def face_at(*times_s: float) -> FaceTrack:
    n = len(times_s)
    return FaceTrack(
        source="landmarker",
        names=("AU12",),
        times_s=np.array(times_s),
        person=np.zeros(n, int),
        boxes=np.zeros((n, 4)),
        action_units=np.zeros((n, 1)),
        frame_times_s=np.array(times_s),
    )


def cues(*utterances: Utterance, duration_s: float = 20.0, face: FaceTrack | None = None) -> Cues:
    return Cues(Media("v.mp4", duration_s, "0"), Transcript(tuple(utterances), None, "test"), face)


def bounds(windows) -> list[tuple[float, float]]:
    return [(w.start_s, w.end_s) for w in windows]


def test_utterances_and_the_gaps_in_which_a_face_is_seen() -> None:
    clip = cues(Utterance(2, 4, "one"), Utterance(4.5, 6, "two"), duration_s=14, face=face_at(*np.arange(0, 10, 0.2)))
    windows = cut(clip, WindowSettings(min_gap_s=1, max_gap_s=4))
    # 4–4.5 is too short, 6–14 is two pieces, and nobody is seen from 10 on.
    assert bounds(windows) == [(0, 2), (2, 4), (4.5, 6), (6, 10)]
    assert [len(w.words) for w in windows] == [0, 1, 1, 0]


def test_a_gap_without_faces_is_no_moment() -> None:
    assert bounds(cut(cues(Utterance(2, 4, "one")), WindowSettings())) == [(2, 4)]


def test_overlapping_speakers_keep_their_own_moments() -> None:
    windows = cut(cues(Utterance(0, 3, "a", "Ann"), Utterance(2, 5, "b", "Ben")), WindowSettings())
    assert [(w.start_s, w.speaker) for w in windows] == [(0, "Ann"), (2, "Ben")]


def test_nothing_heard_or_seen_is_one_moment() -> None:
    assert bounds(cut(cues(duration_s=7.5), WindowSettings())) == [(0, 7.5)]
    assert bounds(cut(cues(duration_s=0.0), WindowSettings())) == [(0, 0)]


def test_windows_by_the_clock_cover_the_clip_and_end_with_it() -> None:
    words = tuple(Word(t, t + 0.5, str(t)) for t in range(5))
    clip = cues(Utterance(0, 5, "0 1 2 3 4", "Ann", words), duration_s=5.0)
    windows = cut(clip, WindowSettings(window_s=2, hop_s=1))
    assert bounds(windows) == [(0, 2), (1, 3), (2, 4), (3, 5), (4, 5)]
    assert [w.text for w in windows[1].words] == ["1", "2"]
    assert windows[1].speaker == "Ann"
    assert bounds(cut(clip, WindowSettings(window_s=2.5))) == [(0, 2.5), (2.5, 5)]


def test_what_is_left_at_the_end_is_no_window_if_it_is_too_short() -> None:
    """Of 4.03 s, a window of .03 s had a label and enough evidence."""
    words = (Word(0, 1, "a"), Word(4.0, 4.03, "b"))
    (window,) = cut(cues(Utterance(0, 4.03, "a b", None, words), duration_s=4.03), WindowSettings(window_s=4))
    assert (window.start_s, window.end_s, [word.text for word in window.words]) == (0, 4.03, ["a", "b"])

    def by_the_clock(duration_s: float, **windows: float) -> list[tuple[float, float]]:
        return bounds(cut(cues(duration_s=duration_s), WindowSettings(**windows)))

    assert by_the_clock(4.5, window_s=4) == [(0, 4), (4, 4.5)]
    assert by_the_clock(4.3, window_s=2, hop_s=1) == [(0, 2), (1, 3), (2, 4), (3, 4.3)]
    assert by_the_clock(0.03, window_s=4) == [(0, 0.03)]
    assert by_the_clock(0.0, window_s=4) == [(0, 0)]
    assert len(by_the_clock(0.35, window_s=0.1)) == 4


def test_a_long_utterance_is_cut_at_its_longest_pause() -> None:
    words = tuple(Word(t, t + 0.9, f"w{t}") for t in range(6)) + tuple(Word(t, t + 0.9, f"w{t}") for t in range(8, 14))
    windows = cut(cues(Utterance(0, 14, "", None, words)), WindowSettings(max_utterance_s=10))
    assert bounds(windows) == [(0, 5.9), (8, 14)]


def test_words_of_a_subtitle_are_spread_over_its_time() -> None:
    words = timed_words(Utterance(10, 12, "a fairly long subtitle"))
    assert words[0].start_s == 10 and words[-1].end_s == pytest.approx(12)
    assert all(a.end_s == b.start_s for a, b in pairwise(words))
    assert words[0].end_s - words[0].start_s < words[3].end_s - words[3].start_s
    assert timed_words(Utterance(1, 2, "  ")) == ()
