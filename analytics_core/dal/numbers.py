"""PostgreSQL's `numeric`, which sums become, as a plain number."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from psycopg.abc import Buffer
from psycopg.adapt import Loader


class _PlainNumber(Loader):
    """An int where the value is whole, else a float."""

    def load(self, data: Buffer) -> int | float:
        spelled = bytes(data)
        if spelled.isdigit():
            # Nearly all are, and a Decimal takes three times as long.
            return int(spelled)
        value = Decimal(spelled.decode())
        return int(value) if value == value.to_integral_value() else float(value)


def load_plain_numbers(connection: Any, _record: Any) -> None:
    """Have a new connection of the driver answer with plain numbers."""
    connection.adapters.register_loader("numeric", _PlainNumber)
