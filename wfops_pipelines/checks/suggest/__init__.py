"""Propose expectations from published history, as a diff that a person accepts or not."""

from wfops_pipelines.checks.suggest.amend import amended, entries_of
from wfops_pipelines.checks.suggest.trial import Trial, enough, tried

__all__ = ["Trial", "amended", "enough", "entries_of", "tried"]
