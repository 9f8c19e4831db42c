"""Stands in for the package azure-functions where that is not installed: what the signatures of
classic Redis apps need. The values themselves are made by the worker."""

import typing

T = typing.TypeVar("T")


class Out(typing.Generic[T]):
    """An output parameter: `def main(entry: str, value: func.Out[str])`."""

    def set(self, val: T) -> None:
        raise NotImplementedError

    def get(self) -> T:
        raise NotImplementedError


class RetryContext:
    """retry_count, max_retry_count, exception."""


class TraceContext:
    """trace_parent, trace_state, attributes."""


class Context:
    """function_name, function_directory, invocation_id, trace_context, retry_context."""


def __getattr__(name):
    raise AttributeError(
        "azure.functions.%s: the package azure-functions is not installed, and redgrid's own worker "
        "runs classic apps (function.json) only; install the package, or the official worker" % name
    )
