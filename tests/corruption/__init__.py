"""One bit wrong, on either way, in objects of every kind: no such bit may reach a committed blob unnoticed."""
