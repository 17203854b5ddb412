"""Flower's simulation engine, set up so that all parties of a phase really run at once.

Flower 1.41 gives its engine ``min(32, cores + 4)`` threads whatever the number of parties; one
party too many and the others wait for it until the deadline. And Ray starts as many actors as
there are CPUs in its book-keeping. Both are set here, in one place.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor

from flwr.clientapp import ClientApp
from flwr.server.superlink.fleet.vce import vce_api
from flwr.serverapp import ServerApp
from flwr.simulation import run_simulation

from party_node import kernel_cache
from protocols.paillier import rehearse
from protocols.suite import get_suite

_OBJECT_STORE_BYTES = 80 * 1024 * 1024


class EngineError(Exception):
    """The engine cannot run this many parties at once."""


def run(server_app: ServerApp, client_app: ClientApp, parties: int) -> None:
    """Run both apps with one actor for each party; returns when the ServerApp has ended."""
    logging.getLogger("flwr").setLevel(logging.CRITICAL)
    kernel_cache.prepare()  # the actors inherit it
    kernel_cache.compile_once("paillier", _compile)
    _start(server_app, client_app, parties, actors=parties)


def run_in_turns(server_app: ServerApp, client_app: ClientApp, parties: int) -> None:
    """Run both apps with an actor for each core; parties whose steps wait for nobody take turns."""
    logging.getLogger("flwr").setLevel(logging.CRITICAL)
    kernel_cache.prepare()
    _start(server_app, client_app, parties, actors=min(parties, os.cpu_count() or 1))


def _start(server_app: ServerApp, client_app: ClientApp, parties: int, *, actors: int) -> None:
    threads = max(1, (os.cpu_count() or 1) // actors)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    _enlarge_thread_pool(parties)
    with contextlib.redirect_stdout(sys.stderr):  # Ray prints there what happens to its workers
        _run(server_app, client_app, parties, actors)


def _compile() -> None:
    """Compile the arithmetic of ciphertexts, which every actor would else compile for itself."""
    suite = get_suite("gm")
    if suite.kernels == "portable":
        return
    sys.stderr.write("compiling kernels for this machine, once; about 20 s\n")
    rehearse(suite, suite.stream(secrets.token_bytes(32), b"rehearsal"))


def _run(server_app: ServerApp, client_app: ClientApp, parties: int, actors: int) -> None:
    run_simulation(
        server_app=server_app,
        client_app=client_app,
        num_supernodes=parties,
        backend_config={
            "init_args": {
                "num_cpus": actors,
                "object_store_memory": _OBJECT_STORE_BYTES,
                "include_dashboard": False,
                "log_to_driver": False,
                "logging_level": logging.CRITICAL,
            },
            "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
        },
    )


def _enlarge_thread_pool(parties: int) -> None:
    if not hasattr(vce_api, "ThreadPoolExecutor"):
        if parties > min(32, (os.cpu_count() or 1) + 4):
            raise EngineError(
                f"this version of Flower cannot run {parties} parties at once on this machine"
            )
        return
    vce_api.ThreadPoolExecutor = functools.partial(ThreadPoolExecutor, max_workers=parties + 2)
