"""Which data it was: fingerprints of what was used, and what two sets of clips share."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..core.files import plain
from ..core.timeline import Clip
from .corpus import Corpus

# What may be shared, from the same recording down to the same words.
KINDS = ("clip", "dialogue", "source", "speaker", "text")

# Long enough that two of a million never meet by chance, short enough to be kept in a run.
_DIGITS = 16

_PIECE = 64 * 1024


@dataclass(frozen=True)
class Shared:
    """That `shared` of the `of` things that `b` has are in `a` as well.

    Clips are counted, and texts by the clips that have one; dialogues,
    sources and speakers count once each.
    """

    a: str
    b: str
    what: str
    shared: int
    of: int


def fingerprint(corpus: Corpus, split: str | None = None) -> str:
    """A hash of a split, or of all of them: ids, splits, targets, words, times and the content of the media.

    Where the files lie makes no difference.
    """
    digest = hashlib.sha256()
    for clip in corpus.clips if split is None else corpus.split(split):
        content = media_key(clip.media) if clip.media is not None else None
        row = [clip.id, clip.split, clip.start_s, clip.end_s, clip.text, clip.speaker, clip.dialogue, clip.source]
        digest.update(json.dumps([*row, plain(clip.target), content]).encode() + b"\n")
    return digest.hexdigest()


def traces(corpus: Corpus, split: str, kinds: Sequence[str] = KINDS) -> dict[str, list[str]]:
    """What a run remembers of the clips it learnt from: short hashes, by kind.

    They tell later whether other clips overlap with these, without the
    corpus and without anything that can be read.
    """
    return {kind: sorted({key for keys in _keys(corpus, split, kind) for key in keys}) for kind in kinds}


def overlap(known: Mapping[str, Iterable[str]], corpus: Corpus, split: str, a: str) -> list[Shared]:
    """What the clips of a split share with others.

    A clip is shared where it is the same recording: by what the corpus knows
    of it, or by the content of its file and the stretch of it.  Texts are
    compared verbatim.

    Args:
        known: the others, as `traces` gives them.
        a: what to call the others.

    Returns:
        one entry a kind that the split has anything of.
    """
    found = []
    for kind, others in known.items():
        keys = _keys(corpus, split, kind)
        having = [each for each in keys if each]
        if kind not in ("clip", "text"):
            having = sorted(set(having))
        if having:
            of = len(keys) if kind == "clip" else len(having)
            there = set(others)
            found.append(Shared(a, split, kind, sum(not there.isdisjoint(each) for each in having), of))
    return found


def overlap_within(corpus: Corpus, kinds: Sequence[str] = KINDS) -> list[Shared]:
    """What the splits of a corpus share, each with those before it."""
    remembered = {split: traces(corpus, split, kinds) for split in corpus.splits}
    splits = corpus.splits
    return [
        shared
        for index, a in enumerate(splits)
        for b in splits[index + 1 :]
        for shared in overlap(remembered[a], corpus, b, a)
    ]


@lru_cache(maxsize=65_536)
def media_key(path: str) -> str:
    """A file's content in brief: its size, its beginning and its end.

    Files that agree in these are taken for the same; hashing all of a corpus
    of videos would take minutes.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest.update(f"{size}\n".encode() + file.read(_PIECE))
        file.seek(max(0, size - _PIECE))
        digest.update(file.read(_PIECE))
    return digest.hexdigest()[:_DIGITS]


def _keys(corpus: Corpus, split: str, kind: str) -> list[tuple[str, ...]]:
    """Of each clip of a split, the hashes that it is known by."""
    if kind == "clip":
        return [_hashed(corpus.identity.get(clip.id), _recording(clip)) for clip in corpus.split(split)]
    return [_hashed(getattr(clip, kind)) for clip in corpus.split(split)]


def _recording(clip: Clip) -> str | None:
    return f"{media_key(clip.media)} {clip.start_s}–{clip.end_s}" if clip.media is not None else None


def _hashed(*names: str | None) -> tuple[str, ...]:
    return tuple(hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:_DIGITS] for name in names if name)
