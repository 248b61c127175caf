"""`python -m emoscribe` is `emoscribe`."""

from .cli import main

if __name__ == "__main__":
    main()
