"""A sandbox SaaS for the demo and the tests: a CRM, a billing and a support API on loopback.

It behaves like three real vendors (paging, tokens, update windows, months of believable history)
and misbehaves on request. All people, companies and addresses in it are invented.
"""

from wfops_pipelines.sandbox.client import SandboxClient, SandboxRefused
from wfops_pipelines.sandbox.running import (
    NOW,
    SEED,
    Sandbox,
    ready_url,
    sandbox_process,
    sandbox_thread,
    start_process,
)

__all__ = [
    "NOW",
    "SEED",
    "Sandbox",
    "SandboxClient",
    "SandboxRefused",
    "ready_url",
    "sandbox_process",
    "sandbox_thread",
    "start_process",
]
