"""PocketSphinx in a process of its own.

Its decoder holds Python's interpreter lock for as long as it decodes, so in a
thread it would halt everything that looks at the video meanwhile.  Run as a
script: it must not import the package, nor anything heavier than the decoder.

Reads stretches of speech from standard input, each a 32-bit count of bytes
and so many bytes of 16-bit mono samples at 16 kHz; answers each with one line
of JSON: `[[word, first frame, last frame, probability], …]`, frames of 10 ms.
Of no bytes, a new recording begins: the decoder, which gets used to how a
recording sounds, starts from what it knew at first.
"""

from __future__ import annotations

import json
import struct
import sys


def main() -> None:
    from pocketsphinx import Config, Decoder

    decoder = Decoder(Config(loglevel="FATAL", **json.loads(sys.argv[1])))
    usual_sound = decoder.get_cmn(False)
    while header := sys.stdin.buffer.read(4):
        samples = sys.stdin.buffer.read(*struct.unpack("<I", header))
        if not samples:
            decoder.set_cmn(usual_sound)
            print("[]", flush=True)
            continue
        decoder.start_utt()
        decoder.process_raw(samples, full_utt=True)
        decoder.end_utt()
        words = [[seg.word, seg.start_frame, seg.end_frame, seg.prob] for seg in decoder.seg() or ()]
        print(json.dumps(words), flush=True)


if __name__ == "__main__":
    main()
