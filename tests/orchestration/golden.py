"""What `wfops_pipelines.definitions` declares, as plain JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("definitions.json")


def loaded() -> dict[str, Any]:
    from wfops_pipelines.definitions import defs

    repository = defs.get_repository_def()
    graph = repository.asset_graph
    return {
        "assets": {
            key.to_user_string(): {
                "group": graph.get(key).group_name,
                "owners": sorted(graph.get(key).owners),
                "upstream": sorted(k.to_user_string() for k in graph.get(key).parent_keys),
            }
            for key in sorted(graph.get_all_asset_keys())
        },
        "checks": {
            f"{key.asset_key.to_user_string()}:{key.name}": graph.get(key).description
            for key in sorted(graph.asset_check_keys, key=str)
        },
        "jobs": sorted(repository.job_names),
        "schedules": {s.name: str(s.cron_schedule) for s in repository.schedule_defs},
        "sensors": {s.name: s.default_status.value for s in repository.sensor_defs},
    }


def main() -> None:
    FILE.write_text(json.dumps(loaded(), indent=2, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
