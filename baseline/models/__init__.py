"""Fusion models: one small module each."""
