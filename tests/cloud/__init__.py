"""A simulated S3 and Azure Blob Storage on real sockets, one process, written to the vendors' documentation."""
