"""What a reader of scores has to know of the data they were measured on, in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from .corpus import Corpus
from .identity import Shared, overlap, overlap_within

# Shorter lines (“Oh, okay.”) are said everywhere: that two splits share one tells nothing.
LONG_TEXT_WORDS = 4

# Names of speakers and dialogues mean something within their corpus only.
_LOCAL = ("speaker", "dialogue")


def caveats(corpus: Corpus, split: str, modalities: str = "TVA") -> list[str]:
    """What a split has in common with those before it, what of it is left out, and what its recordings lack.

    Args:
        modalities: letters of the signals that are read.
    """
    clips = corpus.split(split)
    shared: dict[str, list[Shared]] = {}
    for one in overlap_within(_with_long_texts(corpus)):
        if one.b == split:
            shared.setdefault(one.a, []).append(one)
    found = [_in_words(split, things, f"in the {other} split too") for other, things in shared.items()]
    found += [without_counterpart(corpus, split), _without_media(corpus, split, modalities)]
    found += [f"{clip.id}: {corpus.broken[clip.id]}" for clip in clips if clip.id in corpus.broken]
    return [caveat for caveat in found if caveat]


def without_counterpart(corpus: Corpus, split: str) -> str:
    """Which clips of a split are left out, because their labels are none of the answers; empty where none is."""
    clips = corpus.split(split)
    counts = Counter(corpus.unmapped[clip.id] for clip in clips if clip.id in corpus.unmapped)
    if not counts or corpus.label_set is None:
        return ""
    labels = _listed([f"{label} ({count:,})" for label, count in counts.most_common()])
    return (
        f"Of the {len(clips):,} clips of the {split} split, those labelled {labels} have no counterpart among "
        f"{', '.join(corpus.label_set.labels)}: they are left out of the measures"
    )


def caveats_of_training(corpus: Corpus, modalities: str) -> list[str]:
    """What dev has in common with train, and what of either is left out."""
    return [caveat for caveat in (without_counterpart(corpus, "train"), *caveats(corpus, "dev", modalities)) if caveat]


def _without_media(corpus: Corpus, split: str, modalities: str) -> str:
    """What each signal is read from where clips have no file; empty where only their transcript is asked for."""
    clips = corpus.split(split)
    missing = [clip for clip in clips if clip.id in corpus.missing]
    if not missing:
        return ""
    spoken = sum(clip.text is not None for clip in missing)
    measured = sum(not all(map(math.isnan, corpus.voice.get(clip.id, {}).values())) for clip in missing)
    sources = {
        "T": "words " + _source("from the transcript", spoken, len(missing)),
        "V": "faces not at all",
        "A": "voices " + _source("from measurements that the corpus publishes", measured, len(missing)),
    }
    read = [source for letter, source in sources.items() if letter in modalities]
    if set(modalities) == {"T"} and spoken == len(missing):
        return ""
    return f"{len(missing):,} of {len(clips):,} clips have no media on disk. Read of them: {_listed(read)}"


def _source(where: str, having: int, of: int) -> str:
    if not having:
        return "not at all"
    return where if having == of else f"{where} (of {having:,})"


# What a run remembers: the hashes of `identity.traces`, by “<corpus> <split>”.
Traces = Mapping[str, Mapping[str, Sequence[str]]]


def train_overlap(learnt: Mapping[str, Traces], corpus: Corpus, split: str) -> dict[str, tuple[str, ...]]:
    """What of a split runs were trained with, and which runs; nothing where they are strangers to it.

    Args:
        learnt: what each run remembers, by its name.
    """
    known = _with_long_texts(corpus)
    sharing: dict[tuple[str, tuple[Shared, ...]], list[str]] = {}
    for run, traces in learnt.items():
        for data, kinds in traces.items():
            same = data.rpartition(" ")[0] == corpus.name
            comparable = {kind: keys for kind, keys in kinds.items() if same or kind not in _LOCAL}
            sharing.setdefault((data, tuple(overlap(comparable, known, split, data))), []).append(run)
    found = {}
    for (data, shared), runs in sharing.items():
        # Of what a run was trained with, dev chose the epoch.
        how = "by which the epoch of {} was chosen" if data.endswith(" dev") else "which {} learnt from"
        if note := _in_words(split, shared, f"in {data}, {how.format(_listed(runs))}"):
            found[note] = tuple(runs)
    return found


def _in_words(split: str, things: Sequence[Shared], where: str) -> str:
    """One sentence on all that is shared; empty where nothing is."""
    there = [shared for shared in things if shared.shared]
    if not there:
        return ""
    counts = [f"{shared.shared:,} of {shared.of:,} {_plural(shared.what)}" for shared in there]
    meaning = []
    if any(shared.what != "speaker" for shared in there):
        meaning.append("what was met before is easier, so scores may be flattered")
    if any(shared.what == "speaker" for shared in there):
        meaning.append("that speakers come back is usual, and leaves open how well strangers are read")
    return f"Of the {split} split, {_listed(counts)} are {where}: {'; '.join(meaning)}"


def _listed(things: Sequence[str]) -> str:
    return things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"


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
