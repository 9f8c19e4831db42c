// "Route Azure Cache for Redis events to web endpoint with Azure CLI", step by step, and what else az
// asks of the control plane (azure-api.md 6 and 11: K1 to K15, K18). Unmodified, by way D.

import assert from 'node:assert/strict';
import http from 'node:http';
import { ContainerSASPermissions, generateBlobSASQueryParameters } from '@azure/storage-blob';
import { Redis } from 'ioredis';
import { Az, without } from '../lib/az.js';
import { redgrid } from '../lib/command.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

const OPTIONS = { skip: without, timeout: 900000 };
const EVENTS_MS = 120000; // until an event is there
const GROUP = 'rg1';
const DEFAULTS = ['ExportRDBCompleted', 'ImportRDBCompleted', 'PatchingCompleted', 'ScalingCompleted'];
const DEFAULT_TYPES = DEFAULTS.map((name) => `Microsoft.Cache.${name}`);

const HTTPS = { https: '127.0.0.1:0' };

// A server, and an az that is pointed at it.
async function start(w, server) {
  const events = server ?? (await w.events(HTTPS));
  const { code, stdout, stderr } = await redgrid(events, ['az-env', '--output', 'json']);
  assert.equal(code, 0, stderr);
  const az = new Az(w.path('home'), JSON.parse(stdout));
  const { id } = await az.must('account show');
  return { events, az, root: `/subscriptions/${id}` };
}

// The same, with a group.
async function startGroup(w, server) {
  const all = await start(w, server);
  await all.az.must(`group create -n ${GROUP} -l westcentralus`);
  return { ...all, group: `${all.root}/resourceGroups/${GROUP}` };
}

async function startTopic(w, more = '') {
  const all = await startGroup(w);
  const topic = await all.az.must(`eventgrid topic create -g ${GROUP} -n orders -l westcentralus${more}`);
  return { ...all, topic };
}

const CREATE = `redis create -g ${GROUP} -n c1 -l westcentralus --sku Basic --vm-size C0`;

async function startCache(w) {
  const all = await startGroup(w, await w.caches());
  const cache = await all.az.must(CREATE);
  return { ...all, cache };
}

const subscribe = (id, hook, ...more) => [
  ...['eventgrid', 'event-subscription', 'create', '--name', 'es1', '--source-resource-id', id],
  ...['--endpoint', hook.url('/api/updates'), ...more],
];
const on = (id, verb, ...more) => [
  ...['eventgrid', 'event-subscription', verb, '--name', 'es1', '--source-resource-id', id],
  ...more,
];

// Runs `use` with a client of the cache, by its first key or another one.
async function withClient(az, use, key) {
  const { hostName: host, port } = await az.must(`redis show -g ${GROUP} -n c1`);
  const password = key ?? (await az.must(`redis list-keys -g ${GROUP} -n c1`)).primaryKey;
  const client = new Redis({ host, port, password, lazyConnect: true, retryStrategy: null });
  client.on('error', () => {}); // told by connect()
  try {
    await client.connect();
    return await use(client);
  } finally {
    client.disconnect();
  }
}

async function assertFails(az, words, code, text) {
  const answer = await az.run(typeof words === 'string' ? words.split(' ') : words);
  assert.equal(answer.code, code, answer.stdout + answer.stderr);
  assert.match(answer.stderr, text);
}

const types = (hook) => hook.events().map(({ eventType }) => eventType);
const typed = (hook, type) =>
  until(
    () => types(hook).includes(type),
    () => `${type} at the hook, but ${types(hook)}`,
    EVENTS_MS,
  );
const publish = (events, key, body) =>
  fetch(`${events.base()}/topics/orders/api/events`, {
    method: 'POST',
    headers: { 'aeg-sas-key': key, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const made = [
  { id: '1', subject: 's', eventType: 'made', dataVersion: '1', eventTime: '2026-01-01T00:00:00Z', data: {} },
];

// A container of an emulated storage account, by a shared access signature.
async function container(w) {
  const azurite = await w.azurite();
  await azurite.container('dump').create();
  const values = {
    containerName: 'dump',
    permissions: ContainerSASPermissions.parse('rwdlac'),
    expiresOn: new Date(Date.now() + 3600000),
  };
  const sas = generateBlobSASQueryParameters(values, azurite.credential());
  const url = azurite.container('dump').url;
  const blobs = async () => {
    const names = [];
    for await (const { name } of azurite.container('dump').listBlobsFlat()) names.push(name);
    return names;
  };
  return { url: `${url}?${sas}`, blob: (name) => `${url}/${name}?${sas}`, blobs };
}

// ---- the quickstart ----

scenario('K1 Quickstart: the resource group', OPTIONS, async (w) => {
  const { az, root } = await start(w);
  const group = await az.must(`group create --name ${GROUP} --location westcentralus --tags a=b`);
  assert.equal(group.id, `${root}/resourceGroups/${GROUP}`);
  assert.equal(group.name, GROUP);
  assert.equal(group.location, 'westcentralus');
  assert.deepEqual(group.tags, { a: 'b' });
  assert.equal(group.properties.provisioningState, 'Succeeded');
  assert.deepEqual(await az.must(`group show -n ${GROUP}`), group);
  assert.deepEqual(await az.must(`group show -n ${GROUP.toUpperCase()}`), group);
  assert.ok((await az.must('group list')).some(({ name }) => name === GROUP));
  assert.equal(await az.must(`group exists -n ${GROUP}`), true);
  assert.equal(await az.must('group exists -n none'), false);
  await az.must(`group delete -n ${GROUP} -y`);
  assert.equal(await az.must(`group exists -n ${GROUP}`), false);
  await assertFails(az, `group show -n ${GROUP}`, 3, /ResourceGroupNotFound/);
});

scenario('K2 Quickstart: the cache', OPTIONS, async (w) => {
  const { az, cache } = await startCache(w);
  assert.equal(cache.sku.family, 'C');
  assert.equal(cache.provisioningState, 'Succeeded');
  const shown = await az.must(`redis show -g ${GROUP} -n c1`);
  assert.equal(shown.id, cache.id);
  await withClient(az, async (client) => assert.equal(await client.ping(), 'PONG'));
});

scenario('K3 Quickstart: the viewer', OPTIONS, async (w) => {
  const { az } = await startGroup(w);
  const template = {
    $schema: 'https://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json#',
    contentVersion: '1.0.0.0',
    parameters: { siteName: { type: 'string' }, hostingPlanName: { type: 'string' } },
    resources: [],
  };
  const asked = [];
  const server = http.createServer((request, response) => {
    asked.push(request.url);
    response.end(JSON.stringify(template));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const uri = `http://127.0.0.1:${server.address().port}/azuredeploy.json`;
    const deployment = await az.must(
      `deployment group create -g ${GROUP} --template-uri ${uri} --parameters siteName=s1 hostingPlanName=p1`,
    );
    assert.equal(deployment.properties.provisioningState, 'Succeeded');
    assert.deepEqual([...new Set(asked)], ['/azuredeploy.json']);
  } finally {
    server.close();
  }
});

scenario('K4 Quickstart: the resource provider', OPTIONS, async (w) => {
  const { az } = await start(w);
  for (const namespace of ['Microsoft.EventGrid', 'Microsoft.Cache', 'microsoft.eventgrid']) {
    await az.must(`provider register --namespace ${namespace}`);
    const state = await az.must(`provider show -n ${namespace} --query registrationState`);
    assert.equal(state, 'Registered');
  }
});

scenario('K5 K6 K7 Quickstart: subscribe, export, clean up', OPTIONS, async (w) => {
  const { az, group } = await startCache(w);
  const hook = await w.hook();
  const dump = await container(w);
  const id = await az.must(`redis show -g ${GROUP} -n c1 --query id`);
  const es = await az.must(...subscribe(id, hook));
  assert.equal(hook.handshakes().length, 1);
  assert.equal(es.provisioningState, 'Succeeded');
  assert.equal(es.destination.endpointType, 'WebHook');
  assert.deepEqual([...es.filter.includedEventTypes].sort(), DEFAULT_TYPES);
  const shown = await az.must(`eventgrid system-topic list -g ${GROUP}`);
  assert.equal(shown.length, 1);
  assert.equal(shown[0].source.toLowerCase(), id.toLowerCase());

  await az.must(...`redis export -g ${GROUP} -n c1 --prefix p`.split(' '), '--container', dump.url);
  assert.equal((await dump.blobs()).length, 1);
  await typed(hook, 'Microsoft.Cache.ExportRDBCompleted');
  assert.equal(hook.events()[0].data.status, 'Succeeded');

  await az.must(`group delete -n ${GROUP} -y`);
  await assertFails(az, ['redis', 'show', '--ids', id], 3, /NotFound/);
  await assertFails(az, on(id, 'show'), 3, /NotFound/);
  assert.equal(await az.must('resource list').then((all) => all.filter((r) => r.id.startsWith(`${group}/`)).length), 0);
});

scenario('K5 K7 A subscription on a topic, and its end with the group', OPTIONS, async (w) => {
  const { az, topic, events } = await startTopic(w);
  const hook = await w.hook();
  const es = await az.must(...subscribe(topic.id, hook));
  assert.equal(hook.handshakes().length, 1);
  assert.equal(es.provisioningState, 'Succeeded');
  assert.equal(es.destination.endpointType, 'WebHook');
  assert.equal(es.destination.endpointUrl, null);
  assert.equal(es.destination.endpointBaseUrl, hook.url('/api/updates'));
  const { key1 } = await az.must(`eventgrid topic key list -g ${GROUP} -n orders`);
  assert.equal((await publish(events, key1, made)).status, 200);
  await typed(hook, 'made');

  await az.must(`group delete -n ${GROUP} -y`);
  await assertFails(az, `eventgrid topic show -g ${GROUP} -n orders`, 3, /NotFound/);
  await assertFails(az, on(topic.id, 'show'), 3, /NotFound/);
  assert.deepEqual((await events.must('GET', '/api/topics')).value, []);
});

// ---- the whole series ----

scenario('K8 Caches: create, show, list, keys, delete', OPTIONS, async (w) => {
  const { az, group } = await startGroup(w, await w.caches());
  const words = `--sku Premium --vm-size P1 --minimum-tls-version 1.2 --tags a=b`;
  const create = `redis create -g ${GROUP} -n c1 -l westcentralus ${words}`.split(' ');
  const settings = JSON.stringify({ 'maxmemory-policy': 'allkeys-lru' });
  const cache = await az.must(...create, '--enable-non-ssl-port', '--redis-configuration', settings);
  assert.equal(cache.id, `${group}/providers/Microsoft.Cache/Redis/c1`);
  assert.equal(cache.type, 'Microsoft.Cache/Redis');
  assert.equal(cache.location, 'westcentralus');
  assert.deepEqual(cache.tags, { a: 'b' });
  assert.deepEqual(cache.sku, { name: 'Premium', family: 'P', capacity: 1 });
  assert.equal(cache.redisConfiguration.maxmemoryPolicy, 'allkeys-lru');
  assert.equal(cache.minimumTlsVersion, '1.2');
  assert.equal(cache.enableNonSslPort, true);
  assert.equal(cache.accessKeys, null);
  assert.deepEqual(await az.must(`redis show -g ${GROUP} -n C1`), cache);
  assert.deepEqual(await az.must(`redis list -g ${GROUP}`), [cache]);
  assert.deepEqual(await az.must('redis list'), [cache]);
  const listed = await az.must('resource list');
  assert.deepEqual(listed.map(({ id, type }) => [id, type]), [[cache.id, cache.type]]);
  assert.equal((await az.must('resource', 'show', '--ids', cache.id)).id, cache.id);
  const keys = await az.must(`redis list-keys -g ${GROUP} -n c1`);
  const renewed = await az.must(`redis regenerate-keys -g ${GROUP} -n c1 --key-type Secondary`);
  assert.equal(renewed.primaryKey, keys.primaryKey);
  assert.notEqual(renewed.secondaryKey, keys.secondaryKey);
  assert.deepEqual(await az.must(`redis list-keys -g ${GROUP} -n c1`), renewed);
  await withClient(az, async (client) => assert.equal(await client.ping(), 'PONG'), renewed.secondaryKey);
  for (const kind of ['firewall-rules', 'server-link'])
    assert.deepEqual(await az.must(`redis ${kind} list -g ${GROUP} -n c1`), []);

  await az.must(`redis delete -g ${GROUP} -n c1 -y`);
  await assertFails(az, `redis show -g ${GROUP} -n c1`, 3, /ResourceNotFound/);
  await az.must(`redis delete -g ${GROUP} -n c1 -y`); // again
});

scenario('K8 A cache that cannot be: az says what is wrong', OPTIONS, async (w) => {
  const { az, cache } = await startCache(w);
  const settings = ['--redis-configuration', '{"maxmemory-policy":"oldest"}'];
  await assertFails(az, [...CREATE.replace('-n c1', '-n c2').split(' '), ...settings], 1, /maxmemory-policy/);
  const nowhere = ['--container', 'file:///etc'];
  const words = `redis export -g ${GROUP} -n c1 --prefix p`.split(' ');
  await assertFails(az, [...words, ...nowhere], 1, /container: .*file_dirs/);
  assert.equal((await az.must('redis', 'show', '--ids', cache.id)).provisioningState, 'Succeeded');
});

scenario('K8 Topics: create, show, list, update, keys, delete', OPTIONS, async (w) => {
  const { az, events, group } = await startGroup(w);
  const create = `eventgrid topic create -g ${GROUP} -n orders -l westcentralus --tags a=b`;
  const topic = await az.must(`${create} --input-schema cloudeventschemav1_0`);
  assert.equal(topic.id, `${group}/providers/Microsoft.EventGrid/topics/orders`);
  assert.equal(topic.type, 'Microsoft.EventGrid/topics');
  assert.equal(topic.inputSchema, 'CloudEventSchemaV1_0');
  assert.equal(topic.provisioningState, 'Succeeded');
  assert.equal(topic.location, 'westcentralus');
  assert.deepEqual(topic.tags, { a: 'b' });
  assert.equal(new URL(topic.endpoint).pathname, '/topics/orders/api/events');
  assert.deepEqual(await az.must(`eventgrid topic show -g ${GROUP} -n orders`), topic);
  assert.deepEqual(await az.must(`eventgrid topic list -g ${GROUP}`), [topic]);
  assert.deepEqual(await az.must('eventgrid topic list'), [topic]);

  const updated = await az.must(`eventgrid topic update -g ${GROUP} -n orders --tags a=b c=d`);
  assert.deepEqual(updated.tags, { a: 'b', c: 'd' });
  assert.equal(updated.inputSchema, 'CloudEventSchemaV1_0');

  const keys = await az.must(`eventgrid topic key list -g ${GROUP} -n orders`);
  const renewed = await az.must(`eventgrid topic key regenerate -g ${GROUP} -n orders --key-name key1`);
  assert.notEqual(renewed.key1, keys.key1);
  assert.equal(renewed.key2, keys.key2);
  assert.deepEqual(await events.keys('orders'), renewed); // one implementation beneath

  await az.must(`eventgrid topic delete -g ${GROUP} -n orders -y`);
  await assertFails(az, `eventgrid topic show -g ${GROUP} -n orders`, 3, /NotFound/);
  await az.must(`eventgrid topic delete -g ${GROUP} -n orders -y`); // again
});

scenario('K8 Event subscriptions: create, show, list, update, delete', OPTIONS, async (w) => {
  const { az, topic } = await startTopic(w);
  const hook = await w.hook();
  const all = [
    ...['--subject-begins-with', 'orders/', '--subject-ends-with', '.txt', '--subject-case-sensitive', 'true'],
    ...['--included-event-types', 'made', 'paid', '--labels', 'l1', 'l2', '--event-ttl', '60'],
    ...['--max-delivery-attempts', '5', '--event-delivery-schema', 'cloudeventschemav1_0'],
    ...['--max-events-per-batch', '10', '--preferred-batch-size-in-kilobytes', '128'],
    ...['--expiration-date', '2099-12-31', '--enable-advanced-filtering-on-arrays', 'true'],
    ...['--advanced-filter', 'data.a', 'NumberIn', '1', '2'],
    ...['--advanced-filter', 'data.b', 'StringBeginsWith', 'x'],
    ...['--advanced-filter', 'data.c', 'NumberInRange', '1,2'],
    ...['--delivery-attribute-mapping', 'h1', 'dynamic', 'data.key'],
  ];
  const es = await az.must(...subscribe(topic.id, hook, ...all));
  assert.equal(es.filter.subjectBeginsWith, 'orders/');
  assert.equal(es.filter.subjectEndsWith, '.txt');
  assert.equal(es.filter.isSubjectCaseSensitive, true);
  assert.equal(es.filter.enableAdvancedFilteringOnArrays, true);
  assert.deepEqual(es.filter.includedEventTypes, ['made', 'paid']);
  assert.deepEqual(
    es.filter.advancedFilters.map(({ operatorType, key }) => [operatorType, key]),
    [['NumberIn', 'data.a'], ['StringBeginsWith', 'data.b'], ['NumberInRange', 'data.c']],
  );
  assert.deepEqual(es.labels, ['l1', 'l2']);
  assert.deepEqual(es.retryPolicy, { eventTimeToLiveInMinutes: 60, maxDeliveryAttempts: 5 });
  assert.equal(es.eventDeliverySchema, 'CloudEventSchemaV1_0');
  assert.equal(es.destination.maxEventsPerBatch, 10);
  assert.equal(es.destination.preferredBatchSizeInKilobytes, 128);
  assert.equal(es.destination.deliveryAttributeMappings[0].sourceField, 'data.key');
  assert.match(es.expirationTimeUtc, /^2099-12-31T00:00:00/);
  assert.deepEqual(await az.must(...on(topic.id, 'show')), es);
  const listed = await az.must(
    ...['eventgrid', 'event-subscription', 'list', '--source-resource-id', topic.id],
  );
  assert.deepEqual(listed, [es]);
  await az.must(...on(topic.id, 'delete'));
  await assertFails(az, on(topic.id, 'show'), 3, /NotFound/);
});

scenario('K8 Subscriptions of a topic by their own commands', OPTIONS, async (w) => {
  const { az, topic } = await startTopic(w);
  const hook = await w.hook();
  const of = (verb, more = '') =>
    `eventgrid topic event-subscription ${verb} -g ${GROUP} --topic-name orders${more}`;
  const es = await az.must(`${of('create', ' -n es1')} --endpoint ${hook.url()}`);
  assert.equal(es.destination.endpointType, 'WebHook');
  assert.deepEqual(await az.must(of('show', ' -n es1')), es);
  assert.deepEqual((await az.must(of('list'))).map(({ name }) => name), ['es1']);
  assert.equal((await az.must(...on(topic.id, 'show'))).name, 'es1'); // the same
  const updated = await az.must(`${of('update', ' -n es1')} --labels l1`);
  assert.deepEqual(updated.labels, ['l1']);
  await az.must(of('delete', ' -n es1 -y'));
  assert.deepEqual(await az.must(of('list')), []);
});

scenario('K8 Topic types and their event types', OPTIONS, async (w) => {
  const { az } = await start(w);
  const all = await az.must('eventgrid topic-type list');
  assert.ok(all.some(({ name }) => name === 'Microsoft.Cache.Redis'));
  const one = await az.must('eventgrid topic-type show -n Microsoft.Cache.Redis');
  assert.equal(one.provider, 'Microsoft.Cache');
  const kinds = await az.must('eventgrid topic-type list-event-types -n Microsoft.Cache.Redis');
  const names = kinds.filter(({ isInDefaultSet }) => isInDefaultSet).map(({ name }) => name);
  assert.deepEqual(names.sort(), DEFAULT_TYPES);
});

scenario('K8 Without az eventgrid: az resource and az rest', OPTIONS, async (w) => {
  const { az, topic, group } = await startTopic(w);
  const hook = await w.hook();
  const id = `${topic.id}/providers/Microsoft.EventGrid/eventSubscriptions/es1`;
  const destination = { endpointType: 'WebHook', properties: { endpointUrl: hook.url() } };
  const words = ['resource', 'create', '--id', id, '--api-version', '2022-06-15', '--properties'];
  const es = await az.must(...words, JSON.stringify({ destination }));
  assert.equal(es.properties.provisioningState, 'Succeeded');
  const shown = await az.must('rest', '--url', `${id}?api-version=2022-06-15`);
  assert.equal(shown.name, 'es1');
  const listed = await az.must(`resource list -g ${GROUP}`);
  assert.deepEqual(listed.map(({ name, type }) => [name, type]), [['orders', 'Microsoft.EventGrid/topics']]);
  assert.equal((await az.must('resource', 'show', '--ids', topic.id)).id, topic.id);
  assert.ok(topic.id.startsWith(group));
});

scenario('K9 A handshake that is refused', OPTIONS, async (w) => {
  const { az, topic } = await startTopic(w);
  const hook = await w.hook({ handshake: { status: 404 } });
  await assertFails(az, subscribe(topic.id, hook), 1, /\(Url validation\)/);
  assert.equal((await az.must(...on(topic.id, 'show'))).provisioningState, 'Failed');
  await az.must(...on(topic.id, 'delete'));
});

scenario('K10 An update keeps what it does not name', OPTIONS, async (w) => {
  const { az, topic } = await startTopic(w);
  const hook = await w.hook();
  const first = subscribe(topic.id, hook, '--subject-begins-with', 'a/', '--labels', 'l1');
  first[first.indexOf('--endpoint') + 1] = hook.url('/first?code=1');
  await az.must(...first);
  const typesOnly = await az.must(...on(topic.id, 'update', '--included-event-types', 'made'));
  assert.deepEqual(typesOnly.filter.includedEventTypes, ['made']);
  assert.equal(typesOnly.filter.subjectBeginsWith, 'a/');
  assert.equal(typesOnly.destination.endpointType, 'WebHook');
  assert.equal(typesOnly.destination.endpointBaseUrl, hook.url('/first'));
  assert.deepEqual(typesOnly.labels, ['l1']);
  assert.equal(hook.handshakes().length, 1);
  const moved = await az.must(...on(topic.id, 'update', '--endpoint', hook.url('/second')));
  assert.equal(moved.destination.endpointBaseUrl, hook.url('/second'));
  assert.equal(moved.destination.endpointType, 'WebHook');
  assert.equal(moved.filter.subjectBeginsWith, 'a/');
  assert.equal(hook.handshakes().length, 2);
  assert.equal(hook.handshakes()[1].url, '/second');
});

scenario('K11 Secrets are shown to who asks for them', OPTIONS, async (w) => {
  const { az, topic } = await startTopic(w);
  const hook = await w.hook();
  const words = subscribe(topic.id, hook);
  words[words.indexOf('--endpoint') + 1] = hook.url('/first?code=s3cret');
  await az.must(...words, '--delivery-attribute-mapping', 'h1', 'static', 'v4lue', 'true');
  const look = () =>
    az.must(...on(topic.id, 'show', '--include-full-endpoint-url', 'true', '--include-attrib-secret', 'true'));
  const check = async () => {
    const shown = await az.must(...on(topic.id, 'show'));
    assert.equal(shown.destination.endpointBaseUrl, hook.url('/first'));
    assert.equal(shown.destination.deliveryAttributeMappings[0].value, 'Hidden');
    const whole = await look();
    assert.equal(whole.destination.endpointUrl, hook.url('/first?code=s3cret'));
    assert.equal(whole.destination.deliveryAttributeMappings.value[0].value, 'v4lue');
  };
  await check();
  await az.must(...on(topic.id, 'update', '--labels', 'l1'));
  await check();
});

scenario('K12 What is not there', OPTIONS, async (w) => {
  const { az, topic, group } = await startTopic(w);
  await assertFails(az, on(topic.id, 'show'), 3, /ResourceNotFound/);
  await assertFails(az, `eventgrid topic show -g ${GROUP} -n none`, 3, /ResourceNotFound/);
  await assertFails(az, 'eventgrid topic show -g none -n orders', 3, /ResourceGroupNotFound/);
  await assertFails(az, 'group show -n none', 3, /ResourceGroupNotFound/);
  await assertFails(az, ['resource', 'show', '--ids', `${group}/providers/Microsoft.Cache/Redis/none`], 3, /NotFound/);
});

scenario('K12 A cache that is not there', OPTIONS, async (w) => {
  const { az } = await startCache(w);
  await assertFails(az, `redis show -g ${GROUP} -n none`, 3, /ResourceNotFound/);
});

scenario('K13 Scaling tells of its end', OPTIONS, async (w) => {
  const { az, cache } = await startCache(w);
  const hook = await w.hook();
  await az.must(...subscribe(cache.id, hook));
  const isScaled = (times) => () =>
    types(hook).filter((type) => type === 'Microsoft.Cache.ScalingCompleted').length === times;
  await az.must(`redis update -g ${GROUP} -n c1 --vm-size C1`);
  await until(isScaled(1), 'the first event', EVENTS_MS); // after az has ended, maybe
  await az.must(`redis update -g ${GROUP} -n c1 --sku Standard`);
  await until(isScaled(2), 'the second event', EVENTS_MS);
  const shown = await az.must(`redis show -g ${GROUP} -n c1`);
  assert.deepEqual([shown.sku.name, shown.sku.family, shown.sku.capacity], ['Standard', 'C', 1]);
});

scenario('K14 Import, reboot, keys', OPTIONS, async (w) => {
  const { az, cache } = await startCache(w);
  const hook = await w.hook();
  const dump = await container(w);
  await az.must(...subscribe(cache.id, hook));
  await withClient(az, (client) => client.set('k', 'v'));
  await az.must(...`redis export -g ${GROUP} -n c1 --prefix p`.split(' '), '--container', dump.url);
  const [blob] = await dump.blobs();
  await withClient(az, (client) => client.del('k'));
  await az.must(...`redis import -g ${GROUP} -n c1 --files`.split(' '), dump.blob(blob));
  await typed(hook, 'Microsoft.Cache.ImportRDBCompleted');
  await withClient(az, async (client) => assert.equal(await client.get('k'), 'v'));

  const reboot = await az.must(`redis force-reboot -g ${GROUP} -n c1 --reboot-type AllNodes`);
  assert.match(reboot.message, /reboot/);
  const before = await az.must(`redis list-keys -g ${GROUP} -n c1`);
  const after = await az.must(`redis regenerate-keys -g ${GROUP} -n c1 --key-type Primary`);
  assert.notEqual(after.primaryKey, before.primaryKey);
  assert.equal(after.secondaryKey, before.secondaryKey);
  const knock = (client) => client.call('AUTH', before.primaryKey);
  await assert.rejects(withClient(az, knock), /WRONGPASS/);
});

scenario('K15 Lists by resource, group and location', OPTIONS, async (w) => {
  const { az, topic } = await startTopic(w);
  const hook = await w.hook();
  await az.must(...subscribe(topic.id, hook));
  await az.must(
    `eventgrid topic event-subscription create -g ${GROUP} --topic-name orders -n es2 --endpoint ${hook.url()}`,
  );
  const list = async (...words) =>
    (await az.must('eventgrid', 'event-subscription', 'list', ...words)).map(({ name }) => name).sort();
  const both = ['es1', 'es2'];
  assert.deepEqual(await list('--source-resource-id', topic.id), both);
  assert.deepEqual(await list('--location', 'westcentralus'), both);
  assert.deepEqual(await list('--location', 'westcentralus', '-g', GROUP), both);
  assert.deepEqual(await list('--location', 'westcentralus', '-g', 'none').catch(() => []), []);
  assert.deepEqual(await list('--location', 'eastus'), []);
  const kind = ['--topic-type-name', 'Microsoft.EventGrid.Topics'];
  assert.deepEqual(await list('--location', 'westcentralus', ...kind), both);
  assert.deepEqual(await list('--location', 'westcentralus', '--topic-type-name', 'Microsoft.Cache.Redis'), []);
});

scenario('K15 A cache, its system topic, and the lists they are in', OPTIONS, async (w) => {
  const { az, cache } = await startCache(w);
  const hook = await w.hook();
  await az.must(...subscribe(cache.id, hook));
  const [system] = await az.must(`eventgrid system-topic list -g ${GROUP}`);
  const of = `eventgrid system-topic event-subscription`;
  const where = `-g ${GROUP} --system-topic-name ${system.name}`;
  assert.deepEqual((await az.must(`${of} list ${where}`)).map(({ name }) => name), ['es1']);
  await az.must(`${of} create ${where} -n es2 --endpoint ${hook.url()}`);
  const list = async (...words) =>
    (await az.must('eventgrid', 'event-subscription', 'list', ...words)).map(({ name }) => name).sort();
  assert.deepEqual(await list('--source-resource-id', cache.id), ['es1', 'es2']);
  assert.deepEqual(
    await list('--location', 'westcentralus', '--topic-type-name', 'Microsoft.Cache.Redis'),
    ['es1', 'es2'],
  );
  await az.must(`${of} delete ${where} -n es2 -y`);
  assert.deepEqual(await list('--source-resource-id', cache.id), ['es1']);
});

// Runs az, and has an operation go on for as long as it was not asked often; `end` lets it end. It must
// always have been told when to ask again.
async function assertPolls(az, words, polls, end) {
  let said = '';
  const ended = az.run([...words, '--debug'], (text) => (said += text));
  const asked = new RegExp(`Request URL: '[^']*/${polls}/[^']*'`, 'g');
  await until(() => said.match(asked)?.length > 2, 'it asks again and again', EVENTS_MS);
  await end();
  const { code, stderr } = await ended;
  assert.equal(code, 0, stderr);
  const answers = stderr.split('Response status: ').slice(1);
  const unfinished = answers.filter((text) => /"status":\s*"InProgress"|'Azure-AsyncOperation'/.test(text));
  assert.ok(unfinished.length > 2);
  for (const text of unfinished) assert.match(text, /'Retry-After': '1'/);
}

scenario('K18 Every unfinished answer says when to ask again', OPTIONS, async (w) => {
  const { az, topic } = await startTopic(w);
  const hook = await w.hook({ handshake: 'hang' });
  await assertPolls(az, subscribe(topic.id, hook), 'operationsStatus', () => {
    hook.handshake = 'echo';
    hook.confirm(hook.handshakes()[0], hook.hanging.pop());
  });
});

scenario('K18 The same of a cache, whose export takes its time', OPTIONS, async (w) => {
  const { az } = await startCache(w);
  const held = [];
  let isOpen = false;
  const storage = http.createServer((request, response) => {
    const accept = () => response.writeHead(201).end();
    request.resume().on('end', () => (isOpen ? accept() : held.push(accept)));
  });
  await new Promise((resolve) => storage.listen(0, '127.0.0.1', resolve));
  try {
    const container = `http://127.0.0.1:${storage.address().port}/dump?sig=x`;
    const words = `redis export -g ${GROUP} -n c1 --prefix p --container`.split(' ');
    await assertPolls(az, [...words, container], 'operationResults', () => {
      isOpen = true;
      for (const accept of held) accept();
    });
  } finally {
    storage.closeAllConnections();
    storage.close();
  }
});
