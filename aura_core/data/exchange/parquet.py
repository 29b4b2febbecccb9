"""Parquet: tables of rows, with the files beside them.

    DIR/data/train-00000.parquet    the columns of `rows.Row`
    DIR/media/                      clips and pictures, as the column `media` names them
    DIR/README.md                   tells Hugging Face `datasets` where the tables are

`datasets.load_dataset(DIR)` opens it, and so does everything else that reads Parquet.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from aura_core.data.exchange.rows import Row
from aura_core.data.store import write
from aura_core.errors import InputError, ModelError, one_line
from aura_core.extras import how_to_install

ROWS = 10_000  # of a file
_CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.parquet
---
Samples of aura_ros. The column `record` is a sample as its line of JSON; `media` are its files.
"""


def pyarrow() -> Any:
    """Return the module with its `parquet`. Raises `ModelError` where it is not installed."""
    try:
        import pyarrow as module
        import pyarrow.parquet
    except ImportError as e:
        raise ModelError(f"pyarrow is not installed: {how_to_install('exchange')}") from e
    return module


def write_rows(rows: Iterable[Row], out: Path, size: int = ROWS) -> int:
    """Write the tables and the card, and return the number of rows.

    Raises `InputError`, and `ModelError` without pyarrow.
    """
    pa = pyarrow()
    types = {int: pa.int64(), str: pa.string()}
    names = [f.name for f in dataclasses.fields(Row)]
    hints = {n: types.get({"first": int, "stop": int, "answers": int}.get(n, str)) for n in names}
    schema = pa.schema([(n, pa.list_(pa.string()) if n == "media" else hints[n]) for n in names])
    folder = out / "data"
    folder.mkdir(parents=True, exist_ok=True)
    waiting: list[dict[str, Any]] = []
    written = total = 0

    def flush() -> None:
        nonlocal written
        table = pa.Table.from_pylist(waiting, schema)
        path = folder / f"train-{written:05d}.parquet"
        try:
            pa.parquet.write_table(table, path, compression="zstd")
        except OSError as e:
            raise InputError(f"{path}: cannot be written: {one_line(e)}") from e
        written += 1
        waiting.clear()

    for row in rows:
        waiting.append(dataclasses.asdict(row) | {"media": list(row.media)})
        total += 1
        if len(waiting) == size:
            flush()
    if waiting or not written:
        flush()
    write(out / "README.md", _CARD.encode())
    return total


def read_records(place: Path) -> Iterator[tuple[str, str]]:
    """Yield the records of a folder that `write_rows` made, each with file and row.

    Raises `InputError` for a table that cannot be read or has no records.
    """
    pa = pyarrow()
    found = sorted((place / "data").glob("*.parquet"))
    if not found:
        raise InputError(f"{place}: no data/*.parquet there")
    for path in found:
        try:
            file = pa.parquet.ParquetFile(path)
            if "record" not in file.schema_arrow.names:
                raise InputError(f"{path}: the column 'record' is missing: not an export of ours")
            number = 0
            for batch in file.iter_batches(columns=["record"]):
                for record in batch.column(0).to_pylist():
                    number += 1
                    yield f"{path}: row {number}", record
        except (OSError, pa.ArrowException) as e:
            raise InputError(f"{path}: cannot be read: {one_line(e)}") from e
