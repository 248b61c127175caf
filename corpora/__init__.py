"""One reader a dataset, all under one contract: from what is on disk to labelled clips."""
