"""From a video to cues: what was said, what the faces did, how the voices sounded."""
