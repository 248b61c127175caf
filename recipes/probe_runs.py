"""Write into runs what they answer, which is compared whenever they are read: for runs from before that was kept.

    python recipes/probe_runs.py llm/adapters/meld-minilm ... [--again]

A run that remembers is left as it is, or with --again asked anew: of what it
answers now nothing else tells whether it is right.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError
from emoscribe.core.files import read_json, write_json
from emoscribe.llm.predictor import load_predictor
from emoscribe.llm.run import DESCRIPTION, TextRun


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of runs")
    parser.add_argument("--again", action="store_true", help="ask also those that remember")
    args = parser.parse_args()
    try:
        for folder in args.runs:
            run = TextRun.load(folder)
            if run.probe is not None and not args.again:
                print(f"{folder} remembers already")
                continue
            probe(run)
            print(f"{folder} remembers what it answers")
    except EmoscribeError as error:
        print(f"probe_runs: {error}", file=sys.stderr)
        return 1
    return 0


def probe(run: TextRun) -> None:
    """Adds to the run's description what it answers here, on the processor; all else of it stays as it is."""
    path = run.folder / DESCRIPTION
    found = load_predictor(run.model_copy(update={"probe": None}), Context(device="cpu")).probed()
    write_json(path, {**read_json(path), "probe": found.model_dump()})


if __name__ == "__main__":
    sys.exit(main())
