"""GoEmotions as a table that `emoscribe corpus table` and `finetune table` read.

    python recipes/goemotions_table.py --goemotions DIR --out TABLE

DIR holds `train.tsv`, `dev.tsv` and `test.tsv` (comment, label ids with commas
between them, id of the comment) and the labels' names by line in
`emotions.txt`, as published (Demszky et al., ACL 2020), or in `labels.txt`.
The 28 labels become the seven basic emotions as the authors group them.

Left out: comments with several labels that are not of one group, and those of
train whose text is in dev or test too.  The published text has placeholders
that nobody says: `[NAME]` becomes a first name, the same one whenever this is
run and another one from comment to comment, and `[RELIGION]` “religious”.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emoscribe.core.errors import EmoscribeError, MediaError
from emoscribe.core.files import make_folder, write_text
from emoscribe.core.labels import BASIC

SPLITS = ("train", "dev", "test")
NAMES_OF_LABELS = ("emotions.txt", "labels.txt")

# The authors' grouping by Ekman; a basic emotion is a group of its own.
GROUPS = {
    "anger": ("annoyance", "disapproval"),
    "fear": ("nervousness",),
    "joy": (
        "admiration",
        "amusement",
        "approval",
        "caring",
        "desire",
        "excitement",
        "gratitude",
        "love",
        "optimism",
        "pride",
        "relief",
    ),
    "sadness": ("disappointment", "embarrassment", "grief", "remorse"),
    "surprise": ("confusion", "curiosity", "realization"),
}
BASIC_OF = {label: label for label in BASIC.labels} | {
    label: basic for basic, labels in GROUPS.items() for label in labels
}

# Given to women as well as to men: they say no more than `[NAME]` does.
FIRST_NAMES = ("Alex", "Sam", "Chris", "Robin", "Jamie", "Taylor", "Jordan", "Casey")


@dataclass(frozen=True)
class Comment:
    """A comment and the basic emotions it was given, one or several."""

    id: str
    text: str
    labels: frozenset[str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--goemotions", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="TABLE")
    args = parser.parse_args()
    try:
        labels = read_labels(args.goemotions)
        read = {split: read_comments(args.goemotions / f"{split}.tsv", labels) for split in SPLITS}
        held_out = {same(comment.text) for split in ("dev", "test") for comment in read[split]}
        out = make_folder(args.out)
        for split, comments in read.items():
            unambiguous = [comment for comment in comments if len(comment.labels) == 1]
            kept = [each for each in unambiguous if split != "train" or same(each.text) not in held_out]
            write_text(out / f"{split}.csv", table(kept))
            counts = Counter(label for comment in kept for label in comment.labels)
            print(
                f"{split}: {len(kept)} of {len(comments)} comments "
                f"({len(comments) - len(unambiguous)} with several emotions, {len(unambiguous) - len(kept)} held out); "
                + ", ".join(f"{label} {counts[label]}" for label in BASIC.labels)
            )
    except EmoscribeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def read_labels(folder: Path) -> list[str]:
    """The basic emotion of each label id.

    Raises:
        MediaError: no names of labels, or one that is in no group.
    """
    path = next((folder / name for name in NAMES_OF_LABELS if (folder / name).is_file()), None)
    if path is None:
        raise MediaError(f"no {' or '.join(NAMES_OF_LABELS)} in {folder}; get GoEmotions from its authors")
    names = path.read_text(encoding="utf-8").split()
    for name in names:
        if name not in BASIC_OF:
            raise MediaError(f"{path}: unknown label {name!r}; there are: {', '.join(sorted(BASIC_OF))}")
    return [BASIC_OF[name] for name in names]


def read_comments(path: Path, labels: Sequence[str]) -> list[Comment]:
    """Raises:
    MediaError: the file is missing, or a line is not as published.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError:
        raise MediaError(f"no {path.name} in {path.parent}; get GoEmotions from its authors") from None
    comments = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            text, ids, comment = line.split("\t")
            comments.append(Comment(comment, text, frozenset(labels[int(each)] for each in ids.split(","))))
        except (ValueError, IndexError):
            raise MediaError(
                f"{path}, line {number}: not a comment, label ids below {len(labels)} and an id, with tabs between them"
            ) from None
    return comments


def same(text: str) -> str:
    """What is the same of two texts that differ in case and spaces only."""
    return " ".join(text.casefold().split())


def table(comments: Sequence[Comment]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("text", "label"))
    writer.writerows((said(comment), *comment.labels) for comment in comments)
    return file.getvalue()


def said(comment: Comment) -> str:
    """The text with words where it has placeholders; several names in it are different ones."""
    text = " ".join(comment.text.split()).replace("[RELIGION]", "religious")
    first = zlib.crc32(comment.id.encode())
    names = (FIRST_NAMES[(first + place) % len(FIRST_NAMES)] for place in range(text.count("[NAME]")))
    return re.sub(r"\[NAME\]", lambda _: next(names), text)


if __name__ == "__main__":
    sys.exit(main())
