"""The sync's function reads the source's pages: what it makes of them, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.progress import Progress
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.errors import SchemaRefused
from wfops_pipelines.staging import telling
from wfops_pipelines.store.mixed import sliced
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa


def told_in_parts(
    sync: Sync, pages: Iterable[Any], held: Mapping[str, str] | None, at_once: int
) -> Iterator[telling.Told]:
    """What the sync's function makes of the pages, as tables of at most `at_once` rows.

    Raises SchemaRefused where the function cannot read a page, or where a declared column is none.
    """
    loose: list[Mapping[str, Any]] = []
    names: Iterable[str] = ()
    told = sync.deleted is None or DELETED in (held or {})
    progress = Progress(sync.name, "read")
    for page in pages:
        found = _read(sync, page)
        progress.step(len(found))
        names = names or _names(found)
        told = told or _tells(sync, found)
        typed = _is_table(found)
        loose.extend(() if typed else found)
        if len(loose) >= at_once or (loose and typed):  # what is told last counts
            yield from _few(telling.of_rows(sync, loose, held), at_once)
            loose = []
        if typed:
            for few, _ in _few((found, {}), at_once):
                yield telling.of_table(sync, few, held)
    if loose:
        yield from _few(telling.of_rows(sync, loose, held), at_once)
    if names and not told:
        raise SchemaRefused(
            f"{sync.name}: deleted={sync.deleted!r} names a column that no row has, so no "
            "deletion would ever be seen. Name the column that says that a row is gone (there are "
            f"{', '.join(names)}), or let the function return it for each row, null where it lives."
        )


def _few(told: telling.Told, at_once: int) -> Iterator[telling.Told]:
    table, mixed = told
    for at in range(0, max(table.num_rows, 1), at_once):
        yield table.slice(at, at_once), sliced(mixed, at, at_once)


def _names(found: Any) -> Iterable[str]:
    """The columns of a page, by its first row."""
    if _is_table(found):
        return [*found.column_names] if found.num_rows else ()
    return [*found[0]] if found else ()


def _tells(sync: Sync, found: Any) -> bool:
    """Whether a page says of any row whether it is gone."""
    if _is_table(found):
        return sync.deleted in found.column_names
    return any(sync.deleted in row for row in found)


def _read(sync: Sync, page: Any) -> Sequence[Mapping[str, Any]] | pa.Table:
    try:
        found = sync.rows(page)
        return found if _is_table(found) else list(found)
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise SchemaRefused(
            f"{sync.name}: the function could not read {_which(sync, page)}a page of {len(page)} "
            f"records ({said}). The API's answer changed, or the function must learn this case."
        ) from error


def _which(sync: Sync, page: Any) -> str:
    """Names the first record that the function cannot read alone; "" where there is none."""
    for at, record in enumerate(page if isinstance(page, list) else ()):
        try:
            list(sync.rows([record]))
        except Exception:
            named = isinstance(record, Mapping) and sync.key not in sync.policy.masked
            key = record.get(sync.key) if named else None
            return f"record {at + 1}{'' if key is None else f' ({sync.key} {key})'} of "
    return ""


def _is_table(found: Any) -> bool:
    import pyarrow as pa

    return isinstance(found, pa.Table)
