"""Which voice is whose: vectors of voices to turns, with as many speakers as there are, or as are asked for.

Windows that do not overlap are put into a tree by Ward's rule, and the tree is
cut from the top: two groups are two people where vectors of the one are on
average less alike than those of one person, and of one person in all moods.
How alike those are depends on the noise, and is read off from how alike each
window's nearest ones are.  What is not told by that, `recipes/speakers_table.py`
told on mixtures of one to four acted voices in all moods, clear and in noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .turns import Turn
from .voiceprints import WINDOW_S, Voiceprints

# Two groups are two people where their mean likeness (cosine) is below the
# first number and the second times how alike the nearest three are.
LEAST_LIKENESS, BY_NEAREST = 0.185, 0.193
NEAREST = 3

# A group of fewer windows is somebody else's voice at its strangest: of this
# share of all, unless there are so many that they cannot be.
LEAST_SHARE, SURELY = 0.08, 8

# From shorter ones nobody is made out, as long as there are others.
TELLING_S = 0.8
# Nor from what noise drowns, as long as this share of them is louder.
CLEAR_DB, LEAST_CLEAR = 7.0, 0.3

# Each is compared with each: of more windows, an hour and a half of speech, so many along all of it tell as much.
MOST_WINDOWS = 4_000

# Likeness that a change of speaker has to gain, so that nobody speaks for a moment alone.
CHANGING = 0.3
# After such a pause anybody may speak.
PAUSE_S = 0.4


def turns_of(prints: Voiceprints, count: int | None = None) -> tuple[Turn, ...]:
    """Who speaks when, as `speaker 1`, `speaker 2`, … in the order in which they are first heard.

    Args:
        count: how many there are; `None` where that is to be found out.
    """
    if not len(prints.start_s):
        return ()
    voices = _smoothed(prints, _centres(prints, count))
    order = {int(voice): f"speaker {n}" for n, voice in enumerate(dict.fromkeys(voices.tolist()), 1)}
    return tuple(_turns(prints, [order[voice] for voice in voices.tolist()]))


def _centres(prints: Voiceprints, count: int | None) -> np.ndarray:
    """(K, D) of length 1: what each voice is like on average."""
    windows = _apart(prints)
    if len(windows) > MOST_WINDOWS:
        windows = windows[np.linspace(0, len(windows) - 1, MOST_WINDOWS).round().astype(int)]
    vectors = prints.vectors[windows]
    groups = _asked(vectors, count) if count is not None else _found(vectors)
    centres = np.array([vectors[group].mean(axis=0) for group in groups])
    return centres / np.linalg.norm(centres, axis=1, keepdims=True)


def _apart(prints: Voiceprints) -> np.ndarray:
    """Windows that hardly overlap, and are long and clear enough, if enough of them are."""
    chosen = []
    for number in np.unique(prints.stretch):
        inside = np.flatnonzero(prints.stretch == number)
        length_s = prints.end_s[inside[-1]] - prints.start_s[inside[0]]
        chosen.append(
            inside[np.linspace(0, len(inside) - 1, max(1, round(float(length_s) / WINDOW_S))).round().astype(int)]
        )
    windows = np.concatenate(chosen)
    telling = windows[prints.end_s[windows] - prints.start_s[windows] >= TELLING_S]
    windows = telling if len(telling) else windows
    clear = windows[prints.above_noise_db[windows] >= CLEAR_DB]
    return clear if len(clear) >= max(2, LEAST_CLEAR * len(windows)) else windows


# ── how many there are ───────────────────────────────────────────────────────


def _asked(vectors: np.ndarray, count: int) -> list[np.ndarray]:
    """So many groups, or one a window where there are fewer windows."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(vectors) <= count:
        return [np.array([row]) for row in range(len(vectors))]
    groups = fcluster(linkage(vectors, "ward"), count, "maxclust")
    return [np.flatnonzero(groups == group) for group in np.unique(groups)]


def _found(vectors: np.ndarray) -> list[np.ndarray]:
    """As many groups as there are people."""
    from scipy.cluster.hierarchy import linkage, to_tree

    if len(vectors) < 2:
        return [np.arange(len(vectors))]
    likeness = vectors @ vectors.T
    groups: list[np.ndarray] = []
    unseen: list[Any] = [to_tree(linkage(vectors, "ward"))]
    while unseen:
        node = unseen.pop()
        sides = [] if node.is_leaf() else [node.get_left().pre_order(), node.get_right().pre_order()]
        if sides and _are_two(likeness, *sides):
            unseen += [node.get_left(), node.get_right()]
        else:
            groups.append(np.array(node.pre_order()))
    return _without_scraps(groups, vectors)


def _are_two(likeness: np.ndarray, one: list[int], other: list[int]) -> bool:
    both = [*one, *other]
    among = np.sort(likeness[np.ix_(both, both)] - 2 * np.eye(len(both)), axis=1)[:, ::-1]
    nearest = among[:, : min(NEAREST, len(both) - 1)].mean()
    return bool(likeness[np.ix_(one, other)].mean() < LEAST_LIKENESS + BY_NEAREST * nearest)


def _without_scraps(groups: list[np.ndarray], vectors: np.ndarray) -> list[np.ndarray]:
    """The groups that are people, with what the others held where it is most alike."""
    least = min(LEAST_SHARE * len(vectors), SURELY)
    while len(groups) > 1 and min(map(len, groups)) < least:
        groups = sorted(groups, key=len)
        scraps, groups = groups[0], groups[1:]
        centres = np.array([vectors[group].mean(axis=0) for group in groups])
        nearest = (vectors[scraps] @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T).argmax(axis=1)
        groups = [np.concatenate([group, scraps[nearest == at]]) for at, group in enumerate(groups)]
    return groups


# ── when each speaks ─────────────────────────────────────────────────────────


def _smoothed(prints: Voiceprints, centres: np.ndarray) -> np.ndarray:
    """(W,) the voice of each window: between pauses, the likeliest course (Viterbi)."""
    likeness = prints.vectors @ centres.T
    voices = np.empty(len(likeness), dtype=int)
    paused = np.flatnonzero(prints.start_s[1:] - prints.end_s[:-1] >= PAUSE_S) + 1
    for inside in np.split(np.arange(len(likeness)), paused):
        best, came_from = likeness[inside[0]], []
        for row in inside[1:]:
            changed = best.max() - CHANGING
            came_from.append(np.where(best >= changed, np.arange(len(best)), best.argmax()))
            best = np.maximum(best, changed) + likeness[row]
        voice = int(best.argmax())
        voices[inside[-1]] = voice
        for row, before in zip(inside[-2::-1], reversed(came_from), strict=True):
            voices[row] = voice = int(before[voice])
    return voices


def _turns(prints: Voiceprints, names: list[str]) -> Iterator[Turn]:
    """Turns, which go on over short pauses.

    Within a stretch one ends half way between the middles of two windows of different voices.
    """
    middles = (prints.start_s + prints.end_s) / 2
    begin_s = prints.start_s[0]
    for row, name in enumerate(names[:-1]):
        apart = prints.stretch[row + 1] != prints.stretch[row]
        if names[row + 1] != name or (apart and prints.start_s[row + 1] - prints.end_s[row] >= PAUSE_S):
            changes_s = (middles[row] + middles[row + 1]) / 2
            yield Turn(float(begin_s), float(prints.end_s[row] if apart else changes_s), name)
            begin_s = prints.start_s[row + 1] if apart else changes_s
    yield Turn(float(begin_s), float(prints.end_s[-1]), names[-1])
