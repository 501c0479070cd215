"""The host: what dsvm needs on it, and what it can do (`dsvm doctor`)."""
