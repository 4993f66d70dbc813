"""The fixtures of this folder; what they are made of is in `scripted.py`."""

from tests.sources.scripted import read, running, sandbox, server

__all__ = ["read", "running", "sandbox", "server"]
