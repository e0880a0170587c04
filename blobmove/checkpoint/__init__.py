"""The memory: one SQLite file that holds the plan, every outcome and the journal of the flip."""
