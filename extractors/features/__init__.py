"""Features over time, for the feature-based approach: the face, the voice and the words on one clock."""
