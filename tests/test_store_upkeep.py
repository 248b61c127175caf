"""A store that many write, that is damaged, and that is put in order."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from emoscribe.core.errors import EmoscribeError
from emoscribe.core.timeline import Media, Sequence, Transcript, Utterance
from emoscribe.extractors.store import CueStore, DamagedError, Key, upkeep
from emoscribe.extractors.store.cue_store import FAN
from emoscribe.extractors.store.rows import schema, to_row

from .test_cli import emoscribe
from .test_store import PARTS, same

END = float("inf")


def steps(number: int, length: int = 3) -> Sequence:
    return Sequence(("a", "b"), np.arange(length) / 5, np.full((length, 2), float(number)))


def filled(folder: Path, rows: int, part: str = "mfcc") -> CueStore:
    store = CueStore(folder)
    for number in range(rows):
        store.put(f"sha{number}", part, "s1", steps(number))
    return store


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))


def test_files_grow_with_the_logarithm_of_the_rows(tmp_path: Path) -> None:
    rows = FAN * FAN + FAN + 3
    store = filled(tmp_path, rows)
    assert len(shards(tmp_path)) == 1 + 1 + 3
    for each in (store, CueStore(tmp_path)):
        assert len(each) == rows
        for number in range(rows):
            same(each.get(f"sha{number}", "mfcc", "s1"), steps(number))


def test_what_was_put_is_there_though_the_process_is_killed(tmp_path: Path) -> None:
    program = f"""
import os, signal
from emoscribe.core.timeline import Media
from emoscribe.extractors.store import CueStore
store = CueStore({str(tmp_path)!r})
for number in range(40):
    store.put(str(number), "media", "s1", Media("a.mp4", 1.0, "ff"))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], check=False)
    assert {key.sha256 for key in CueStore(tmp_path)} == {str(number) for number in range(40)}


def test_who_reads_goes_on_while_shards_are_joined_and_deleted(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    reader = CueStore(tmp_path)
    assert upkeep.compact(tmp_path).shards_after == 1
    for number in range(5):
        same(reader.get(f"sha{number}", "mfcc", "s1"), steps(number))
    reader = CueStore(tmp_path)
    shards(tmp_path)[0].unlink()
    assert reader.get("sha1", "mfcc", "s1") is None, "what was deleted is perceived again"
    reader.put("sha1", "mfcc", "s1", steps(1))
    same(reader.get("sha1", "mfcc", "s1"), steps(1))


def test_a_store_from_before_checksums_is_read_and_gets_them(tmp_path: Path) -> None:
    old = schema().remove(schema().get_field_index("checksum"))
    tmp_path.joinpath("store").mkdir()
    for number, (part, value) in enumerate(PARTS.items()):
        row = to_row(Key("abc", 0.0, END, part, "s1"), value)
        pq.write_table(pa.Table.from_pylist([row], schema=old), tmp_path / "store" / f"{part}-{number}.parquet")
    for part, value in PARTS.items():
        same(CueStore(tmp_path / "store").get("abc", part, "s1"), value)
    done = emoscribe("store", "compact", tmp_path / "store")
    assert (done.returncode, done.stdout) == (0, f"{len(PARTS)} rows in {len(PARTS)} shards (were {len(PARTS)})\n")
    for part, value in PARTS.items():
        same(CueStore(tmp_path / "store").get("abc", part, "s1"), value)
    assert all(pq.read_table(path)["checksum"][0].is_valid for path in shards(tmp_path / "store"))


def test_no_flipped_bit_gives_another_record(tmp_path: Path) -> None:
    """Whatever is hit: the record as it was, none (it is perceived again), or a line that names the shard."""
    written = {part: value for part, value in PARTS.items() if part in ("transcript", "face")}
    store = CueStore(tmp_path)
    for part, value in written.items():
        store.put("abc", part, "s1", value)
    rng, outcomes = random.Random(15), {"same": 0, "none": 0, "told": 0}
    for _ in range(300):
        path = rng.choice(shards(tmp_path))
        whole = path.read_bytes()
        hit = bytearray(whole)
        hit[rng.randrange(len(hit))] ^= 1 << rng.randrange(8)
        path.write_bytes(hit)
        part = path.name.partition("-")[0]
        try:
            found = CueStore(tmp_path).get("abc", part, "s1")
        except EmoscribeError as error:
            assert path.name in str(error), error
            outcomes["told"] += 1
        else:
            if found is not None:
                same(found, written[part])
            outcomes["none" if found is None else "same"] += 1
        path.write_bytes(whole)
    assert outcomes["told"] > 100, outcomes


def test_damage_is_found_told_and_dropped(tmp_path: Path) -> None:
    store = tmp_path / "store"
    filled(store, FAN)
    (whole,) = shards(store)
    rows = pq.read_table(whole).to_pylist()
    rows[3]["fields"] = rows[3]["fields"].replace("a", "c")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema()), whole)
    (store / "face-1.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(EmoscribeError, match=r"face-1\.parquet is damaged; delete it, or `emoscribe store compact`"):
        CueStore(store)
    found = emoscribe("store", "verify", store)
    assert found.returncode == 1 and found.stderr == ""
    assert found.stdout.splitlines() == [
        "damaged: face-1.parquet: it is no Parquet that can be read",
        f"damaged: {whole.name}, row 3: its checksum does not fit",
        f"`emoscribe store compact {store}` drops what is damaged, and it is extracted again",
    ]
    told = emoscribe("store", "compact", store)
    assert told.returncode == 0 and told.stdout.startswith(f"{FAN - 1} rows in 1 shards (were 2); damaged: face-1")
    again = emoscribe("store", "verify", store)
    assert (again.returncode, again.stdout) == (0, f"{FAN - 1} rows in 1 shards are as they were written\n")
    assert CueStore(store).get("sha3", "mfcc", "s1") is None


def test_a_record_of_another_version_is_told_as_such(tmp_path: Path) -> None:
    for change in ({"unheard_of": 1}, None):
        row = to_row(Key("abc", 0.0, END, "media", "s1"), Media("a.mp4", 1.0, "ff"))
        fields = json.loads(row["fields"])
        row["fields"] = json.dumps(fields | change if change else {"path": "a.mp4"})
        pq.write_table(pa.Table.from_pylist([row | {"checksum": None}], schema=schema()), tmp_path / "media-1.parquet")
        with pytest.raises(DamagedError, match=r"media-1\.parquet, row 0: it holds no Media as this version knows it"):
            CueStore(tmp_path).get("abc", "media", "s1")


def test_what_is_not_wanted_goes(tmp_path: Path, tmp_path_factory) -> None:
    store, here = CueStore(tmp_path / "store"), tmp_path_factory.mktemp("media") / "here.mp4"
    here.touch()
    for sha, path in (("here", str(here)), ("gone", "/no/such.mp4")):
        store.put(sha, "media", "s1", Media(path, 1.0, sha))
        for settings in ("old", "new"):
            store.put(sha, "mfcc", settings, steps(1))
    told = emoscribe("store", "gc", tmp_path / "store", "--settings", "old", "--part", "mfcc", "--dry-run")
    assert told.stdout == "2 of 6 rows would be dropped\n"
    told = emoscribe("store", "gc", tmp_path / "store", "--settings", "old", "--part", "mfcc")
    assert told.stdout == "4 rows in 2 shards (were 6); 2 dropped\n"
    assert emoscribe("store", "gc", tmp_path / "store", "--missing-media").stdout.endswith("; 2 dropped\n")
    assert {(key.sha256, key.part, key.settings) for key in CueStore(tmp_path / "store")} == {
        ("here", "media", "s1"),
        ("here", "mfcc", "new"),
    }


def test_a_store_is_listed_and_exported_as_plain_tables(tmp_path: Path) -> None:
    store = CueStore(tmp_path / "store")
    for sha in ("abc", "abd"):
        for part, value in PARTS.items():
            store.put(sha, part, "s1", value)
    listed = json.loads(emoscribe("store", "ls", tmp_path / "store", "--json").stdout)
    assert [(each["part"], each["rows"], each["files"], each["settings"]) for each in listed["contents"]] == [
        (part, 2, 2, {"s1": 2}) for part in sorted(PARTS)
    ]
    shown = emoscribe("store", "ls", tmp_path / "store").stdout.splitlines()
    assert shown[0].split() == ["part", "rows", "files", "MB", "settings"] and shown[-1] == "10 rows in 10 shards"
    for form in ("csv", "parquet"):
        told = emoscribe("store", "export", tmp_path / "store", "--out", tmp_path / form, "--format", form)
        assert told.stdout.splitlines() == [str(tmp_path / form / f"{part}.{form}") for part in sorted(PARTS)]
    face = (tmp_path / "csv" / "face.csv").read_text().splitlines()
    assert face[0].startswith('"sha256","settings","from_s","until_s","time_s","person","left","top","right","bottom"')
    assert len(face) == 1 + 2 * 2 and face[1].startswith('"abc","s1",0,inf,0,0,0,1,2,3,0.5')
    said = pq.read_table(tmp_path / "parquet" / "transcript.parquet").to_pylist()
    about = {"sha256": "abc", "settings": "s1", "from_s": 0.0, "until_s": END}
    assert said[0] == about | {"start_s": 0.5, "end_s": 1.0, "speaker": "Ann", "text": "hé “you”"}


def test_parts_of_other_columns_are_other_tables(tmp_path: Path) -> None:
    store = CueStore(tmp_path / "store")
    for sha, names in (("abc", ("a", "b")), ("abd", ("c", "d")), ("abe", ("a", "b"))):
        store.put(sha, "mfcc", "s1", Sequence(names, np.zeros(1), np.ones((1, 2))))
    told = emoscribe("store", "export", tmp_path / "store", "--out", tmp_path / "out")
    assert told.stdout.splitlines() == [str(tmp_path / "out" / f"mfcc{number}.csv") for number in ("", "-2")]
    assert len((tmp_path / "out" / "mfcc.csv").read_text().splitlines()) == 3


def test_no_cell_of_an_exported_table_is_a_formula(tmp_path: Path) -> None:
    store = CueStore(tmp_path / "store")
    store.put("abc", "transcript", "s1", Transcript((Utterance(0, 1, '=HYPERLINK("x")', "@Ann"),), "en", "file"))
    emoscribe("store", "export", tmp_path / "store", "--out", tmp_path / "out")
    (row,) = csv.DictReader((tmp_path / "out" / "transcript.csv").open(newline=""))
    assert (row["text"], row["speaker"]) == ('\'=HYPERLINK("x")', "'@Ann")


def test_duckdb_reads_it_as_it_is(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    filled(tmp_path, FAN + 1)
    found = duckdb.sql(f"select part, count(*) from '{tmp_path}/*.parquet' group by part").fetchall()
    assert found == [("mfcc", FAN + 1)]


def test_an_object_store_holds_one_too() -> None:
    store = CueStore("memory://bucket/cues")
    for number in range(FAN + 2):
        store.put(f"sha{number}", "mfcc", "s1", steps(number))
    again = CueStore("memory://bucket/cues/")
    assert len(again) == FAN + 2 and len(again.shards.names()) == 3
    same(again.get("sha3", "mfcc", "s1"), steps(3))
    assert upkeep.compact("memory://bucket/cues").shards_after == 1
    same(again.get("sha4", "mfcc", "s1"), steps(4))
    with pytest.raises(EmoscribeError, match="cue store mould://bucket: Protocol not known: mould"):
        CueStore("mould://bucket")


def test_a_store_that_cannot_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    (tmp_path / "face-0.parquet").symlink_to("face-0.parquet")
    with pytest.raises(EmoscribeError, match=r"cannot read .*face-0\.parquet: too many levels of symbolic links"):
        CueStore(tmp_path)


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    told = emoscribe("store", "ls", tmp_path)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == (
        f"emoscribe: {tmp_path} is no cue store: no shard (*.parquet) is in it; `emoscribe extract` makes one\n"
    )


def test_only_one_process_is_at_work_on_a_file(tmp_path: Path) -> None:
    program = f"""
import sys, time
from emoscribe.core.timeline import Media
from emoscribe.extractors.store import CueStore
store = CueStore({str(tmp_path)!r})
with store.claim("abc") as mine:
    print(mine, flush=True)
    sys.stdin.readline()
    store.put("abc", "media", "s1", Media("a.mp4", 1.0, "abc"))
"""
    store = CueStore(tmp_path)
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == b"True\n"
        with store.claim("abc", wait=False) as mine, store.claim("abd", wait=False) as another:
            assert (mine, another) == (False, True)
        assert store.get("abc", "media", "s1") is None
        other.stdin.write(b"\n")
        other.stdin.flush()
        with store.claim("abc") as mine:
            assert mine and store.get("abc", "media", "s1") is not None, "what the other found is known"
    with store.claim("abc", wait=False) as mine:
        assert mine, "a process that has ended holds nothing"
