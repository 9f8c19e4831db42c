// Topics and event subscriptions through @azure/arm-eventgrid, by HTTPS as it wants it
// (azure-api.md 11, J3 and J4).

import assert from 'node:assert/strict';
import { EventGridManagementClient } from '@azure/arm-eventgrid';
import {
  AzureKeyCredential,
  EventGridDeserializer,
  EventGridPublisherClient,
  generateSharedAccessSignature,
  AzureSASCredential,
} from '@azure/eventgrid';
import { CloudEvent, HTTP } from 'cloudevents';
import { authority, askHttps } from '../lib/https.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

const SUBSCRIPTION = '00000000-0000-0000-0000-000000000001';
const GROUP = 'sdk';
const GRID = 'https://eventgrid.azure.net';

// A node with the group; {node, client, base}.
async function start(w) {
  const node = await w.node({ https: '127.0.0.1:0' }).start();
  const base = `https://localhost:${node.ports().https}`;
  const credential = {
    getToken: async () => ({ token: 'any', expiresOnTimestamp: Date.now() + 3600000 }),
  };
  const client = new EventGridManagementClient(credential, SUBSCRIPTION, {
    endpoint: base,
    tlsOptions: { ca: authority(node) },
    retryOptions: { maxRetries: 0 },
  });
  const body = JSON.stringify({ location: 'westus' });
  const where = `/subscriptions/${SUBSCRIPTION}/resourcegroups/${GROUP}?api-version=2021-04-01`;
  assert.equal((await askHttps(node, 'PUT', where, { body })).status, 201);
  return { node, client, base };
}

async function all(pages) {
  const found = [];
  for await (const one of pages) found.push(one.name);
  return found.sort();
}

scenario('J3 Topics through the SDK', async (w) => {
  const { client, base } = await start(w);
  const created = await client.topics.beginCreateOrUpdateAndWait(GROUP, 'clouds', {
    location: 'westus',
    inputSchema: 'CloudEventSchemaV1_0',
  });
  assert.equal(created.name, 'clouds');
  assert.equal(created.provisioningState, 'Succeeded');
  assert.equal(created.endpoint, `${base}/topics/clouds/api/events`);
  const keys = await client.topics.listSharedAccessKeys(GROUP, 'clouds');
  const renewed = await client.topics.beginRegenerateKeyAndWait(GROUP, 'clouds', { keyName: 'key2' });
  assert.equal(renewed.key1, keys.key1);
  assert.notEqual(renewed.key2, keys.key2);
  await client.topics.beginUpdateAndWait(GROUP, 'clouds', { tags: { a: 'b' } });
  const shown = await client.topics.get(GROUP, 'clouds');
  assert.deepEqual(shown.tags, { a: 'b' });
  assert.equal(shown.inputSchema, 'CloudEventSchemaV1_0');
  assert.deepEqual(await all(client.topics.listByResourceGroup(GROUP)), ['clouds']);
  assert.deepEqual(await all(client.topics.listBySubscription()), ['clouds']);
  assert.deepEqual(await all(client.systemTopics.listByResourceGroup(GROUP)), []);
  assert.deepEqual(await all(client.topicTypes.list()), [
    'Microsoft.Cache.Redis',
    'Microsoft.EventGrid.Topics',
  ]);
  const type = await client.topicTypes.get('Microsoft.Cache.Redis');
  assert.equal(type.provider, 'Microsoft.Cache');
  const kinds = await all(client.topicTypes.listEventTypes('Microsoft.Cache.Redis'));
  assert.ok(kinds.includes('Microsoft.Cache.ScalingCompleted'));
  await all(client.topics.listEventTypes(GROUP, 'Microsoft.EventGrid', 'topics', 'clouds'));
  await all(client.operations.list());
  await client.topics.beginDeleteAndWait(GROUP, 'clouds');
  await client.topics.beginDeleteAndWait(GROUP, 'clouds'); // once more does no harm
  await assert.rejects(client.topics.get(GROUP, 'clouds'), { statusCode: 404, code: 'ResourceNotFound' });
});

scenario('Event subscriptions through the SDK keep their types', async (w) => {
  const { client } = await start(w);
  const hook = await w.hook();
  const topic = await client.topics.beginCreateOrUpdateAndWait(GROUP, 'orders', { location: 'westus' });
  const subscriptions = client.eventSubscriptions;
  const destination = {
    endpointType: 'WebHook',
    endpointUrl: hook.url('/a?code=1'),
    deliveryAttributeMappings: [{ type: 'Static', name: 'h1', value: 'v1', isSecret: true }],
  };
  const created = await subscriptions.beginCreateOrUpdateAndWait(topic.id, 'es1', {
    destination,
    filter: {
      includedEventTypes: ['made'],
      advancedFilters: [{ operatorType: 'StringIn', key: 'data.x', values: ['a'] }],
    },
  });
  const check = (one) => {
    assert.equal(one.name, 'es1');
    assert.equal(one.provisioningState, 'Succeeded');
    assert.equal(one.destination.endpointType, 'WebHook');
    assert.equal(one.destination.endpointBaseUrl, hook.url('/a'));
    assert.equal(one.destination.deliveryAttributeMappings[0].type, 'Static');
    assert.equal(one.filter.advancedFilters[0].operatorType, 'StringIn');
  };
  check(created);
  check(await subscriptions.get(topic.id, 'es1'));
  const { endpointUrl } = await subscriptions.getFullUrl(topic.id, 'es1');
  assert.equal(endpointUrl, hook.url('/a?code=1'));
  const { value } = await subscriptions.getDeliveryAttributes(topic.id, 'es1');
  assert.equal(value[0].value, 'v1');
  const updated = await subscriptions.beginUpdateAndWait(topic.id, 'es1', { labels: ['l'] });
  check(updated);
  assert.deepEqual(updated.labels, ['l']);
  assert.equal(hook.handshakes().length, 1);
  // The topic's own form of the same.
  const own = client.topicEventSubscriptions;
  check(await own.get(GROUP, 'orders', 'es1'));
  await own.beginCreateOrUpdateAndWait(GROUP, 'orders', 'es2', { destination });
  const path = [GROUP, 'Microsoft.EventGrid', 'topics', 'orders'];
  for (const list of [
    subscriptions.listByResource(...path),
    own.list(GROUP, 'orders'),
    subscriptions.listGlobalByResourceGroup(GROUP),
    subscriptions.listGlobalBySubscription(),
    subscriptions.listRegionalByResourceGroup(GROUP, 'westus'),
    subscriptions.listRegionalBySubscriptionForTopicType('westus', 'Microsoft.EventGrid.Topics'),
  ])
    assert.deepEqual(await all(list), ['es1', 'es2']);
  await subscriptions.beginDeleteAndWait(topic.id, 'es1');
  await own.beginDeleteAndWait(GROUP, 'orders', 'es2');
  assert.deepEqual(await all(own.list(GROUP, 'orders')), []);
});

scenario('A refused handshake rejects with its code', async (w) => {
  const { client } = await start(w);
  const hook = await w.hook({ handshake: { status: 404 } });
  const topic = await client.topics.beginCreateOrUpdateAndWait(GROUP, 'orders', { location: 'westus' });
  await assert.rejects(
    client.eventSubscriptions.beginCreateOrUpdateAndWait(topic.id, 'es1', {
      destination: { endpointType: 'WebHook', endpointUrl: hook.url() },
    }),
    /Url validation|Webhook validation handshake failed|has failed/,
  );
  const shown = await client.eventSubscriptions.get(topic.id, 'es1');
  assert.equal(shown.provisioningState, 'Failed');
});

scenario('J4 What an SDK made, SDKs publish to, with key, SAS and token', async (w) => {
  const { node, client } = await start(w);
  const hook = await w.hook();
  const https = { tlsOptions: { ca: authority(node) }, retryOptions: { maxRetries: 0 } };
  const make = async (name, inputSchema, eventDeliverySchema) => {
    const topic = await client.topics.beginCreateOrUpdateAndWait(GROUP, name, { location: 'westus', inputSchema });
    await client.eventSubscriptions.beginCreateOrUpdateAndWait(topic.id, 'es1', {
      destination: { endpointType: 'WebHook', endpointUrl: hook.url(`/${name}`) },
      eventDeliverySchema,
    });
    return { topic, keys: await client.topics.listSharedAccessKeys(GROUP, name) };
  };
  const grid = await make('grid', 'EventGridSchema', 'EventGridSchema');
  const cloud = await make('cloud', 'CloudEventSchemaV1_0', 'CloudEventSchemaV1_0');
  const key = new AzureKeyCredential(grid.keys.key1);
  const expires = new Date(Date.now() + 3600000);
  const sas = await generateSharedAccessSignature(grid.topic.endpoint, key, expires);
  const answer = await askHttps(node, 'GET', `/msi/token?resource=${encodeURIComponent(GRID)}`);
  const token = { token: answer.json.access_token, expiresOnTimestamp: expires.getTime() };
  const credentials = [key, new AzureSASCredential(sas), { getToken: async () => token }];
  const event = { subject: 's', eventType: 'made', dataVersion: '1.0' };
  for (const [i, credential] of credentials.entries())
    await new EventGridPublisherClient(grid.topic.endpoint, 'EventGrid', credential, https).send([
      { ...event, id: `g${i}`, data: { i } },
    ]);
  await new EventGridPublisherClient(cloud.topic.endpoint, 'CloudEvent', new AzureKeyCredential(cloud.keys.key1), https).send([
    { source: '/s', type: 'made', id: 'c0', data: { x: 1 } },
  ]);
  await until(() => hook.deliveries().length === 4, () => `4 deliveries, but ${hook.deliveries().length}`, 30000);
  const sent = hook.deliveries().filter(({ url }) => url === '/grid');
  const events = [];
  for (const { text } of sent) events.push(...(await new EventGridDeserializer().deserializeEventGridEvents(text)));
  assert.deepEqual(events.map(({ id }) => id).sort(), ['g0', 'g1', 'g2']);
  assert.equal(events[0].topic, grid.topic.id);
  const { headers, text } = hook.deliveries().find(({ url }) => url === '/cloud');
  const received = HTTP.toEvent({ headers, body: text });
  assert.ok(received instanceof CloudEvent);
  assert.deepEqual([received.id, received.data], ['c0', { x: 1 }]);
});
