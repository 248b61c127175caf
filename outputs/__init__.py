"""From a labelled transcript to the files people open."""
