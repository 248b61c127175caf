"""Processes side by side, as `accelerate launch` starts them, on a machine with or without GPUs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
from emoscribe.training import processes
from emoscribe.core.errors import MediaError

assert processes.count() == 2
assert processes.mapped(lambda share: [10 * item for item in share], [1, 2, 3]) == [10, 20, 30]
assert processes.mapped(list, []) == []
assert processes.by_main(processes.rank) == 0


def fail(share=()):
    if processes.rank() == failing:
        raise MediaError("no room")
    return share


for failing, share_out in ((0, processes.by_main), (1, lambda work: processes.mapped(work, [1]))):
    try:
        share_out(fail)
    except MediaError as error:
        print(f"{processes.rank()}: {error}", flush=True)
"""


def test_results_and_errors_reach_all(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", str(tmp_path / "script.py")]
    done = subprocess.run(launch, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (done.stdout.count("0: no room"), done.stdout.count("1: no room")) == (2, 2)
