"""Jupyter's own tests, run against kernels that a nursery forks."""
