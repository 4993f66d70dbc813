"""Loopback ports."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from wfops_pipelines.dev.errors import PortInUse
from wfops_pipelines.dev.ports import free_port, require_port


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which this very process listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_free_port_is_given_as_asked() -> None:
    port = free_port()
    assert (free_port(port), require_port(port)) == (port, port)


def test_a_taken_port_is_replaced_by_a_free_one(taken: int) -> None:
    assert free_port(taken) not in (taken, 0)


def test_a_required_port_that_is_taken_names_its_holder(taken: int) -> None:
    with pytest.raises(PortInUse, match=rf"port {taken} .* by process {os.getpid()} \(.*py"):
        require_port(taken)
