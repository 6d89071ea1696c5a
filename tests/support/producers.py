"""A product under load, as processes that can be killed: what was acknowledged is in a log.

`python -m tests.support.producers LOG SEED` records through the settings of its environment until
it is killed or its standard input closes. A line of the log is the id of a call that returned True.
"""

from __future__ import annotations

import os
import random
import select
import sys
import time
from pathlib import Path

from analytics_core.settings import Settings
from analytics_core.telemetry import Recorder

USERS = ("mara", "noor", "ines")


def produce(log: Path, seed: int) -> None:
    chance = random.Random(seed)
    recorder = Recorder(Settings.read(), writer=None)
    name, n = f"{os.getpid()}-{seed}", 0
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(20):
            n += 1
            noun, who = f"{name}-{n}", chance.choice(USERS)
            match chance.randrange(4):
                case 0:
                    told = recorder.render_created(who, render_id=noun, type="image")
                    kind = "renders"
                case 1:
                    told = recorder.credits(
                        who, transaction_id=noun, direction="debit", amount=2, category="render"
                    )
                    kind = "credit_transactions"
                case 2:
                    told = recorder.file_stored(
                        who, file_id=noun, name="a", media_type="image/png", size=10
                    )
                    kind = "files"
                case _:
                    told = recorder.api_call(
                        who,
                        method="GET",
                        route="/v1",
                        status_code=200,
                        duration=0.01,
                        event_id=noun,
                    )
                    kind = "api_calls"
            if told:
                os.write(file, f"{kind} {noun}\n".encode())
        time.sleep(chance.random() * 0.02)


if __name__ == "__main__":
    produce(Path(sys.argv[1]), int(sys.argv[2]))
