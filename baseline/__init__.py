"""The feature-based approach: feature sequences to a fusion model to scores."""
