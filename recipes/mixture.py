"""Labelled moments in words, put together from lines, faces and voices.

No corpus here has all three signals, so a line is given the face and the
voice of somebody with the same label, and now and then of another one: that
teaches how far each can be trusted.  Every signal is left out often enough
that none is relied upon.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoscribe.core.labels import BASIC
from emoscribe.core.settings import PromptSettings
from emoscribe.core.timeline import Moment
from emoscribe.llm.train import Example
from emoscribe.prompts.render import render

PROMPT = PromptSettings(template="brief", context_turns=0)

# Every fifth person's faces and three actors' voices are held out.
HELD_OUT_PERSONS = 5
HELD_OUT_ACTORS = (16, 17, 18)

# Examples of an epoch beside MELD's 9,989 lines.
FACES, VOICES, BOTH, NOTHING = 2400, 2000, 800, 200

# Seventeen faces of fear would be learnt by heart.
RARE_FACE = {"fear": 0.3}

# Faces as the textbook has them (EMFACS: Friesen & Ekman, 1983): first what
# makes the expression, then what may go with it.  They bring in expressions
# that the stills lack and units that only other extractors speak of.
PROTOTYPES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "neutral": (("neutral face",), ("lips closed", "jaw closed")),
    "surprise": (
        ("inner brow raiser", "outer brow raiser", "upper lid raiser (wide eyes)", "jaw drop"),
        ("lips part",),
    ),
    "fear": (
        ("inner brow raiser", "brow lowerer (frown)", "upper lid raiser (wide eyes)", "lip stretcher"),
        ("outer brow raiser", "lid tightener", "jaw drop", "lips part"),
    ),
    "sadness": (
        ("inner brow raiser", "brow lowerer (frown)", "lip corner depressor"),
        ("eyes lowered", "chin raiser", "lips closed", "head down"),
    ),
    "joy": (("lip corner puller (smile)", "cheek raiser"), ("teeth showing", "lips part", "lid tightener")),
    "disgust": (
        ("nose wrinkler", "upper lip raiser", "lip corner depressor"),
        ("brow lowerer (frown)", "chin raiser", "lid tightener"),
    ),
    "anger": (
        ("brow lowerer (frown)", "lid tightener", "lip tightener"),
        ("upper lid raiser (wide eyes)", "lip pressor", "nose wrinkler", "lips closed", "jaw closed"),
    ),
}
GRADES = ("slight ", "", "strong ")
UNGRADED = ("neutral face", "lips closed", "jaw closed", "head down")
PROTOTYPE_SHARE = {"fear": 0.6}
USUAL_PROTOTYPE_SHARE = 0.2

# What extractors that rate emotions say beside the units.
PLEASANTNESS = {
    "joy": ("pleasant", "very pleasant"),
    "neutral": ("neither pleasant nor unpleasant",),
    "surprise": ("neither pleasant nor unpleasant", "pleasant", "unpleasant"),
}
UNPLEASANT = ("unpleasant", "very unpleasant")
AROUSAL = {"neutral": ("calm", "very calm"), "sadness": ("calm", "moderately aroused")}
AROUSED = ("moderately aroused", "aroused", "very aroused")

NO_FACE = ("no face seen", "no face seen", "not looked at")
FACE_AT_REST = "neutral face"
NO_VOICE = ("too short to tell", "nothing to compare it with", "not listened to", "no speech")
EVEN_VOICE = "an even, medium voice"
SILENT = "no speech"
UNCLEAR = "[unclear]"


@dataclass(frozen=True)
class Line:
    text: str
    label: str
    voice: str | None


@dataclass(frozen=True)
class Voice:
    own: str
    population: str
    text: str
    label: str


@dataclass(frozen=True)
class Corpora:
    """What is trained on, or what is held out."""

    lines: Sequence[Line]
    faces: dict[str, list[str]]
    voices: dict[str, list[Voice]]


# ── what is read ─────────────────────────────────────────────────────────────


def read_corpora(words: Path) -> tuple[Corpora, Corpora]:
    """What is trained on, and what is held out."""

    def lines_of(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (words / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]

    faces = [face for face in lines_of("faces") if face["face"] != NO_FACE[0]]
    persons = {person: rank for rank, person in enumerate(sorted({face["person"] for face in faces}))}
    parts = []
    for held_out in (False, True):
        seen, heard = defaultdict(list), defaultdict(list)
        for face in faces:
            if (persons[face["person"]] % HELD_OUT_PERSONS == 0) == held_out:
                seen[face["label"]].append(face["face"])
        for voice in lines_of("ravdess"):
            if (voice["actor"] in HELD_OUT_ACTORS) == held_out:
                heard[voice["label"]].append(Voice(voice["own"], voice["population"], voice["text"], voice["label"]))
        split = "dev" if held_out else "train"
        lines = [
            Line(line["text"], line["label"], line["voice"]) for line in lines_of("meld") if line["split"] == split
        ]
        parts.append(Corpora(lines, dict(seen), dict(heard)))
    return parts[0], parts[1]


# ── what is made of it ───────────────────────────────────────────────────────


def example(label: str, **signals: str | None) -> Example:
    return Example(render([Moment(0.0, 1.0, **signals)], 0, PROMPT, id=label), label)  # type: ignore[arg-type]


def text_alone(corpora: Corpora, rng: random.Random) -> list[Example]:
    return [example(line.label, text=line.text) for line in corpora.lines]


def every_signal(corpora: Corpora, rng: random.Random) -> list[Example]:
    """An epoch: each line once, by itself or with a face and a voice; then faces, voices and both without lines."""
    share = len(corpora.lines) / 9989
    mix = Mixer(corpora, rng)
    examples = [mix.line(line) for line in corpora.lines]
    examples += [mix.face() for _ in range(round(FACES * share))]
    examples += [mix.voice() for _ in range(round(VOICES * share))]
    examples += [mix.face_and_voice() for _ in range(round(BOTH * share))]
    examples += [mix.nothing() for _ in range(round(NOTHING * share))]
    return examples


class Mixer:
    """Moments put together at random."""

    def __init__(self, corpora: Corpora, rng: random.Random) -> None:
        self.corpora = corpora
        self.rng = rng

    def line(self, line: Line) -> Example:
        """A line by itself (more often than not), with its voice, with a face, or with both."""
        kind = self.rng.choices(("text", "voice", "face", "both"), (55, 9, 9, 27))[0]
        text, face, voice = line.text, None, None
        if kind in ("face", "both"):
            face = self._face_for(line.label)
        if kind in ("voice", "both"):
            voice = self._voice_for(line)
        if kind == "both" and self.rng.random() < 0.5:
            text = self._misheard(text)
        return example(line.label, text=text, face=face, voice=voice)

    def face(self) -> Example:
        """A face without words: nothing was said, or nobody listened."""
        label = self._label(self.corpora.faces)
        text, voice = self.rng.choices([(None, None), ("", SILENT), ("", None), (None, SILENT)], (40, 40, 10, 10))[0]
        return example(label, text=text, face=self._face(label), voice=voice)

    def voice(self) -> Example:
        """A voice by itself, or saying something that says nothing."""
        label = self._label(self.corpora.voices)
        voice = self.rng.choice(self.corpora.voices[label])
        face = self.rng.choice((None, None, *NO_FACE))
        return example(label, text=self._says_nothing(voice), face=face, voice=self._words(voice))

    def face_and_voice(self) -> Example:
        label = self._label(self.corpora.faces)
        voice = self.rng.choice(self.corpora.voices[label])
        return example(label, text=self._says_nothing(voice), face=self._face(label), voice=self._words(voice))

    def nothing(self) -> Example:
        """Nothing to judge by: the labels as often as people give them."""
        label = self.rng.choice(self.corpora.lines).label
        text = self.rng.choice((None, "", UNCLEAR))
        face = self.rng.choice((None, *NO_FACE))
        voice = self.rng.choice((None, *NO_VOICE))
        return example(label, text=text, face=face, voice=voice)

    def _label(self, having: dict[str, list[Any]]) -> str:
        weights = RARE_FACE if having is self.corpora.faces else {}
        labels = sorted(having)
        return self.rng.choices(labels, [weights.get(label, 1.0) for label in labels])[0]

    def _face_for(self, label: str) -> str:
        kind = self.rng.choices(("same", "other", "none"), (60, 18, 22))[0]
        if kind == "none":
            return self.rng.choice((*NO_FACE, FACE_AT_REST))
        return self._face(label if kind == "same" else self._label(self.corpora.faces))

    def _voice_for(self, line: Line) -> str:
        kind = self.rng.choices(("own", "same", "other", "none"), (58, 20, 7, 15))[0]
        if kind == "own" and line.voice is not None:
            return line.voice
        if kind == "none":
            return self.rng.choice((*NO_VOICE, EVEN_VOICE))
        label = self._label(self.corpora.voices) if kind == "other" else line.label
        return self._words(self.rng.choice(self.corpora.voices[label]))

    def _face(self, label: str) -> str:
        if self.rng.random() < PROTOTYPE_SHARE.get(label, USUAL_PROTOTYPE_SHARE):
            return self._prototype(label)
        return self._fewer(self.rng.choice(self.corpora.faces[label]))

    def _prototype(self, label: str) -> str:
        """Most of what makes the expression, some of what goes with it, as strongly as it happens."""
        core, others = PROTOTYPES[label]
        units = [unit for unit in core if self.rng.random() < 0.8] or list(core[:1])
        units += [unit for unit in others if self.rng.random() < 0.35]
        graded = [(0 if unit in UNGRADED else self.rng.choices((0, 1, 2), (2, 4, 4))[0], unit) for unit in units]
        graded.sort(key=lambda item: (item[1] in UNGRADED, -item[0]))
        words = [unit if unit in UNGRADED else GRADES[grade] + unit for grade, unit in graded]
        if self.rng.random() < 0.3:
            words += self._ratings(label)
        return ", ".join(words)

    def _ratings(self, label: str) -> list[str]:
        others = [other for other in BASIC.labels if other != label]
        likely = [label if self.rng.random() < 0.75 else self.rng.choice(others), *self.rng.sample(others, 2)]
        likely = list(dict.fromkeys(likely))[: self.rng.randint(1, 3)]
        pleasantness = self.rng.choice(PLEASANTNESS.get(label, UNPLEASANT))
        return [f"looks like {' or '.join(likely)}", pleasantness, self.rng.choice(AROUSAL.get(label, AROUSED))]

    def _words(self, voice: Voice) -> str:
        return self._fewer(voice.own if self.rng.random() < 0.6 else voice.population)

    def _fewer(self, words: str) -> str:
        """Now and then without one of the phrases, so that none is needed."""
        phrases = words.split(", ")
        kept = [phrase for phrase in phrases if self.rng.random() > 0.1]
        return ", ".join(kept or phrases)

    def _says_nothing(self, voice: Voice) -> str | None:
        unclear = " ".join([UNCLEAR] * self.rng.randint(1, 2))
        return self.rng.choices((None, voice.text, unclear, ""), (45, 30, 15, 10))[0]

    def _misheard(self, text: str) -> str:
        """As a weak recogniser hears it: lower case, words missing, doubted or mistaken for others."""
        share = self.rng.uniform(0.0, 0.6)
        heard = []
        for word in text.lower().split():
            word = word.strip(".,;:!?\"'…-")
            if self.rng.random() >= share:
                heard.append(word)
            elif (fate := self.rng.random()) < 0.5:
                heard += [] if heard[-1:] == [UNCLEAR] else [UNCLEAR]
            elif fate < 0.8:
                other = self.rng.choice(self.corpora.lines).text.lower().split()
                heard.append(self.rng.choice(other).strip(".,;:!?\"'…-"))
        return " ".join(word for word in heard if word)
