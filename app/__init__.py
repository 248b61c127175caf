"""The page and the service, over one session."""
