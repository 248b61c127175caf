"""Faces in a video: who is seen when, and what the face does."""
