"""Where every extracted row is, by count and by key."""
