"""Manages a cache with the SDKs for Python: manage.py BASE SUBSCRIPTION GROUP CONTAINER ENDPOINT; prints what came of it."""
import json
import sys
import time

from azure.core.credentials import AccessToken
from azure.core.exceptions import ResourceNotFoundError
from azure.mgmt.eventgrid import EventGridManagementClient
from azure.mgmt.eventgrid.models import EventSubscription, WebHookEventSubscriptionDestination
from azure.mgmt.redis import RedisManagementClient
from azure.mgmt.redis.models import (
    ExportRDBParameters,
    RedisCreateParameters,
    RedisRegenerateKeyParameters,
    RedisUpdateParameters,
    Sku,
)


class Credential:
    def get_token(self, *scopes, **_):
        return AccessToken("any", int(time.time()) + 3600)


base, subscription, group, container, endpoint = sys.argv[1:]
where = {"base_url": base, "credential_scopes": [base + "/.default"], "retry_total": 0}
redis = RedisManagementClient(Credential(), subscription, **where).redis
subscriptions = EventGridManagementClient(Credential(), subscription, **where).event_subscriptions

sku = Sku(name="Basic", family="C", capacity=0)
made = redis.begin_create(group, "c1", RedisCreateParameters(location="local", sku=sku)).result()
keys = redis.list_keys(group, "c1")
renewed = redis.regenerate_key(group, "c1", RedisRegenerateKeyParameters(key_type="Primary"))
tagged = redis.begin_update(group, "c1", RedisUpdateParameters(tags={"a": "b"})).result()

destination = WebHookEventSubscriptionDestination(endpoint_url=endpoint)
es = subscriptions.begin_create_or_update(made.id, "es1", EventSubscription(destination=destination)).result()
redis.begin_export_data(group, "c1", ExportRDBParameters(prefix="p", container=container)).result()
names = [one.name for one in redis.list_by_resource_group(group)]
subscriptions.begin_delete(made.id, "es1").result()
redis.begin_delete(group, "c1").result()
try:
    redis.get(group, "c1")
    left = True
except ResourceNotFoundError:
    left = False

print(
    json.dumps(
        {
            "id": made.id,
            "state": made.provisioning_state,
            "renewed": renewed.primary_key != keys.primary_key and renewed.secondary_key == keys.secondary_key,
            "tags": tagged.tags,
            "endpointType": es.destination.endpoint_type,
            "types": es.filter.included_event_types,
            "names": names,
            "left": left,
        }
    )
)
