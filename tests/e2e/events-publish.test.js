// Publishing: what is accepted, what is refused, and with which words (spec P1..P14).

import assert from 'node:assert/strict';
import { EventGridDeserializer } from '@azure/eventgrid';
import { Events, cloudEvent, gridEvent } from '../lib/events.js';
import { freePort } from '../lib/process.js';
import { scenario } from '../lib/scenario.js';
import { Proxy } from '../lib/proxy.js';
import { publisher } from '../lib/sdk.js';
import { until } from '../lib/until.js';

const CLOUD = { inputSchema: 'CloudEventSchemaV1_0' };
const REPORT = /Report '[0-9a-f-]{36}:\d+:[^']+ \(UTC\)' to our forums/g;

function assertRefused(answer, status, code, detail, text) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.json.error.code, code, answer.text);
  if (detail) assert.equal(answer.json.error.details[0].code, detail);
  if (text) assert.match(answer.json.error.message, text);
  if (status !== 413) assert.equal(answer.json.error.message.match(REPORT)?.length, 1);
}

scenario('P1 The SDK publishes events of the Event Grid schema', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  const topic = await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url()));
  const answers = [];
  await publisher(topic, 'EventGrid').send(
    [
      { id: '1', subject: 'a', eventType: 'made', dataVersion: '2.0', data: { n: 1 } },
      { id: '2', subject: 'b', eventType: 'made', dataVersion: '2.0', data: { n: 2 } },
    ],
    { onResponse: (response) => answers.push(response) },
  );
  assert.equal(answers[0].status, 200);
  assert.equal(answers[0].headers.get('api-supported-versions'), '2018-01-01');
  assert.match(answers[0].headers.get('x-ms-request-id'), /^[0-9a-f-]{36}$/);
  assert.equal(answers[0].headers.get('content-length'), '0');
  await hook.getsRequests(2);
  for (const { text } of hook.deliveries()) {
    const [event, ...more] = await new EventGridDeserializer().deserializeEventGridEvents(text);
    assert.equal(more.length, 0);
    assert.equal(event.topic, topic.id);
    assert.equal(JSON.parse(text)[0].metadataVersion, '1');
  }
  assert.deepEqual(hook.ids().sort(), ['1', '2']);
});

scenario('P2 The SDK publishes CloudEvents, with data and with bytes', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  const topic = await events.topic('orders', CLOUD);
  await events.subscription('orders', 'es1', Events.to(hook.url()));
  await publisher(topic, 'CloudEvent').send([
    { id: '1', source: '/s', type: 'made', data: { n: 1 }, extensionAttributes: { tenant: 'blue' } },
    {
      id: '2',
      source: '/s',
      type: 'made',
      data: Buffer.from('bytes'),
      datacontenttype: 'application/octet-stream',
    },
  ]);
  await hook.gets(2);
  const [one, two] = hook.events().sort((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(one.data, { n: 1 });
  assert.equal(one.tenant, 'blue');
  assert.equal(Buffer.from(two.data_base64, 'base64').toString(), 'bytes');
});

scenario('P3 A CloudEvent in structured and in binary mode', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  await events.topic('orders', CLOUD);
  const { key1 } = await events.keys('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url()));
  const one = cloudEvent({ subject: 'x y', data: { n: 1 } });
  const structured = await events.publish('orders', one, {
    'aeg-sas-key': key1,
    'content-type': 'application/cloudevents+json',
  });
  assert.equal(structured.status, 200, structured.text);
  const binary = await events.publish('orders', one.data, {
    'aeg-sas-key': key1,
    'ce-specversion': '1.0',
    'ce-id': one.id,
    'ce-source': one.source,
    'ce-type': one.type,
    'ce-subject': 'x%20y',
  });
  assert.equal(binary.status, 200, binary.text);
  const [first, second] = await hook.gets(2);
  const { datacontenttype, ...rest } = first.datacontenttype ? first : second;
  assert.ok([undefined, 'application/json'].includes(datacontenttype));
  assert.deepEqual(rest, first.datacontenttype ? second : first);
  assert.equal(rest.subject, 'x y');
});

scenario('P4 P5 Bad CloudEvents are refused with the header or the media type', async (w) => {
  const events = await w.events();
  await events.topic('orders', CLOUD);
  const { key1 } = await events.keys('orders');
  const whole = {
    'aeg-sas-key': key1,
    'ce-specversion': '1.0',
    'ce-id': '1',
    'ce-source': '/s',
    'ce-type': 't',
  };
  for (const name of ['ce-specversion', 'ce-id', 'ce-source', 'ce-type']) {
    const { [name]: left, ...headers } = whole;
    assert.ok(left);
    const answer = await events.publish('orders', {}, headers);
    assertRefused(answer, 400, 'BadRequest', 'InvalidCloudEventHeader', new RegExp(name));
  }
  const array = await events.publish('orders', [cloudEvent()]);
  const tokens = /Token Expected: StartObject, Actual Token Received: StartArray/;
  assertRefused(array, 400, 'BadRequest', 'InputJsonInvalid', tokens);
  const plain = await events.publish('orders', 'text', {
    'aeg-sas-key': key1,
    'content-type': 'text/plain',
  });
  assertRefused(plain, 415, 'UnsupportedMediaType');
});

scenario('P6 P7 Bad events are refused, the member named', async (w) => {
  const events = await w.events();
  await events.topic('orders');
  for (const name of ['id', 'subject', 'eventType', 'eventTime']) {
    const { [name]: left, ...rest } = gridEvent();
    assert.ok(left);
    const answer = await events.publish('orders', [rest]);
    assertRefused(answer, 400, 'BadRequest', 'InputJsonInvalid', new RegExp(`'${name}'`));
  }
  const bad = ['[]', '{', '5', [gridEvent({ more: 1 })], [gridEvent({ metadataVersion: '2' })]];
  for (const body of bad)
    assertRefused(await events.publish('orders', body), 400, 'BadRequest', 'InputJsonInvalid');
});

scenario('P8 The member topic is the own id or refused', async (w) => {
  const events = await w.events();
  const { id } = await events.topic('orders');
  assert.equal((await events.publish('orders', [gridEvent({ topic: id })])).status, 200);
  assert.equal((await events.publish('orders', [gridEvent({ topic: '' })])).status, 200);
  assertRefused(
    await events.publish('orders', [gridEvent({ topic: `${id}2` })]),
    401,
    'Unauthorized',
  );
});

scenario('P9 Sizes', async (w) => {
  const events = await w.events();
  await events.topic('orders');
  const sized = (bytes) => gridEvent({ data: { text: 'x'.repeat(bytes) } });
  const batch = Array.from({ length: 10 }, () => sized(10000));
  assert.equal((await events.publish('orders', batch)).status, 200);
  const large = Array.from({ length: 16 }, () => sized(100000));
  assertRefused(await events.publish('orders', large), 413, 'RequestEntityTooLarge');
  assertRefused(await events.publish('orders', [sized(1100000)]), 413, 'RequestEntityTooLarge');
});

scenario('P10 P11 Verbs and paths', async (w) => {
  const events = await w.events();
  await events.topic('grid');
  await events.topic('cloud', CLOUD);
  for (const [name, schema] of [
    ['grid', 'EventGridEvent'],
    ['cloud', 'CloudEventV10'],
  ]) {
    const where = `/topics/${name}/api/events`;
    const options = await events.ask('OPTIONS', where);
    assert.equal(options.status, 200);
    assert.equal(options.headers.get('aeg-input-event-schema'), schema);
    assert.equal(options.headers.get('allow'), 'POST,OPTIONS');
    const get = await events.ask('GET', where);
    assertRefused(get, 405, 'MethodNotAllowed', 'MethodNotAllowed');
    assert.equal(get.headers.get('allow'), 'OPTIONS, POST');
    assert.equal((await events.ask('DELETE', where)).status, 405);
    assert.equal((await events.ask('HEAD', where)).status, 404);
  }
  const { key1 } = await events.keys('grid');
  const headers = { 'aeg-sas-key': key1, 'content-type': 'application/json' };
  const odd = await events.ask('POST', '/TOPICS/GRID/API/EVENTS/', [gridEvent()], headers);
  assert.equal(odd.status, 200, odd.text);
  const none = await events.ask('POST', '/topics/none/api/events', [gridEvent()], headers);
  assertRefused(none, 404, 'NotFound', 'ResourceNotFound', /No HTTP resource was found/);
});

scenario('P12 One bad event refuses all of a request', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url()));
  const three = [gridEvent(), { ...gridEvent(), subject: undefined }, gridEvent()];
  assert.equal((await events.publish('orders', three)).status, 400);
  const control = gridEvent();
  assert.equal((await events.publish('orders', [control])).status, 200);
  await hook.gets(1);
  assert.deepEqual(hook.ids(), [control.id]);
});

scenario('P13 An accepted event outlives the process', async (w) => {
  const events = await w.events();
  const hooks = [await w.hook(), await w.hook()];
  await events.topic('orders');
  for (const [i, hook] of hooks.entries()) {
    await events.subscription('orders', `es${i}`, Events.to(hook.url(), {}));
    hook.answers = ['hang', 'hang'];
  }
  const event = gridEvent();
  assert.equal((await events.publish('orders', [event])).status, 200);
  await events.node.kill();
  for (const hook of hooks) hook.answers = [];
  const before = hooks.map((hook) => hook.deliveries().length);
  await events.node.start();
  for (const [i, hook] of hooks.entries()) {
    await hook.getsRequests(before[i] + 1);
    assert.ok(hook.ids().every((id) => id === event.id));
    assert.equal(hook.deliveries().at(-1).headers['aeg-delivery-count'], '0');
  }
});

scenario('P13 A start knows all topics and subscriptions before it takes events', async (w) => {
  const store = await w.redis();
  const road = await new Proxy(store.port).start();
  const events = await w.events({ store: road });
  const hook = await w.hook();
  const { key1 } = await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url()));
  await events.node.stop();
  road.latencyMs = 100; // many requests while it reads what there is
  const { node } = events;
  node.args[node.args.indexOf('--listen') + 1] = `127.0.0.1:${await freePort()}`;
  events.base = () => `http://${node.args[node.args.indexOf('--listen') + 1]}`;
  const starting = node.start();
  const statuses = new Set();
  const publish = async () => {
    const headers = { 'aeg-sas-key': key1 };
    const { status } = await events.publish('orders', [gridEvent()], headers).catch(() => ({}));
    if (status) statuses.add(status);
    return status === 200;
  };
  await until(publish, 'an event is accepted');
  await starting;
  assert.deepEqual([...statuses], [503, 200]);
  await hook.gets(1);
  await node.stop();
  await road.stop();
});

scenario('P14 An event that nobody wants is accepted', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  await events.topic('orders');
  const filter = { includedEventTypes: ['other'] };
  await events.subscription('orders', 'es1', Events.to(hook.url(), { filter }));
  assert.equal((await events.publish('orders', [gridEvent()])).status, 200);
  const control = gridEvent({ eventType: 'other' });
  assert.equal((await events.publish('orders', [control])).status, 200);
  await hook.gets(1);
  assert.deepEqual(hook.ids(), [control.id]);
  const metrics = await events.metrics();
  const counted = ['published', 'matched', 'unmatched'].map((what) =>
    metrics.of(`events_${what}_total`, { topic: 'orders' }),
  );
  assert.deepEqual(counted, [2, 1, 1]);
});
