"""What words of a voice carry: RAVDESS in seven emotions, read by which phrases there are, actors kept apart.

    python recipes/voice_words_table.py --ravdess DIR

Beside the product's words, by either `wording.voice_grades`, stand the same
measures and all of eGeMAPS as numbers, and words for single vowels as in
VowelPrompt (Wang et al., arXiv 2602.06270): pitch, its movement, loudness and
length of the stressed and of the last one.  Vowels are found as syllables are
by de Jong and Wempe (Behavior Research Methods 41(2), 2009): voiced peaks of
the level, here of 300–2,500 Hz, with a dip of 2 dB on either side.

The reader is a logistic regression over which phrases are said, or over
numbers in standard deviations of the speaker; six folds of three actors, dealt
anew four times.  Prints a Markdown table: balanced accuracy, mean ± sd over the
four, and phrases a recording.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import opensmile
from emoscribe.core.timeline import Clip, Transcript, Utterance, VoiceTrack
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.corpora.registry import read_corpus
from emoscribe.extractors.media import SAMPLE_RATE, sound
from emoscribe.extractors.settings import VoiceSettings
from emoscribe.extractors.voice.opensmile import MEASURES, OpenSmile
from emoscribe.textualize.levels import LEVELS, MEDIUM, Grades, cuts_of, grade
from emoscribe.textualize.voice import WORDS, voice_words
from scipy.signal import butter, find_peaks, sosfiltfilt
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

FOLDS, DEALS = 6, 4
# The best of .03, .1 and .3, for numbers and for phrases.
OF_NUMBERS, OF_PHRASES = 0.1, 0.3

FRAME = SAMPLE_RATE // 100
VOWEL_BAND = butter(3, (300, 2500), "bandpass", fs=SAMPLE_RATE, output="sos")
DIP_DB, FAINTEST_DB, EDGE_DB = 2.0, 25.0, 6.0
SHORTEST = 3  # frames of 10 ms
OF_A_VOWEL = ("pitch", "movement", "loudness", "length")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ravdess", type=Path, required=True)
    clips = read_corpus(CorpusRequest("ravdess", parser.parse_args().ravdess)).clips
    speakers, labels = np.array([clip.speaker for clip in clips]), np.array([clip.target for clip in clips])
    track, functionals, vowels = measured(clips)
    worded = track.values[:, [track.names.index(name) for name in WORDS if name in track.names]]
    of_vowels = graded_vowels(vowels, speakers)
    print("| | balanced accuracy | phrases |\n|---|---|---|")
    for name, numbers in (("eGeMAPS, 88 numbers", functionals), ("the measures that are worded, as numbers", worded)):
        scores = read(by_speaker(numbers, speakers), speakers, labels, OF_NUMBERS)
        print(f"| {name} | {cell(scores)} | |", flush=True)
    grades: tuple[Grades, ...] = ("tenths", "eighths")
    words = {f"words by {each}": product_words(track, each) for each in grades}
    words["words for vowels"] = of_vowels
    words |= {f"words by {each}, and for vowels": joined(words[f"words by {each}"], of_vowels) for each in grades}
    for name, texts in words.items():
        phrases = CountVectorizer(tokenizer=lambda text: text.split(", "), token_pattern=None)
        said = phrases.fit_transform(texts).toarray()
        print(f"| {name} | {cell(read(said, speakers, labels, OF_PHRASES))} | {said.sum(1).mean():.1f} |", flush=True)


# ── measured ─────────────────────────────────────────────────────────────────


def measured(clips: Sequence[Clip]) -> tuple[VoiceTrack, np.ndarray, np.ndarray]:
    """The product's measures, the functionals (N, 88), and of two vowels each (N, 8), NaN where none is found."""
    features = opensmile.FeatureSet.eGeMAPSv02
    functionals = opensmile.Smile(features, opensmile.FeatureLevel.Functionals)
    descriptors = opensmile.Smile(features, opensmile.FeatureLevel.LowLevelDescriptors)
    engine, rows, wholes, vowels = OpenSmile(VoiceSettings()), [], [], []
    for clip in clips:
        with sound(str(clip.media)) as heard:
            said = Utterance(0.0, heard.duration_s, clip.text or "", clip.speaker)
            rows.append(engine.measure(heard, Transcript((said,), None, "RAVDESS")).values[0])
            samples = heard.read(0.0, heard.duration_s)
        wholes.append(functionals.process_signal(samples, SAMPLE_RATE).to_numpy()[0])
        frames = descriptors.process_signal(samples, SAMPLE_RATE)
        found = list(vowels_in(samples, {name.split("_")[0]: frames[name].to_numpy() for name in frames}))
        # Stressed is what is loud, and long.
        two = (max(found, key=lambda v: v[2] * v[3] ** 0.5), found[-1]) if found else ()
        vowels.append(np.concatenate(two) if found else np.full(2 * len(OF_A_VOWEL), np.nan))
    # Time is the order of the clips, as in textualize/clips.py.
    starts_s = np.arange(len(clips), dtype=float)
    speakers = tuple(clip.speaker for clip in clips)
    track = VoiceTrack(MEASURES, starts_s, starts_s + 1, speakers, np.array(rows))
    return track, np.array(wholes), np.array(vowels)


def vowels_in(samples: np.ndarray, frames: Mapping[str, np.ndarray]) -> Iterator[np.ndarray]:
    """Of each vowel: pitch (semitones), its movement from the first quarter to the last, loudness, length (frames)."""
    band = sosfiltfilt(VOWEL_BAND, samples)
    pitch, loudness = frames["F0semitoneFrom27.5Hz"], frames["Loudness"]
    count = min(len(band) // FRAME, len(pitch))
    power = np.square(band[: count * FRAME]).reshape(count, FRAME).mean(axis=1)
    level_db = np.convolve(10 * np.log10(power + 1e-12), np.array([1, 3, 4, 3, 1]) / 12, "same")
    voiced = pitch[:count] > 0
    peaks, _ = find_peaks(level_db, height=level_db.max() - FAINTEST_DB, prominence=DIP_DB)
    dips = [left + int(np.argmin(level_db[left:right])) for left, right in pairwise(peaks)]
    for peak, low, high in zip(peaks, [0, *dips], [*dips, count], strict=True):
        inside = voiced & (level_db > level_db[peak] - EDGE_DB)
        outside = np.flatnonzero(~inside)
        start = max(low, outside[outside < peak].max(initial=-1) + 1)
        end = min(high, outside[outside > peak].min(initial=count))
        if inside[peak] and end - start >= SHORTEST:
            own, quarter = pitch[start:end], max(1, (end - start) // 4)
            movement = np.median(own[-quarter:]) - np.median(own[:quarter])
            yield np.array([np.median(own), movement, loudness[start:end].max(), end - start])


# ── in words ─────────────────────────────────────────────────────────────────


def product_words(track: VoiceTrack, grades: Grades) -> list[str]:
    return [voice_words(track, start_s, start_s + 1, grades=grades).text for start_s in track.start_s]


def graded_vowels(vowels: np.ndarray, speakers: np.ndarray) -> list[str]:
    """Such as “stressed vowel high pitch”, by eighths of the speaker's other recordings."""
    names = [f"{which} vowel {measure}" for which in ("stressed", "last") for measure in OF_A_VOWEL]
    texts = []
    for row, (values, speaker) in enumerate(zip(vowels, speakers, strict=True)):
        others = np.delete(vowels, row, axis=0)[np.delete(speakers, row) == speaker]
        levels = [
            grade(value, cuts_of(column[np.isfinite(column)], "eighths")) if np.isfinite(value) else MEDIUM
            for value, column in zip(values, others.T, strict=True)
        ]
        said = [f"{name} {LEVELS[level]}" for name, level in zip(names, levels, strict=True) if level != MEDIUM]
        texts.append(", ".join(said) or "even vowels")
    return texts


def joined(first: Sequence[str], second: Sequence[str]) -> list[str]:
    return [", ".join(both) for both in zip(first, second, strict=True)]


# ── read ─────────────────────────────────────────────────────────────────────


def by_speaker(values: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    """In standard deviations from the speaker's mean, four at most."""
    scaled = np.zeros_like(values)
    for speaker in np.unique(speakers):
        own = values[speakers == speaker]
        scaled[speakers == speaker] = (own - np.nanmean(own, axis=0)) / (np.nanstd(own, axis=0) + 1e-9)
    return np.nan_to_num(np.clip(scaled, -4, 4))


def read(features: np.ndarray, speakers: np.ndarray, labels: np.ndarray, strength: float) -> list[float]:
    """Balanced accuracy of each deal of actors into folds, over all their answers."""
    scores = []
    for deal in range(DEALS):
        actors = np.random.default_rng(deal).permutation(np.unique(speakers))
        answers = np.empty_like(labels)
        for fold in range(FOLDS):
            held_out = np.isin(speakers, actors[fold::FOLDS])
            reader = LogisticRegression(C=strength, class_weight="balanced", max_iter=300)
            answers[held_out] = reader.fit(features[~held_out], labels[~held_out]).predict(features[held_out])
        scores.append(float(balanced_accuracy_score(labels, answers)))
    return scores


def cell(scores: Sequence[float]) -> str:
    return f"{np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f}".replace("0.", ".")


if __name__ == "__main__":
    main()
