"""What the extractors and the wording make of three corpora: JSON lines that `train_meld_minilm.py` reads.

    python recipes/corpus_words.py --meld DIR --ravdess DIR --faces DIR --norms norms.json --out WORDS

Writes `meld.jsonl` (text, label, and words for the published measurements of
the voice), `ravdess.jsonl` (words for the voice, against the actor's own and
against the population's norms) and `faces.jsonl` (words for the face of each
still).  What is there already is not made again.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from emoscribe.core.files import make_folder, write_text
from emoscribe.core.settings import FaceSettings
from emoscribe.core.timeline import VoiceTrack
from emoscribe.extractors.face import track_faces
from emoscribe.textualize.face import absence, face_words
from emoscribe.textualize.levels import PopulationNorms, read_norms
from emoscribe.textualize.voice import voice_words
from voice_norms import STATEMENTS, measure_ravdess, read_meld

# RAVDESS's fifth field of a file's name; calm is neutral.
RAVDESS_LABELS = {
    "01": "neutral",
    "02": "neutral",
    "03": "joy",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for corpus in ("meld", "ravdess", "faces"):
        parser.add_argument(f"--{corpus}", type=Path, required=True, metavar="DIR")
    parser.add_argument("--norms", type=Path, required=True, help="as voice_norms.py writes them")
    parser.add_argument("--out", type=Path, required=True, metavar="WORDS")
    args = parser.parse_args()
    out, norms = make_folder(args.out), read_norms(args.norms)
    for name, lines in (
        ("meld", meld_lines(args.meld, norms)),
        ("ravdess", ravdess_lines(args.ravdess, norms)),
        ("faces", face_lines(args.faces)),
    ):
        path = out / f"{name}.jsonl"
        if not path.exists():
            write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        print(f"{path}: {len(path.read_text(encoding='utf-8').splitlines())} lines")


def meld_lines(folder: Path, norms: PopulationNorms) -> Iterator[dict[str, Any]]:
    for split in ("train", "dev"):
        with (folder / f"{split}_audio_features.csv").open(encoding="utf-8", newline="") as file:
            measured = [row["filename"] for row in csv.DictReader(file)]
        with (folder / f"{split}_sent_emo.csv").open(encoding="utf-8", newline="") as file:
            said = {f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}.wav": row for row in csv.DictReader(file)}
        # `read_meld` has a row for every measured utterance that is also transcribed, in this order.
        rows = {name: row for row, name in enumerate(name for name in measured if name in said)}
        track = one_after_another(read_meld(folder, split))
        for name, line in said.items():
            row = rows.get(name)
            yield {
                "split": split,
                "text": line["Utterance"],
                "label": line["Emotion"],
                "voice": None if row is None else words_of(track, row, norms, "speaker"),
            }


def ravdess_lines(folder: Path, norms: PopulationNorms) -> Iterator[dict[str, Any]]:
    names = sorted(path.stem for path in folder.rglob("03-01-*") if path.suffix in (".flac", ".wav"))
    track = one_after_another(measure_ravdess(folder))
    actors = np.array([name.split("-")[6] for name in names])
    for actor in np.unique(actors):
        own = np.flatnonzero(actors == actor)
        # A recording of one actor: loudness is compared within it.
        recording = rows_of(track, own)
        for row, index in enumerate(own):
            fields = names[index].split("-")
            yield {
                "actor": int(actor),
                "label": RAVDESS_LABELS[fields[2]],
                "text": STATEMENTS[fields[4]],
                "own": words_of(recording, row, norms, "speaker"),
                "population": words_of(recording, row, norms, "population"),
            }


def face_lines(folder: Path) -> Iterator[dict[str, Any]]:
    settings = FaceSettings(engine="mediapipe", max_faces=1)
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        for still in csv.DictReader(file):
            track = track_faces(str(folder / "images" / still["image"]), settings)
            words = next(iter(face_words(track, 0.0, 1.0).values()), absence(track, 0.0, 1.0))
            yield {"person": still["person"], "label": still["label"], "face": words}


def one_after_another(track: VoiceTrack) -> VoiceTrack:
    """The same rows as if spoken in turn, so that a stretch of time means one of them."""
    end_s = np.cumsum(track.end_s - track.start_s + 1.0)
    return replace(track, start_s=end_s - (track.end_s - track.start_s), end_s=end_s)


def rows_of(track: VoiceTrack, rows: np.ndarray) -> VoiceTrack:
    return replace(
        track,
        start_s=track.start_s[rows],
        end_s=track.end_s[rows],
        speaker=tuple(track.speaker[row] for row in rows),
        values=track.values[rows],
    )


def words_of(track: VoiceTrack, row: int, norms: PopulationNorms, scope: Any) -> str:
    return voice_words(track, float(track.start_s[row]), float(track.end_s[row]), norms, scope).text


if __name__ == "__main__":
    main()
