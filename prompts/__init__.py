"""From words and their context to the exact text a model reads."""
