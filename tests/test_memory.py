"""What was freed goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Every fiftieth piece stays, as words do among pictures: glibc by itself keeps all that lies between.
FRAGMENTS = """
import psutil
from emoscribe.core import memory
pieces = [bytearray(3000) for _ in range(30_000)]
left = pieces[::50]
full = psutil.Process().memory_info().rss
del pieces
kept = psutil.Process().memory_info().rss
memory.give_back()
print(full, kept, psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="where the C library is glibc")
def test_what_lies_between_pieces_in_use_is_given_back() -> None:
    told = subprocess.run([sys.executable, "-c", FRAGMENTS], capture_output=True, text=True, check=True)
    full, kept, given_back = map(int, told.stdout.split())
    assert full - kept < 10e6
    assert full - given_back > 40e6
