"""Training, whatever is trained: what both families of models share."""
