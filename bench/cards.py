"""Made card payments, to choose numbers on and to measure on what nobody has looked at.

The rules are those that the Fraud Detection Handbook publishes for its own payments (Le Borgne, Siblini,
Lebichot and Bontempi, 2022, chapter 3); code and random streams are ours, so no row equals one of theirs.
"""

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

SIDE, REACH = 100.0, 5.0
"""Customers and terminals lie in a square; a customer pays at terminals within reach."""
TERMINALS_PER_CUSTOMER = 2
AMOUNT_SUSPECT = 220.0
"""Every payment above it is fraud: the first scenario, easy to see, there to check a detector."""
TERMINAL_DAYS, TERMINALS_PER_DAY = 28, 2 / 10_000
"""How long a terminal stays with fraudsters, and the share of terminals that fall to them each day."""
CARD_DAYS, CARDS_PER_DAY = 14, 3 / 5_000
"""The same of cards."""
STOLEN_SHARE, STOLEN_FACTOR = 1 / 3, 5.0
"""Share of a stolen card's payments that is fraud, and by how much their amounts grow."""
DAY_SECONDS = 86_400

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]


def made_cards(seed: int, *, customers: int, days: int, first_day: datetime) -> pl.DataFrame:
    """One row per payment in time order, with the handbook's columns; the same seed gives the same rows."""
    random = np.random.default_rng(seed)
    customer, second = _payments(random, customers, days)
    day = second // DAY_SECONDS
    terminals = customers * TERMINALS_PER_CUSTOMER
    terminal = _terminals(random, customers, terminals, customer)
    amount = _amounts(random, customers, customer)
    fraud = amount > AMOUNT_SUSPECT
    fraud |= _fallen(random, terminals, TERMINALS_PER_DAY, TERMINAL_DAYS, days)[terminal, day]
    stolen = _fallen(random, customers, CARDS_PER_DAY, CARD_DAYS, days)[customer, day]
    stolen &= random.random(len(day)) < STOLEN_SHARE
    amount[stolen] *= STOLEN_FACTOR
    return pl.DataFrame(
        {
            "TRANSACTION_ID": np.arange(len(day)),
            "TX_DATETIME": np.datetime64(first_day.replace(tzinfo=None), "us")
            + second.astype("timedelta64[s]"),
            "CUSTOMER_ID": customer,
            "TERMINAL_ID": terminal,
            "TX_AMOUNT": np.round(amount, 2),
            "TX_FRAUD": (fraud | stolen).astype(np.int64),
        }
    )


def _payments(random: np.random.Generator, customers: int, days: int) -> tuple[Integers, Integers]:
    """Customer and second of each payment in time order: up to 4 a day on average, mostly around noon."""
    counts = random.poisson(np.repeat(random.uniform(0, 4, customers), days))
    customer, day = np.divmod(np.repeat(np.arange(customers * days), counts), days)
    of_day = random.normal(DAY_SECONDS / 2, 20_000, len(day)).astype(np.int64)
    within = (of_day > 0) & (of_day < DAY_SECONDS)
    second = (day * DAY_SECONDS + of_day)[within]
    order = np.argsort(second, kind="stable")
    return customer[within][order], second[order]


def _terminals(random: np.random.Generator, customers: int, terminals: int, customer: Integers) -> Integers:
    """Of each payment: any within the customer's reach, else the nearest."""
    homes, places = random.uniform(0, SIDE, (customers, 2)), random.uniform(0, SIDE, (terminals, 2))
    terminal = np.zeros(len(customer), np.int64)
    order = np.argsort(customer, kind="stable")
    bounds = np.searchsorted(customer[order], np.arange(customers + 1))
    for one in range(customers):
        distances = np.hypot(*(places - homes[one]).T)
        near = np.flatnonzero(distances < REACH)
        near = near if len(near) else np.array([distances.argmin()])
        own = order[bounds[one] : bounds[one + 1]]
        terminal[own] = near[random.integers(0, len(near), len(own))]
    return terminal


def _amounts(random: np.random.Generator, customers: int, customer: Integers) -> Numbers:
    """Normal around the customer's own mean of 5 to 100, with half of it as deviation, never negative."""
    mean = random.uniform(5, 100, customers)[customer]
    amount = random.normal(mean, mean / 2)
    return np.where(amount < 0, random.uniform(0, 2 * mean), amount)


def _fallen(random: np.random.Generator, count: int, per_day: float, stays: int, days: int) -> Any:
    """Entities × days: whether fraudsters have the entity in their hands."""
    fallen = np.zeros((count, days), bool)
    for day in range(days):
        taken = random.choice(count, random.poisson(count * per_day), replace=False)
        fallen[taken, day : day + stays] = True
    return fallen
