// The control plane in raw HTTP: groups, topics, event subscriptions, operations (azure-api.md 11).

import assert from 'node:assert/strict';
import { Arm, EG, GROUP, SUBSCRIPTION } from '../lib/arm.js';
import { must } from '../lib/command.js';
import { Events, gridEvent } from '../lib/events.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

const GUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const V = '?api-version=2022-06-15';

// A node with the group, and a topic in it.
async function start(w, options) {
  const arm = new Arm(await w.node(options ?? {}).start());
  await arm.group();
  return { arm, topic: await arm.armTopic('orders') };
}

const operation = (arm, provider, name) =>
  new RegExp(`^${arm.base()}${SUBSCRIPTION}/providers/${provider}/locations/\\w+/${name}/${GUID}\\?`);
const names = (list) => list.value.map(({ name }) => name).sort();

scenario('X1 Headers of operations, byte by byte', async (w) => {
  const { arm, topic } = await start(w);
  const hook = await w.hook();
  const id = Arm.subscriptionId(topic, 'es1');
  const put = await arm.put(topic, 'es1', hook.url('/hook?code=1'));
  assert.equal(put.status, 201);
  assert.equal(put.json.properties.provisioningState, 'Creating');
  assert.match(put.headers.get('azure-asyncoperation'), operation(arm, 'Microsoft.EventGrid', 'operationsStatus'));
  assert.equal(put.headers.get('location'), `${arm.base()}${id}${V}`);
  assert.equal(put.headers.get('retry-after'), '1');
  assert.match(put.headers.get('x-ms-request-id'), new RegExp(GUID));
  const end = await arm.ends(put);
  assert.equal(end.status, 'Succeeded');
  assert.match(end.name, new RegExp(`^${GUID}$`));
  assert.equal(end.error, null);
  const removed = await arm.send('DELETE', id);
  assert.equal(removed.status, 202);
  assert.equal(removed.text, '');
  assert.equal(removed.headers.get('content-length'), '0');
  const result = removed.headers.get('location');
  assert.match(result, operation(arm, 'Microsoft.EventGrid', 'operationResults'));
  assert.equal(removed.headers.get('azure-asyncoperation'), result);
  assert.equal(removed.headers.get('retry-after'), '1');
  assert.equal((await arm.ends(removed)).status, 'Succeeded');
  // All three names are answered for every operation.
  for (const name of ['operationsStatus', 'asyncOperations', 'operationResults'])
    assert.equal((await arm.is(200, 'GET', result.replace('operationResults', name))).status, 'Succeeded');
  const group = await arm.send('DELETE', GROUP);
  assert.equal(group.status, 202);
  assert.equal(group.headers.get('azure-asyncoperation'), null);
  assert.match(group.headers.get('location'), operation(arm, 'Microsoft.Resources', 'operationResults'));
  assert.equal((await arm.ends(group)).status, 'Succeeded');
});

scenario('X1 What is being made is shown, and every unfinished answer says when to ask again', async (w) => {
  const { arm, topic } = await start(w);
  const hook = await w.hook({ handshake: 'hang' });
  const put = await arm.put(topic, 'es1', hook.url());
  await until(() => hook.handshakes().length > 0, 'the handshake', 30000);
  const url = put.headers.get('azure-asyncoperation');
  const status = await arm.send('GET', url);
  assert.deepEqual([status.status, status.json.status], [200, 'InProgress']);
  assert.equal(status.headers.get('retry-after'), '1');
  const result = await arm.send('GET', url.replace('operationsStatus', 'operationResults'));
  assert.deepEqual([result.status, result.json.status], [202, 'InProgress']);
  assert.equal(result.headers.get('retry-after'), '1');
  const shown = await arm.is(200, 'GET', Arm.subscriptionId(topic, 'es1'));
  assert.equal(shown.properties.provisioningState, 'Creating');
  assert.equal(shown.properties.destination.endpointType, 'WebHook');
  await hook.destroy();
  assert.equal((await arm.ends(put)).error.code, 'Url validation');
});

scenario('X2 Paths are taken in any spelling', async (w) => {
  const { arm, topic } = await start(w);
  const hook = await w.hook();
  await arm.made(topic, 'es1', hook.url());
  const wanted = await arm.is(200, 'GET', Arm.subscriptionId(topic, 'es1'));
  const nested = `${topic}/eventSubscriptions/es1`;
  for (const path of [
    Arm.subscriptionId(topic, 'es1').toUpperCase().replace('/S1/', '/s1/'),
    nested,
    nested.toUpperCase(),
    `/${nested}/`,
    nested.replace('orders', '%6frders'),
  ])
    assert.deepEqual(await arm.is(200, 'GET', path), wanted);
  const where = `${GROUP}${EG}/locations/West%20US/eventSubscriptions`;
  for (const path of [where, where.replace('West%20US', 'westus'), `${where}?%24top=100`])
    assert.deepEqual(names(await arm.is(200, 'GET', path)), ['es1']);
  assert.equal((await arm.is(200, 'GET', topic.toUpperCase())).id, topic);
  // Ids that are made keep the spelling of their group.
  const made = await arm.send('PUT', topic.replace('orders', 'Other').replace('/rg/', '/RG/').replace('topics', 'TOPICS'), { location: 'x' });
  assert.equal(made.json.id, topic.replace('orders', 'Other'));
  await arm.is(400, 'GET', `${GROUP}%2Fx`);
  await arm.is(404, 'GET', `${GROUP}${EG}/domains/d`);
  const wrong = await arm.send('POST', topic, {});
  assert.equal(wrong.status, 405);
  assert.equal(wrong.headers.get('allow'), 'GET, PUT, PATCH, DELETE');
});

scenario('X3 What is asked twice is done once', async (w) => {
  const { arm, topic } = await start(w);
  const hook = await w.hook();
  await arm.made(topic, 'es1', hook.url());
  const again = await arm.made(topic, 'es1', hook.url());
  assert.equal(again.json.properties.provisioningState, 'Updating');
  assert.equal((await arm.ends(again)).status, 'Succeeded'); // and asked for once more
  assert.equal(hook.handshakes().length, 1);
  await arm.done(202, 'DELETE', Arm.subscriptionId(topic, 'es1'));
  await arm.is(204, 'DELETE', Arm.subscriptionId(topic, 'es1'));
  await arm.done(201, 'PUT', topic, { location: 'West US' });
  await arm.done(202, 'DELETE', topic);
  await arm.is(204, 'DELETE', topic);
  await arm.is(200, 'PUT', GROUP, { location: 'West US' });
});

scenario('X4 What goes on when the server dies is ended by the next one', async (w) => {
  const store = await w.redis({ persistent: true });
  const first = await start(w, { store, data: w.path('data') });
  const hook = await w.hook({ handshake: 'hang' });
  const put = await first.arm.put(first.topic, 'es1', hook.url(), { labels: ['kept'] });
  await until(() => hook.handshakes().length > 0, 'the handshake', 30000);
  await first.arm.node.kill();
  hook.handshake = 'echo';
  const next = new Arm(await w.node({ store, data: w.path('data') }).start());
  assert.equal((await next.ends(put)).status, 'Succeeded');
  const shown = await next.is(200, 'GET', Arm.subscriptionId(first.topic, 'es1'));
  assert.equal(shown.properties.provisioningState, 'Succeeded');
  assert.deepEqual(shown.properties.labels, ['kept']);
  // The removal of a group, with an endpoint that keeps the notice waiting.
  hook.judge = (record) => (record.kind === 'SubscriptionDeletion' ? 'hang' : 200);
  const removed = await next.send('DELETE', GROUP);
  await until(() => hook.requests.some(({ kind }) => kind === 'SubscriptionDeletion'), 'notice', 30000);
  await next.is(409, 'PUT', Arm.topicId('late'), { location: 'x' });
  const twice = await next.send('DELETE', GROUP);
  assert.equal(twice.headers.get('location'), removed.headers.get('location'));
  await next.node.kill();
  const last = new Arm(await w.node({ store, data: w.path('data') }).start());
  assert.equal((await last.ends(removed)).status, 'Succeeded');
  await last.is(404, 'GET', GROUP);
  await last.is(404, 'GET', first.topic);
});

scenario('X5 Behind a TLS front end, URLs begin with https', async (w) => {
  const { arm, topic } = await start(w);
  const hook = await w.hook();
  const answer = await arm.send(
    'PUT',
    Arm.subscriptionId(topic, 'es1'),
    { properties: Events.to(hook.url()) },
    { 'x-forwarded-proto': 'https' },
  );
  for (const name of ['azure-asyncoperation', 'location'])
    assert.match(answer.headers.get(name), /^https:\/\/127\.0\.0\.1:\d+\/subscriptions\//);
  const shown = await arm.send('GET', topic, undefined, { 'x-forwarded-proto': 'https' });
  assert.match(shown.json.properties.endpoint, /^https:/);
});

scenario('K8 Groups, providers, types and deployments answer as their shapes are', async (w) => {
  const { arm, topic } = await start(w);
  assert.deepEqual(await arm.is(200, 'PUT', GROUP, { location: 'West US', tags: { a: 'b' } }), {
    id: GROUP,
    name: 'rg',
    type: 'Microsoft.Resources/resourceGroups',
    location: 'West US',
    tags: { a: 'b' },
    properties: { provisioningState: 'Succeeded' },
  });
  assert.deepEqual((await arm.is(200, 'PATCH', GROUP, { tags: { c: 'd' } })).tags, { c: 'd' });
  assert.deepEqual(names(await arm.is(200, 'GET', `${SUBSCRIPTION}/resourcegroups`)), ['rg']);
  await arm.is(204, 'HEAD', GROUP);
  await arm.is(404, 'HEAD', `${GROUP}x`);
  await arm.is(400, 'PUT', `${GROUP}x`, {});
  const provider = `${SUBSCRIPTION}/providers/microsoft.eventgrid`;
  assert.equal((await arm.is(200, 'POST', `${provider}/register`)).registrationState, 'Registered');
  assert.equal((await arm.is(200, 'GET', provider)).namespace, 'Microsoft.EventGrid');
  const listed = await arm.is(200, 'GET', `${SUBSCRIPTION}/resources?$filter=x&$expand=y`);
  assert.deepEqual(listed.value.map(({ id, type }) => [id, type]), [[topic, 'Microsoft.EventGrid/topics']]);
  const types = await arm.is(200, 'GET', `${EG}/topicTypes`);
  assert.deepEqual(names(types), ['Microsoft.Cache.Redis', 'Microsoft.EventGrid.Topics']);
  assert.equal(types.value[0].id, 'providers/Microsoft.EventGrid/topicTypes/Microsoft.Cache.Redis');
  await arm.is(200, 'GET', `${EG}/topicTypes/microsoft.cache.redis`);
  await arm.is(404, 'GET', `${EG}/topicTypes/none`);
  const kinds = await arm.is(200, 'GET', `${EG}/topicTypes/Microsoft.Cache.Redis/eventTypes`);
  const usual = kinds.value.filter(({ properties }) => properties.isInDefaultSet).map(({ name }) => name);
  assert.deepEqual(usual.sort(), [
    'Microsoft.Cache.ExportRDBCompleted',
    'Microsoft.Cache.ImportRDBCompleted',
    'Microsoft.Cache.PatchingCompleted',
    'Microsoft.Cache.ScalingCompleted',
  ]);
  assert.deepEqual((await arm.is(200, 'GET', `${topic}${EG}/eventTypes`)).value, []);
  const deployment = `${GROUP}/providers/Microsoft.Resources/deployments/d1`;
  const template = { properties: { templateLink: { uri: 'http://127.0.0.1:1/' }, mode: 'Incremental' } };
  await arm.is(200, 'POST', `${deployment}/validate`, template);
  const deployed = await arm.is(201, 'PUT', deployment, template);
  assert.equal(deployed.properties.provisioningState, 'Succeeded');
  assert.match(deployed.properties.outputs.redgrid.value, /nothing of this one was made/);
  await arm.is(404, 'GET', deployment);
});

scenario('K8 Topics answer as their shapes are', async (w) => {
  const { arm, topic } = await start(w);
  const body = { location: 'x', tags: { a: 'b' }, properties: { inputSchema: 'CloudEventSchemaV1_0' } };
  const put = await arm.done(201, 'PUT', Arm.topicId('clouds'), body);
  assert.equal(put.json.properties.provisioningState, 'Creating');
  assert.equal(put.json.properties.endpoint, null);
  const shown = await arm.is(200, 'GET', Arm.topicId('clouds'));
  assert.equal(shown.properties.provisioningState, 'Succeeded');
  assert.equal(shown.properties.endpoint, `${arm.base()}/topics/clouds/api/events`);
  assert.equal(shown.properties.inputSchema, 'CloudEventSchemaV1_0');
  assert.deepEqual([shown.location, shown.tags, shown.identity], ['x', { a: 'b' }, { type: 'None' }]);
  const patched = await arm.is(200, 'PATCH', Arm.topicId('clouds'), { tags: { c: 'd' }, properties: { disableLocalAuth: true } });
  assert.deepEqual(patched.tags, { c: 'd' });
  assert.equal(patched.properties.disableLocalAuth, true);
  assert.equal(patched.properties.inputSchema, 'CloudEventSchemaV1_0');
  const keys = await arm.is(200, 'POST', `${topic}/listKeys`);
  const renewed = await arm.is(200, 'POST', `${topic}/regenerateKey`, { keyName: 'key1' });
  assert.notEqual(renewed.key1, keys.key1);
  assert.equal(renewed.key2, keys.key2);
  await arm.is(400, 'POST', `${topic}/regenerateKey`, { keyName: 'key3' });
  for (const scope of [SUBSCRIPTION, GROUP])
    assert.deepEqual(names(await arm.is(200, 'GET', `${scope}${EG}/topics?$top=100`)), ['clouds', 'orders']);
  // A name is a topic's once on a server.
  await arm.group(`${GROUP}2`);
  const other = await arm.is(409, 'PUT', Arm.topicId('orders', `${GROUP}2`), { location: 'x' });
  assert.equal(other.error.code, 'Conflict');
  await arm.is(400, 'PUT', Arm.topicId('more'), { location: 5 });
  await arm.is(400, 'PUT', Arm.topicId('more'), 'no json');
});

scenario('What commands make is here too, and the other way round', async (w) => {
  const { arm, topic } = await start(w);
  const hook = await w.hook();
  await must(arm, 'topic', 'create', 'mine');
  await must(arm, 'subscription', 'create', 'es1', '--topic', 'orders', '--endpoint', hook.url());
  const builtIn = '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/redgrid';
  assert.equal((await arm.is(200, 'GET', Arm.topicId('mine', builtIn))).location, 'local');
  await arm.is(200, 'GET', builtIn);
  await arm.is(200, 'GET', Arm.subscriptionId(topic, 'es1'));
  // Who says nothing of tags leaves them.
  await arm.is(200, 'PATCH', topic, { tags: { kept: 'yes' } });
  await arm.must('PATCH', '/api/topics/orders', { properties: { eventRetentionInDays: 3 } });
  assert.deepEqual((await arm.is(200, 'GET', topic)).tags, { kept: 'yes' });
  assert.match(await must(arm, 'topic', 'list'), /orders/);
  assert.equal((await arm.publish('orders', gridEvent())).status, 200);
  await hook.gets(1, 30000);
});

scenario('K9 A refused handshake is told by the operation', async (w) => {
  const { arm, topic } = await start(w);
  const hook = await w.hook({ handshake: { status: 404 } });
  const put = await arm.put(topic, 'es1', hook.url('/x?secret=1'));
  assert.equal(put.status, 201);
  const end = await arm.ends(put);
  assert.equal(end.status, 'Failed');
  assert.equal(end.error.code, 'Url validation');
  assert.match(end.error.message, /^Webhook validation handshake failed for http:\/\/127\.0\.0\.1:\d+\/x\./);
  const shown = await arm.is(200, 'GET', Arm.subscriptionId(topic, 'es1'));
  assert.equal(shown.properties.provisioningState, 'Failed');
  await arm.done(202, 'DELETE', Arm.subscriptionId(topic, 'es1'));
});

scenario('K10 An update keeps what it does not name, and asks a new endpoint alone', async (w) => {
  const { arm, topic } = await start(w);
  const hook = await w.hook();
  const id = Arm.subscriptionId(topic, 'es1');
  await arm.made(topic, 'es1', hook.url('/a?code=1'), { filter: { subjectBeginsWith: 'x' }, labels: ['l'] });
  const types = await arm.done(201, 'PATCH', id, { filter: { includedEventTypes: ['made'], subjectBeginsWith: 'x' } });
  assert.equal(types.json.properties.destination.endpointType, 'WebHook');
  assert.deepEqual(types.json.properties.filter.includedEventTypes, ['made']);
  assert.deepEqual(types.json.properties.labels, ['l']);
  assert.equal(hook.handshakes().length, 1);
  const properties = { endpointUrl: hook.url('/b'), maxEventsPerBatch: 1 };
  await arm.done(201, 'PATCH', id, { destination: { endpointType: 'WebHook', properties } });
  assert.equal(hook.handshakes().length, 2);
  const shown = await arm.is(200, 'GET', id);
  assert.equal(shown.properties.destination.properties.endpointBaseUrl, hook.url('/b'));
  assert.equal(shown.properties.filter.subjectBeginsWith, 'x');
  await arm.is(400, 'PATCH', id, { retryPolicy: { maxDeliveryAttempts: 31 } });
});

scenario('K11 Secrets are shown to who asks for them, and kept', async (w) => {
  const { arm, topic } = await start(w);
  const hook = await w.hook();
  const id = Arm.subscriptionId(topic, 'es1');
  const deliveryAttributeMappings = [
    { name: 'h1', type: 'Static', properties: { value: 'v1', isSecret: true } },
    { name: 'h2', type: 'Dynamic', properties: { sourceField: 'data.x' } },
  ];
  await arm.made(topic, 'es1', hook.url('/a?code=1'), {}, { deliveryAttributeMappings });
  const check = async () => {
    const { destination } = (await arm.is(200, 'GET', id)).properties;
    assert.equal(destination.properties.endpointUrl, null);
    assert.equal(destination.properties.endpointBaseUrl, hook.url('/a'));
    assert.equal(destination.properties.deliveryAttributeMappings[0].properties.value, 'Hidden');
    assert.deepEqual(await arm.is(200, 'POST', `${id}/getFullUrl`), { endpointUrl: hook.url('/a?code=1') });
    assert.deepEqual((await arm.is(200, 'POST', `${id}/getDeliveryAttributes`)).value, deliveryAttributeMappings);
    return destination;
  };
  const destination = await check();
  await arm.done(201, 'PATCH', id, { labels: ['x'] });
  await check();
  await arm.done(201, 'PATCH', id, { destination, labels: ['y'] }); // as it was shown
  await check();
});

scenario('K12 What is not there is named', async (w) => {
  const { arm, topic } = await start(w);
  const code = async (path) => (await arm.is(404, 'GET', path)).error;
  const cache = `${GROUP}/providers/Microsoft.Cache/Redis/none`;
  assert.deepEqual(await code(Arm.topicId('none')), {
    code: 'ResourceNotFound',
    message: "The Resource 'Microsoft.EventGrid/topics/none' under resource group 'rg' was not found.",
  });
  assert.equal((await code(`${GROUP}x`)).code, 'ResourceGroupNotFound');
  assert.equal((await code(Arm.subscriptionId(topic, 'none'))).code, 'ResourceNotFound');
  assert.equal((await code(Arm.subscriptionId(cache, 'es1'))).code, 'ResourceNotFound');
  const put = await arm.is(404, 'PUT', Arm.subscriptionId(cache, 'es1'), {});
  assert.match(put.error.message, /Microsoft\.Cache\/Redis\/none/);
  assert.equal((await arm.is(404, 'PUT', Arm.topicId('new', `${GROUP}x`), {})).error.code, 'ResourceGroupNotFound');
  assert.equal((await arm.is(404, 'DELETE', `${GROUP}x`)).error.code, 'ResourceGroupNotFound');
  await arm.is(400, 'PUT', Arm.subscriptionId(GROUP, 'es1'), {});
  await arm.is(404, 'GET', `${SUBSCRIPTION}${EG}/locations/l/operationsStatus/none`);
});

scenario('K15 Lists have what belongs there, in both forms', async (w) => {
  const { arm, topic } = await start(w);
  const hook = await w.hook();
  await arm.group(`${GROUP}2`);
  const other = await arm.armTopic('others', { group: `${GROUP}2`, location: 'eastus' });
  await arm.made(topic, 'es1', hook.url());
  const nested = await arm.send('PUT', `${topic}/eventSubscriptions/es2`, { properties: Events.to(hook.url()) });
  await arm.ends(nested);
  await arm.made(other, 'es3', hook.url());
  const list = async (path) => names(await arm.is(200, 'GET', `${path}/eventSubscriptions?$top=100`));
  assert.deepEqual(await list(`${topic}${EG}`), ['es1', 'es2']);
  assert.deepEqual(await list(topic), ['es1', 'es2']);
  assert.deepEqual(await list(`${GROUP}${EG}`), ['es1', 'es2']);
  assert.deepEqual(await list(`${SUBSCRIPTION}${EG}`), ['es1', 'es2', 'es3']);
  assert.deepEqual(await list(`${SUBSCRIPTION}${EG}/locations/East%20US`), ['es3']);
  assert.deepEqual(await list(`${GROUP}${EG}/locations/eastus`), []);
  const type = 'topicTypes/microsoft.eventgrid.topics';
  assert.deepEqual(await list(`${SUBSCRIPTION}${EG}/${type}`), ['es1', 'es2', 'es3']);
  assert.deepEqual(await list(`${SUBSCRIPTION}${EG}/locations/eastus/${type}`), ['es3']);
  assert.deepEqual(await list(`${SUBSCRIPTION}${EG}/topicTypes/Microsoft.Cache.Redis`), []);
  assert.deepEqual(await arm.is(200, 'GET', `${topic}/eventSubscriptions/es1`), await arm.is(200, 'GET', Arm.subscriptionId(topic, 'es1')));
  await arm.is(404, 'GET', `${GROUP}3${EG}/eventSubscriptions`);
  // One group goes, with all that is in it; the other stays.
  await arm.done(202, 'DELETE', GROUP);
  await arm.is(404, 'GET', topic);
  assert.deepEqual(await list(`${SUBSCRIPTION}${EG}`), ['es3']);
});

scenario('K16 Any bearer token is taken here, and one must be right where one is demanded', async (w) => {
  const open = new Arm(await w.node({}).start());
  const where = `${SUBSCRIPTION}/resourcegroups`;
  const ask = async (arm, headers) => (await arm.send('GET', where, undefined, headers)).status;
  assert.equal(await ask(open, { authorization: 'Bearer dummy' }), 200);
  assert.equal(await ask(open), 200);
  const closed = new Arm(await w.node({ args: ['--listen-token', 'secret'] }).start());
  assert.equal(await ask(closed, { authorization: 'Bearer secret' }), 200);
  const denied = await closed.send('GET', where, undefined, { authorization: 'Bearer other' });
  assert.equal(denied.status, 401);
  assert.equal(denied.json.error.code, 'AuthenticationFailed');
  assert.match(denied.headers.get('www-authenticate'), /^Bearer /);
  assert.doesNotMatch(denied.headers.get('www-authenticate'), /claims=/);
});

scenario('K15 An event subscription on a cache makes its system topic, and is the same by both', async (w) => {
  const store = await w.redis();
  const cache = `${GROUP}/providers/Microsoft.Cache/Redis/Cache1`;
  const document = { name: 'Cache1', id: cache, kind: 'cache', location: 'eastus', properties: {} };
  await store.cli.hset('rg:{meta}:resources', cache.toLowerCase(), JSON.stringify(document));
  const { arm } = await start(w, { store });
  const hook = await w.hook();
  await arm.armTopic('cache1'); // has the name that the system topic would have
  const system = `${GROUP}${EG}/systemTopics`;
  const bad = { filter: { includedEventTypes: ['None.Such'] } };
  assert.equal((await arm.put(cache, 'es1', hook.url(), bad)).status, 400);
  assert.deepEqual(names(await arm.is(200, 'GET', system)), []); // nothing is made for nothing
  assert.deepEqual(names(await arm.is(200, 'GET', `${cache}${EG}/eventSubscriptions`)), []);
  await Promise.all(['es1', 'es2'].map((name) => arm.made(cache, name, hook.url())));
  const shown = await arm.is(200, 'GET', Arm.subscriptionId(cache, 'es1'));
  assert.equal(shown.properties.topic, `${GROUP}/providers/microsoft.cache/redis/Cache1`);
  assert.deepEqual([...shown.properties.filter.includedEventTypes].sort(), [
    'Microsoft.Cache.ExportRDBCompleted',
    'Microsoft.Cache.ImportRDBCompleted',
    'Microsoft.Cache.PatchingCompleted',
    'Microsoft.Cache.ScalingCompleted',
  ]);
  const topic = (await arm.is(200, 'GET', system)).value[0];
  assert.deepEqual([topic.name, topic.location], ['cache1-2', 'eastus']);
  assert.deepEqual([topic.properties.source, topic.properties.endpoint], [cache, undefined]);
  const nested = `${system}/cache1-2/eventSubscriptions`;
  assert.deepEqual(await arm.is(200, 'GET', `${nested}/es1`), shown);
  const type = `${SUBSCRIPTION}${EG}/topicTypes/Microsoft.Cache.Redis/eventSubscriptions`;
  for (const path of [nested, `${cache}${EG}/eventSubscriptions`, type])
    assert.deepEqual(names(await arm.is(200, 'GET', path)), ['es1', 'es2']);
  const kinds = await arm.is(200, 'GET', `${cache}${EG}/eventTypes`);
  assert.ok(names(kinds).includes('Redgrid.Cache.FailoverCompleted'));
  // One more for the same resource cannot be made.
  const source = { location: 'x', properties: { source: cache, topicType: 'Microsoft.Cache.Redis' } };
  await arm.is(409, 'PUT', `${system}/another`, source);
  await arm.is(201, 'PUT', `${system}/cache1-2`, source);
  source.properties.source = `${cache}x`;
  await arm.is(404, 'PUT', `${system}/another`, source);
  await arm.done(202, 'DELETE', `${system}/cache1-2`);
  assert.deepEqual(names(await arm.is(200, 'GET', `${cache}${EG}/eventSubscriptions`)), []);
});

scenario('X4 What goes on when a node stops or dies, another one or the next start ends', async (w) => {
  const store = await w.redis();
  const { arm, topic } = await start(w, { store, data: w.path('data') });
  const other = new Arm(await w.node({ store }).start());
  const hook = await w.hook({ handshake: 'hang' });
  const asked = async (n) => until(() => hook.handshakes().length >= n, `handshake ${n}`, 30000);
  const first = await arm.put(topic, 'es1', hook.url('/1'));
  await asked(1);
  const poll = await other.is(200, 'GET', first.headers.get('azure-asyncoperation'));
  assert.equal(poll.status, 'InProgress'); // any node answers
  hook.handshake = 'echo';
  await arm.node.kill();
  assert.equal((await other.ends(first)).status, 'Succeeded');
  await asked(2);
  hook.handshake = 'hang';
  const second = await other.put(topic, 'es2', hook.url('/2'));
  await asked(3);
  await other.node.stop();
  hook.handshake = 'echo';
  const next = new Arm(await w.node({ store, data: w.path('data') }).start());
  assert.equal((await next.ends(second)).status, 'Succeeded');
  const list = await next.is(200, 'GET', `${topic}/eventSubscriptions`);
  assert.deepEqual(
    list.value.map(({ name, properties }) => [name, properties.provisioningState]),
    [['es1', 'Succeeded'], ['es2', 'Succeeded']],
  );
});

scenario('Dead letters of an event subscription are listed, redriven and purged', async (w) => {
  const { arm, topic } = await start(w);
  const hook = await w.hook({ answers: [400, 400] });
  const id = Arm.subscriptionId(topic, 'es1');
  await arm.made(topic, 'es1', hook.url());
  const dead = async (n) => {
    let list;
    await until(
      async () => (list = (await arm.is(200, 'POST', `${id}/listDeadLetters`, {})).value).length === n,
      () => `${n} dead letters, but ${list?.length}`,
      30000,
    );
    return list;
  };
  assert.equal((await arm.publish('orders', gridEvent())).status, 200);
  const [letter] = await dead(1);
  assert.equal((await arm.is(200, 'POST', `${id}/redriveDeadLetters`, { ids: [letter.id] })).redriven, 1);
  await hook.getsRequests(2, 30000);
  await dead(1);
  await arm.is(400, 'POST', `${id}/purgeDeadLetters`, {});
  assert.equal((await arm.is(200, 'POST', `${id}/purgeDeadLetters`, { all: true })).purged, 1);
  await dead(0);
});
