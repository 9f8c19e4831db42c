"""Lets Debian 12's azure-cli load its commands for event subscriptions and topics.

Its `az eventgrid` imports classes that Debian's python3-azure does not have, and so ends in an ImportError before it
does anything. Most are for partner topics; what the others hold, the library does not send. So a class of that name
with nothing behind it is enough.

    PYTHONPATH=script/az-names az eventgrid topic list

Python loads a module of this name by itself at its start. A library that has the classes is left as it is, so newer
versions of az do not mind.
"""

import importlib.machinery
import sys

MODULE = "azure.mgmt.eventgrid.models"
NAMES = (
    "AzureADPartnerClientAuthentication",
    "EventChannel",
    "EventChannelDestination",
    "EventChannelFilter",
    "EventChannelSource",
    "ExtendedLocation",
    "PartnerDestination",
    "PartnerDestinationUpdateParameters",
    "ResourceSku",
    "WebhookPartnerDestinationInfo",
    "WebhookUpdatePartnerDestinationInfo",
)


class Anything:
    def __init__(self, **members):
        vars(self).update(members)


def add_names(module):
    for name in NAMES:
        if not hasattr(module, name):
            setattr(module, name, type(name, (Anything,), {}))


class Finder:
    """Finds that one module as ever, and adds the names once it is loaded."""

    @staticmethod
    def find_spec(name, path, target=None):
        if name != MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None:
            return None
        load = spec.loader.exec_module

        def load_and_add(module):
            load(module)
            add_names(module)

        spec.loader.exec_module = load_and_add
        return spec


sys.meta_path.insert(0, Finder)
