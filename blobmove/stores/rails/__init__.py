"""The Rails door: active_storage_blobs in MySQL, PostgreSQL or SQLite."""
