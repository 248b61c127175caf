"""How a voice sounded."""
