"""Kernels in milliseconds: forked from a nursery, a process that has imported what they use.

`provisioner.py` is what Jupyter knows, by the kernelspec in `specs/`. It asks the nursery of its
user and code for a kernel (`client.py`), starting one where there is none (`nursery.py`), which
forks children that become kernels (`child.py`). Where that cannot work, a kernel starts as any
other does.
"""
