"""From prompts to label scores: base models, heads, adapters, training."""
