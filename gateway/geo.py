"""Which country an address or a card range belongs to, from offline CSV tables; unknown stays None.

The shipped tables hold only ranges that standards reserve for documentation and tests, with invented
countries: they make tests and demo work and say nothing of the real world. Real ones are given by path, in
the same form: `first,last,country` with IP addresses, or with card prefixes of six digits.
"""

import csv
from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

from gateway.errors import TableError

SHIPPED = Path(__file__).with_name("ranges")


class _Range(NamedTuple):
    first: int
    last: int
    country: str


class CountryRanges:
    """Sorted ranges that do not overlap; a look-up is one bisection."""

    def __init__(self, ranges: Iterable[tuple[int, int, str]]) -> None:
        self._ranges = sorted(_Range(*one) for one in ranges)
        self._firsts = [one.first for one in self._ranges]

    def country(self, number: int) -> str | None:
        """The country of the range that holds the number, None where none does."""
        place = bisect_right(self._firsts, number) - 1
        if place < 0 or number > self._ranges[place].last:
            return None
        return self._ranges[place].country


class Geography:
    """Countries of IP addresses and card prefixes (BIN, first six digits)."""

    def __init__(self, addresses: Path | None = None, bins: Path | None = None) -> None:
        self._v4, self._v6 = _read_addresses(addresses or SHIPPED / "addresses.csv")
        self._bins = _read_bins(bins or SHIPPED / "bins.csv")

    def ip_country(self, address: IPv4Address | IPv6Address) -> str | None:
        """The country of an address; one that maps IPv4 into IPv6 counts as IPv4."""
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        table = self._v4 if isinstance(address, IPv4Address) else self._v6
        return table.country(int(address))

    def card_country(self, bin_: str) -> str | None:
        """The country of a card by its first six digits."""
        return self._bins.country(int(bin_[:6])) if bin_[:6].isdecimal() else None


def _rows(path: Path) -> list[tuple[str, str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if row and not row[0].startswith("#")]
        return [(first.strip(), last.strip(), country.strip()) for first, last, country in rows]
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: give lines of first,last,country ({type(error).__name__})") from None


def _read_addresses(path: Path) -> tuple[CountryRanges, CountryRanges]:
    tables: dict[int, list[tuple[int, int, str]]] = {4: [], 6: []}
    for first, last, country in _rows(path):
        try:
            low, high = ip_address(first), ip_address(last)
        except ValueError:
            raise TableError(f"{path}: {first},{last} is not a range of IP addresses") from None
        tables[low.version].append((int(low), int(high), country))
    return CountryRanges(tables[4]), CountryRanges(tables[6])


def _read_bins(path: Path) -> CountryRanges:
    try:
        return CountryRanges((int(first), int(last), country) for first, last, country in _rows(path))
    except ValueError:
        raise TableError(f"{path}: card prefixes are numbers of six digits") from None
