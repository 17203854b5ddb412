"""The hot loops, compiled at run time by numba, each with a portable twin.

A kernel works on arrays and knows no protocol, party or key's purpose. What a kernel computes is
fixed by its portable twin, and a test compares the two and a library on every run. Which twin runs
is the caller's choice, made once from :func:`protocols.kernels.cpu.features`; :mod:`jit` and
:mod:`lanes` are how a kernel reaches the processor's vector instructions. Importing this package
loads nothing; importing a kernel loads numba.
"""
