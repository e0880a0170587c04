"""The faces: the same events and results as text, progress, JSON lines and files."""
