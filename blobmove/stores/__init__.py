"""The doors: one outside system each, and the one HTTP client of the data path."""
