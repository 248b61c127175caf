"""Labelled stills of faces as a table that `emoscribe corpus table` and `finetune table` read.

    python recipes/faces_table.py --faces DIR --out TABLE

DIR holds `images/` and `labels.csv` with the columns image, person and label,
such as those of muxspace/facial_expressions once every still has a person.
Every fifth person, in the order of the alphabet, is dev, the others are train:
nobody is in both.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from emoscribe.core.errors import EmoscribeError, MediaError
from emoscribe.core.files import make_folder, write_text

HELD_OUT_PERSONS = 5

Still = Mapping[str, str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="TABLE")
    args = parser.parse_args()
    try:
        stills = read_stills(args.faces)
        held_out = set(sorted({still["person"] for still in stills})[::HELD_OUT_PERSONS])
        out = make_folder(args.out)
        for split in ("train", "dev"):
            of_split = [still for still in stills if (still["person"] in held_out) == (split == "dev")]
            write_text(out / f"{split}.csv", table(of_split, args.faces / "images", out))
            counts = Counter(still["label"] for still in of_split)
            persons = len({still["person"] for still in of_split})
            labels = ", ".join(f"{label} {count}" for label, count in counts.most_common())
            print(f"{split}: {len(of_split)} stills of {persons} people; {labels}")
    except EmoscribeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def read_stills(folder: Path) -> list[Still]:
    """The rows of `labels.csv`.

    Raises:
        MediaError: it is missing, lacks a column or a value, or a still is
            not there.
    """
    path = folder / "labels.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            stills = list(csv.DictReader(file))
    except OSError:
        raise MediaError(f"no labels.csv in {folder}; it has the columns image, person and label") from None
    for row, still in enumerate(stills, start=1):
        for column in ("image", "person", "label"):
            if not still.get(column):
                raise MediaError(f"{path}, row {row}: no {column}; the columns are image, person and label")
        if not (folder / "images" / still["image"]).is_file():
            raise MediaError(f"{path}, row {row}: no {still['image']} in {folder / 'images'}")
    return stills


def table(stills: Sequence[Still], images: Path, out: Path) -> str:
    # Relative, so that the two folders can be moved together.
    where = os.path.relpath(images.resolve(), out.resolve())
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("label", "video", "source"))
    for still in stills:
        writer.writerow((still["label"], os.path.join(where, still["image"]), still["person"]))
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main())
