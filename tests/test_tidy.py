"""The form of the code, as a test: layers, cycles, sizes, refused calls, a test file for every module.

A rule is a function from one module (or from all) to complaints; each is shown a planted violation and an innocent
neighbour further down, so that a rule which has gone blind fails too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FUNCTION_LINES_MAX = 69
FILE_LINES_MAX = 500

PURE = frozenset({"errors", "core", "wire", "pair", "books", "engine"})
SHELLS = frozenset({"store", "fs", "net", "rendezvous", "api"})
SHARED = frozenset({"system", "proxies"})
"""What shells and the daemon stand on, and knows nothing of devices and mandates."""
WORDS = frozenset({"i18n", "remedies", "findings", "checkup", "words"})

MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "errors": frozenset(),
    "i18n": frozenset({"errors"}),
    "remedies": frozenset({"errors", "core", "i18n"}),
    "checkup": frozenset({"errors", "core", "i18n", "remedies"}),
    "findings": frozenset({"errors", "core", "books", "i18n"}),
    "words": frozenset({"i18n"}),
    "core": frozenset({"errors"}),
    "wire": frozenset({"errors", "core"}),
    "pair": frozenset({"errors", "core"}),
    "books": frozenset({"errors", "core"}),
    "engine": PURE,
    "sim": PURE,
    "system": frozenset(),
    "proxies": frozenset({"errors", "core", "i18n"}) | SHARED,
    **dict.fromkeys(SHELLS, PURE | WORDS | SHARED),
    "cli": PURE | WORDS | {"system"},
    "daemon": PURE | SHELLS | WORDS | SHARED,
    "__main__": frozenset({"cli"}),
}
"""What the modules of a part may import beside their own part; `p2psync` itself (the version) is open to all."""

LATE_IMPORTS: Mapping[tuple[str, str], str] = {
    ("p2psync.cli.foreground", "daemon"): "`up` becomes the daemon; every other command has to start fast",
    ("p2psync.cli.commands.doctor", "daemon"): "where none runs, `doctor` looks itself",
    ("p2psync.cli.commands.rendezvous", "rendezvous"): "`serve` becomes the host; all others have to start fast",
}
"""(module, part it imports inside a function only): why. Each entry must be in use."""

PURE_TOO = frozenset({"sim", "rendezvous.protocol"})
"""Parts under the same ban on the outside world as those of PURE, though not imported by them."""

OUTSIDE = frozenset(
    {"asyncio", "threading", "multiprocessing", "concurrent", "queue", "signal", "subprocess"}
    | {"socket", "selectors", "select", "ssl", "http", "urllib", "sqlite3", "time", "secrets", "uuid"}
    | {"os", "io", "shutil", "tempfile", "glob", "logging"}
)
"""Modules of the standard library that wait, do I/O, read a clock or draw random numbers."""

OUTSIDE_BUT: Mapping[str, frozenset[str]] = {
    "random": frozenset({"Random"}),
    "pathlib": frozenset({"PurePath", "PurePosixPath", "PureWindowsPath"}),
}
"""Modules of which a pure part may import only these names."""

OUTSIDE_CALLS = frozenset({"open", "print", "input"})
CLOCK_CALLS = frozenset({"now", "utcnow", "today"})
UNDONE = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b|pragma: no cover")
LOOP_CALLS = frozenset({"get_running_loop", "get_event_loop", "new_event_loop"})
NEEDS_NO_TEST_FILE = frozenset({"__init__", "__main__"})
PLAIN_DATA: Mapping[str, str] = {
    "p2psync.engine.effects": "dataclasses without methods, made and read by the tests of all who use them",
    "p2psync.engine.events": "dataclasses without methods, made and read by the tests of all who use them",
    "p2psync.engine.state": "dataclasses without methods and a protocol, to which tests/contracts hold both its makers",
}
"""Module without a line of its own to test: why it needs no test file. Each entry must have no code."""


@dataclass(frozen=True)
class Module:
    """One Python file: its dotted name ("p2psync.core.ids", "tests.test_tidy") and its text."""

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def part(self) -> str:
        """The part of the package that it belongs to: "core", "cli", "__init__"."""
        return self.name.split(".")[1]

    @property
    def is_ours(self) -> bool:
        return self.name.split(".")[0] == "p2psync"

    @property
    def is_pure(self) -> bool:
        inner = self.name.partition(".")[2]
        return self.is_ours and (self.part in PURE or any(f"{inner}.".startswith(f"{p}.") for p in PURE_TOO))

    @cached_property
    def imports(self) -> list[Import]:
        """Every import statement of the file, in functions too, one entry for each name."""
        late = {id(n) for f in _functions(self.tree) for n in ast.walk(f)}
        typing = {id(n) for b in ast.walk(self.tree) if _is_for_types(b) for n in ast.walk(b)}
        return [
            Import(target, name, node.lineno, id(node) in late, id(node) in typing)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for target, name in _imported(node)
        ]


@dataclass(frozen=True)
class Import:
    """`import target` (name is None) or `from target import name`; late: inside a function."""

    target: str
    name: str | None
    line: int
    late: bool
    for_types: bool
    """Under `if TYPE_CHECKING`: it is never run."""

    @property
    def part(self) -> str:
        """The part of p2psync that it reaches; "" for other libraries and for what `p2psync` itself holds."""
        top, *inner = f"{self.target}.{self.name or ''}".split(".")
        return inner[0] if top == "p2psync" and inner[0] != "__version__" else ""


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def _imported(node: ast.Import | ast.ImportFrom) -> list[tuple[str, str | None]]:
    if isinstance(node, ast.Import):
        return [(alias.name, None) for alias in node.names]
    return [("." * node.level + (node.module or ""), alias.name) for alias in node.names]


# -- rules for one module -------------------------------------------------------------------------------------------


def layers(module: Module) -> Iterator[str]:
    """Imports go one way: errors <- core <- wire, pair, books <- engine; shells import these, daemon all but cli.

    Instead: move what both need down into the pure part, or let the daemon hand it over as an argument.
    """
    for i in module.imports:
        allowed = MAY_IMPORT.get(module.part, frozenset()) | {module.part, ""}
        late = i.late and (module.name, i.part) in LATE_IMPORTS
        if module.is_ours and i.part not in allowed and not late:
            yield f"{module.name}:{i.line} imports {i.part}"


def the_outside(module: Module) -> Iterator[str]:
    """Above the I/O line nothing waits, reads a clock, a file or a socket, logs, or draws its own random numbers.

    Instead: take `now` or a seeded `Random` as an argument, take an event, return an effect; a shell does the rest.
    """
    if not module.is_pure or module.name.endswith(".__main__"):
        return
    for i in module.imports:
        top = i.target.split(".")[0]
        if top in OUTSIDE or (top in OUTSIDE_BUT and i.name not in OUTSIDE_BUT[top]):
            yield f"{module.name}:{i.line} imports {top}{'.' + i.name if i.name else ''}"
    for call in _calls(module.tree):
        if isinstance(call.func, ast.Name) and call.func.id in OUTSIDE_CALLS:
            yield f"{module.name}:{call.lineno} calls {call.func.id}()"
        if isinstance(call.func, ast.Attribute) and call.func.attr in CLOCK_CALLS and _is_date(call.func.value):
            yield f"{module.name}:{call.lineno} reads the clock by {ast.unparse(call.func)}()"


def background_tasks(module: Module) -> Iterator[str]:
    """Every background task has an owner, or its errors are lost and nobody cancels it.

    Instead: `async with asyncio.TaskGroup() as group: group.create_task(...)`.
    """
    for call in _calls(module.tree):
        bare = isinstance(call.func, ast.Name) and call.func.id in ("create_task", "ensure_future")
        by_loop = (
            isinstance(call.func, ast.Attribute)
            and call.func.attr in ("create_task", "ensure_future")
            and _is_loop(call.func.value)
        )
        if bare or by_loop:
            yield f"{module.name}:{call.lineno} {ast.unparse(call.func)}()"


def short_functions(module: Module) -> Iterator[str]:
    """A function fits the screen: under 70 lines, better 15. Instead: decide in the parent, act in small leaves."""
    for f in _functions(module.tree):
        lines = (f.end_lineno or f.lineno) - f.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            yield f"{module.name}:{f.lineno} {f.name} has {lines} lines"


def short_files(module: Module) -> Iterator[str]:
    """A file has at most 500 lines. Instead: look for a noun to split it by."""
    lines = module.text.count("\n")
    if lines > FILE_LINES_MAX:
        yield f"{module.name} has {lines} lines"


def nothing_undone(module: Module) -> Iterator[str]:
    """No notes to oneself, no stubs, no holes in coverage. Instead: do it, or leave it out and say so to the user."""
    if module.name == "tests.test_tidy":
        return
    for number, line in enumerate(module.text.splitlines(), 1):
        if found := UNDONE.search(line):
            yield f"{module.name}:{number} has {found[0]!r}"


def introduced(module: Module) -> Iterator[str]:
    """A file begins with a sentence that tells what it is for; an empty one has nothing to tell."""
    if module.text.strip() and not (ast.get_docstring(module.tree) or "").strip():
        yield f"{module.name} has no docstring"


def translatable(module: Module) -> Iterator[str]:
    """gettext finds literals only. Instead of an f-string: `_("... {name} ...").format(name=name)`."""
    for call in _calls(module.tree):
        if isinstance(call.func, ast.Name) and call.func.id in ("_", "ngettext"):
            texts = call.args[: 2 if call.func.id == "ngettext" else 1]
            if not all(isinstance(a, ast.Constant) and isinstance(a.value, str) for a in texts):
                yield f"{module.name}:{call.lineno} {ast.unparse(call)}"


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.Call))


def _is_date(value: ast.expr) -> bool:
    return ast.unparse(value).split(".")[-1] in ("datetime", "date")


def _is_loop(value: ast.expr) -> bool:
    """`asyncio`, `loop`, `self._loop`, `asyncio.get_running_loop()`: whatever starts tasks that nobody owns."""
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).split(".")[-1] in LOOP_CALLS
    last = ast.unparse(value).split(".")[-1]
    return last == "asyncio" or last.endswith("loop")


# -- rules for all modules ------------------------------------------------------------------------------------------


def cycles(modules: Iterable[Module]) -> Iterator[str]:
    """No module imports itself by a detour. Instead: move the common noun into a file of its own, further down.

    A part may name the type of the whole that it is built into (under TYPE_CHECKING): that is never run.
    """
    edges = _import_graph(list(modules))
    finished: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> Iterator[str]:
        if name in trail:
            yield " -> ".join((*trail[trail.index(name) :], name))
        elif name not in finished:
            for target in sorted(edges[name]):
                yield from walk(target, (*trail, name))
            finished.add(name)

    for name in sorted(edges):
        yield from walk(name, ())


def _import_graph(modules: list[Module]) -> dict[str, set[str]]:
    by_name = {m.name.removesuffix(".__init__"): m for m in modules}
    return {
        name: {
            target
            for i in m.imports
            for target in [f"{i.target}.{i.name}" if f"{i.target}.{i.name}" in by_name else i.target]
            if target in by_name and target != name and not i.for_types
        }
        for name, m in by_name.items()
    }


def mirrored(modules: Iterable[Module]) -> Iterator[str]:
    """p2psync/x/y.py is tested by tests/x/test_y.py. Instead of a test elsewhere: put it there, so that it is found."""
    ours = {m.name: m for m in modules}
    for name, m in ours.items():
        *folders, file = name.split(".")
        expected = ".".join(["tests", *folders[1:], f"test_{file}"])
        if m.is_ours and file not in NEEDS_NO_TEST_FILE and name not in PLAIN_DATA and expected not in ours:
            yield f"{name} has no {expected.replace('.', '/')}.py"


def plain_data_is_plain(modules: Iterable[Module]) -> Iterator[str]:
    """What needs no test file has no code: a function with a body is taken out of PLAIN_DATA, or put elsewhere."""
    for m in modules:
        if m.name in PLAIN_DATA:
            codes = (f for f in _functions(m.tree) if not all(isinstance(n, ast.Expr) for n in f.body))
            yield from (f"{m.name}:{f.lineno} has code in {f.name}" for f in codes)


def late_imports_in_use(modules: Iterable[Module]) -> Iterator[str]:
    """An exception to the layers that nobody needs any more is taken out of LATE_IMPORTS."""
    used = {(m.name, i.part) for m in modules for i in m.imports if i.late}
    yield from (f"{module} does not import {part} in a function" for module, part in LATE_IMPORTS.keys() - used)


# -- the rules on our code ------------------------------------------------------------------------------------------

OneRule = Callable[[Module], Iterable[str]]
AllRule = Callable[[Iterable[Module]], Iterable[str]]

ONE_MODULE: list[OneRule] = [
    layers,
    the_outside,
    background_tasks,
    short_functions,
    short_files,
    nothing_undone,
    introduced,
    translatable,
]
ALL_MODULES: list[AllRule] = [cycles, mirrored, plain_data_is_plain, late_imports_in_use]


@cache
def our_modules() -> tuple[Module, ...]:
    """Every Python file of the project."""
    files = (f for top in ("p2psync", "tests", "examples", "benchmarks") for f in sorted((ROOT / top).rglob("*.py")))
    return tuple(Module(".".join(f.relative_to(ROOT).with_suffix("").parts), f.read_text("utf-8")) for f in files)


@pytest.mark.parametrize("rule", ONE_MODULE, ids=lambda rule: rule.__name__)
def test_each_module_keeps(rule: OneRule) -> None:
    _expect_none(rule, [c for m in our_modules() for c in rule(m)])


@pytest.mark.parametrize("rule", ALL_MODULES, ids=lambda rule: rule.__name__)
def test_all_modules_together_keep(rule: AllRule) -> None:
    _expect_none(rule, list(rule(our_modules())))


def _expect_none(rule: OneRule | AllRule, complaints: list[str]) -> None:
    if complaints:
        pytest.fail("\n".join([rule.__doc__ or "", *complaints]), pytrace=False)


# -- what the rules must see, and what they must let pass -----------------------------------------------------------

PLANTED: list[tuple[OneRule, str, str, str]] = [
    (layers, "p2psync.core.ids", "import p2psync.wire.codec", "imports wire"),
    (layers, "p2psync.wire.codec", "from p2psync.books import crp", "imports books"),
    (layers, "p2psync.core.ids", "from p2psync import engine", "imports engine"),
    (layers, "p2psync.engine.device", "from p2psync.i18n import _", "imports i18n"),
    (layers, "p2psync.engine.device", "from p2psync.store.state import State", "imports store"),
    (layers, "p2psync.net.tls", "from p2psync.fs.placer import Placer", "imports fs"),
    (layers, "p2psync.api.server", "from p2psync.daemon.runtime import Runtime", "imports daemon"),
    (layers, "p2psync.cli.up", "def up():\n    from p2psync.daemon import runtime", "imports daemon"),
    (layers, "p2psync.daemon.runtime", "from p2psync.cli.main import main", "imports cli"),
    (layers, "p2psync.sim.world", "from p2psync.store.state import State", "imports store"),
    (layers, "p2psync.core.ids", "import p2psync.helpers", "imports helpers"),
    (layers, "p2psync.__init__", "from p2psync.engine.device import Device", "imports engine"),
    (the_outside, "p2psync.core.clock", "import time", "imports time"),
    (the_outside, "p2psync.engine.device", "def f():\n    from os import path", "imports os.path"),
    (the_outside, "p2psync.engine.device", "import asyncio.subprocess", "imports asyncio"),
    (the_outside, "p2psync.pair.ticket", "import random", "imports random"),
    (the_outside, "p2psync.pair.ticket", "from random import random", "imports random.random"),
    (the_outside, "p2psync.books.crp", "from pathlib import Path", "imports pathlib.Path"),
    (the_outside, "p2psync.books.crp", "def f(p):\n    return open(p)", "calls open()"),
    (the_outside, "p2psync.core.clock", "import datetime\nx = datetime.datetime.now()", "datetime.datetime.now()"),
    (the_outside, "p2psync.sim.world", "import threading", "imports threading"),
    (the_outside, "p2psync.rendezvous.protocol", "import socket", "imports socket"),
    (background_tasks, "p2psync.net.tls", "asyncio.create_task(f())", "asyncio.create_task()"),
    (background_tasks, "p2psync.net.tls", "create_task(f())", ":1 create_task()"),
    (background_tasks, "p2psync.net.tls", "self._loop.create_task(f())", "self._loop.create_task()"),
    (background_tasks, "p2psync.net.tls", "asyncio.get_running_loop().create_task(f())", "create_task()"),
    (background_tasks, "tests.net.test_tls", "asyncio.ensure_future(f())", "ensure_future()"),
    (short_functions, "p2psync.core.ids", "def f():\n" + "    x = 1\n" * 69, "f has 70 lines"),
    (short_functions, "tests.test_x", "class C:\n  async def g():\n" + "    x = 1\n" * 80, "g has 81 lines"),
    (short_files, "p2psync.core.ids", "x = 1\n" * 501, "has 501 lines"),
    (nothing_undone, "p2psync.core.ids", "x = 1\n# TODO: more", ":2 has 'TODO'"),
    (nothing_undone, "p2psync.cli.main", "raise NotImplementedError", "NotImplementedError"),
    (nothing_undone, "p2psync.cli.main", "if x:  # pragma: no cover\n    pass", "no cover"),
    (introduced, "p2psync.core.ids", "# The ids.\nx = 1", "no docstring"),
    (translatable, "p2psync.cli.main", "_(f'{n} files')", "_(f'{n} files')"),
    (translatable, "p2psync.cli.main", "_('{} files'.format(n))", "_("),
    (translatable, "p2psync.cli.main", "ngettext('{n} file', name + ' files', n)", "ngettext("),
]

INNOCENT: list[tuple[OneRule, str, str]] = [
    (layers, "p2psync.engine.device", "from p2psync.wire.messages import Hello\nimport p2psync.core.ids"),
    (layers, "p2psync.store.state", "from p2psync import __version__\nimport sqlite3, msgpack\nimport p2psync.errors"),
    (layers, "p2psync.daemon.runtime", "from p2psync.net import tls\nfrom p2psync.i18n import _"),
    (layers, "tests.daemon.test_runtime", "from p2psync.cli import main\nfrom p2psync.daemon import runtime"),
    (the_outside, "p2psync.core.ids", "from random import Random\nfrom pathlib import PurePosixPath\nimport datetime"),
    (the_outside, "p2psync.core.ids", "def f(now): return Clock.now(self), events.open(now)"),
    (the_outside, "p2psync.store.state", "import sqlite3, time"),
    (the_outside, "p2psync.sim.__main__", "import sys, time\nprint(time.monotonic())"),
    (the_outside, "p2psync.rendezvous.server", "import asyncio"),
    (background_tasks, "p2psync.net.tls", "group.create_task(f())\nself._tasks.create_task(g())"),
    (short_functions, "p2psync.core.ids", "def f():\n" + "    x = 1\n" * 68),
    (short_files, "p2psync.core.ids", "x = 1\n" * 500),
    (nothing_undone, "p2psync.core.ids", "photo, method, do = todo"),
    (introduced, "p2psync.core.ids", '"""Ids."""'),
    (introduced, "tests.core.__init__", ""),
    (translatable, "p2psync.cli.main", "_('{n} files').format(n=n)\nngettext('{n} file', '{n} files', n)\n_, x = pair"),
]


@pytest.mark.parametrize(("rule", "name", "text", "expected"), PLANTED)
def test_a_rule_sees(rule: OneRule, name: str, text: str, expected: str) -> None:
    complaints = list(rule(Module(name, text)))
    assert len(complaints) == 1
    assert complaints[0].startswith(name)
    assert expected in complaints[0]


@pytest.mark.parametrize(("rule", "name", "text"), INNOCENT)
def test_a_rule_lets_pass(rule: OneRule, name: str, text: str) -> None:
    assert list(rule(Module(name, text))) == []


def test_a_cycle_is_seen_whole() -> None:
    a = Module("p2psync.core.a.__init__", "from p2psync.core import b")
    b = Module("p2psync.core.b", "def f():\n    from p2psync.core.c import X")
    c = Module("p2psync.core.c", "import p2psync.core.a")
    assert list(cycles([a, b, c])) == ["p2psync.core.a -> p2psync.core.b -> p2psync.core.c -> p2psync.core.a"]
    assert list(cycles([a, b])) == []
    typed = Module("p2psync.core.c", "if TYPE_CHECKING:\n    import p2psync.core.a")
    assert list(cycles([a, b, typed])) == []


def test_a_module_without_its_test_is_seen() -> None:
    modules = [Module(n, "") for n in ("p2psync.core.__init__", "p2psync.core.ids", "p2psync.__main__", "p2psync.x")]
    assert list(mirrored(modules)) == [
        "p2psync.core.ids has no tests/core/test_ids.py",
        "p2psync.x has no tests/test_x.py",
    ]
    assert list(mirrored([*modules, Module("tests.core.test_ids", ""), Module("tests.test_x", "")])) == []


def test_code_among_plain_data_is_seen() -> None:
    name = "p2psync.engine.events"
    plain = "class A:\n    x: int\nclass P(Protocol):\n    def f(self): ...\n    def g(self):\n        'Do.'\n"
    assert list(mirrored([Module(name, plain)])) == []
    assert list(plain_data_is_plain([Module(name, plain), Module("p2psync.x", "def f(): return 1")])) == []
    assert list(plain_data_is_plain([Module(name, plain + "    def h(self):\n        return 1")])) == [
        "p2psync.engine.events:7 has code in h"
    ]


def test_an_exception_to_the_layers_holds_in_functions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.LATE_IMPORTS", {("p2psync.cli.up", "daemon"): "the foreground daemon"})
    late = Module("p2psync.cli.up", "def up():\n    from p2psync.daemon import runtime")
    assert list(layers(late)) == []
    assert list(late_imports_in_use([late])) == []
    early = Module("p2psync.cli.up", "from p2psync.daemon import runtime")
    assert list(layers(early)) == ["p2psync.cli.up:1 imports daemon"]
    assert list(late_imports_in_use([early])) == ["p2psync.cli.up does not import daemon in a function"]
