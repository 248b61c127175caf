"""`python -m emoscribe` is `emoscribe`."""

from .cli import run

if __name__ == "__main__":
    run()
