"""The kernels of jupyter_client's tests, which do by themselves what their applications do else."""

from __future__ import annotations

import os
import time
from typing import Any

from tests.problemkernel import ProblemTestKernel
from tests.signalkernel import SignalTestKernel


class SlowSignalKernel(SignalTestKernel):
    def __init__(self, **options: Any) -> None:
        time.sleep(2)
        super().__init__(**options)


class SlowProblemKernel(ProblemTestKernel):
    def __init__(self, **options: Any) -> None:
        time.sleep(int(os.environ.get("STARTUP_DELAY", "2")))
        if os.environ.get("FAIL_ON_START") == "1":
            raise RuntimeError("Failed for testing purposes")
        options.pop("user_ns", None)
        super().__init__(**options)
