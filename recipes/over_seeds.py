"""What several runs of one recipe reached on dev: mean and spread over their seeds, as a Markdown table.

python recipes/over_seeds.py RUN RUN ...
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from statistics import fmean, stdev

from emoscribe.core.errors import EmoscribeError
from emoscribe.llm.run import TextRun, find_run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders or shipped adapters")
    parser.add_argument("--last", action="store_true", help="after the last epoch, not after each run's best")
    args = parser.parse_args()
    try:
        print(table([find_run(run) for run in args.runs], last=args.last))
    except EmoscribeError as error:
        print(f"over_seeds: {error}", file=sys.stderr)
        return 1
    return 0


def table(runs: Sequence[TextRun], *, last: bool = False) -> str:
    """A row a measure: its mean, its standard deviation over the runs, and each run's."""
    names = [f"seed {', '.join(map(str, run.seeds))}" for run in runs]
    rows = [["measured on dev", "mean ± sd", *names], ["---"] * (len(runs) + 2)]
    measured = [run.metrics["epochs"][-1]["dev"] if last else run.metrics["dev"] for run in runs]
    for measure in measured[0]:
        values = [each[measure] for each in measured]
        spread = f" ± {_short(stdev(values))}" if len(values) > 1 else ""
        rows.append([measure.replace("_", " "), _short(fmean(values)) + spread, *map(_short, values)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


if __name__ == "__main__":
    sys.exit(main())
