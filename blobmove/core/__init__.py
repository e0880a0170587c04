"""The ground floor: nouns and decisions. Standard library only; no I/O, no async, no clock, no randomness."""
