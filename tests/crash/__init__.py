"""What a crash must not do, shown by force: every command killed at moments chosen by chance, then run again."""
