"""Finds the function of a classic app: a folder with function.json and a script.

An app's folders are sub-packages of the package `__app__`, as users of Azure Functions know it, so
that `from . import helper`, `from ..shared import thing` and `from __app__.shared import thing`
work; the app's root is on sys.path, so that `import shared` works too.
"""

import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import sys
import typing

from . import rpc, values

NAMESPACE = "__app__"
DEFAULT_SCRIPT = "__init__.py"
DEFAULT_ENTRY = "main"
CONTEXT = "context"


class LoadError(Exception):
    """The function cannot run; the text says why and what to change."""


class Function:
    """A loaded function and what is known about its parameters."""

    def __init__(self, name, directory, call, bindings):
        self.name = name
        self.directory = directory
        self.call = call
        self.is_async = inspect.iscoroutinefunction(call)
        parameters = _parameters(call)
        self.has_context = CONTEXT in parameters and CONTEXT not in bindings
        self.hints = {**_events(parameters, bindings), **_hints(call)}
        self.outputs = [
            key for key, info in bindings.items()
            if info.get("direction", rpc.IN) == rpc.OUT and key != "$return"
        ]
        _check(name, call, parameters, bindings)


def use_app(root):
    """Make the app's own modules importable. Call once, before the first load."""
    shim = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "shim")
    sys.path[:0] = [root, os.path.join(root, ".python_packages", "lib", "site-packages")]
    # Last: it stands in for azure.functions only where the real one is not installed.
    sys.path.append(shim)
    spec = importlib.machinery.ModuleSpec(NAMESPACE, None, is_package=True)
    spec.submodule_search_locations = [root]
    sys.modules[NAMESPACE] = importlib.util.module_from_spec(spec)
    importlib.invalidate_caches()


def load(metadata):
    """Import the script of a function. Raises LoadError, or whatever the user's module raises."""
    name = metadata.get("name", "")
    directory = os.path.normpath(metadata.get("directory", ""))
    script = os.path.normpath(
        os.path.join(directory, metadata.get("script_file") or DEFAULT_SCRIPT)
    )
    entry = metadata.get("entry_point") or DEFAULT_ENTRY
    root = os.path.dirname(directory)
    module = importlib.import_module(_module_name(name, root, script))
    call = getattr(module, entry, None)
    if not callable(call):
        raise LoadError(
            "%s: %s has no function %s(); write one, or name another in \"entryPoint\""
            % (name, os.path.relpath(script, root), entry)
        )
    return Function(name, directory, call, metadata.get("bindings", {}))


def _module_name(name, root, script):
    relative = os.path.relpath(script, root)
    stem, extension = os.path.splitext(relative)
    if relative.startswith(os.pardir):
        raise LoadError("%s: the script %s lies outside of the app %s" % (name, script, root))
    if extension != ".py":
        raise LoadError("%s: the script %s is no .py file" % (name, script))
    parts = [NAMESPACE] + stem.split(os.sep)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def _parameters(call):
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    signature = inspect.signature(call)
    return [key for key, value in signature.parameters.items() if value.kind not in kinds]


def _events(parameters, bindings):
    return {
        key: values.Event for key, info in bindings.items()
        if info.get("type", "").lower() == "eventgridtrigger" and key in parameters
    }


def _hints(call):
    try:
        return typing.get_type_hints(call)
    except Exception:  # a hint that names what is not there is no reason not to run
        return {
            key: value for key, value in getattr(call, "__annotations__", {}).items()
            if not isinstance(value, str)
        }


def _check(name, call, parameters, bindings):
    declared = {key for key in bindings if key != "$return"}
    extra = [key for key in parameters if key not in declared and key != CONTEXT]
    if extra:
        raise LoadError(
            "%s: %s() takes %s, but no binding in function.json has that name"
            % (name, call.__name__, ", ".join(extra))
        )
    missing = sorted(declared - set(parameters))
    if missing:
        raise LoadError(
            "%s: function.json declares %s, but %s() has no parameter of that name"
            % (name, ", ".join(missing), call.__name__)
        )
