"""The commands, one file each; `cli.py` finds them by name."""
