"""Whether two outputs are the same: nobody is measured at a job that he does not do."""

import csv
import math
from itertools import zip_longest

from .run import Broken

TOLERANCE = 1e-9


def same_rows(first, second, *, headers=True, dialect="excel"):
    """The same rows in the same order; equal numbers may be written differently, null is empty or NULL."""
    with open(first, newline="") as one, open(second, newline="") as other:
        rows = zip_longest(csv.reader(one), csv.reader(other, dialect))
        if headers:
            next(rows, None)
        for number, (mine, yours) in enumerate(rows, start=1):
            if mine is None or yours is None:
                raise Broken(f"one ends before row {number}")
            if mine != yours and (len(mine) != len(yours) or not all(map(same_cell, mine, yours))):
                raise Broken(f"row {number}: {mine} is {yours}")


def same_cell(mine, yours):
    if mine == yours or (mine == "" and yours == "NULL"):
        return True
    try:
        return math.isclose(float(mine), float(yours), rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    except ValueError:
        return False


class Batch(csv.Dialect):
    """What `mariadb --batch` writes."""

    delimiter = "\t"
    quoting = csv.QUOTE_NONE
    escapechar = "\\"
    lineterminator = "\n"
