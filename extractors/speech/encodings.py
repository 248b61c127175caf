"""Text in an encoding from before UTF-8: recognised for certain, or not at all."""

from __future__ import annotations

import re

# Times and numbers of cues say nothing of a language; no encoding here has these as half of a character.
_NUMBERS = re.compile(rb"[0-9:,.>-]+")

# By code page, what the languages that were written in it have beside ASCII (Unicode CLDR's exemplar characters).
_LATIN = {
    "cp1252": (
        "àâæçéèêëîïôœùûüÿ",  # French
        "äöüß",  # German
        "áéíñóúü",  # Spanish
        "áâãàçéêíóôõúü",  # Portuguese
        "àèéìíîòóùú",  # Italian
        "åäöé",  # Swedish, Finnish
        "æøåéóòâô",  # Danish, Norwegian
        "éëïóüèêáöä",  # Dutch
        "áðéíóúýþæö",  # Icelandic
        "àçéèíïóòúü",  # Catalan
    ),
    "cp1250": (
        "ąćęłńóśźż",  # Polish
        "áčďéěíňóřšťúůýž",  # Czech
        "áäčďéíĺľňóôŕšťúýž",  # Slovak
        "áéíóöőúüű",  # Hungarian
        "čćđšž",  # Croatian, Slovene
        "ăâîşţ",  # Romanian
        "äöüß",
        "çë",  # Albanian
    ),
    "cp1254": ("çğıöşüâîûİ",),  # Turkish
    "cp1257": (
        "ąčęėįšųūž",  # Lithuanian
        "āčēģīķļņšūž",  # Latvian
        "äöõüšž",  # Estonian
    ),
}
_OTHERS = ("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "gb18030", "big5", "cp932", "cp949", "euc_jp")

# Signs that are in no alphabet and in all of these code pages at the same place, but for those that are not.
_SIGNS = frozenset("‘’‚“”„…–—•«»¡¿ºª°§©®€£\xa0\xad·")

# Less of what is not ASCII, and the script is Latin.
_LATIN_SHARE = 0.4
# What charset-normalizer calls chaos and coherence, in 0–1: readings with that much more chaos than the
# best are none, and a language has to be recognised, clearly better than in any other reading.
_CHAOS = 0.1
_LEAST_COHERENCE = 0.25
_LEAD = 0.1
# A language of which it knows no statistics (Japanese, Korean) is believed where nothing else reads so long a text.
_LEAST_BYTES = 60


def recognised(raw: bytes) -> str | None:
    """The text, `None` where more than one encoding might be meant."""
    if b"\0" in raw:
        return _utf16(raw)
    high = sum(byte >= 0x80 for byte in raw)
    letters = high + sum(chr(byte).isalpha() for byte in raw if byte < 0x80)
    if high < _LATIN_SHARE * letters:
        readings = {encoding: text for encoding in _LATIN if (text := _read(raw, encoding)) is not None}
        readings = {encoding: text for encoding, text in readings.items() if _fits(text, encoding)}
        if len(set(readings.values())) <= 1:
            return next(iter(readings.values()), None)
        return _clearest(raw, tuple(readings), least_bytes=None)
    return _clearest(raw, _OTHERS, least_bytes=_LEAST_BYTES if high >= _LEAST_BYTES else None)


def _utf16(raw: bytes) -> str | None:
    """UTF-16 without a mark: of ASCII and all scripts of Europe, every second byte is small."""
    for encoding, zeros in (("utf-16-le", raw[1::2]), ("utf-16-be", raw[::2])):
        # Line ends, digits and spaces suffice.
        if len(raw) % 2 == 0 and zeros.count(0) > len(zeros) / 4:
            text = _read(raw, encoding)
            if text is not None and "\0" not in text:
                return text
    return None


def _read(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _fits(text: str, encoding: str) -> bool:
    """Whether all letters are those of one language that was written in that code page."""
    beyond = {sign for sign in text if sign > "\x7f"} - _SIGNS
    letters = {sign if sign == "İ" else sign.lower() for sign in beyond}
    return any(letters <= set(alphabet) for alphabet in _LATIN[encoding])


def _shouted(text: str) -> bool:
    """Whether it is all in capitals, as Hebrew and lower-case Cyrillic are where they are read as another Cyrillic."""
    cased = [sign for sign in text if sign > "\x7f" and sign.lower() != sign.upper()]
    return sum(sign.isupper() for sign in cased) > len(cased) / 2


def _clearest(raw: bytes, encodings: tuple[str, ...], least_bytes: int | None) -> str | None:
    """The reading in which charset-normalizer recognises a language, better than in any other."""
    from charset_normalizer import from_bytes

    best: dict[str, tuple[float, float]] = {}
    for match in from_bytes(_NUMBERS.sub(b" ", raw), cp_isolation=list(encodings)):
        text = _read(raw, match.encoding)
        if text is not None and not _shouted(text):
            best.setdefault(text, (match.coherence, match.chaos))
    least_chaos = min((chaos for _, chaos in best.values()), default=0.0)
    ranked = sorted(
        ((coherence, text) for text, (coherence, chaos) in best.items() if chaos <= least_chaos + _CHAOS), reverse=True
    )
    if not ranked:
        return None
    (coherence, text), *others = ranked
    if not others and least_bytes is not None:
        return text
    lead = coherence - (others[0][0] if others else 0.0)
    return text if coherence >= _LEAST_COHERENCE and lead >= _LEAD else None
