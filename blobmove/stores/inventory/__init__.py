"""The inventory door: an S3 Inventory report, a folder of one, or a file of keys, as rows."""
