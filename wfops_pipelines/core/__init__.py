"""The pure core: standard library only; time and ids are arguments."""
