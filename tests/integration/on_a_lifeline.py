"""Runs a module as a command that ends when its standard input does: a test's own child."""

from __future__ import annotations

import runpy
import signal
import sys

from party_node.supernode.lifeline import end_with

if __name__ == "__main__":
    end_with(sys.stdin.fileno(), signal.SIGTERM)
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__")
