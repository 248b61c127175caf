"""ELAN's annotation format (.eaf)."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from xml.etree import ElementTree

from ..core.text import in_xml, one_line
from ..core.timeline import LabelledTranscript
from .paths import path_from
from .tiers import layers_of

# How ELAN itself writes that a vocabulary is in no language in particular.
_LANGUAGE = ("und", "http://cdb.iso.org/lg/CDB-00130975-001", "undetermined (und)")
_VOCABULARY = "labels"


def eaf(transcript: LabelledTranscript, folder: Path) -> str:
    """A tier a speaker and signal; what emotions can be is a controlled vocabulary, where they are labels."""
    from pympi.Elan import Eaf, to_adocument

    document = Eaf(author="emoscribe")
    document.remove_tier("default")
    document.linguistic_types.clear()
    document.properties.clear()
    _refer(document, transcript, folder)
    if transcript.labels:
        document.add_language(*_LANGUAGE)
        document.add_controlled_vocabulary(_VOCABULARY)
        document.add_cv_description(_VOCABULARY, _LANGUAGE[0], one_line(transcript.label_set))
        for number, label in enumerate(transcript.labels):
            document.add_cv_entry(_VOCABULARY, f"label{number}", [(one_line(label), _LANGUAGE[0], None)])
    for layer in layers_of(transcript):
        if layer.kind not in document.linguistic_types:
            document.add_linguistic_type(layer.kind)
            if layer.kind == "emotion" and transcript.labels:
                document.linguistic_types[layer.kind]["CONTROLLED_VOCABULARY_REF"] = _VOCABULARY
        document.add_tier(layer.name, ling=layer.kind, part=layer.speaker)
        for start_ms, end_ms, text in layer.annotations:
            document.add_annotation(layer.name, start_ms, end_ms, text)
    root = to_adocument(document, pretty=False)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _refer(document, transcript: LabelledTranscript, folder: Path) -> None:
    """Name the recording: where it is, and, for when the folder travels, where it is from here.

    ELAN takes both as they are written: it knows no escapes such as `%20`.
    """
    path = Path(transcript.media.path)
    from_here = path_from(folder, path)
    document.add_linked_file(
        in_xml(f"file:///{path.resolve().as_posix().lstrip('/')}"),
        relpath=in_xml(f"./{from_here}") if from_here is not None else None,
        mimetype=mimetypes.guess_type(path.name)[0] or "unknown",
    )
