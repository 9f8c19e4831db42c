"""Stands in for the package azure-functions where that is not installed: what the signatures of
classic Redis apps need. The values themselves are made by the worker."""

import datetime
import typing

T = typing.TypeVar("T")


class Out(typing.Generic[T]):
    """An output parameter: `def main(entry: str, value: func.Out[str])`."""

    def set(self, val: T) -> None:
        raise NotImplementedError

    def get(self) -> T:
        raise NotImplementedError


class EventGridEvent:
    """What an eventGridTrigger is given: `def main(event: func.EventGridEvent)`."""

    def __init__(
        self,
        *,
        id: str,
        data: typing.Dict[str, object],
        topic: str,
        subject: str,
        event_type: str,
        event_time: typing.Optional[datetime.datetime],
        data_version: str,
    ) -> None:
        self.id = id
        self.topic = topic
        self.subject = subject
        self.event_type = event_type
        self.event_time = event_time
        self.data_version = data_version
        self._data = data

    def get_json(self) -> typing.Any:
        """The event's data."""
        return self._data

    def __repr__(self) -> str:
        return "<azure.EventGridEvent id=%s topic=%s subject=%s>" % (
            self.id, self.topic, self.subject
        )


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
