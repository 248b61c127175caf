"""About how many syllables a text has."""

from __future__ import annotations

import unicodedata

_VOWELS = set("aeiouyæøœıаеёиоуыэюяіїєαεηιουω")

_SILENT = ("e", "es", "ed")
_SPOKEN = ("le", "ee", "ye", "les", "ted", "ded", "ses", "ces", "zes", "xes", "shes", "ches", "ges")


def syllables(text: str) -> int:
    """About how many syllables a text has; 0 for scripts it cannot read.

    Groups of vowels, less a silent final e; a syllable for each Chinese or
    Japanese character, Korean block and digit.
    """
    return sum(_syllables_of(word) for word in text.casefold().replace("'", "").replace("’", "").split())


def _syllables_of(word: str) -> int:
    # Composed first: an accent must not turn й into a vowel, nor take a
    # Korean block apart.
    word = unicodedata.normalize("NFC", word)
    count = sum(char.isdigit() or "\u3040" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3" for char in word)
    letters = [char for char in word if char.isalpha()]
    plain = "".join(char if char == "й" else unicodedata.normalize("NFD", char)[0] for char in letters)
    vowels = [letter in _VOWELS for letter in plain]
    groups = sum(now and not before for before, now in zip([False, *vowels], vowels, strict=False))
    silent = "".join(letters).endswith(_SILENT) and not plain.endswith(_SPOKEN)
    return count + (groups - 1 if silent and groups > 1 else groups)
