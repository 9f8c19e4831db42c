// Caches through Azure's own client for them (spec J1, J2, J7).

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { EventGridManagementClient } from '@azure/arm-eventgrid';
import { RedisManagementClient } from '@azure/arm-rediscache';
import { EventGridDeserializer } from '@azure/eventgrid';
import { Caches } from '../lib/caches.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

const LONG = { timeout: 180000 };
const SUBSCRIPTION = '00000000-0000-0000-0000-000000000001';
const GROUP = 'redgrid';
const credential = { getToken: async () => ({ token: 'any', expiresOnTimestamp: Date.now() + 3600000 }) };

function client(Kind, caches) {
  const endpoint = `https://localhost:${caches.node.ports().https}`;
  const options = { endpoint, tlsOptions: { ca: caches.ca() }, retryOptions: { maxRetries: 0 } };
  return new Kind(credential, SUBSCRIPTION, options);
}

async function all(pages) {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
}

const BASIC = { location: 'local', sku: { name: 'Basic', family: 'C', capacity: 0 } };

scenario('J1 Every operation on a cache', LONG, async (w) => {
  const folder = w.path('backup');
  fs.mkdirSync(folder);
  const caches = await w.caches({ args: ['--caches-file-dirs', folder] });
  const { redis } = client(RedisManagementClient, caches);
  const made = await redis.beginCreateAndWait(GROUP, 'c1', { ...BASIC, tags: { a: 'b' } });
  assert.equal(made.name, 'c1');
  assert.equal(made.provisioningState, 'Succeeded');
  assert.equal(made.sku.family, 'C');
  assert.deepEqual(made.tags, { a: 'b' });
  const keys = await redis.listKeys(GROUP, 'c1');
  assert.match(keys.primaryKey, /^[A-Za-z0-9+/]{43}=$/);
  await caches.with('c1', (one) => one.set('a', 1), { key: keys.primaryKey });
  const updated = await redis.beginUpdateAndWait(GROUP, 'c1', {
    redisConfiguration: { maxmemoryPolicy: 'allkeys-lru' },
  });
  assert.equal(updated.name, 'c1');
  await until(
    async () => (await redis.get(GROUP, 'c1')).provisioningState === 'Succeeded',
    'the update has ended',
    30000,
  );
  assert.equal((await redis.get(GROUP, 'c1')).redisConfiguration.maxmemoryPolicy, 'allkeys-lru');
  const again = await redis.regenerateKey(GROUP, 'c1', { keyType: 'Secondary' });
  assert.notEqual(again.secondaryKey, keys.secondaryKey);
  await redis.beginExportDataAndWait(GROUP, 'c1', { prefix: 'p', container: `file://${folder}` });
  assert.ok(fs.existsSync(path.join(folder, 'p.rdb')));
  await redis.beginFlushCacheAndWait(GROUP, 'c1');
  assert.equal(await caches.with('c1', (one) => one.get('a')), null);
  await redis.beginImportDataAndWait(GROUP, 'c1', { files: [`file://${folder}/p.rdb`] });
  assert.equal(await caches.with('c1', (one) => one.get('a')), '1');
  const { message } = await redis.forceReboot(GROUP, 'c1', { rebootType: 'AllNodes' });
  assert.match(message, /scheduled/);
  assert.deepEqual((await all(redis.listByResourceGroup(GROUP))).map(({ name }) => name), ['c1']);
  assert.deepEqual((await all(redis.listBySubscription())).map(({ name }) => name), ['c1']);
  await until(
    async () => {
      try {
        await redis.beginDeleteAndWait(GROUP, 'c1');
        return true;
      } catch (error) {
        if (error.statusCode === 409) return false; // the reboot is not over
        throw error;
      }
    },
    'it is deleted',
    60000,
  );
  await assert.rejects(redis.get(GROUP, 'c1'), { statusCode: 404, code: 'ResourceNotFound' });
});

scenario('J2 Event subscriptions of a cache; what it emits arrives', LONG, async (w) => {
  const folder = w.path('backup');
  fs.mkdirSync(folder);
  const caches = await w.caches({ args: ['--caches-file-dirs', folder] });
  const { redis } = client(RedisManagementClient, caches);
  const { eventSubscriptions, systemTopics } = client(EventGridManagementClient, caches);
  const { id } = await redis.beginCreateAndWait(GROUP, 'c1', BASIC);
  const hook = await w.hook();
  const destination = { endpointType: 'WebHook', endpointUrl: hook.url('/hook?code=secret') };
  const made = await eventSubscriptions.beginCreateOrUpdateAndWait(id, 'es1', { destination });
  assert.equal(made.provisioningState, 'Succeeded');
  assert.equal(made.destination.endpointType, 'WebHook');
  assert.equal(made.filter.includedEventTypes.length, 4);
  const { endpointUrl } = await eventSubscriptions.getFullUrl(id, 'es1');
  assert.equal(endpointUrl, hook.url('/hook?code=secret'));
  const updated = await eventSubscriptions.beginUpdateAndWait(id, 'es1', { labels: ['a'] });
  assert.deepEqual(updated.labels, ['a']);
  assert.equal(updated.destination.endpointType, 'WebHook');
  const listed = await all(
    eventSubscriptions.listByResource(GROUP, 'Microsoft.Cache', 'Redis', 'c1'),
  );
  assert.deepEqual(listed.map(({ name }) => name), ['es1']);
  const topics = await all(systemTopics.listByResourceGroup(GROUP));
  assert.deepEqual(topics.map(({ source }) => source.toLowerCase()), [id.toLowerCase()]);

  await redis.beginExportDataAndWait(GROUP, 'c1', { prefix: 'p', container: `file://${folder}` });
  await hook.gets(1);
  const [event] = await new EventGridDeserializer().deserializeEventGridEvents(hook.deliveries()[0].text);
  assert.equal(event.eventType, 'Microsoft.Cache.ExportRDBCompleted');
  assert.equal(event.subject, 'ExportRDBCompleted');
  assert.equal(event.topic, Caches.id('c1'));
  assert.deepEqual(Object.keys(event.data).sort(), ['name', 'status', 'timestamp']);
  assert.equal(event.data.status, 'Succeeded');
  await eventSubscriptions.beginDeleteAndWait(id, 'es1');
  await assert.rejects(eventSubscriptions.get(id, 'es1'), { statusCode: 404 });
});

scenario('J7 The same as a CloudEvent', LONG, async (w) => {
  const folder = w.path('backup');
  fs.mkdirSync(folder);
  const caches = await w.caches({ args: ['--caches-file-dirs', folder] });
  const { redis } = client(RedisManagementClient, caches);
  const { eventSubscriptions } = client(EventGridManagementClient, caches);
  const { id } = await redis.beginCreateAndWait(GROUP, 'c1', BASIC);
  const hook = await w.hook();
  await eventSubscriptions.beginCreateOrUpdateAndWait(id, 'es1', {
    destination: { endpointType: 'WebHook', endpointUrl: hook.url() },
    eventDeliverySchema: 'CloudEventSchemaV1_0',
  });
  await redis.beginExportDataAndWait(GROUP, 'c1', { prefix: 'p', container: `file://${folder}` });
  await hook.gets(1);
  const [event] = await new EventGridDeserializer().deserializeCloudEvents(hook.deliveries()[0].text);
  assert.equal(event.type, 'Microsoft.Cache.ExportRDBCompleted');
  assert.equal(event.source, Caches.id('c1'));
  assert.equal(event.data.status, 'Succeeded');
});
