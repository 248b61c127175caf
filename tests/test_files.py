"""Files appear whole, alone or together, and nothing is left of who was killed in the middle."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from emoscribe.core import unfinished
from emoscribe.core.errors import EmoscribeError
from emoscribe.core.files import atomic_path, make_folder, passing_folder, replaced, together, write_json, write_text

# Writes a file and fills a folder, and is in the middle of both.
BUSY = """
import sys, time
from emoscribe.core.files import atomic_path, passing_folder

with passing_folder() as passing, passing_folder(beside="."), atomic_path("result.json") as partial:
    (passing / "half").write_text("half")
    partial.write_text("half")
    print("busy", flush=True)
    time.sleep(60)
"""


def there(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_set_appears_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with together():
        write_text(tmp_path / "a", "new")
        write_text(tmp_path / "b", "first")
        with together():
            write_text(tmp_path / "b", "second")
        assert (tmp_path / "a").read_text() == "old"
        assert not (tmp_path / "b").exists()
    assert ((tmp_path / "a").read_text(), (tmp_path / "b").read_text()) == ("new", "second")
    assert there(tmp_path) == {"a", "b"}


def test_what_a_set_no_longer_has_goes_with_it(tmp_path: Path) -> None:
    for name in "abc":
        write_text(tmp_path / name, "old")
    with pytest.raises(EmoscribeError, match=r"cannot write .*/d: "), together():
        replaced(tmp_path / "a")
        before = there(tmp_path)
        write_text(tmp_path / "d", "new")
        (lost,) = there(tmp_path) - before
        (tmp_path / lost).unlink()
    assert there(tmp_path) == {"a", "b", "c"}
    with together():
        for name in "ab":
            replaced(tmp_path / name)
        write_text(tmp_path / "b", "new")
        assert there(tmp_path) >= {"a", "b", "c"}
    assert there(tmp_path) == {"b", "c"}
    assert (tmp_path / "b").read_text() == "new"


def test_or_not_at_all(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with pytest.raises(ValueError, match="no"), together():
        write_text(tmp_path / "a", "new")
        raise ValueError("no")
    assert there(tmp_path) == {"a"}
    assert (tmp_path / "a").read_text() == "old"


def test_what_was_put_in_place_goes_back_where_another_cannot_be(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with pytest.raises(EmoscribeError, match=r"cannot write .*/c: "), together():
        write_text(tmp_path / "a", "new")
        write_text(tmp_path / "b", "new")
        before = there(tmp_path)
        write_text(tmp_path / "c", "new")
        (lost,) = there(tmp_path) - before
        (tmp_path / lost).unlink()
    assert there(tmp_path) == {"a"}
    assert (tmp_path / "a").read_text() == "old"


def test_a_set_is_written_by_one_thread_after_another(tmp_path: Path) -> None:
    """What follows a set is not held back by it."""
    with together():
        pass
    write_json(tmp_path / "a.json", 1)
    assert there(tmp_path) == {"a.json"}


# ── what is left ─────────────────────────────────────────────────────────────

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="processes are told apart on POSIX")


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", BUSY]
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    process = subprocess.Popen(command, cwd=tmp_path / "out", stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "busy\n"
    yield process
    process.kill()
    process.wait()


@needs_posix
def test_what_a_killed_process_left_goes_and_what_a_live_one_writes_stays(
    tmp_path: Path, busy: subprocess.Popen[str]
) -> None:
    writes = """
import sys
from emoscribe.core.files import passing_folder, write_text
write_text("other.json", "whole")
with passing_folder():
    pass
"""

    def write() -> None:
        environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
        subprocess.run([sys.executable, "-c", writes], cwd=tmp_path / "out", check=True, env=environment)

    write()
    assert len(there(tmp_path / "out")) == 3
    assert len(there(tmp_path / "tmp")) == 1
    os.kill(busy.pid, signal.SIGKILL)
    # Not yet buried, and gone nevertheless.
    os.waitid(os.P_PID, busy.pid, os.WEXITED | os.WNOWAIT)
    write()
    assert there(tmp_path / "out") == {"other.json"}
    assert there(tmp_path / "tmp") == set()


@needs_posix
def test_the_number_of_a_process_is_used_again(tmp_path: Path) -> None:
    owner, pid, began = unfinished.name_beside().removeprefix(".").split("-")[:3]
    assert pid == str(os.getpid())
    mine, earlier = tmp_path / unfinished.name_beside(), tmp_path / f".{owner}-{pid}-{int(began) - 1}-abcdef.partial"
    mine.touch()
    earlier.touch()
    make_folder(tmp_path)
    write_text(tmp_path / "a", "")
    assert there(tmp_path) == {mine.name} | {"a"} | ({earlier.name} if began == "0" else set())


def test_of_other_machines_only_what_has_long_been_left_alone_goes(tmp_path: Path) -> None:
    long_ago = time.time() - 3 * 86_400
    names = [".0123abcd-7-99-abcdef.partial", ".0123456789ab.partial"]
    for name in names:
        for when, folder in ((None, tmp_path / "new"), (long_ago, tmp_path / "old")):
            folder.mkdir(exist_ok=True)
            (folder / name).mkdir()
            (folder / name / "half").touch()
            if when is not None:
                os.utime(folder / name / "half", (when, when))
                os.utime(folder / name, (when, when))
    # Whoever goes on writing into a folder is alive, however old that is.
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / names[0]).mkdir()
    (tmp_path / "used" / names[0] / "half").touch()
    os.utime(tmp_path / "used" / names[0], (long_ago, long_ago))
    kept = ".notes-1-2-3.partial"
    (tmp_path / "old" / kept).touch()
    os.utime(tmp_path / "old" / kept, (long_ago, long_ago))
    for folder in ("new", "old", "used"):
        write_text(tmp_path / folder / "a", "")
    assert there(tmp_path / "new") == {*names, "a"}
    assert there(tmp_path / "old") == {kept, "a"}
    assert there(tmp_path / "used") == {names[0], "a"}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "data").touch()
    (tmp_path / "out").mkdir()
    link = tmp_path / "out" / ".0123abcd-7-99-abcdef.partial"
    link.symlink_to(tmp_path / "precious")
    os.utime(link, (0, 0), follow_symlinks=False)
    write_text(tmp_path / "out" / "a", "")
    assert there(tmp_path / "out") == {"a"}
    assert there(tmp_path / "precious") == {"data"}


def test_no_name_is_longer_than_a_name_may_be(tmp_path: Path) -> None:
    long = tmp_path / ("é" * 127)
    with atomic_path(long) as partial:
        partial.write_text("x")
    with passing_folder(beside=tmp_path) as folder:
        assert folder.parent == tmp_path
    assert there(tmp_path) == {long.name}
    assert socket.gethostname() not in partial.name
