"""Every case of objects.json by its id: real commands against the simulated cloud, and the outcome the case states.

`pytest tests/cases -m heavy` runs the cases that are too large for every day.
"""
