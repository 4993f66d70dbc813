"""The commands of `wfops` that have commands of their own, and what all of them share."""
