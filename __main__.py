"""`python -m emoscribe` is `emoscribe`."""

from .core.interrupts import end_on_interrupt
from .core.streams import stand_in


def run() -> None:
    """The program, which can be interrupted from its first moment on."""
    stand_in()
    end_on_interrupt()
    from .cli import run

    run()


if __name__ == "__main__":
    run()
