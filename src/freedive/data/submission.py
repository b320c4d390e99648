"""A file of predicted numbers, as competitions want it (section 5.7)."""

import csv
import io
import math
from collections.abc import Sequence

from freedive.core.errors import FreediveError


def submission_text(id_name: str, target: str, ids: Sequence[str], values: Sequence[float]) -> str:
    """A CSV text of two columns, a row for each id, checked before it is given away.

    Raises:
        FreediveError: it would not be accepted; says why.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((id_name, target))
    writer.writerows((row, f"{value:.8g}") for row, value in zip(ids, values, strict=True))
    check_submission(text.getvalue(), id_name, target, ids)
    return text.getvalue()


def check_submission(text: str, id_name: str, target: str, ids: Sequence[str]) -> None:
    """Read a submission as its judge would.

    Args:
        text: the file's content.
        id_name: how its first column is to be called.
        target: how its second column is to be called.
        ids: of the rows to predict, in their order.

    Raises:
        FreediveError: another header, number or order of rows, or a value that is no finite
            number above 0.
    """
    header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    if header != [id_name, target]:
        raise FreediveError(
            f"a submission wants the header {id_name},{target}, got {','.join(header)}"
        )
    if len(rows) != len(ids):
        raise FreediveError(f"a submission wants {len(ids):,} rows, got {len(rows):,}")
    for number, (row, wanted) in enumerate(zip(rows, ids, strict=True), start=1):
        if len(row) != 2 or row[0] != wanted:
            raise FreediveError(
                f"row {number} of a submission wants the id {wanted!r}, got {','.join(row)!r}"
            )
        try:
            value = float(row[1])
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            raise FreediveError(
                f"row {number} of a submission (id {wanted}) wants a finite number above 0, "
                f"got {row[1]!r}: train the model again"
            )
