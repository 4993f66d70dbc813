"""Who may do what: the reviewer groups and roles of a project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from wfops_pipelines.errors import NotAllowed


class Role(Enum):
    """What a person may do beside deciding for the groups they are a member of."""

    ENGINEER = "engineer"  # launch syncs, switch schedules and sensors, reload code
    OVERRIDE = "override"  # approve despite a failed critical check, break the glass
    ADMIN = "admin"  # pause and resume, and whatever Dagster itself lets anyone do


@dataclass(frozen=True, slots=True)
class People:
    """Members by reviewer group, and holders by role."""

    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    roles: Mapping[Role, frozenset[str]] = field(default_factory=dict)

    def members(self, group: str) -> frozenset[str]:
        return self.groups.get(group, frozenset())

    def groups_of(self, name: str) -> frozenset[str]:
        return frozenset(g for g, members in self.groups.items() if name in members)

    def has(self, name: str, role: Role) -> bool:
        return name in self.roles.get(role, frozenset())

    def require(self, name: str, role: Role, act: str) -> None:
        """Raises NotAllowed unless `name` holds `role`, which `act` needs."""
        if not self.has(name, role):
            raise NotAllowed(
                f"you may not: {act} needs the role {role.value!r}, which {name} does not hold. "
                f"An owner of the project adds names below roles.{role.value} in reviewers.yaml."
            )
