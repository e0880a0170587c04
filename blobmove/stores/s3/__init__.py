"""The S3 door: reading objects, listing a bucket, finding credentials."""
