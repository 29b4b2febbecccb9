"""Annotations that are published as Parquet tables, with the videos in them.

`datasets` of Hugging Face writes a split as SPLIT-00000-of-00001.parquet, and a file in it as a
struct of `bytes` and `path`. Here the fields are read without the bytes. A video is written beside
the table when its item is played for the first time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aura_core.data.exchange.parquet import pyarrow
from aura_core.errors import InputError, one_line

VIDEO = "video"
PLACES = ("{}-*.parquet", "data/{}-*.parquet", "{}/*.parquet", "data/{}/*.parquet")
"""Where the tables of a split are below a folder: one file or several."""


@dataclass(frozen=True)
class Packed:
    """A video in a table: row `row` (from 0) of the file `table`."""

    table: Path
    row: int

    def write(self, place: Path) -> None:
        """Write the video to `place`, whole or not at all. Raises `InputError`, `ModelError`."""
        data = _bytes(self.table, self.row)
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            part.replace(place)
        except OSError as e:
            part.unlink(missing_ok=True)
            raise InputError(f"{place}: the video cannot be written: {one_line(e)}") from e


def tables(data: Path, split: str) -> list[Path]:
    """Return the tables of a split, in order; none if the folder has none."""
    found = (sorted(data.glob(place.format(split))) for place in PLACES)
    return next((files for files in found if files), [])


def rows(table: Path, fields: Sequence[str]) -> list[dict[str, Any]]:
    """Return those of the fields that a table has, row by row, and `video`: the name of its file,
    or None.

    Raises `InputError` for a table that cannot be read or has no video, and `ModelError` without
    pyarrow.
    """
    pa = pyarrow()
    try:
        file = pa.parquet.ParquetFile(table)
        schema = file.schema_arrow
        if VIDEO not in schema.names:
            raise InputError(
                f"{table}: the column '{VIDEO}' is missing: not a table of the authors"
            )
        columns = [name for name in fields if name in schema.names and name != VIDEO]
        kind = schema.field(VIDEO).type
        named = not pa.types.is_struct(kind) or kind.get_field_index("path") >= 0
        if pa.types.is_struct(kind):
            columns += [f"{VIDEO}.path"] if named else []
        elif not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            columns.append(VIDEO)
        found = file.read(columns=columns).to_pylist()
    except (OSError, pa.ArrowException) as e:
        raise InputError(f"{table}: cannot be read as a table: {one_line(e)}") from e
    for row in found:
        value = row.get(VIDEO)
        path = value.get("path") if isinstance(value, dict) else value
        row[VIDEO] = Path(path).name if isinstance(path, str) and path else None
    return found


def _bytes(table: Path, row: int) -> bytes:
    """Return the bytes of a video."""
    pa = pyarrow()
    try:
        file = pa.parquet.ParquetFile(table)
        first = 0
        for group in range(file.num_row_groups):
            n = file.metadata.row_group(group).num_rows
            if row < first + n:
                # one row at a time, because a group of videos may be larger than the memory
                batches = file.iter_batches(1, row_groups=[group], columns=[VIDEO])
                for k, batch in enumerate(batches, first):
                    if k == row:
                        return _of(batch.column(0).to_pylist()[0], table, row)
            first += n
    except (OSError, pa.ArrowException) as e:
        raise InputError(f"{table}: row {row} cannot be read: {one_line(e)}") from e
    raise InputError(f"{table}: there is no row {row}; was the file changed?")


def _of(value: Any, table: Path, row: int) -> bytes:
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes) or not data:
        raise InputError(f"{table}: row {row} has no video in it, only the name of one")
    return data
