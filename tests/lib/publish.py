"""Publishes with the SDK for Python: publish.py ENDPOINT KEY key|sas EventGrid|CloudEvent|Custom."""
import datetime
import sys

from azure.core.credentials import AzureKeyCredential, AzureSasCredential
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, EventGridPublisherClient, generate_sas


def credential_of(endpoint, key, kind):
    if kind == "key":
        return AzureKeyCredential(key)
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    if kind == "naive":
        soon = soon.replace(tzinfo=None)
    return AzureSasCredential(generate_sas(endpoint, key, soon))


def event_of(schema, subject):
    if schema == "EventGrid":
        return EventGridEvent(subject=subject, event_type="made", data={"n": 1}, data_version="1.0")
    if schema == "CloudEvent":
        return CloudEvent(source="/python", type="made", subject=subject, data={"n": 1}, extensions={"tenant": "blue"})
    return {"kind": "made", "what": subject}


endpoint, key, kind, schema = sys.argv[1:]
client = EventGridPublisherClient(endpoint, credential_of(endpoint, key, kind), retry_total=0)
client.send(event_of(schema, "one"))
client.send([event_of(schema, "two"), event_of(schema, "three")])
