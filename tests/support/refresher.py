"""A process that refreshes the rollups of a database over and over, whatever happens to it."""

from __future__ import annotations

import select
import sys
import time
from datetime import UTC, datetime

from analytics_core.dal.database import Database
from analytics_core.errors import DatabaseUnavailable
from tests.support.rollups import refresh

# Everybody's rows are soon worth adding up.
WORTH = 20


def main(url: str) -> None:
    database = Database(url)
    while not select.select([sys.stdin], [], [], 0)[0]:
        try:
            refresh(database, worth=WORTH, now=datetime.now(UTC))
        except DatabaseUnavailable:
            time.sleep(0.1)


if __name__ == "__main__":
    main(sys.argv[1])
