"""What an installation is made of, as a CycloneDX bill of materials: the packages, and the models with their hashes.

    python recipes/sbom.py [--out out/sbom.json] [--environment .venv/bin/python]

Packages are listed by `cyclonedx-py`, which uv runs in an environment of its
own.  Models that packages carry, that are published elsewhere and that are
named here are added as `machine-learning-model`, each file by its SHA-256;
so are the adapters that ship, with the base that each was trained on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emoscribe.core.digests import sha256_of
from emoscribe.core.files import make_folder, write_json
from emoscribe.core.weights import MODELS
from emoscribe.llm.run import SHIPPED, TextRun, shipped_runs

TOOL = "cyclonedx-bom==7.5.0"


def with_models(packages: dict[str, Any]) -> dict[str, Any]:
    """A bill of packages, and in it the models, too."""
    return packages | {"components": [*packages.get("components", ()), *_models(), *_adapters()]}


def _models() -> Iterator[dict[str, Any]]:
    for name, model in MODELS.items():
        component: dict[str, Any] = {"type": "machine-learning-model", "bom-ref": f"model:{name}", "name": name}
        if model.licence:
            component["licenses"] = [{"license": {"id": model.licence}}]
        if model.sha256 is not None:
            component["hashes"] = [_hash(model.sha256)]
        if model.files:
            component["components"] = [
                {"type": "file", "bom-ref": f"model:{name}/{file}", "name": file, "hashes": [_hash(of.sha256)]}
                for file, of in model.files.items()
            ]
        urls = [url for url in (model.url, *(of.url for of in model.files.values())) if url is not None]
        if urls:
            component["externalReferences"] = [{"type": "distribution", "url": url} for url in urls]
        yield component


def _adapters() -> Iterator[dict[str, Any]]:
    for name in shipped_runs():
        run = TextRun.load(SHIPPED / name)
        base = {"type": "machine-learning-model", "name": run.base.id}
        if run.base.sha256 is not None:
            base["hashes"] = [_hash(run.base.sha256)]
        yield {
            "type": "machine-learning-model",
            "bom-ref": f"adapter:{name}",
            "name": name,
            "licenses": [{"license": {"name": run.licence}}],
            "pedigree": {"ancestors": [base]},
            "components": [
                {"type": "file", "bom-ref": f"adapter:{name}/{path.name}", "name": path.name, "hashes": [_of(path)]}
                for path in sorted(run.folder.glob("*.safetensors"))
            ],
        }


def _of(path: Path) -> dict[str, str]:
    return _hash(sha256_of(path))


def _hash(sha256: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": sha256}


def packages_of(environment: Path) -> dict[str, Any]:
    """What is installed beside an interpreter, as `cyclonedx-py` lists it."""
    command = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", TOOL, "cyclonedx-py", "environment"]
    done = subprocess.run(
        [*command, "--output-reproducible", "--spec-version", "1.6", "--of", "JSON", str(environment)],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        sys.exit(f"{TOOL} cannot list the packages: {last}")
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/sbom.json"), help="[default: %(default)s]")
    parser.add_argument("--environment", type=Path, default=Path(sys.executable), help="[default: this one]")
    args = parser.parse_args()
    bill = with_models(packages_of(args.environment))
    make_folder(args.out.parent)
    write_json(args.out, bill)
    models = sum(each["type"] == "machine-learning-model" for each in bill["components"])
    print(f"→ {args.out}: {len(bill['components']) - models} packages, {models} models")


if __name__ == "__main__":
    main()
