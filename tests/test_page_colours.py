"""Colours: told apart by every kind of eye, and the same in pages, videos and subtitles."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import emoscribe
import numpy as np
import pytest
from emoscribe.core.labels import BASIC, COMPOUND, SENTIMENT
from emoscribe.core.timeline import LabelledTranscript
from emoscribe.outputs.palette import PEOPLE, colours_of

Node = Callable[..., Any]

# How a red-green blind eye sees linear RGB (Machado, Oliveira & Fernandes, 2009, at full severity).
EYES = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
# OKLab (Ottosson, 2020).
TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def seen(hue: float, chroma: float, tone: float, eye: str) -> np.ndarray:
    """(3,) OKLab of an OKLCH colour on a screen, as an eye sees it."""
    angle = np.radians(hue)
    lab = np.array([tone, chroma * np.cos(angle), chroma * np.sin(angle)])
    rgb = np.linalg.inv(TO_LMS) @ (np.linalg.inv(TO_LAB) @ lab) ** 3
    return TO_LAB @ np.cbrt(TO_LMS @ np.clip(EYES[eye] @ np.clip(rgb, 0, 1), 0, 1))


def tints_of(node: Node, labels: tuple[str, ...]) -> dict[str, tuple[float, float, float]]:
    tints = node("import { palette } from './palette.js'; answer(palette(given));", labels)
    return {label: (tint["--hue"], tint["--chroma"], tint["--tone"]) for label, tint in tints.items()}


@pytest.mark.parametrize("lift", [0.0, 0.07], ids=["light", "dark"])
@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("labels", [BASIC.labels, COMPOUND.labels, SENTIMENT.labels, ("calm", "neutral", "joy")])
def test_every_eye_tells_labels_apart(node: Node, labels: tuple[str, ...], eye: str, lift: float) -> None:
    """0.02 is just noticeable side by side; before, sadness and fear were 0.067 apart for a deuteranopic eye."""
    colours = {label: seen(*tint[:2], tint[2] + lift, eye) for label, tint in tints_of(node, labels).items()}
    apart = {(a, b): np.linalg.norm(colours[a] - colours[b]) for a, b in itertools.combinations(labels, 2)}
    nearest = min(apart, key=apart.__getitem__)
    assert apart[nearest] > 0.1, nearest


@pytest.mark.parametrize("count", [1, 7, 40])
def test_every_label_has_a_colour_of_its_own(node: Node, count: int) -> None:
    labels = ("joy", *(f"feeling {i}" for i in range(count)))
    tints = tints_of(node, labels)
    assert list(tints) == list(labels)
    assert len(set(tints.values())) == len(labels)
    assert all(0 <= hue < 360 and 0 < tone < 1 for hue, _, tone in tints.values())
    assert tints["joy"] == tints_of(node, BASIC.labels)["joy"]


def test_a_report_of_an_evaluation_has_the_labels_colours(node: Node) -> None:
    style = (Path(emoscribe.__file__).parent / "evaluation" / "page" / "report.css").read_text(encoding="utf-8")
    curves = re.findall(r"--hue-\d: oklch\(calc\(([\d.]+) \+ var\(--lift\)\) ([\d.]+) ([\d.]+)\)", style)
    tints = [(float(hue), float(chroma), float(tone)) for tone, chroma, hue in curves]
    assert tints[: len(BASIC.labels)] == list(tints_of(node, BASIC.labels).values())


def test_somebody_has_one_colour_on_the_page_in_videos_and_in_subtitles(
    labelled: LabelledTranscript, node: Node
) -> None:
    script = """
        import { personColour } from './palette.js';
        import { peopleOf } from './people.js';
        answer(peopleOf(given).map(({ name }, i) => [name, personColour(i).match(/\\d+/g).map(Number)]));
    """
    tracks = labelled.to_dict()["tracks"]
    tracks["faces"]["people"][1]["speaker"] = "Clara"
    for transcript in (labelled, replace(labelled, tracks=tracks)):
        told = {name: tuple(colour) for name, colour in node(script, transcript.to_dict())}
        assert told == colours_of(transcript)
    assert len(set(PEOPLE)) == len(PEOPLE)
