"""emoscribe: from a video to a labelled transcript.

>>> from emoscribe import analyze
>>> transcript = analyze("interview.mp4")
>>> for segment in transcript.segments:
...     print(segment.moment.start_s, segment.label, segment.moment.text)
"""

__version__ = "0.1.0"
