"""The one kernel of this workspace's own servers and reports, whatever else a machine has."""

from __future__ import annotations

from pathlib import Path

from jupyter_client.kernelspec import (
    NATIVE_KERNEL_NAME,
    KernelSpec,
    KernelSpecManager,
    NoSuchKernel,
)

# The name under which it is installed, for JupyterLab, papermill and others.
KERNEL = "usage"
_FOLDER = Path(__file__).parent / "specs" / KERNEL


class OwnKernels(KernelSpecManager):
    """Knows this interpreter's kernel alone, by the name that notebooks have for it.

    A `python3` kernelspec somewhere on the machine may well belong to another environment, in which
    this workspace is not installed.
    """

    def find_kernel_specs(self) -> dict[str, str]:
        return {NATIVE_KERNEL_NAME: str(_FOLDER)}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        if kernel_name.lower() not in (NATIVE_KERNEL_NAME, KERNEL):
            raise NoSuchKernel(kernel_name)
        spec: KernelSpec = self.kernel_spec_class.from_resource_dir(str(_FOLDER))
        return spec
