"""How good the labels are: metrics, comparison of runs, and a report a person can read."""
