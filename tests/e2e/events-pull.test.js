// Clients that fetch events for themselves (spec Q1..Q7). Time is moved in the store: a lock's end, and
// the delay of a release, are scores of its sorted set.

import assert from 'node:assert/strict';
import { HTTP } from 'cloudevents';
import { must } from '../lib/command.js';
import { Events, cloudEvent, gridEvent } from '../lib/events.js';
import { scenario } from '../lib/scenario.js';
import { receiver, sas, sender } from '../lib/sdk.js';
import { until } from '../lib/until.js';

const CLOUD = { inputSchema: 'CloudEventSchemaV1_0' };
const SOON = { maxWaitTime: 60 };

// A topic with a subscription in queue mode, on a store that the test can look into.
async function queue(w, { topic: properties = CLOUD, settings = {} } = {}) {
  const store = await w.redis();
  const events = await w.events({ store });
  const topic = await events.topic('orders', properties);
  await events.subscription('orders', 'es1', Events.queue(settings));
  return { store, events, topic, send: sender(events, topic), from: receiver(events, topic, 'es1') };
}

const made = (more = {}) => ({ type: 'made', source: '/s', data: { n: 1 }, ...more });
const ids = ({ details }) => details.map(({ event }) => event.id);
const tokens = ({ details }) => details.map(({ brokerProperties }) => brokerProperties.lockToken);
const counts = ({ details }) => details.map(({ brokerProperties }) => brokerProperties.deliveryCount);

async function key(store, what) {
  const [name] = await store.cli.keys(`rg:{q:*}:${what}`);
  return name;
}

// Lets all locks and delays be over, as if their time had passed.
async function passTime(store) {
  const due = await key(store, 'due');
  for (const id of await store.cli.zrange(due, 0, -1)) await store.cli.zadd(due, 'XX', 1, id);
}

async function deadReasons(store) {
  const entries = await store.cli.xrange(await key(store, 'dead'), '-', '+');
  return entries.map(([, fields]) => fields[fields.indexOf('reason') + 1]);
}

// Nothing but this event is there to be received: `send` puts it behind whatever else there is.
async function onlyControl({ send, from }) {
  await send.sendEvents(made({ id: 'control' }));
  const all = await from.receiveEvents({ ...SOON, maxEvents: 100 });
  assert.deepEqual(ids(all), ['control']);
}

scenario('Q1 The SDK sends, receives and acknowledges', async (w) => {
  const { send, from, ...rest } = await queue(w);
  await send.sendEvents(made({ id: '1', subject: 'a b', data: { n: 1.5 } }));
  await send.sendEvents([
    made({ id: '2' }),
    made({ id: '3', data: Buffer.from('bytes'), dataContentType: 'application/octet-stream' }),
  ]);
  const one = await from.receiveEvents(SOON);
  assert.deepEqual(ids(one), ['1']);
  const { event } = one.details[0];
  assert.deepEqual(event.data, { n: 1.5 });
  assert.equal(event.subject, 'a b');
  assert.equal(event.specVersion, '1.0');
  assert.equal(event.dataContentType, 'application/cloudevents+json; charset=utf-8');
  const two = await from.receiveEvents({ ...SOON, maxEvents: 100 });
  assert.deepEqual(ids(two), ['2', '3']);
  assert.deepEqual(counts(two), [1, 1]);
  assert.equal(Buffer.from(two.details[1].event.data, 'base64').toString(), 'bytes');
  const all = [...tokens(one), ...tokens(two)];
  const { succeededLockTokens, failedLockTokens } = await from.acknowledgeEvents(all);
  assert.deepEqual(succeededLockTokens, all);
  assert.deepEqual(failedLockTokens, []);
  await passTime(rest.store);
  await onlyControl({ send, from });
});

scenario('Q2 Released events and those whose lock ended come again, with new tokens', async (w) => {
  const { store, send, from } = await queue(w);
  await send.sendEvents(made({ id: '1' }));
  const first = await from.receiveEvents(SOON);
  const released = await from.releaseEvents(tokens(first), { releaseDelay: 10 });
  assert.deepEqual(released.succeededLockTokens, tokens(first));
  const [, due] = await store.cli.zrange(await key(store, 'due'), 0, 0, 'WITHSCORES');
  assert.ok(due - Date.now() > 5000 && due - Date.now() <= 10000, due);
  await passTime(store);
  const second = await from.receiveEvents(SOON);
  await passTime(store); // the lock is over
  const third = await from.receiveEvents(SOON);
  assert.deepEqual([first, second, third].flatMap(counts), [1, 2, 3]);
  assert.equal(new Set([first, second, third].flatMap(tokens)).size, 3);
  await from.releaseEvents(tokens(third)); // at once
  assert.deepEqual(counts(await from.receiveEvents(SOON)), [4]);
});

scenario('Q3 A lock is renewed; a rejected event is a dead letter', async (w) => {
  const { store, send, from } = await queue(w, { settings: { receiveLockDurationInSeconds: 120 } });
  await send.sendEvents(made());
  const got = await from.receiveEvents(SOON);
  const due = await key(store, 'due');
  const [id] = await store.cli.zrange(due, 0, 0);
  await store.cli.zadd(due, 'XX', Date.now() + 30000, id); // most of it is over
  const renewed = await from.renewEventLocks(tokens(got));
  assert.deepEqual(renewed.succeededLockTokens, tokens(got));
  assert.ok((await store.cli.zscore(due, id)) - Date.now() > 110000);
  const rejected = await from.rejectEvents(tokens(got));
  assert.deepEqual(rejected.succeededLockTokens, tokens(got));
  assert.deepEqual(await deadReasons(store), ['Rejected']);
  assert.equal(await store.cli.zcard(due), 0);
});

scenario('Q4 Tokens that are used up or made up are told apart', async (w) => {
  const { store, send, from } = await queue(w);
  await send.sendEvents([made(), made()]);
  const got = await from.receiveEvents({ ...SOON, maxEvents: 2 });
  const [one, two] = tokens(got);
  await from.acknowledgeEvents([one]);
  const again = await from.acknowledgeEvents([one, 'made up', two]);
  assert.deepEqual(again.succeededLockTokens, [two]);
  assert.deepEqual(
    again.failedLockTokens.map(({ lockToken, error }) => [lockToken, error.code]),
    [
      [one, 'TokenLost'],
      ['made up', 'TokenLost'],
    ],
  );
  await send.sendEvents(made());
  const late = await from.receiveEvents(SOON);
  await passTime(store);
  const { failedLockTokens } = await from.renewEventLocks(tokens(late));
  assert.equal(failedLockTokens.length, 1);
});

scenario('Q5 An event that was received too often is a dead letter', async (w) => {
  const { store, send, from } = await queue(w, { settings: { maxDeliveryCount: 2 } });
  await send.sendEvents(made({ id: '1' }));
  for (const expected of [1, 2]) {
    assert.deepEqual(counts(await from.receiveEvents(SOON)), [expected]);
    await passTime(store);
  }
  await onlyControl({ send, from });
  assert.deepEqual(await deadReasons(store), ['MaxDeliveryAttemptsExceeded']);
});

scenario('Q6 A client that waits is answered by the publication, or when the wait is over', async (w) => {
  const { send, from } = await queue(w);
  const began = Date.now();
  const empty = await from.receiveEvents({ maxWaitTime: 10 });
  assert.deepEqual(empty.details, []);
  assert.ok(Date.now() - began >= 9900, 'it waited');
  const waiting = Array.from({ length: 3 }, () => from.receiveEvents({ maxWaitTime: 120 }));
  await send.sendEvents([made({ id: '1' }), made({ id: '2' }), made({ id: '3' })]);
  const got = await soon(Promise.all(waiting));
  assert.deepEqual(got.flatMap(ids).sort(), ['1', '2', '3']);
});

scenario('Q7 Events of every schema are received as CloudEvents', async (w) => {
  const store = await w.redis();
  const events = await w.events({ store });
  const custom = {
    inputSchema: 'CustomEventSchema',
    inputSchemaMapping: {
      inputSchemaMappingType: 'Json',
      properties: { eventType: { sourceField: 'kind' }, subject: { defaultValue: 'none' } },
    },
  };
  const rows = [
    ['grid', {}, [gridEvent({ id: '1', data: { n: 1.1 } })], { type: 'made', data: { n: 1.1 } }],
    ['own', custom, { kind: 'paid', n: 2 }, { type: 'paid', data: { kind: 'paid', n: 2 } }],
  ];
  for (const [name, properties, body, expected] of rows) {
    const topic = await events.topic(name, properties);
    await events.subscription(name, 'es1', Events.queue());
    assert.equal((await events.publish(name, body)).status, 200);
    const { details } = await receiver(events, topic, 'es1').receiveEvents(SOON);
    const { type, data, source, specVersion } = details[0].event;
    assert.deepEqual({ type, data }, expected);
    assert.equal(source, topic.id);
    assert.equal(specVersion, '1.0');
  }
});

scenario('Events sent structured, in a batch and binary are accepted, in any case of the path', async (w) => {
  const { events, topic, from } = await queue(w);
  const to = '/TOPICS/Orders:PUBLISH?api-version=2024-06-01';
  const auth = { authorization: `SharedAccessKey ${topic.key2}` };
  const one = cloudEvent({ data: { n: 1 } });
  const { headers } = HTTP.binary({ ...one, data: 'text', datacontenttype: 'text/plain' });
  const rows = [
    [one, { 'content-type': 'application/cloudevents+json' }],
    [[one], { 'content-type': 'application/cloudevents-batch+json; charset=utf-8' }],
    ['text', { ...headers, 'content-type': 'text/plain' }],
  ];
  for (const [body, more] of rows) {
    const answer = await events.ask('POST', to, body, { ...auth, ...more });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.text, '{}');
  }
  const { details } = await from.receiveEvents({ ...SOON, maxEvents: 3 });
  assert.deepEqual(
    details.map(({ event }) => event.data),
    [{ n: 1 }, { n: 1 }, 'text'],
  );
  const token = await sas({ endpoint: `${events.base()}/topics/orders` }, topic.key1);
  for (const more of [{ 'aeg-sas-key': topic.key1 }, { 'aeg-sas-token': token.text }]) {
    const type = { 'content-type': 'application/cloudevents+json' };
    assert.equal((await events.ask('POST', to, one, { ...type, ...more })).status, 200);
  }
});

scenario('What is wrong with a request is said, with the member', async (w) => {
  const { events, topic, from } = await queue(w);
  const hook = await w.hook();
  await events.subscription('orders', 'push', Events.to(hook.url()));
  const grid = await events.topic('grid');
  const auth = { authorization: `SharedAccessKey ${topic.key1}` };
  const es = '/topics/orders/eventsubscriptions/es1';
  const many = { lockTokens: Array.from({ length: 257 }, () => 'x') };
  const rows = [
    [`${es}:receive?maxEvents=0`, undefined, 400, 'BadRequest', /^maxEvents: '0' is not a number from 1 to 100/],
    [`${es}:receive?maxEvents=101`, undefined, 400, 'BadRequest', /^maxEvents: /],
    [`${es}:receive?maxEvents=x`, undefined, 400, 'BadRequest', /^maxEvents: /],
    [`${es}:receive?maxWaitTime=9`, undefined, 400, 'BadRequest', /^maxWaitTime: '9' .* from 10 to 120/],
    [`${es}:receive?maxWaitTime=121`, undefined, 400, 'BadRequest', /^maxWaitTime: /],
    [`${es}:release?releaseDelayInSeconds=5`, { lockTokens: ['x'] }, 400, 'BadRequest', /^releaseDelayInSeconds: /],
    [`${es}:acknowledge`, '[]', 400, 'BadRequest', /not a JSON object/],
    [`${es}:acknowledge`, '', 400, 'BadRequest', /not a JSON object/],
    [`${es}:reject`, {}, 400, 'BadRequest', /^lockTokens: is missing/],
    [`${es}:release`, { lockTokens: 'x' }, 400, 'BadRequest', /^lockTokens: is not an array/],
    [`${es}:renewLock`, { lockTokens: ['x', 1] }, 400, 'BadRequest', /^lockTokens\[1\]: is not a text/],
    [`${es}:acknowledge`, { lockTokens: [] }, 400, 'BadRequest', /^lockTokens: is empty/],
    [`${es}:acknowledge`, many, 400, 'BadRequest', /^lockTokens: has more than 256/],
    [`${es}:other`, {}, 404, 'NotFound', /No HTTP resource/],
    ['/topics/orders/eventsubscriptions/none:receive', undefined, 410, 'Gone', /'none' of topic 'orders'/],
    ['/topics/none/eventsubscriptions/es1:receive', undefined, 410, 'Gone', /no topic 'none'/],
    ['/topics/none:publish', {}, 410, 'Gone', /no topic 'none'/],
    ['/topics/orders/eventsubscriptions/push:receive', undefined, 400, 'BadRequest', /has a destination/],
  ];
  for (const [where, body, status, code, text] of rows) {
    const answer = await events.ask('POST', where, body, auth);
    assert.equal(answer.status, status, `${where} ${answer.text}`);
    assert.equal(answer.json.error.code, code);
    assert.match(answer.json.error.message, text);
  }
  const get = await events.ask('GET', `${es}:receive`, undefined, auth);
  assert.equal(get.status, 405);
  assert.equal(get.headers.get('allow'), 'POST');
  const fails = (promise, status, code) =>
    assert.rejects(promise, (error) => error.statusCode === status && error.code === code);
  await fails(receiver(events, topic, 'es1', 'd3Jvbmc=').receiveEvents(SOON), 401, 'Unauthorized');
  await fails(receiver(events, topic, 'none').receiveEvents(SOON), 410, 'Gone');
  await fails(from.receiveEvents({ maxEvents: 101 }), 400, 'BadRequest');
  await fails(sender(events, grid).sendEvents(made()), 400, 'BadRequest');
  const thousand = Array.from({ length: 1000 }, () => made());
  await fails(sender(events, topic).sendEvents([...thousand, made()]), 403, 'Forbidden');
  await sender(events, topic).sendEvents(thousand);
});

scenario('Locks outlive a kill of server and store', async (w) => {
  const events = await w.events();
  const topic = await events.topic('orders', CLOUD);
  await events.subscription('orders', 'es1', Events.queue());
  await sender(events, topic).sendEvents(['1', '2', '3'].map((id) => made({ id })));
  const before = await receiver(events, topic, 'es1').receiveEvents({ ...SOON, maxEvents: 2 });
  await events.node.kill();
  await events.node.start();
  const after = receiver(events, topic, 'es1');
  const left = await after.receiveEvents({ ...SOON, maxEvents: 100 });
  assert.deepEqual(ids(left), ['3']);
  const all = [...tokens(before), ...tokens(left)];
  assert.deepEqual((await after.acknowledgeEvents(all)).succeededLockTokens, all);
});

async function pullClients(events) {
  return (await (await events.node.get('/api/status')).json()).pullClients;
}
const waits = (events, n = 1) => until(async () => (await pullClients(events)) === n, `${n} wait`);

scenario('A command makes and changes a subscription that is received from', async (w) => {
  const events = await w.events();
  const topic = await events.topic('orders', CLOUD);
  const es = ['es1', '--topic', 'orders'];
  await must(
    events,
    ...['subscription', 'create', ...es, '--delivery-mode', 'queue', '--max-delivery-count', '3'],
    ...['--receive-lock-duration-in-seconds', '120', '--event-time-to-live', 'P1D'],
  );
  await must(events, ...['subscription', 'update', ...es, '--max-delivery-count', '4']);
  const { properties } = JSON.parse(
    await must(events, ...['subscription', 'show', ...es, '--output', 'json']),
  );
  const { deliveryMode, queue: settings } = properties.deliveryConfiguration;
  assert.equal(deliveryMode, 'Queue');
  assert.equal(settings.maxDeliveryCount, 4);
  assert.equal(settings.receiveLockDurationInSeconds, 120);
  assert.match(settings.eventTimeToLive, /^P(1D|T86400S)$/);
  await sender(events, topic).sendEvents(made({ id: '1' }));
  assert.deepEqual(ids(await receiver(events, topic, 'es1').receiveEvents(SOON)), ['1']);
});

// What a client that left would have got goes to the next, as if nobody had asked.
scenario('A client that stops waiting leaves nothing locked', async (w) => {
  const { events, send, from } = await queue(w);
  const leaving = new AbortController();
  const left = from.receiveEvents({ maxWaitTime: 120, abortSignal: leaving.signal });
  await waits(events);
  leaving.abort();
  await assert.rejects(left, { name: 'AbortError' });
  await waits(events, 0);
  await send.sendEvents(made({ id: '1' }));
  const got = await from.receiveEvents(SOON);
  assert.deepEqual(counts(got), [1]);
});

scenario('A stop answers those who wait', async (w) => {
  const { events, from } = await queue(w);
  const waiting = from.receiveEvents({ maxWaitTime: 120 });
  await waits(events);
  const [answer] = await Promise.all([waiting, events.node.stop()]);
  assert.deepEqual(answer.details, []);
});

// A delivery under way keeps the stop waiting; whoever has a lock is not told that it asked wrongly.
scenario('A client that asks during a stop is told to come back', async (w) => {
  const { events, topic, send } = await queue(w);
  const hook = await w.hook({ answers: ['hang'] });
  await events.subscription('orders', 'push', Events.to(hook.url()));
  await send.sendEvents(made());
  await until(() => hook.hanging.length === 1, 'a delivery under way');
  const ask = (verb) =>
    events.ask(
      'POST',
      `/topics/orders/eventsubscriptions/es1:${verb}`,
      { lockTokens: ['x'] },
      { authorization: `SharedAccessKey ${topic.key1}` },
    );
  const stopped = events.node.stop();
  let answer;
  await until(async () => (answer = await ask('acknowledge')).status !== 200, 'another answer');
  assert.equal(answer.status, 503, answer.text);
  assert.match(answer.text, /The server is stopping\. Try again\./);
  for (const response of hook.hanging) hook.end(response, {});
  await stopped;
});

// Well before it would look for itself.
async function soon(answer) {
  const began = Date.now();
  const got = await answer;
  assert.ok(Date.now() - began < 10000, 'it was woken');
  return got;
}

scenario('A client that waits at one node gets what comes at another', async (w) => {
  const { store, events, topic, send } = await queue(w);
  const other = await w.events({ store });
  const there = receiver(other, topic, 'es1');
  const receive = () => there.receiveEvents({ maxWaitTime: 120 });
  for (const cut of [false, true]) {
    const waiting = receive();
    await waits(other);
    if (cut) await store.cli.client('KILL', 'TYPE', 'pubsub');
    await send.sendEvents(made());
    const got = await soon(waiting);
    assert.deepEqual(counts(got), [1]);
    const released = receive(); // what is released here wakes there too
    await waits(other);
    await receiver(events, topic, 'es1').releaseEvents(tokens(got));
    const again = await soon(released);
    assert.deepEqual(counts(again), [2]);
    await there.acknowledgeEvents(tokens(again));
  }
});

scenario('A node with a free window takes what another has no room for', async (w) => {
  const store = await w.redis();
  const events = await w.events({ store });
  const other = await w.events({ store });
  const hook = await w.hook();
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url()));
  await until(
    async () => (await other.ask('GET', '/api/subscriptions/es1?topic=orders')).status === 200,
    'the other node knows the subscription',
  );
  hook.answers = Array.from({ length: 64 }, () => 'hang'); // as many as the first has under way
  await events.publish('orders', Array.from({ length: 64 }, () => gridEvent()));
  await hook.getsRequests(64);
  const more = gridEvent();
  await events.publish('orders', [more]);
  await hook.getsRequests(65);
  assert.equal(hook.ids().at(-1), more.id);
  for (const response of hook.hanging) hook.end(response, {});
});

scenario('A server that stops tells clients to come again', async (w) => {
  const events = await w.events({ args: ['--drain-timeout', '3000'] });
  const hook = await w.hook({ judge: () => 'hang' });
  const { key1 } = await events.topic('orders');
  await events.subscription('orders', 'slow', Events.to(hook.url()));
  await events.subscription('orders', 'es1', Events.queue());
  await events.publish('orders', [gridEvent()]);
  await hook.getsRequests(1);
  events.node.process.kill('SIGTERM'); // which waits for the hook
  const es = '/topics/orders/eventsubscriptions/es1';
  const headers = { authorization: `SharedAccessKey ${key1}` };
  let answer;
  await until(async () => {
    answer = await events.ask('POST', `${es}:acknowledge`, { lockTokens: ['x'] }, headers);
    return answer.status !== 200;
  }, 'an answer of a server that stops');
  assert.equal(answer.status, 503, answer.text);
  assert.equal((await events.ask('POST', `${es}:receive`, undefined, headers)).status, 503);
  const { code } = await events.node.exited;
  assert.equal(code, 0);
});
