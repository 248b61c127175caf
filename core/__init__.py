"""The ground floor: records, labels, settings, errors, files, weights.  Imports nothing of ours."""
