"""vLLM beside emoscribe: the interpreter that it is installed for, and a process of it that scores.

Its packages are of other versions than ours, so that it lives in an
environment of its own; what is said to and fro stands in `vllm_worker`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import IO, Any

from ..core.errors import EmoscribeError, UnavailableError
from ..core.interrupts import BEFORE_THE_END, ended_with_us

# The interpreter of the environment that vLLM is in.
PYTHON_VARIABLE = "EMOSCRIBE_VLLM_PYTHON"

INSTALL = (
    "vLLM needs an environment of its own: python -m venv vllm && vllm/bin/pip install vllm, "
    f"then set {PYTHON_VARIABLE}=vllm/bin/python"
)

PROGRAM = Path(__file__).with_name("vllm_worker.py")
# Its distributions have several names, and importing it takes half a minute.
_PROBE = "from importlib.metadata import packages_distributions as of, version; print(version(of()['vllm'][0]))"
_PROBE_S = 60.0
# A worker with nothing to do ends with its input.
_END_S = 10.0


@dataclass(frozen=True)
class Chunk:
    """Some of the prompts, in tokens.

    Attributes:
        first: the place of the first.
    """

    first: int
    prompts: list[list[int]]
    answers: Sequence[Sequence[int]]


def vllm_python() -> str:
    """The interpreter that vLLM is installed for.

    Raises:
        UnavailableError: there is none.
    """
    named = os.environ.get(PYTHON_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise UnavailableError(f"{PYTHON_VARIABLE} names {named}, and no such file is here; {INSTALL}")
        # As it is: whoever follows the link of an environment leaves it.
        return str(Path(named).absolute())
    if importlib.util.find_spec("vllm") is None:
        raise UnavailableError(f"vLLM is not here; {INSTALL}")
    return sys.executable


@cache
def vllm_version(python: str) -> str:
    """The version of vLLM that an interpreter has.

    Raises:
        UnavailableError: it has none.
    """
    try:
        with (
            subprocess.Popen(
                [python, "-I", "-c", _PROBE],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=_environment(),
            ) as asked,
            ended_with_us(asked),
        ):
            try:
                told, _ = asked.communicate(timeout=_PROBE_S)
            except subprocess.TimeoutExpired:
                asked.kill()
                raise
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{python} does not run ({' '.join(str(error).split())}); {INSTALL}") from None
    if asked.returncode != 0:
        raise UnavailableError(f"{python} has no vLLM; {INSTALL}")
    return told.strip()


class Opening:
    """Makes the worker of a process, and gives the same again as long as it lives.

    Args:
        job: its first request, see `vllm_worker`.
    """

    def __init__(self, python: str, job: Mapping[str, Any]) -> None:
        self._python, self._job = python, job
        self._worker: Worker | None = None

    def __call__(self) -> Worker:
        if self._worker is None or self._worker.ended:
            self._worker = Worker(self._python, self._job)
        return self._worker

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_worker": None}


class Worker:
    """A process of `vllm_worker` that has its model loaded; it ends when nobody has this any more.

    Raises:
        EmoscribeError: vLLM cannot load the model.
    """

    def __init__(self, python: str, job: Mapping[str, Any]) -> None:
        self._model = Path(job["model"]).name
        # For its last words; it goes with this object.
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [python, "-I", str(PROGRAM), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            env=_environment(),
            # Ctrl-C of a terminal is for whoever began it.
            start_new_session=True,
        )
        kill = partial(_kill, self._process)
        BEFORE_THE_END.append(kill)
        self._end = weakref.finalize(self, _end, self._process, kill)
        self._ask(job)

    def __call__(self, chunk: Chunk) -> list[list[float]]:
        """Log-probabilities (N, L) of the answers after each prompt.

        Raises:
            EmoscribeError: vLLM cannot hold a prompt, or the process ended.
        """
        return self._ask({"prompts": chunk.prompts, "answers": chunk.answers})["log_probabilities"]

    @property
    def ended(self) -> bool:
        """Whether nothing can be asked any more, as after an error."""
        return self._process.poll() is not None

    def _ask(self, what: Mapping[str, Any]) -> dict[str, Any]:
        given, told = self._process.stdin, self._process.stdout
        assert given is not None and told is not None
        line = ""
        try:
            given.write(json.dumps(what) + "\n")
            given.flush()
            line = told.readline()
        except BrokenPipeError:
            line = told.readline()
        reply = json.loads(line) if line.endswith("\n") else {}
        if "error" in reply or not reply:
            self._end()
            raise EmoscribeError(f"vLLM cannot score on {self._model}: {reply.get('error') or self._last_words()}")
        return reply

    def _last_words(self) -> str:
        self._errors.seek(0)
        said = [line.strip() for line in self._errors if line.strip()]
        return f"its worker ended with {self._process.returncode}" + (
            f", and with the words: {said[-1]}" if said else ""
        )


def _end(process: subprocess.Popen[str], kill: Callable[[], None]) -> None:
    BEFORE_THE_END.remove(kill)
    streams: tuple[IO[str] | None, ...] = (process.stdin, process.stdout)
    for stream in streams:
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        kill()
        process.wait()


def _kill(process: subprocess.Popen[str]) -> None:
    """And the processes that vLLM has begun in turn, which are of its session."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _environment() -> dict[str, str]:
    """Of this process, without what would lead another interpreter to its packages."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
