"""An answer that was not whole in time, and how to find that out behind other errors."""

from __future__ import annotations


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
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Expired):
            return one
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return None
