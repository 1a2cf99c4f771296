"""Rules tried on a recording: what would have been raised, and what would not."""
