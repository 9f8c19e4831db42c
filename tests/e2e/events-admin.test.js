// Topics and subscriptions: by command, on several nodes, and with faults while they change.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import Redis from 'ioredis';
import { must, redgrid } from '../lib/command.js';
import { Events, cloudEvent, gridEvent } from '../lib/events.js';
import { scenario } from '../lib/scenario.js';
import { publisher } from '../lib/sdk.js';
import { until } from '../lib/until.js';

const SDK_EVENT = { subject: 's', eventType: 'made', dataVersion: '1', data: {} };

// What the private store of a node holds.
async function keysOf(node) {
  const data = node.args[node.args.indexOf('--data') + 1];
  const store = new Redis({ path: path.join(data, 'store', 'redis.sock') });
  try {
    return await store.keys('rg:{q:*');
  } finally {
    store.disconnect();
  }
}

scenario('Commands make a topic and a subscription, and events flow', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  const made = await must(events, 'topic', 'create', 'orders');
  assert.match(made, /^provisioningState +Succeeded$/m);
  assert.match(await must(events, 'topic', 'list'), /^orders +EventGridSchema +http:/m);
  const words = ['subscription', 'create', 'es1', '--topic', 'orders', '--endpoint', hook.url()];
  const filters = [
    ...['--included-event-types', 'made', 'paid'],
    ...['--advanced-filter', 'data.n', 'NumberInRange', '-5,5', '10,20.5'],
    ...['--advanced-filter', 'data.s', 'StringIn', 'a', 'b'],
    ...['--advanced-filter', 'data.b', 'BoolEquals', 'true'],
    ...['--advanced-filter', 'data.z', 'IsNullOrUndefined'],
  ];
  await must(events, ...words, ...filters, '--delivery-attribute-mapping', 'x-n', 'dynamic', 'data.n');
  assert.match(await must(events, 'subscription', 'list'), /^es1 +orders +Succeeded +EventGridSchema/m);
  const publish = (data) =>
    must(
      events,
      ...['topic', 'publish', 'orders', '--type', 'made', '--subject', 's'],
      ...['--data', JSON.stringify(data)],
    );
  await publish({ n: 7, s: 'a', b: true });
  await publish({ n: -1.5, s: 'c', b: true });
  await publish({ n: 20.5, s: 'B', b: true });
  await publish({ n: -5, s: 'b', b: true });
  const came = await hook.gets(2);
  assert.deepEqual(came.map(({ data }) => data.n).sort(), [-5, 20.5]);
  assert.deepEqual(hook.deliveries().map(({ headers }) => headers['x-n']).sort(), ['-5', '20.5']);
  await must(events, ...['subscription', 'update', 'es1', '--topic', 'orders'], '--event-ttl', '5');
  const scope = (await events.must('GET', '/api/topics/orders')).id;
  const shown = await must(
    events,
    ...['subscription', 'show', 'es1', '--source-resource-id', scope, '--output', 'json'],
  );
  const { properties } = JSON.parse(shown);
  assert.equal(properties.retryPolicy.eventTimeToLiveInMinutes, 5);
  assert.equal(properties.filter.advancedFilters.length, 4);
  await must(events, 'subscription', 'delete', 'es1', '--topic', 'orders');
  await must(events, 'topic', 'delete', 'orders');
  assert.doesNotMatch(await must(events, 'topic', 'list'), /orders/);
});

scenario('Commands publish every schema, one event or a file of them', async (w) => {
  const events = await w.events();
  const file = w.path('events.json');
  const rows = [
    ['grid', 'EventGridSchema', ['--type', 'made', '--subject', 's'], [gridEvent(), gridEvent()]],
    ['cloud', 'CloudEventSchemaV1_0', ['--type', 'made'], [cloudEvent(), cloudEvent()]],
    ['cloud', 'CloudEventSchemaV1_0', ['--type', 'made', '--source', '/x'], cloudEvent()],
    ['own', 'CustomEventSchema', [], [{ any: 1 }, { any: 2 }]],
  ];
  for (const [name, schema, words, whole] of rows) {
    const hook = await w.hook();
    await must(events, 'topic', 'create', name, '--input-schema', schema);
    await events.subscription(name, 'es1', Events.to(hook.url()));
    const before = hook.events().length;
    await must(events, 'topic', 'publish', name, ...words, '--data', '{"n":1}');
    fs.writeFileSync(file, JSON.stringify(whole));
    await must(events, 'topic', 'publish', name, '--file', file);
    await hook.gets(before + 1 + [whole].flat().length);
    await must(events, 'topic', 'delete', name);
  }
});

scenario('What is wrong is said in one line, with its exit code', async (w) => {
  const token = { REDGRID_LISTEN_TOKEN: 'secret' };
  const events = await w.events({ env: token });
  const refused = await redgrid(events, ['topic', 'list']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /REDGRID_TOKEN/);
  const env = { REDGRID_TOKEN: 'secret' };
  assert.equal((await redgrid(events, ['topic', 'create', 'orders'], env)).code, 0);
  const rows = [
    [['topic', 'show', 'none'], 1, /there is no topic 'none'/],
    [['topic', 'delete', 'none'], 1, /there is no topic 'none'/],
    [['topic', 'create', 'a'], 1, /name: .* 3 to 50 characters/],
    [['topic', 'create', 'orders', '--input-schema', 'CloudEventSchemaV1_0'], 1, /inputSchema: /],
    [['subscription', 'show', 'es1', '--topic', 'orders'], 1, /has no subscription 'es1'/],
    [['subscription', 'delete', 'es1', '--topic', 'orders'], 1, /has no subscription 'es1'/],
    [['topic', 'publish', 'orders', '--type', 'made'], 2, /--subject/],
    [['topic', 'publish', 'orders', '--type', 't', '--subject', 's', '--data', 'x'], 2, /--data/],
    [['topic', 'publish', 'orders', '--file', 'f', '--subject', 's'], 2, /--file has whole events/],
    [['topic', 'publish', 'orders', '--source', 's', '--type', 't'], 2, /--source is for topics/],
    [
      ['subscription', 'create', 'es1', '--topic', 'orders', '--endpoint', 'http://10.0.0.1/'],
      1,
      /destination\.properties\.endpointUrl: /,
    ],
  ];
  for (const [words, code, text] of rows) {
    const answer = await redgrid(events, words, env);
    assert.equal(answer.code, code, words.join(' '));
    assert.match(answer.stderr, text);
    assert.equal(answer.stderr.trimEnd().split('\n').length, 1);
  }
});

scenario('A removal that was cut off by kill -9 is ended by the next start', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  await events.topic('orders');
  for (const name of ['es1', 'es2', 'es3'])
    await events.subscription('orders', name, Events.to(hook.url()));
  assert.equal((await keysOf(events.node)).length, 3);
  hook.answers = ['hang'];
  const removal = events.ask('DELETE', '/api/topics/orders').catch(() => 'cut off');
  await until(() => hook.hanging.length > 0, 'the first subscription is being removed');
  await events.node.kill();
  assert.equal(await removal, 'cut off');
  await events.node.start();
  await events.node.line(/goes on being removed/);
  await until(async () => (await keysOf(events.node)).length === 0, 'all queues are gone');
  await until(
    async () => (await events.ask('PUT', '/api/topics/orders', {})).status === 200,
    'the name is free again',
  );
  assert.deepEqual((await events.must('GET', '/api/subscriptions')).value, []);
});

scenario('A subscription whose handshake was cut off was never made', async (w) => {
  const events = await w.events();
  const hook = await w.hook({ handshake: 'hang' });
  await events.topic('orders');
  const make = () => events.putSubscription('orders', 'es1', Events.to(hook.url()));
  const first = make().catch(() => 'cut off');
  await until(() => hook.hanging.length === 1, 'the endpoint is asked');
  const busy = await make();
  assert.equal(busy.status, 409, busy.text);
  await events.node.kill();
  assert.equal(await first, 'cut off');
  await events.node.start();
  const listed = () => events.must('GET', '/api/subscriptions').catch(() => undefined);
  assert.deepEqual((await until(listed, 'it answers again')).value, []);
  const second = make();
  await until(() => hook.hanging.length === 2, 'the endpoint is asked again');
  await events.node.stop(5000); // it does not wait for the endpoint
  assert.equal((await second).status, 503);
});

scenario('A change on one node is in force on the others at once', async (w) => {
  const store = await w.redis();
  const [one, other] = await Promise.all([w.events({ store }), w.events({ store })]);
  const hook = await w.hook();
  const { key1 } = await one.topic('orders');
  await one.subscription('orders', 'es1', Events.to(hook.url()));
  const publish = () => other.publish('orders', [gridEvent()], { 'aeg-sas-key': key1 });
  await until(
    async () => (await other.ask('GET', '/api/subscriptions/es1?topic=orders')).status === 200,
    'the other node knows it',
    1000,
  );
  assert.equal((await publish()).status, 200);
  await hook.gets(1);
  await one.must('POST', '/api/topics/orders/regenerate', { keyName: 'key1' });
  await until(async () => (await publish()).status === 401, 'the old key is refused', 1000);
  await one.must('DELETE', '/api/topics/orders');
  await until(async () => (await publish()).status === 404, 'the topic is gone', 1000);
});

scenario('A node that dies while it removes leaves that to the others', async (w) => {
  const store = await w.redis();
  const args = ['--nodes-heartbeat', '100', '--nodes-dead', '500'];
  const [one, other] = await Promise.all([w.events({ store, args }), w.events({ store, args })]);
  const hook = await w.hook();
  await one.topic('orders');
  await one.subscription('orders', 'es1', Events.to(hook.url()));
  hook.answers = ['hang'];
  const removal = one.ask('DELETE', '/api/topics/orders').catch(() => 'cut off');
  await until(() => hook.hanging.length > 0, 'the removal is under way');
  await one.node.kill();
  await removal;
  await other.node.line(/goes on being removed/);
  await until(
    async () => (await store.cli.hlen('rg:{meta}:resources')) === 0,
    'nothing of the topic is left',
  );
});

scenario('P15 While the store is away changes are refused, and events too', async (w) => {
  const store = await w.redis({ persistent: true });
  const events = await w.events({ store });
  const hook = await w.hook();
  const topic = await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url()));
  await store.stop('SIGKILL');
  const publish = () => events.publish('orders', [gridEvent()], { 'aeg-sas-key': topic.key1 });
  await until(async () => (await publish()).status === 503, 'publishing is refused');
  const change = await events.ask('PUT', '/api/topics/others', {});
  assert.equal(change.status, 503, change.text);
  const statuses = [];
  const watch = async (request, next) => {
    const response = await next(request);
    statuses.push(response.status);
    return response;
  };
  const client = publisher(topic, 'EventGrid', undefined, {
    retryOptions: { maxRetries: 20, retryDelayInMs: 100 },
    additionalPolicies: [{ policy: { name: 'watch', sendRequest: watch }, position: 'perRetry' }],
  });
  const sending = client.send([{ id: 'sdk', ...SDK_EVENT }]);
  await until(() => statuses.includes(503), 'the SDK is refused');
  await store.restart();
  await sending; // it tries again by itself
  await until(() => hook.ids().includes('sdk'), 'the event of the SDK is delivered');
  assert.equal((await events.ask('PUT', '/api/topics/others', {})).status, 200);
});

scenario('A store that hangs is no mistake of who asks', async (w) => {
  const store = await w.redis();
  const events = await w.events({ store: { address: `${store.address},syncTimeout=500` } });
  store.process.kill('SIGSTOP');
  const { status, text } = await events.ask('PUT', '/api/topics/orders', {});
  store.process.kill('SIGCONT');
  assert.equal(status, 503, text);
});
