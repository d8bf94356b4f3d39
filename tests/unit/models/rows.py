"""Rows of features for tests: what is not given is unknown."""

from models.feature import Row, Value
from models.features import CATALOGUE, POSITIONS


def row_with(**values: Value) -> Row:
    row: Row = [None] * len(CATALOGUE)
    for name, value in values.items():
        row[POSITIONS[name]] = value
    return row
