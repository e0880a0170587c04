"""The porch: words in, exit code out; the only place where things are wired together."""
