"""Population norms for voices, from MELD's published measurements and RAVDESS.

    python recipes/voice_norms.py --meld DIR --ravdess DIR --out norms.json

MELD (`train_sent_emo.csv`, and `train_audio_features.csv` as published with
SpeechCueLLM, arXiv 2407.21315) gives what people say in a television series,
measured with Praat; RAVDESS (`03-01-*.flac` or `.wav`) gives acted emotion,
measured here.  Pitch and speech rate mean the same in both, so both corpora
are pooled with equal weight.  Praat's pitch variation and harmonics do not
agree with openSMILE's (on RAVDESS r = .49 and .85, and 3.6 dB apart), so each
keeps norms of its own.  Loudness has none: it depends on a recording's gain.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from emoscribe.core.timeline import Transcript, Utterance, VoiceTrack
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.corpora.meld import VOICE_MEASURES
from emoscribe.corpora.registry import read_corpus
from emoscribe.extractors.media import sound
from emoscribe.extractors.settings import VoiceSettings
from emoscribe.extractors.voice.opensmile import OpenSmile
from emoscribe.textualize.levels import NORMS_VERSION, QUANTILES, population_norms
from emoscribe.textualize.voice import RECORDING_DEPENDENT, WORDS

# Between men's and women's voices: the valley in the median pitch of MELD's
# and RAVDESS's speakers (104–199 and 217–302 Hz, with one exception).
REGISTER_SPLIT_HZ = 205.0

# Of every way of grading, so that runs of any can use the file.
CUT_AT = sorted({at for cuts in QUANTILES.values() for at in cuts})

STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meld", type=Path, required=True)
    parser.add_argument("--ravdess", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    tracks = {"MELD train (Praat)": read_meld(args.meld, "train"), "RAVDESS (openSMILE)": measure_ravdess(args.ravdess)}
    norms = norms_of(tracks)
    for grades in QUANTILES:
        population_norms(norms, grades)
    partial = args.out.with_suffix(".partial")
    partial.write_text(json.dumps(norms, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, args.out)


def read_meld(folder: Path, split: str) -> VoiceTrack:
    """The published measurements of a split, a row an utterance."""
    corpus = read_corpus(CorpusRequest("meld", folder, splits=(split,)))
    clips = [clip for clip in corpus.clips if clip.id in corpus.voice]
    zeros = np.zeros(len(clips))
    return VoiceTrack(
        names=VOICE_MEASURES,
        start_s=zeros,
        end_s=zeros,
        speaker=tuple(clip.speaker for clip in clips),
        values=np.array([[corpus.voice[clip.id][name] for name in VOICE_MEASURES] for clip in clips]),
    )


def measure_ravdess(folder: Path) -> VoiceTrack:
    """Every recording as one row; the speaker is the actor."""
    files = sorted(path for path in folder.rglob("03-01-*") if path.suffix in (".flac", ".wav"))
    rows, engine = [], OpenSmile(VoiceSettings())
    for path in files:
        statement, actor = path.stem.split("-")[4], path.stem.split("-")[6]
        with sound(path) as samples:
            said = Utterance(0.0, samples.duration_s, STATEMENTS[statement], actor)
            rows.append(engine.measure(samples, Transcript((said,), None, "RAVDESS")))
    return VoiceTrack(
        names=rows[0].names,
        start_s=np.concatenate([row.start_s for row in rows]),
        end_s=np.concatenate([row.end_s for row in rows]),
        speaker=tuple(row.speaker[0] for row in rows),
        values=np.concatenate([row.values for row in rows]),
    )


def norms_of(tracks: Mapping[str, VoiceTrack]) -> dict:
    """The norms in their JSON form, from tracks by the name of their source."""
    registers: dict[str, dict[str, list[float]]] = {"low": {}, "high": {}}
    sources: dict[str, str] = {}
    for measure in WORDS:
        having = {name: track for name, track in tracks.items() if measure in track.names}
        if measure in RECORDING_DEPENDENT or not having:
            continue
        sources[measure] = " and ".join(having)
        for register, bounds in registers.items():
            columns = [_of_register(track, measure, register == "high") for track in having.values()]
            bounds[measure] = [round(float(cut), 4) for cut in _pooled_quantiles(columns)]
    return {
        "version": NORMS_VERSION,
        "quantiles": CUT_AT,
        "register_split_hz": REGISTER_SPLIT_HZ,
        "registers": registers,
        "sources": sources,
    }


def _of_register(track: VoiceTrack, measure: str, high: bool) -> np.ndarray:
    """The measure's finite values of speakers whose median pitch is of that register."""
    pitch_hz = track.values[:, track.names.index("pitch_hz")]
    values = track.values[:, track.names.index(measure)]
    speakers = np.array([str(name) for name in track.speaker])
    chosen = []
    for speaker in np.unique(speakers):
        own = speakers == speaker
        if np.isfinite(pitch_hz[own]).any() and (np.nanmedian(pitch_hz[own]) > REGISTER_SPLIT_HZ) == high:
            chosen.append(values[own & np.isfinite(values)])
    return np.concatenate(chosen)


def _pooled_quantiles(columns: list[np.ndarray]) -> np.ndarray:
    """Quantiles over several corpora, each with the same weight."""
    values = np.concatenate(columns)
    weights = np.concatenate([np.full(len(column), 1 / len(column)) for column in columns])
    order = np.argsort(values)
    share = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    return np.interp(CUT_AT, share, values[order])


if __name__ == "__main__":
    main()
