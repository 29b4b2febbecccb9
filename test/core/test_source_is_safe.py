"""No file of the package loads code from data; two open a socket that listens: the pages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("aura_core", "aura_ros", "launch")
NEVER = {
    # text or bytes become code or objects of any class
    *("eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec"),
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "marshal.loads"),
    *("dill.load", "dill.loads", "cloudpickle.load", "cloudpickle.loads", "joblib.load"),
    *("shelve.open", "pandas.read_pickle", "runpy.run_path", "code.InteractiveInterpreter"),
    *("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "yaml.unsafe_load_all"),
    *("yaml.full_load_all", "yaml.Loader", "yaml.FullLoader", "yaml.UnsafeLoader"),
    *("yaml.CLoader", "torch.jit.load", "torch.hub.load", "torch.package.PackageImporter"),
    # a shell reads text
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
    # somebody else can connect
    *("socket.create_server", "http.server.HTTPServer", "http.server.ThreadingHTTPServer"),
    *("socketserver.TCPServer", "socketserver.ThreadingTCPServer", "socketserver.UDPServer"),
    *("asyncio.start_server", "asyncio.start_unix_server", "xmlrpc.server.SimpleXMLRPCServer"),
}
METHODS = {"bind", "serve_forever"}  # of a socket or a server
# Web sites of aiohttp are made from a socket that is bound already, so `bind` is seen here too.
LISTENS = {"aura_core/console/listening.py": ".bind()"}
# keyword, and the value that it must not have
ARGUMENTS = (("shell", True), ("trust_remote_code", True), ("allow_pickle", True))
ARGUMENTS += (("weights_only", False), ("use_safetensors", False))


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an expression; "" where it is no name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def names(tree: ast.AST) -> dict[str, str]:
    """What the names that a file imports stand for."""
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {a.asname: a.name for a in node.names if a.asname}
        elif isinstance(node, ast.ImportFrom):
            known |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return known


def faults(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    known = names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            first, dot, rest = dotted(node).partition(".")
            name = known.get(first, first) + dot + rest
            called = name in NEVER and not (name == "compile" and dot)
            if called and not isinstance(getattr(node, "ctx", None), ast.Store):
                yield f"line {node.lineno}: {name}"
        if not isinstance(node, ast.Call):
            continue
        first, dot, rest = dotted(node.func).partition(".")
        name = known.get(first, first) + dot + rest
        given = {k.arg: k.value for k in node.keywords}
        for argument, value in ARGUMENTS:
            passed = given.get(argument)
            if isinstance(passed, ast.Constant) and passed.value is value:
                yield f"line {node.lineno}: {name}({argument}={value})"
        if name == "torch.load" and "weights_only" not in given:
            yield f"line {node.lineno}: torch.load without weights_only=True"
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            yield f"line {node.lineno}: .{node.func.attr}()"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_loads_code_from_data_or_listens(repository: Path, package: str) -> None:
    files = sorted((repository / package).rglob("*.py"))
    assert files
    found = [
        f"{file.relative_to(repository)}: {fault}"
        for file in files
        for fault in faults(file.read_text(encoding="utf-8"))
    ]
    listening = [(file, what) for file, what in LISTENS.items() if file.startswith(package)]
    assert [f for f in found if f.rpartition(": ")[2] not in LISTENS.values()] == []
    assert [(f.partition(":")[0], f.rpartition(": ")[2]) for f in found] == listening


@pytest.mark.parametrize(
    "source",
    [
        "import yaml\nyaml.load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.SafeLoader)",
        "from yaml import load as read\nread(text)",
        "import yaml as y\nLOADER = y.UnsafeLoader",
        "import pickle\npickle.loads(data)",
        "from pickle import load\nload(file)",
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "def f():\n    return eval(text)",
        "exec(code)",
        "import os\nos.system(text)",
        "import subprocess\nsubprocess.run(text, shell=True)",
        "cls.from_pretrained(folder, trust_remote_code=True)",
        "cls.from_pretrained(folder, use_safetensors=False)",
        "from http.server import HTTPServer\nHTTPServer(address, handler)",
        "import socket\ns = socket.socket()\ns.bind(('', 80))",
        "import asyncio\nasyncio.start_server(f)",
    ],
)
def test_each_of_these_is_seen(source: str) -> None:
    assert list(faults(source))


@pytest.mark.parametrize(
    "source",
    [
        "import yaml\nyaml.safe_load(text)\nyaml.SafeLoader(text)",
        "import torch\ntorch.load(path, weights_only=True)",
        "model.eval()\nre.compile(text)",
        "import pickle\ntry:\n    f()\nexcept pickle.UnpicklingError:\n    pass",
        "host.listen(listener)",
    ],
)
def test_each_of_these_is_fine(source: str) -> None:
    assert list(faults(source)) == []


def test_a_checkpoint_is_read_as_safetensors(repository: Path) -> None:
    """transformers reads pickled weights where it is not told otherwise."""
    source = (repository / "aura_core" / "models" / "local.py").read_text()
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    weights = [
        {k.arg: getattr(k.value, "value", None) for k in c.keywords}
        for c in calls
        if isinstance(c.func, ast.Attribute) and c.func.attr == "from_pretrained"
    ]
    assert weights and all(w["use_safetensors"] is True for w in weights)
    assert all(w["local_files_only"] is True for w in weights)
