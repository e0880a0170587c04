"""Moves a Rails company's files from S3 to Azure Blob: planned, proven, resumable, reversible."""

__version__ = "0.1.0"
