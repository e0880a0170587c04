"""The Azure door: writing, reading and listing blobs."""
