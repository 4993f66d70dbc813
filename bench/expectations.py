"""Twenty expectations on a million rows: this product beside its peers, in one run.

    nice python bench/expectations.py            # 1,000,000 rows
    nice python bench/expectations.py 100000     # fewer

Each contestant gets the same Arrow table in a process of its own, finds the same facts (which
expectations fail, and the key of every failing row, where it can), and is measured by CPU seconds
(the best of three, so that a busy machine disturbs little) and by the peak of memory above the
table, in copies of the table. Work that is the same for all (imports, reading the suite) is done
before, on a small table.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

COUNTRIES = ["DE", "FR", "US", "GB", "AT", "CH"]
STATUSES = ["draft", "open", "paid", "void"]
EMAIL = r"^[a-z0-9.]+@[a-z0-9]+\.[a-z]+$"
KEY = "id"


def made_table(rows: int) -> pa.Table:
    """Fifteen columns of an invoice export, with about one wrong cell in a hundred."""
    rng = np.random.default_rng(7)
    ids = np.arange(rows)

    def holes(values: Any, share: float = 0.01) -> pa.Array:
        return pa.array(values, mask=rng.random(rows) < share)

    seconds = rng.integers(1_600_000_000, 1_700_000_000, rows)
    emails = np.char.add(np.char.add("user", (ids % 50_000).astype(str)), "@example.com")
    emails[rng.random(rows) < 0.01] = "nobody"
    return pa.table(
        {
            "id": ids,
            "email": holes(emails),
            "name": np.char.add("Customer ", (ids % 9_000).astype(str)),
            "country": rng.choice([*COUNTRIES, "XX"], rows, p=[*[0.165] * 6, 0.01]),
            "status": rng.choice(STATUSES, rows),
            "amount_due": holes(rng.integers(0, 5_050_000, rows), 0.05),
            "amount_paid": rng.integers(0, 5_000_000, rows),
            "tax_rate": rng.choice([0.0, 0.07, 0.19], rows),
            "score": holes(rng.normal(50, 10, rows), 0.02),
            "discount": holes(rng.random(rows), 0.3),
            "created_at": pa.array(seconds * 1_000_000).cast(pa.timestamp("us", "UTC")),
            "updated_at": pa.array((seconds + 1) * 1_000_000).cast(pa.timestamp("us", "UTC")),
            "vip": rng.random(rows) < 0.1,
            "external_ref": np.char.add(
                "R-", np.where(rng.random(rows) < 0.01, 0, ids).astype(str)
            ),
            "note": holes(np.char.add("note ", (ids % 777).astype(str)), 0.05),
        }
    )


def _e(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs}


def _null(column: str, **kwargs: Any) -> dict[str, Any]:
    return _e("column_values_to_not_be_null", column=column, **kwargs)


def _between(column: str, low: Any, high: Any, **kwargs: Any) -> dict[str, Any]:
    bounds = {"min_value": low, "max_value": high}
    return _e("column_values_to_be_between", column=column, **bounds, **kwargs)


SUITE: list[dict[str, Any]] = [
    _null("id"),
    _null("email"),
    _null("note", mostly=0.9),
    _null("amount_due", mostly=0.9),
    _e("column_values_to_be_unique", column="id"),
    _e("column_values_to_be_unique", column="external_ref"),
    _e("column_values_to_match_regex", column="email", regex=EMAIL, mostly=0.95),
    _e("column_values_to_be_in_set", column="country", value_set=COUNTRIES),
    _e("column_values_to_be_in_set", column="status", value_set=STATUSES),
    _between("amount_due", 0, 5_000_000),
    _between("amount_paid", 0, 5_000_000),
    _between("tax_rate", 0, 0.2),
    _between("score", 20, 80),
    _between("discount", 0, 1),
    _e("column_value_lengths_to_be_between", column="name", min_value=10, max_value=13),
    _between("created_at", "2020-09-14T00:00:00+00:00", "2030-01-01T00:00:00+00:00"),
    _e("column_mean_to_be_between", column="score", min_value=45, max_value=55),
    _e("column_stdev_to_be_between", column="score", min_value=5, max_value=15),
    _e("column_max_to_be_between", column="amount_paid", min_value=1, max_value=5_000_000),
    _e("table_row_count_to_be_between", min_value=100, max_value=5_000_000),
]


def ours() -> Callable[[pa.Table], int]:
    from wfops_pipelines.checks.gx import run_suite
    from wfops_pipelines.checks.suite import read_suite

    path = Path(tempfile.mkdtemp()) / "invoices.json"
    path.write_text(json.dumps({"name": "invoices", "expectations": SUITE}))
    suite = read_suite(path)

    def run(table: pa.Table) -> int:
        results = run_suite(suite, table, key=KEY)
        assert not [r.error for r in results if r.error]
        return sum(len(r.failed_keys) for r in results)

    return run


def great_expectations(result_format: dict[str, Any]) -> Callable[[pa.Table], int]:
    import great_expectations as gx

    def run(table: pa.Table) -> int:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        source = context.data_sources.add_pandas("source")
        batch = source.add_dataframe_asset("asset").add_batch_definition_whole_dataframe("all")
        suite = gx.ExpectationSuite(name="invoices", expectations=SUITE)
        got = batch.get_batch({"dataframe": table.to_pandas()}).validate(
            suite, result_format=result_format
        )
        assert not [r for r in got.results if r.exception_info.get("raised_exception")]
        return sum(len(r.result.get("unexpected_index_list") or []) for r in got.results)

    return run


def gx_summary() -> Callable[[pa.Table], int]:
    return great_expectations({"result_format": "SUMMARY"})


def gx_complete() -> Callable[[pa.Table], int]:
    return great_expectations({"result_format": "COMPLETE", "unexpected_index_column_names": [KEY]})


def by_pandas() -> Callable[[pa.Table], int]:
    """What an engineer writes by hand: a mask for each fact, then the keys of the failing rows."""
    import pandas as pd

    low, high = pd.Timestamp("2020-09-14", tz="UTC"), pd.Timestamp("2030-01-01", tz="UTC")

    def run(table: pa.Table) -> int:
        df = table.to_pandas()

        def outside(column: str, low: Any, high: Any) -> Any:
            values = df[column]
            return values.notna() & ~values.between(low, high)

        masks = [
            df["id"].isna(),
            df["email"].isna(),
            df["note"].isna(),
            df["amount_due"].isna(),
            df["id"].duplicated(keep=False),
            df["external_ref"].duplicated(keep=False),
            df["email"].notna() & ~df["email"].str.contains(EMAIL, na=False),
            df["country"].notna() & ~df["country"].isin(COUNTRIES),
            df["status"].notna() & ~df["status"].isin(STATUSES),
            outside("amount_due", 0, 5_000_000),
            outside("amount_paid", 0, 5_000_000),
            outside("tax_rate", 0, 0.2),
            outside("score", 20, 80),
            outside("discount", 0, 1),
            df["name"].notna() & ~df["name"].str.len().between(10, 13),
            outside("created_at", low, high),
        ]
        keys = [df.loc[mask, KEY].astype(str).tolist() for mask in masks]
        facts = (df["score"].mean(), df["score"].std(), df["amount_paid"].max(), len(df))
        assert all(fact is not None for fact in facts)
        return sum(map(len, keys))

    return run


def by_polars() -> Callable[[pa.Table], int]:
    from datetime import UTC, datetime

    import polars as pl

    low, high = datetime(2020, 9, 14, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    c = pl.col
    masks = [
        c("id").is_null(),
        c("email").is_null(),
        c("note").is_null(),
        c("amount_due").is_null(),
        c("id").is_duplicated(),
        c("external_ref").is_duplicated(),
        ~c("email").str.contains(EMAIL),
        ~c("country").is_in(COUNTRIES),
        ~c("status").is_in(STATUSES),
        ~c("amount_due").is_between(0, 5_000_000),
        ~c("amount_paid").is_between(0, 5_000_000),
        ~c("tax_rate").is_between(0, 0.2),
        ~c("score").is_between(20, 80),
        ~c("discount").is_between(0, 1),
        ~c("name").str.len_chars().is_between(10, 13),
        ~c("created_at").is_between(low, high),
    ]

    def run(table: pa.Table) -> int:
        df = pl.from_arrow(table)
        assert isinstance(df, pl.DataFrame)
        keys = [df.filter(mask)[KEY].cast(pl.String).to_list() for mask in masks]
        df.select(c("score").mean(), c("score").std().alias("s"), c("amount_paid").max())
        return sum(map(len, keys))

    return run


def by_pandera() -> Callable[[pa.Table], int]:
    import pandas as pd
    import pandera.pandas as pandera

    low, high = pd.Timestamp("2020-09-14", tz="UTC"), pd.Timestamp("2030-01-01", tz="UTC")
    check, column = pandera.Check, pandera.Column
    schema = pandera.DataFrameSchema(
        {
            "id": column(unique=True),
            "email": column(checks=[check.str_matches(EMAIL)]),
            "note": column(),
            "amount_due": column(checks=[check.between(0, 5_000_000)]),
            "external_ref": column(unique=True),
            "country": column(checks=[check.isin(COUNTRIES)]),
            "status": column(checks=[check.isin(STATUSES)]),
            "amount_paid": column(
                checks=[check.between(0, 5_000_000), check(lambda s: s.max() >= 1)]
            ),
            "tax_rate": column(checks=[check.between(0, 0.2)]),
            "score": column(
                nullable=True,
                checks=[
                    check.between(20, 80),
                    check(lambda s: 45 <= s.mean() <= 55),
                    check(lambda s: 5 <= s.std() <= 15),
                ],
            ),
            "discount": column(nullable=True, checks=[check.between(0, 1)]),
            "name": column(checks=[check.str_length(10, 13)]),
            "created_at": column(checks=[check.between(low, high)]),
        }
    )

    def run(table: pa.Table) -> int:
        df = table.to_pandas()
        try:
            schema.validate(df, lazy=True)
        except pandera.errors.SchemaErrors as errors:
            positions = errors.failure_cases["index"].dropna().astype(int)
            return len(df[KEY].iloc[positions].astype(str).tolist())
        return 0

    return run


CONTESTANTS: dict[str, tuple[str, Callable[[], Callable[[pa.Table], int]]]] = {
    "pandas": ("pandas, by hand", by_pandas),
    "ours": ("this product", ours),
    "polars": ("polars, by hand", by_polars),
    "pandera": ("pandera, lazy", by_pandera),
    "gx_summary": ("Great Expectations, default", gx_summary),
    "gx_complete": ("Great Expectations, with row keys", gx_complete),
}


def measured(name: str, rows: int) -> dict[str, Any]:
    """CPU seconds, wall seconds and peak copies of one contestant, in this process."""
    warnings.simplefilter("ignore")
    run = CONTESTANTS[name][1]()
    run(made_table(1_000))
    table = made_table(rows)
    cpu, wall, peaks, found = [], [], [], 0
    for _ in range(3):
        before = _reset_peak()
        started, clock = time.process_time(), time.perf_counter()
        found = run(table)
        cpu.append(time.process_time() - started)
        wall.append(time.perf_counter() - clock)
        peaks.append((_memory("VmHWM") - before) / table.nbytes)
    return {"cpu": min(cpu), "wall": min(wall), "copies": peaks[0], "found": found}


def _reset_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(field: str) -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(field)) * 1024


def main(rows: int) -> None:
    """Measure every contestant in a process of its own and print the table."""
    results = {}
    for name in CONTESTANTS:
        command = [sys.executable, __file__, str(rows), name]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        results[name] = json.loads(out.splitlines()[-1])
    base = results["pandas"]["cpu"]
    print(f"{rows:,} rows, 15 columns, {len(SUITE)} expectations\n")
    print("| | CPU s | × pandas | wall s | peak, copies of the table | row keys found |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, r in results.items():
        print(
            f"| {CONTESTANTS[name][0]} | {r['cpu']:.2f} | {r['cpu'] / base:.2f} | {r['wall']:.2f} "
            f"| {r['copies']:.1f} | {r['found']:,} |"
        )


if __name__ == "__main__":
    arguments = sys.argv[1:]
    row_count = int(arguments[0]) if arguments else 1_000_000
    if len(arguments) > 1:
        print(json.dumps(measured(arguments[1], row_count)))
    else:
        main(row_count)
