"""The machine: how many objects are moved at once, and how one object is moved."""
