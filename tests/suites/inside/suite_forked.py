"""A pytest plugin under whose provisioner all kernels of a suite start: this workspace's own.

It takes the place of jupyter_client's local provisioner, so that tests which name that one or
derive their own from it get forked kernels, too.
"""

from __future__ import annotations

import os
from typing import Any

import jupyter_client
import jupyter_client.provisioning
from jupyter_client.connect import KernelConnectionInfo
from suite_record import write_down
from traitlets import Float, List, Unicode

from analytics_core.kernels import address
from analytics_core.kernels.client import ForkedProcess
from analytics_core.kernels.provisioner import NurseryProvisioner
from analytics_core.kernels.spec import KERNEL, OwnKernels

_OURS = OwnKernels().get_kernel_spec(KERNEL).metadata["kernel_provisioner"]["config"]
# jupyter_client's tests have kernels with applications of their own. A nursery forks ipykernel's,
# which has an option for what makes those kernels different.
_SAME_IN_IPYKERNEL = {
    "pytest_jupyter.echo_kernel": "pytest_jupyter.echo_kernel.EchoKernel",
    "tests.signalkernel": "suite_kernels.SlowSignalKernel",
    "tests.problemkernel": "suite_kernels.SlowProblemKernel",
}


class SuiteProvisioner(NurseryProvisioner):
    preloaded = List(Unicode(), _OURS["preloaded"])
    idle = Float(30.0)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        # ipykernel's kernelspec has this for a debugger of the interpreter's own modules.
        python, *rest = [word for word in cmd if word != "-Xfrozen_modules=off"]
        if rest[:2] == ["-m", "ipykernel_launcher"]:
            cmd = [python, *rest]
        elif rest[:1] == ["-m"] and (kernel := _SAME_IN_IPYKERNEL.get(rest[1])):
            option = f"--IPKernelApp.kernel_class={kernel}"
            cmd = [python, "-m", "ipykernel_launcher", *rest[2:], option]
        started = await super().launch_kernel(cmd, **kwargs)
        if isinstance(self.process, ForkedProcess):
            write_down(forked=_current_test())
        return started

    def _warn(self, reason: str) -> None:
        write_down(not_forked=_current_test(), reason=reason)
        super()._warn(reason)


def _current_test() -> str:
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]


def pytest_configure() -> None:
    for module in (jupyter_client, jupyter_client.provisioning):
        module.LocalProvisioner = SuiteProvisioner  # type: ignore[misc]
    # Each test gets a runtime folder of its own, in which a nursery of its own would start.
    folder = os.environ["SUITE_RUNTIME"]
    address.jupyter_runtime_dir = lambda: folder
