"""What a reader of scores has to know of the data they were measured on, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .corpus import Corpus
from .identity import Shared, overlap, overlap_within

# Shorter lines (“Oh, okay.”) are said everywhere: that two splits share one tells nothing.
LONG_TEXT_WORDS = 4

# Names of speakers and dialogues mean something within their corpus only.
_LOCAL = ("speaker", "dialogue")


def caveats(corpus: Corpus, split: str) -> list[str]:
    """What a split has in common with those before it, and what is wrong with its recordings."""
    clips = corpus.split(split)
    shared: dict[str, list[Shared]] = {}
    for one in overlap_within(_with_long_texts(corpus)):
        if one.b == split:
            shared.setdefault(one.a, []).append(one)
    found = [_in_words(split, things, f"in the {other} split too") for other, things in shared.items()]
    missing = sum(clip.id in corpus.missing for clip in clips)
    if missing:
        found.append(f"{missing} of {len(clips)} clips have no media on disk: they were read without face and voice")
    found += [f"{clip.id}: {corpus.broken[clip.id]}" for clip in clips if clip.id in corpus.broken]
    return [caveat for caveat in found if caveat]


def familiar(run: str, learnt: Mapping[str, Mapping[str, Sequence[str]]], corpus: Corpus, split: str) -> list[str]:
    """What of a split a run was trained with; nothing where the two are strangers.

    Args:
        run: its name.
        learnt: what the run remembers, as `identity.traces` gives it, by
            “<corpus> <split>”.
    """
    known = _with_long_texts(corpus)
    found = []
    for data, kinds in learnt.items():
        same = data.rpartition(" ")[0] == corpus.name
        comparable = {kind: keys for kind, keys in kinds.items() if same or kind not in _LOCAL}
        # Of what a run was trained with, dev chose the epoch.
        used = "was chosen by" if data.endswith(" dev") else "learnt from"
        found.append(_in_words(split, overlap(comparable, known, split, data), f"in {data}, which {run} {used}"))
    return [caveat for caveat in found if caveat]


def _in_words(split: str, things: Sequence[Shared], where: str) -> str:
    """One sentence on all that is shared; empty where nothing is."""
    there = [shared for shared in things if shared.shared]
    if not there:
        return ""
    counts = [f"{shared.shared:,} of {shared.of:,} {_plural(shared.what)}" for shared in there]
    listed = counts[0] if len(counts) == 1 else f"{', '.join(counts[:-1])} and {counts[-1]}"
    meaning = []
    if any(shared.what != "speaker" for shared in there):
        meaning.append("what was met before is easier, so scores may be flattered")
    if any(shared.what == "speaker" for shared in there):
        meaning.append("that speakers come back is usual, and leaves open how well strangers are read")
    return f"Of the {split} split, {listed} are {where}: {'; '.join(meaning)}"


def _plural(what: str) -> str:
    return f"texts of {LONG_TEXT_WORDS} words or more" if what == "text" else f"{what}s"


def _with_long_texts(corpus: Corpus) -> Corpus:
    """The corpus without the texts that are too short to tell anything."""
    return replace(
        corpus,
        clips=tuple(
            clip if len((clip.text or "").split()) >= LONG_TEXT_WORDS else replace(clip, text=None)
            for clip in corpus.clips
        ),
    )
