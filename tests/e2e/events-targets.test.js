// Where events go besides webhooks: functions of this server, and Redis (spec D9, D10).

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { event, handler, stream } from '../lib/app.js';
import { must, redgrid } from '../lib/command.js';
import { Events, cloudEvent, gridEvent } from '../lib/events.js';
import { Node, ROOT } from '../lib/node.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

const LONG_MS = 60000; // a second attempt comes after 10 s
const CLOUD = { inputSchema: 'CloudEventSchemaV1_0' };
const MANY = { maxEventsPerBatch: 10 };

async function publish(events, topic, ...sent) {
  const headers = {
    'aeg-sas-key': (await events.keys(topic)).key1,
    'content-type': sent[0].specversion ? 'application/cloudevents-batch+json' : 'application/json',
  };
  const answer = await events.publish(topic, sent, headers);
  assert.equal(answer.status, 200, answer.text);
}

const gets = (w, n, ms) => until(() => w.ledger().length >= n, () => `${n} runs: ${w.ledger()}`, ms);

// Records what a function in Python is given as one line of JSON.
const RECORD = {
  code: `
import json
import testlib

def main(entry, context):
    testlib.record(json.dumps([entry, context.trigger_metadata]))
`,
};
const FAILS_FIRST = {
  code: `
import testlib

def main(entry, context):
    testlib.record(context.trigger_metadata["DeliveryCount"])
    if testlib.is_first("run"):
        raise ValueError("not yet")
`,
};
const SLOW = {
  code: `
import testlib

def main(entry):
    testlib.record("begun " + entry["id"])
    testlib.wait_for("go")
    testlib.record("ended " + entry["id"])
`,
};

// ---- functions ----

scenario('D9 A function runs with the event', async (w) => {
  const events = new Events(await w.up({ F: event({}, RECORD) }));
  const topic = await events.topic('orders');
  await events.subscription('orders', 'es1', Events.toFunction('APP1', 'f'));
  const sent = gridEvent({ data: { total: 25 } });
  await publish(events, 'orders', sent);
  await gets(w, 1);
  const [entry, metadata] = JSON.parse(w.ledger()[0]);
  assert.deepEqual(entry, { ...sent, topic: topic.id, metadataVersion: '1' });
  assert.deepEqual(metadata.data, { total: 25 });
  assert.equal(metadata.subject, sent.subject);
  assert.equal(metadata.SubscriptionName, 'es1');
  assert.equal(metadata.DeliveryCount, '1');
  const [shown] = await (await events.node.get('/api/functions')).json();
  assert.deepEqual([shown.trigger, shown.state, shown.succeeded], ['event', 'running', 1]);
});

scenario('D9 The same as a CloudEvent, in the shape of azure.functions', async (w) => {
  const code = `
import azure.functions as func
import testlib

def main(entry: func.EventGridEvent):
    testlib.record("%s %s %s %s" % (entry.id, entry.event_type, entry.topic, entry.get_json()["n"]))
`;
  const events = new Events(await w.up({ F: event({}, { code }), G: event({}, RECORD) }));
  await events.topic('orders', CLOUD);
  const sent = cloudEvent({ data: { n: 5 }, tenant: 'blue' });
  await events.subscription('orders', 'es1', Events.toFunction('app1', 'F'));
  await publish(events, 'orders', sent);
  await gets(w, 1);
  assert.deepEqual(w.ledger(), [`${sent.id} made /s 5`]);
  await events.subscription('orders', 'es2', Events.toFunction('app1', 'G'));
  await publish(events, 'orders', sent);
  await gets(w, 3);
  const [entry, metadata] = w.ledger().filter((line) => line[0] === '[').map(JSON.parse)[0];
  assert.deepEqual(entry, sent);
  assert.equal(metadata.tenant, 'blue');
});

scenario('D9 A custom handler, with delivery attributes', async (w) => {
  const behaviour = 'record(JSON.stringify(request)); reply(res, 200, {});';
  const functions = { One: event(), Many: event({ cardinality: 'many' }) };
  const events = new Events(await w.up({ functions, ...handler({ behaviour }) }));
  await events.topic('orders');
  const team = { name: 'team', type: 'Static', properties: { value: 'blue' } };
  const one = Events.toFunction('app1', 'One', {}, { deliveryAttributeMappings: [team] });
  await events.subscription('orders', 'one', one);
  await publish(events, 'orders', gridEvent({ data: { n: 1 } }));
  await gets(w, 1);
  const { Data, Metadata } = JSON.parse(w.ledger()[0]);
  assert.deepEqual(Data.entry.data, { n: 1 });
  assert.deepEqual(Metadata.data, { n: 1 });
  assert.equal(JSON.parse(Metadata.team), 'blue');
  await events.must('DELETE', '/api/subscriptions/one?topic=orders');
  await events.subscription('orders', 'many', Events.toFunction('app1', 'Many', {}, MANY));
  await publish(events, 'orders', gridEvent({ data: { n: 2 } }));
  await gets(w, 2);
  const batch = JSON.parse(JSON.parse(w.ledger()[1]).Data.entry);
  assert.deepEqual(batch.map(({ data }) => data), [{ n: 2 }]);
});

scenario('D9 Batches: one run for all, or one for each', async (w) => {
  const code = `
import testlib

def main(entry):
    testlib.record(" ".join(each["id"] for each in entry))
`;
  const each = 'import testlib\n\ndef main(entry: dict):\n    testlib.record(entry["id"], "each")\n';
  const functions = { F: event({ cardinality: 'many' }, { code }), E: event({}, { code: each }) };
  const events = new Events(await w.up({ functions }));
  await events.topic('orders');
  const sent = Array.from({ length: 25 }, () => gridEvent());
  const ids = sent.map(({ id }) => id);
  await events.subscription('orders', 'many', Events.toFunction('app1', 'F', {}, MANY));
  await events.subscription('orders', 'each', Events.toFunction('app1', 'E', {}, MANY));
  await publish(events, 'orders', ...sent);
  const batches = () => w.ledger().map((line) => line.split(' '));
  await until(() => batches().flat().length >= 25 && w.ledger('each').length >= 25, 'all events');
  assert.deepEqual(batches().flat().sort(), [...ids].sort());
  assert.ok(batches().every((batch) => batch.length <= 10));
  assert.ok(batches().length < 25);
  assert.deepEqual(w.ledger('each').sort(), [...ids].sort());
});

scenario('D9 An error: the event comes again', { timeout: 120000 }, async (w) => {
  const node = await w.up({ F: event({}, FAILS_FIRST) });
  const events = new Events(node);
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.toFunction('app1', 'F'));
  await publish(events, 'orders', gridEvent());
  await gets(w, 2, LONG_MS);
  assert.deepEqual(w.ledger(), ['1', '2']);
  await node.succeeds('F', 1);
  assert.equal(node.failedCount('F'), 1);
});

scenario('D9 The retry policy of the function is within one attempt', async (w) => {
  const retry = { strategy: 'fixedDelay', maxRetryCount: 2, delayInterval: '00:00:00' };
  const node = await w.up({ F: event({}, { ...FAILS_FIRST, retry }) });
  const events = new Events(node);
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.toFunction('app1', 'F'));
  await publish(events, 'orders', gridEvent());
  await gets(w, 2);
  assert.deepEqual(w.ledger(), ['1', '1']);
  await node.succeeds('F', 1);
});

scenario('D9 Input and output bindings', async (w) => {
  const { cli } = await w.redis();
  await cli.set('price:7', '12');
  const code = 'def main(entry, price: str) -> str:\n    return "paid:%s %s" % (entry["id"], price)\n';
  const redis = { type: 'redis', connection: 'redis' };
  const bindings = [
    { ...redis, name: 'price', direction: 'in', command: 'GET price:{data.article}' },
    { ...redis, name: '$return', direction: 'out', command: 'SET' },
  ];
  const events = new Events(await w.up({ F: event({}, { code, bindings }) }));
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.toFunction('app1', 'F'));
  const sent = gridEvent({ data: { article: 7 } });
  await publish(events, 'orders', sent);
  await until(async () => (await cli.get(`paid:${sent.id}`)) === '12', 'it has been written');
});

scenario('D9 What has no slot waits, and outlives a reload of the app', async (w) => {
  const app = w.app({ F: event({ maxConcurrency: 2 }, SLOW) });
  const node = await w.up(app);
  const events = new Events(node);
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.toFunction('app1', 'F'));
  const sent = Array.from({ length: 6 }, () => gridEvent());
  await publish(events, 'orders', ...sent);
  await gets(w, 2);
  await stays(() => w.ledger().length === 2, 'two run at once');
  fs.appendFileSync(path.join(app, 'F', '__init__.py'), '\n# edited\n');
  await node.line(/files changed, starting again/);
  w.touch('go');
  await gets(w, 12);
  const ended = w.ledger().filter((line) => line.startsWith('ended'));
  assert.deepEqual(ended.sort(), sent.map(({ id }) => `ended ${id}`).sort());
});

// A node whose apps stand in a file: apps() writes others, and tells it to read them.
async function upWith(w, ...folders) {
  const config = w.path('redgrid.yaml');
  const write = (list) => fs.writeFileSync(config, `app: [${list.join(', ')}]\nlisten_https: off\n`);
  write(folders);
  const node = new Node('node', ['--config', config, '--data', w.path('data')], {
    REDGRID_LISTEN: '127.0.0.1:0',
  });
  w.nodes.push(node);
  await node.start();
  const apps = (...list) => {
    write(list);
    node.process.kill('SIGHUP');
  };
  return { node, apps };
}

scenario('D9 An app is removed and brought back', { timeout: 120000 }, async (w) => {
  const app = w.app({ F: event({}, SLOW) });
  const other = w.app({ G: event({}, RECORD) });
  const { node, apps } = await upWith(w, app, other);
  const events = new Events(node);
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.toFunction('app1', 'F'));
  const sent = [gridEvent(), gridEvent()];
  await publish(events, 'orders', sent[0]);
  await gets(w, 1);
  apps(other);
  await node.line(/is no longer named/);
  w.touch('go');
  await gets(w, 2); // what ran has ended, and counts
  await publish(events, 'orders', sent[1]);
  await stays(() => w.ledger().length === 2, 'nothing runs');
  apps(app, other);
  await gets(w, 4, LONG_MS);
  assert.deepEqual(w.ledger(), sent.flatMap(({ id }) => [`begun ${id}`, `ended ${id}`]));
});

scenario('D9 A start without the app keeps its events', { timeout: 120000 }, async (w) => {
  const app = w.app({ F: event({}, RECORD) });
  const data = w.path('data');
  const first = await w.up(app, { data });
  await new Events(first).topic('orders');
  await new Events(first).subscription('orders', 'es1', Events.toFunction('app1', 'F'));
  await first.stop();
  const without = new Events(await w.node({ data }).start());
  assert.equal(await without.state('orders', 'es1'), 'Succeeded');
  await publish(without, 'orders', gridEvent());
  await without.node.stop();
  assert.deepEqual(w.ledger(), []);
  await w.up(app, { data });
  await gets(w, 1, LONG_MS);
});

scenario('D9 Events that came while redgrid was away wait for their app', async (w) => {
  const app = w.app({ F: event({}, SLOW) });
  const data = w.path('data');
  const first = await w.up(app, { data });
  await new Events(first).topic('orders');
  await new Events(first).subscription('orders', 'es1', Events.toFunction('app1', 'F'));
  const sent = Array.from({ length: 30 }, () => gridEvent());
  await publish(new Events(first), 'orders', ...sent);
  await gets(w, 1);
  await first.kill();
  w.touch('go');
  await w.up(app, { data });
  const ended = () => new Set(w.ledger().filter((line) => line.startsWith('ended')));
  await until(() => ended().size === 30, 'all of them'); // at once: no attempt has failed
});

scenario('D9 Two nodes, of which one dies', async (w) => {
  const [first, second] = await w.cluster(2, { F: event({ maxConcurrency: 4 }, SLOW) });
  const events = new Events(first);
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.toFunction('app1', 'F'));
  const sent = Array.from({ length: 40 }, () => gridEvent());
  await publish(events, 'orders', ...sent);
  await until(() => first.startedCount('F') > 0, 'the first node runs some');
  await first.kill();
  w.touch('go');
  const ended = () => new Set(w.ledger().filter((line) => line.startsWith('ended')));
  await until(() => ended().size === 40, 'all of them');
  assert.ok(second.succeededCount('F') > 0);
});

scenario('D9 A function that is not there is refused, with those that are', async (w) => {
  const events = new Events(await w.up({ F: event({}, RECORD), G: stream('s') }));
  await events.topic('orders');
  for (const name of ['Nope', 'G']) {
    const { status, json } = await events.putSubscription(
      'orders',
      'es1',
      Events.toFunction('app1', name),
    );
    assert.equal(status, 400);
    assert.match(json.error.message, /resourceId: there is no function '(Nope|G)'.* app1\/F$/);
  }
});

scenario('D9 The samples, by command', async (w) => {
  const sample = (lang) => path.join(ROOT, 'samples', `events-${lang}`);
  const { node } = await upWith(w, sample('c'), sample('python'));
  const events = new Events(node);
  await must(events, 'topic', 'create', 'orders');
  for (const lang of ['c', 'python']) {
    const to = `events-${lang}/OrderMade`;
    await must(events, 'subscription', 'create', `es-${lang}`, '--topic', 'orders', '--function', to);
  }
  const listed = await must(events, 'subscription', 'list');
  assert.match(listed, /^es-python .* events-python\/functions\/OrderMade$/m);
  const words = ['--type', 'order.made', '--subject', 'orders/17', '--data', '{"total": 25}'];
  await must(events, 'topic', 'publish', 'orders', ...words);
  await until(() => node.count(/^orders\/17: a total of 25$/) === 2, 'both have run');
  const invoked = JSON.stringify(gridEvent({ data: { total: -1 } }));
  const run = await redgrid(events, ['function', 'invoke', 'OrderMade', '--data', invoked, '--app', 'events-c']);
  assert.match(run.stderr, /a total of -1/);
});

// ---- Redis ----

const FIELDS = ({ id, eventType, subject }) => ['id', id, 'type', eventType, 'subject', subject];

scenario('D10 A stream, a list and a channel', async (w) => {
  const redis = await w.redis();
  const { cli } = redis;
  const events = await w.events();
  const topic = await events.topic('orders');
  const to = (kind, more, destination) =>
    Events.toRedis(kind, redis.address, `to${kind}`, more, destination);
  const attributes = [
    { name: 'team', type: 'Static', properties: { value: 'blue' } },
    { name: 'n', type: 'Dynamic', properties: { sourceField: 'data.n' } },
  ];
  const heard = [];
  const listener = redis.client();
  await listener.subscribe('toChannel');
  listener.on('message', (channel, text) => heard.push(JSON.parse(text)));
  const withAttributes = { deliveryAttributeMappings: attributes };
  await events.subscription('orders', 'stream', to('Stream', {}, withAttributes));
  const asCloud = { eventDeliverySchema: 'CloudEventSchemaV1_0' };
  await events.subscription('orders', 'list', to('List', asCloud, MANY));
  await events.subscription('orders', 'channel', to('Channel'));
  const sent = Array.from({ length: 20 }, (_, n) => gridEvent({ data: { n } }));
  await publish(events, 'orders', ...sent);
  await until(async () => (await cli.xlen('toStream')) === 20, '20 entries');
  await until(async () => (await cli.llen('toList')) === 20, '20 elements');
  await until(() => heard.length === 20, '20 messages');
  const entries = await cli.xrange('toStream', '-', '+');
  for (const [, [, text, ...fields]] of entries) {
    const whole = JSON.parse(text);
    const own = sent.find(({ id }) => id === whole.id);
    assert.deepEqual(whole, { ...own, topic: topic.id, metadataVersion: '1' });
    assert.deepEqual(fields, [...FIELDS(own), 'team', 'blue', 'n', String(own.data.n)]);
  }
  const elements = (await cli.lrange('toList', 0, -1)).map(JSON.parse);
  const ids = sent.map(({ id }) => id).sort();
  for (const came of [entries.map(([, fields]) => JSON.parse(fields[1])), elements, heard])
    assert.deepEqual(came.map(({ id }) => id).sort(), ids);
  assert.equal(elements[0].specversion, '1.0');
});

scenario('D10 A stream that starts a function', async (w) => {
  const redis = await w.redis();
  const code = `
import json
import testlib

def main(entry):
    fields = json.loads(entry)["Values"]
    testlib.record(fields["type"] + " " + json.loads(fields["event"])["id"])
`;
  const app = { F: stream('out', { payload: 'ga' }, { code }) };
  const events = new Events(await w.up(app));
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.toRedis('Stream', redis.address, 'out'));
  const sent = gridEvent();
  await publish(events, 'orders', sent);
  await gets(w, 1);
  assert.deepEqual(w.ledger(), [`made ${sent.id}`]);
});

scenario('D10 The server is down, and back: nothing is lost', { timeout: 120000 }, async (w) => {
  const redis = await w.redis({ persistent: true, settings: { appendfsync: 'always' } });
  const events = await w.events();
  await events.topic('orders');
  for (const kind of ['Stream', 'List'])
    await events.subscription('orders', kind, Events.toRedis(kind, redis.address, `to${kind}`));
  const sent = Array.from({ length: 200 }, () => gridEvent());
  await publish(events, 'orders', ...sent.slice(0, 100));
  await redis.stop('SIGKILL');
  await publish(events, 'orders', ...sent.slice(100));
  await events.node.line(/REDIS-LOST|connection (lost|refused)|cannot connect/);
  await redis.restart();
  const listed = async () => (await redis.cli.lrange('toList', 0, -1)).map((e) => JSON.parse(e).id);
  const added = async () =>
    (await redis.cli.xrange('toStream', '-', '+')).map(([, fields]) => fields[3]);
  for (const ids of [listed, added])
    await until(async () => new Set(await ids()).size === 200, 'all events', LONG_MS);
});

scenario('D10 A server that hangs holds nobody else up', async (w) => {
  const [stuck, quick] = [await w.redis(), await w.redis()];
  const events = await w.events();
  await events.topic('orders');
  await events.subscription('orders', 'stuck', Events.toRedis('List', stuck.address, 'out'));
  await events.subscription('orders', 'quick', Events.toRedis('List', quick.address, 'out'));
  await publish(events, 'orders', gridEvent());
  await until(async () => (await stuck.cli.llen('out')) === 1, 'it works');
  stuck.process.kill('SIGSTOP');
  await publish(events, 'orders', ...Array.from({ length: 300 }, () => gridEvent()));
  await until(async () => (await quick.cli.llen('out')) === 301, 'the other has all of them');
  stuck.process.kill('SIGCONT');
  await until(async () => (await stuck.cli.llen('out')) >= 301, 'and so has the first', LONG_MS);
});

scenario('D10 What the server refuses is tried again', { timeout: 120000 }, async (w) => {
  const { address, cli } = await w.redis();
  const events = await w.events();
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.toRedis('Stream', address, 'out'));
  await cli.set('out', 'x');
  await publish(events, 'orders', gridEvent());
  await until(async () => /xadd/.test(await cli.info('errorstats') + await cli.info('commandstats')), 'XADD');
  await cli.del('out');
  await until(async () => (await cli.xlen('out')) === 1, 'it is there', LONG_MS);
});

scenario('D10 Connections: by name, without secrets, refused if unknown', async (w) => {
  const { address, cli } = await w.redis({ settings: { requirepass: 'hush' }, client: { password: 'hush' } });
  const env = { ConnectionStrings__Shop: `${address},password=hush` };
  const events = await w.events({ env });
  await must(events, 'topic', 'create', 'orders');
  const create = (name, ...words) =>
    redgrid(events, ['subscription', 'create', name, '--topic', 'orders', ...words]);
  await must(events, 'subscription', 'create', 'es1', '--topic', 'orders', '--endpoint-type', 'redisstream',
    '--connection', 'shop', '--stream', 'out', '--max-length', '1000');
  await must(events, 'subscription', 'create', 'es2', '--topic', 'orders', '--list', 'queue',
    '--connection', `${address},password=hush`);
  const shown = async () =>
    (await events.must('GET', '/api/subscriptions/es2?topic=orders')).properties.destination;
  assert.equal((await shown()).properties.connection, `${address},password=Hidden`);
  await must(events, 'subscription', 'update', 'es2', '--topic', 'orders', '--max-events-per-batch', '7');
  await must(events, 'subscription', 'update', 'es2', '--topic', 'orders', '--list', 'queue2',
    '--connection', `${address},password=Hidden`);
  assert.equal((await shown()).endpointType, 'RedisList');
  assert.equal((await shown()).properties.maxEventsPerBatch, 7);
  await must(events, 'topic', 'publish', 'orders', '--type', 'made', '--subject', 's', '--data', '{}');
  await until(async () => (await cli.xlen('out')) === 1, 'by name');
  await until(async () => (await cli.llen('queue2')) === 1, 'by address, with its password');
  const unknown = await create('es3', '--stream', 'out', '--connection', 'nowhere');
  assert.match(unknown.stderr, /connection: 'nowhere' is neither the address/);
  const cache = { cacheResourceId: '/subscriptions/s/providers/Microsoft.Cache/Redis/c', stream: 'x' };
  const put = { destination: { endpointType: 'RedisStream', properties: cache } };
  const { status, json } = await events.putSubscription('orders', 'es3', put);
  assert.equal(status, 400);
  assert.match(json.error.message, /cacheResourceId: there are no managed caches here yet/);
});
