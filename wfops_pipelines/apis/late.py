"""An answer that was not whole in time, and how to find that out behind other errors."""

from __future__ import annotations

from wfops_pipelines.apis.behind import behind


class Expired(TimeoutError):
    """An answer was not whole after so many `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"not whole after {seconds:g} s")
        self.seconds = seconds

    @property
    def words(self) -> str:
        """What happened, and what it has to do with the setting."""
        return (
            f"did not send its whole answer within {self.seconds:g} s (deadline={self.seconds:g})"
        )


def expired(error: BaseException | None) -> Expired | None:
    """The deadline that is behind an error of requests or urllib3, if it was one."""
    return next((one for one in behind(error) if isinstance(one, Expired)), None)
