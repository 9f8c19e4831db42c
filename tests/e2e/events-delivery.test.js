// What webhooks are sent, how, and how often (spec D1..D7, D11, F1, F2, R4, R5 in part).

import assert from 'node:assert/strict';
import { HTTP } from 'cloudevents';
import { Events, cloudEvent, gridEvent } from '../lib/events.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

const CLOUD = { inputSchema: 'CloudEventSchemaV1_0' };
const AS_CLOUD = { eventDeliverySchema: 'CloudEventSchemaV1_0' };
const ORIGIN = 'eventgrid.azure.net';

// What the CloudEvents package makes of a delivery.
const parse = ({ headers, text }) => [HTTP.toEvent({ headers, body: text })].flat();

async function publishAll(events, topic, batch) {
  const answer = await events.publish(topic, batch);
  assert.equal(answer.status, 200, answer.text);
}

scenario('D1 Headers, and the count of attempts', { timeout: 120000 }, async (w) => {
  const events = await w.events();
  const hook = await w.hook({ answers: [500] });
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url('/hook?a=b')));
  await publishAll(events, 'orders', [gridEvent({ dataVersion: '7' })]);
  const [first, second] = await hook.getsRequests(2, 60000);
  for (const [count, { method, url, headers }] of [first, second].entries()) {
    assert.deepEqual([method, url], ['POST', '/hook?a=b']);
    assert.equal(headers['aeg-event-type'], 'Notification');
    assert.equal(headers['aeg-subscription-name'], 'ES1');
    assert.equal(headers['aeg-delivery-count'], String(count));
    assert.equal(headers['aeg-metadata-version'], '1');
    assert.equal(headers['aeg-data-version'], '7');
    assert.equal(headers['content-type'], 'application/json; charset=utf-8');
  }
  assert.equal(first.text, second.text);
});

scenario('D2 CloudEvents, one by one and in batches', async (w) => {
  const events = await w.events();
  const [single, batch] = [await w.hook(), await w.hook()];
  await events.topic('orders', CLOUD);
  await events.subscription('orders', 'single', Events.to(single.url()));
  const many = { maxEventsPerBatch: 10 };
  await events.subscription('orders', 'batch', Events.to(batch.url(), {}, many));
  const headers = {
    'aeg-sas-key': (await events.keys('orders')).key1,
    'content-type': 'application/cloudevents-batch+json',
  };
  const sent = [1, 2, 3].map((n) => cloudEvent({ subject: `s${n}`, data: { n }, tenant: 'blue' }));
  assert.equal((await events.publish('orders', sent, headers)).status, 200);
  await single.gets(3);
  await batch.gets(3);
  for (const [hook, type] of [
    [single, 'application/cloudevents+json; charset=utf-8'],
    [batch, 'application/cloudevents-batch+json; charset=utf-8'],
  ]) {
    for (const delivery of hook.deliveries()) {
      assert.equal(delivery.headers['content-type'], type);
      assert.equal(delivery.headers.origin, ORIGIN);
      assert.equal(delivery.headers['webhook-request-origin'], ORIGIN);
      assert.equal(delivery.headers['aeg-metadata-version'], '1.0');
      assert.equal(Array.isArray(JSON.parse(delivery.text)), hook === batch);
    }
    const came = hook.deliveries().flatMap(parse);
    assert.deepEqual(came.map(({ id }) => id).sort(), sent.map(({ id }) => id).sort());
    for (const event of came) {
      assert.ok(event.validate());
      assert.equal(event.tenant, 'blue');
      assert.deepEqual(event.data, sent.find(({ id }) => id === event.id).data);
    }
  }
  assert.equal(single.deliveries().length, 3);
});

scenario('D3 An Event Grid event as a CloudEvent', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  const topic = await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url(), AS_CLOUD));
  const sent = gridEvent({ data: { n: 1.1 } });
  await publishAll(events, 'orders', [sent]);
  await hook.gets(1);
  const [event] = parse(hook.deliveries()[0]);
  assert.equal(event.source, topic.id);
  assert.equal(event.id, sent.id);
  assert.equal(event.type, sent.eventType);
  assert.equal(event.subject, sent.subject);
  assert.equal(Date.parse(event.time), Date.parse(sent.eventTime));
  assert.deepEqual(event.data, sent.data);
  assert.equal(event.dataschema, undefined);
});

scenario('D3 What cannot be converted is refused', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  await events.topic('cloud', CLOUD);
  const to = Events.to(hook.url(), { eventDeliverySchema: 'EventGridSchema' });
  const { status, json } = await events.putSubscription('cloud', 'es1', to);
  assert.equal(status, 400);
  assert.match(json.error.message, /eventDeliverySchema/);
  assert.equal(hook.requests.length, 0);
});

scenario('D4 Events of one\'s own, in an envelope and as they are', async (w) => {
  const events = await w.events();
  const [grid, own] = [await w.hook(), await w.hook()];
  await events.topic('orders', {
    inputSchema: 'CustomEventSchema',
    inputSchemaMapping: {
      inputSchemaMappingType: 'Json',
      properties: {
        id: { sourceField: 'a.b' },
        topic: {},
        eventTime: {},
        eventType: { sourceField: 'myType', defaultValue: 'T' },
        subject: { defaultValue: 'S' },
        dataVersion: { defaultValue: '1.0' },
      },
    },
  });
  await events.subscription('orders', 'grid', Events.to(grid.url()));
  const custom = { eventDeliverySchema: 'CustomInputSchema' };
  await events.subscription('orders', 'own', Events.to(own.url(), custom));
  await publishAll(events, 'orders', [{ myType: 'x' }]);
  const [envelope] = await grid.gets(1);
  assert.equal(envelope.eventType, 'x');
  assert.equal(envelope.subject, 'S');
  assert.equal(envelope.dataVersion, '1.0');
  assert.ok(envelope.id && Date.parse(envelope.eventTime));
  assert.deepEqual(envelope.data, { myType: 'x' });
  assert.deepEqual(await own.gets(1), [{ myType: 'x' }]);
});

scenario('D5 The limits of a batch', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  const limits = { maxEventsPerBatch: 5, preferredBatchSizeInKilobytes: 1 };
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url(), {}, limits));
  const small = Array.from({ length: 12 }, () => gridEvent({ topic: '' }));
  const large = gridEvent({ data: { text: 'x'.repeat(10000) } });
  await publishAll(events, 'orders', [...small, large]);
  await hook.gets(13);
  const batches = hook.deliveries().map(({ text }) => JSON.parse(text));
  for (const batch of batches) {
    assert.ok(batch.length <= 5);
    if (batch.some(({ id }) => id === large.id)) assert.equal(batch.length, 1);
  }
  assert.deepEqual(hook.ids().sort(), [...small, large].map(({ id }) => id).sort());
});

scenario('D6 All of a failed batch comes again', { timeout: 120000 }, async (w) => {
  const events = await w.events();
  const hook = await w.hook({ answers: [500] });
  await events.topic('orders');
  const to = Events.to(hook.url(), {}, { maxEventsPerBatch: 10, preferredBatchSizeInKilobytes: 64 });
  await events.subscription('orders', 'es1', to);
  const sent = [gridEvent(), gridEvent(), gridEvent()];
  await publishAll(events, 'orders', sent);
  const ids = sent.map(({ id }) => id).sort();
  const failed = JSON.parse((await hook.getsRequests(1))[0].text).map(({ id }) => id);
  await until(
    () => ids.every((id) => hook.ids().filter((one) => one === id).length >= (failed.includes(id) ? 2 : 1)),
    'every event came, those that failed twice',
    60000,
  );
});

scenario('D7 Delivery attributes', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  await events.topic('orders');
  const attribute = (name, type, properties) => ({ name, type, properties });
  const made = await events.subscription(
    'orders',
    'es1',
    Events.to(hook.url(), {}, {
      deliveryAttributeMappings: [
        attribute('x-secret', 'Static', { value: 'hush', isSecret: true }),
        attribute('x-n', 'Dynamic', { sourceField: 'data.x' }),
        attribute('x-long', 'Static', { value: 'l'.repeat(4000) }),
        attribute('x-none', 'Dynamic', { sourceField: 'data.y' }),
      ],
    }),
  );
  const [secret] = made.properties.destination.properties.deliveryAttributeMappings;
  assert.equal(secret.properties.value, 'Hidden');
  assert.ok(!('x-secret' in hook.handshakes()[0].headers));
  await publishAll(events, 'orders', [gridEvent({ data: { x: 5 } })]);
  await hook.gets(1);
  const [{ headers }] = hook.deliveries();
  assert.equal(headers['x-secret'], 'hush');
  assert.equal(headers['x-n'], '5');
  assert.equal(headers['x-long'], 'l'.repeat(4000));
  assert.ok(!('x-none' in headers));
});

scenario('D8 An endpoint that hangs holds nobody up', async (w) => {
  const events = await w.events();
  const [stuck, quick] = [await w.hook({ answers: Array(200).fill('hang') }), await w.hook()];
  await events.topic('orders');
  await events.subscription('orders', 'stuck', Events.to(stuck.url()));
  await events.subscription('orders', 'quick', Events.to(quick.url()));
  await publishAll(events, 'orders', Array.from({ length: 100 }, () => gridEvent()));
  await quick.gets(100);
  assert.ok(stuck.hanging.length > 0);
  stuck.answers = []; // so that the node can stop
  for (const response of stuck.hanging) response.end();
});

scenario('D8 Nor does one endpoint hold up another of the same host', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  const reply = hook.reply.bind(hook);
  hook.reply = (answer, request, response) =>
    reply(request.url === '/stuck' ? 'hang' : answer, request, response);
  await events.topic('orders');
  for (const name of ['stuck', 'quick'])
    await events.subscription('orders', name, Events.to(hook.url(`/${name}`)));
  await publishAll(events, 'orders', Array.from({ length: 100 }, () => gridEvent()));
  const quick = () => hook.deliveries().filter(({ url }) => url === '/quick').length;
  await until(() => quick() === 100, () => `100 events at /quick, but ${quick()}`);
  assert.ok(hook.hanging.length > 0);
  hook.reply = reply; // so that the node can stop
  for (const response of hook.hanging) response.end();
});

scenario('D11 A removed subscription is told, once', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  await events.topic('orders');
  const { id } = await events.subscription('orders', 'es1', Events.to(hook.url()));
  await events.must('DELETE', '/api/subscriptions/es1?topic=orders');
  const told = hook.requests.filter(({ kind }) => kind === 'SubscriptionDeletion');
  assert.equal(told.length, 1);
  const [event] = JSON.parse(told[0].text);
  assert.equal(event.eventType, 'Microsoft.EventGrid.SubscriptionDeletedEvent');
  assert.equal(event.data.eventSubscriptionId, id);
  assert.deepEqual((await events.must('GET', '/api/subscriptions')).value, []);
  await publishAll(events, 'orders', [gridEvent()]);
  assert.equal(hook.deliveries().length, 0);
});

scenario('F1 Types', async (w) => {
  const events = await w.events();
  const [some, absent, all] = [await w.hook(), await w.hook(), await w.hook()];
  await events.topic('orders');
  const only = (types) => ({ filter: { includedEventTypes: types } });
  await events.subscription('orders', 'some', Events.to(some.url(), only(['A'])));
  await events.subscription('orders', 'absent', Events.to(absent.url()));
  await events.subscription('orders', 'all', Events.to(all.url(), only(['All'])));
  const [a, b] = [gridEvent({ eventType: 'A' }), gridEvent({ eventType: 'B' })];
  await publishAll(events, 'orders', [a, b]);
  await absent.gets(2);
  await all.gets(2);
  const last = gridEvent({ eventType: 'A' });
  await publishAll(events, 'orders', [last]);
  await some.gets(2);
  assert.deepEqual(some.ids().sort(), [a.id, last.id].sort());
});

scenario('F2 Subjects', async (w) => {
  const events = await w.events();
  const [any, exact] = [await w.hook(), await w.hook()];
  await events.topic('orders');
  const filter = { subjectBeginsWith: '/Blob', subjectEndsWith: '.JPG' };
  await events.subscription('orders', 'any', Events.to(any.url(), { filter }));
  const strict = { filter: { ...filter, isSubjectCaseSensitive: true } };
  await events.subscription('orders', 'exact', Events.to(exact.url(), strict));
  await publishAll(events, 'orders', [gridEvent({ subject: '/blob/x.jpg' })]);
  await any.gets(1);
  const control = gridEvent({ subject: '/Blob/x.JPG' });
  await publishAll(events, 'orders', [control]);
  await exact.gets(1);
  assert.deepEqual(exact.ids(), [control.id]);
});

scenario('F4 Filters over their limits are refused, the field named', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  await events.topic('orders');
  const one = (values) => ({ key: 'data.s', operatorType: 'StringIn', values });
  for (const advancedFilters of [
    Array.from({ length: 26 }, () => one(['x'])),
    [one(Array(26).fill('x'))],
    [one(['x'.repeat(513)])],
    [{ ...one(['x']), operatorType: 'StringIs' }],
  ]) {
    const to = Events.to(hook.url(), { filter: { advancedFilters } });
    const { status, json } = await events.putSubscription('orders', 'es1', to);
    assert.equal(status, 400);
    assert.match(json.error.message, /advancedFilters/);
  }
  assert.equal(hook.requests.length, 0);
});
