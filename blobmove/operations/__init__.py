"""The verbs, one file a command."""
