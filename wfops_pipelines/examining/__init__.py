"""What a snapshot is judged by: every examiner, what they measure against, and their findings."""
