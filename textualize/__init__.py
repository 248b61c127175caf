"""From cues to words: moments in time, each with what was said, seen and heard."""
