"""The parts of `scripts/bench`: blobmove and rclone moving the same objects between the same two servers."""
