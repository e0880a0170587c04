"""The crew: the same engine in many processes and on many machines, by Dask distributed."""
