"""What cryptography a run really touches: a runtime trace, and the lists it is checked against.

    with tracing() as trace:
        ...
    violations = check("gm", trace.used)

**What is recorded.** Every call, in any thread of the process, of an entry point of
:mod:`party_node.primitive_entry_points` that is *ours*. Whose a call is, is decided by the
innermost stack frame outside the libraries that implement primitives (``cryptography``,
``hashlib``, ``hmac``, ``gmssl``, ``ssl``, ``secrets``): if that frame's module belongs to a room
the call is recorded under that module's name, otherwise it is nobody's of ours. So

- ``hashlib.sha256`` called in a room is ours, and so is the hash that ``hmac`` computes for it;
- a hash that Flower, Ray, pandas or ``uuid`` computes is theirs, on whoever's behalf: they do not
  protect identifiers, messages, keys, logs or files of ours, which is what a suite is for;
- a primitive that a room hands to a library to call (``executor.map(hashlib.sha256, ...)``)
  escapes; so does one that a room took into a default argument, a class attribute or a container
  before the trace began. The static import ban in the tests is there for these: outside
  ``protocols/suite/`` no room can import a primitive in the first place.

Primitives this project computes itself are attributed to the module that implements them.

**How.** While at least one trace is active, entry points in modules are replaced by callables that
note the call and pass it on; methods of Python classes are wrapped in place; names that modules of
our rooms imported are rebound. All of it is undone when the last trace ends. Traces may overlap:
each sees all calls of the process during its time. Results, errors and ``isinstance`` are those of
the originals.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

from party_node.primitive_entry_points import OS_RANDOM, EntryPoint, entry_points

ROOMS = frozenset(
    {"coordinator", "party_node", "protocols", "models", "compliance", "audit", "simulations"}
)
_IMPLEMENTATIONS = frozenset({"cryptography", "hashlib", "hmac", "gmssl", "ssl", "secrets"})

_SUITE = "protocols.suite"

ALLOWED: Mapping[str, Mapping[str, str]] = {
    "gm": dict.fromkeys(
        (
            "SM3",
            "HMAC-SM3",
            "HKDF-SM3",
            "SM4-GCM",
            "SM4-CTR",
            "SM4-ECB",
            "SM2",
            "SM2_XMD:SM3_SSWU_NU_",
            "SM4 (Matyas-Meyer-Oseas)",
        ),
        _SUITE,
    ),
    "intl": dict.fromkeys(
        (
            "SHA-256",
            "HMAC-SHA-256",
            "HKDF-SHA-256",
            "AES-256-GCM",
            "AES-256-CTR",
            "AES-256-ECB",
            "Ed25519",
            "X25519",
            "P-256",
            "curve25519_XMD:SHA-512_ELL2_NU_",
            "AES-128-ECB",
            "AES-128 (Matyas-Meyer-Oseas)",
        ),
        _SUITE,
    )
    | {"SHA-512": f"{_SUITE}.curve25519_portable"},
}
"""What each suite may use, and the module or package that may use it."""


class Exemption(NamedTuple):
    """A primitive no suite has, where it may be used, and why; for the report."""

    primitive: str
    modules: tuple[str, ...]
    """A module, or a package with all in it."""
    reason: str


EXEMPTIONS = (
    Exemption(
        "Paillier",
        ("protocols.paillier",),
        "sums over encrypted values need a homomorphic scheme, and neither suite has one",
    ),
    *(
        Exemption(
            scheme,
            ("protocols.sum_ciphers",),
            "the homomorphic scheme: sums over encrypted vectors need one, and neither suite has "
            "one. TenSEAL draws its keys and noise inside SEAL, by BLAKE2Xb seeded by the kernel's "
            "generator",
        )
        for scheme in ("BFV", "CKKS")
    ),
    Exemption(
        OS_RANDOM,
        ("audit", "coordinator", "party_node", "simulations"),
        "seeds, keys and nonces begin with the kernel's generator (ChaCha20 in Linux), which "
        "stands below every suite",
    ),
    *(
        Exemption(
            primitive,
            ("party_node.peer_channel.certificates",),
            "the certificate of the outer TLS; does not occur in simulations",
        )
        for primitive in ("X.509", "key file", "ECDSA", "EC", "EC secp256r1")
    ),
    Exemption(
        "TLS",
        ("coordinator", "party_node"),
        "the outer transport layer between organisations; what it carries is protected by the "
        "suite inside it. Does not occur in simulations",
    ),
)


def check(suite_name: str, used: Mapping[str, set[str]]) -> list[str]:
    """Return a line for each use that suite ``suite_name`` does not have; none is a clean run.

    ``used`` is :attr:`Trace.used`. Raises ``ValueError`` for an unknown suite.
    """
    if suite_name not in ALLOWED:
        raise ValueError(f"no list of primitives for suite {suite_name!r}")
    lines = []
    for primitive, modules in sorted(used.items()):
        for module in sorted(modules):
            if _is_exempt(primitive, module):
                continue
            package = ALLOWED[suite_name].get(primitive)
            if package is None:
                lines.append(f"{primitive} in {module}: not a primitive of suite {suite_name}")
            elif not _inside(module, package):
                lines.append(f"{primitive} in {module}: only {package} may use it")
    return lines


def _is_exempt(primitive: str, module: str) -> bool:
    return any(
        primitive == exemption.primitive and any(_inside(module, p) for p in exemption.modules)
        for exemption in EXEMPTIONS
    )


def _inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


class Trace:
    """What was used while this trace was active."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: dict[str, set[str]] = {}
        # Code that was seen to call a primitive directly, kept so that its id stays its own.
        self._seen: dict[tuple[str, int], CodeType] = {}

    @property
    def used(self) -> dict[str, set[str]]:
        """Each primitive used, with the full names of the modules of our rooms that used it."""
        with self._lock:
            return {primitive: set(modules) for primitive, modules in sorted(self._used.items())}

    def note(self, primitive: str, frame: FrameType) -> None:
        """Record a call that ``frame`` made, if it is ours."""
        key = (primitive, id(frame.f_code))
        if key in self._seen:
            return
        caller, module = _caller(frame)
        if caller is frame:  # what it decides holds for every further call from this code
            self._seen[key] = frame.f_code
        if module.partition(".")[0] in ROOMS:
            self.note_own(primitive, module)

    def note_own(self, primitive: str, module: str) -> None:
        """Record a use by ``module``."""
        if module not in self._used.get(primitive, ()):
            with self._lock:
                self._used.setdefault(primitive, set()).add(module)


def _caller(frame: FrameType) -> tuple[FrameType, str]:
    """Return the innermost frame outside the implementations of primitives, and its module."""
    while True:
        module = str(frame.f_globals.get("__name__", ""))
        implements = module.partition(".")[0] in _IMPLEMENTATIONS or module == __name__
        if not implements or frame.f_back is None:
            return frame, module
        frame = frame.f_back


@contextmanager
def tracing() -> Iterator[Trace]:
    """Record, for the duration of the context, what the rooms use; see the module's text."""
    trace = Trace()
    _watch.add(trace)
    try:
        yield trace
    finally:
        _watch.remove(trace)


_ABSENT = object()


class _Watch:
    """The active traces, and the wrappers that are in place while there are any."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.traces: tuple[Trace, ...] = ()
        self._points: list[EntryPoint] = []
        self._undo: list[tuple[Any, str, Any]] = []

    def add(self, trace: Trace) -> None:
        with self._lock:
            if not self.traces:
                try:
                    self._install()
                except BaseException:
                    self._uninstall()
                    raise
            self.traces = (*self.traces, trace)

    def remove(self, trace: Trace) -> None:
        with self._lock:
            self.traces = tuple(other for other in self.traces if other is not trace)
            if not self.traces:
                self._uninstall()

    def _install(self) -> None:
        self._points = self._points or entry_points()
        replacements: dict[int, _Replacement] = {}
        for point in self._points:
            if isinstance(point.owner, type):
                self._undo.append((point.owner, point.attribute, _wrap_method(point)))
                continue
            original = getattr(point.owner, point.attribute)
            if id(original) not in replacements:
                replacements[id(original)] = _Replacement(original, point)
            setattr(point.owner, point.attribute, replacements[id(original)])
            self._undo.append((point.owner, point.attribute, original))
        for module, name, value in _names_in_rooms():
            if id(value) in replacements:
                setattr(module, name, replacements[id(value)])

    def _uninstall(self) -> None:
        while self._undo:
            owner, attribute, original = self._undo.pop()
            if original is _ABSENT:
                delattr(owner, attribute)
            else:
                setattr(owner, attribute, original)
        for module, name, value in _names_in_rooms():
            if type(value) is _Replacement:
                setattr(module, name, value._original)


_watch = _Watch()


def _names_in_rooms() -> Iterator[tuple[ModuleType, str, Any]]:
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] in ROOMS and module_name != __name__:
            for name, value in list(vars(module).items()):
                yield module, name, value


def _note(
    point: EntryPoint, arguments: tuple[Any, ...], keywords: dict[str, Any], frame: FrameType
) -> None:
    traces = _watch.traces
    if not traces:  # a wrapper that someone kept
        return
    primitive = point.name(arguments, keywords)
    for trace in traces:
        if point.implementation is None:
            trace.note(primitive, frame)
        else:
            trace.note_own(primitive, point.implementation)


class _Replacement:
    """Stands for a function or class of a module: notes calls and is otherwise the original."""

    def __init__(self, original: Any, point: EntryPoint) -> None:
        self._original = original
        self._point = point
        self.__module__ = point.owner.__name__

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        _note(self._point, arguments, keywords, sys._getframe(1))
        return self._original(*arguments, **keywords)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._original)

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self._original)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._original,)

    def __or__(self, other: Any) -> Any:
        return self._original | other

    def __ror__(self, other: Any) -> Any:
        return other | self._original

    def __eq__(self, other: object) -> bool:
        return other is self or bool(self._original == other)

    def __hash__(self) -> int:
        return hash(self._original)

    def __repr__(self) -> str:
        return repr(self._original)

    def __reduce__(self) -> str:
        # By name, as functions and classes are: who loads it gets what the module has then.
        return self._point.attribute


def _wrap_method(point: EntryPoint) -> Any:
    """Wrap a method in place; return what the class held under its name, if anything."""
    held = vars(point.owner).get(point.attribute, _ABSENT)
    function: Callable[..., Any]
    if isinstance(held, classmethod | staticmethod):
        function = held.__func__
    else:
        function = getattr(point.owner, point.attribute)

    @wraps(function)
    def method(*arguments: Any, **keywords: Any) -> Any:
        _note(point, arguments, keywords, sys._getframe(1))
        return function(*arguments, **keywords)

    wrapped: Any = method
    if isinstance(held, classmethod):
        wrapped = classmethod(method)
    elif isinstance(held, staticmethod):
        wrapped = staticmethod(method)
    setattr(point.owner, point.attribute, wrapped)
    return held
