// What is counted of topics and subscriptions, and where it is shown.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Events, gridEvent } from '../lib/events.js';
import { PROGRAM } from '../lib/node.js';
import { scenario } from '../lib/scenario.js';
import { receiver, sender } from '../lib/sdk.js';
import { until } from '../lib/until.js';

const run = promisify(execFile);

async function redgrid(events, ...words) {
  const env = { ...process.env, REDGRID_SERVER: events.base() };
  return (await run(PROGRAM, words, { env })).stdout;
}

async function publish(events, topic, ...batch) {
  const answer = await events.publish(topic, batch);
  assert.equal(answer.status, 200, answer.text);
}

// Waits until a series has a value; the metrics of then.
async function reaches(events, name, labels, value) {
  let metrics;
  await until(
    async () => (metrics = await events.metrics()).of(name, labels) === value,
    () => `${name} is ${value}, not ${metrics?.of(name, labels)}`,
  );
  return metrics;
}

scenario('What becomes of events is counted', async (w) => {
  const events = await w.events();
  const [good, busy, bad] = [
    await w.hook(),
    await w.hook({ answers: [503, 503] }),
    await w.hook({ answers: [400] }),
  ];
  await events.topic('orders');
  for (const [name, hook] of Object.entries({ good, busy, bad })) {
    await events.subscription('orders', name, Events.to(hook.url()));
  }
  await publish(events, 'orders', gridEvent(), gridEvent());
  const labels = (subscription) => ({ topic: 'orders', subscription });
  const total = (metrics, what, subscription, more = {}) =>
    metrics.of(`${what}_total`, { ...labels(subscription), ...more });
  await reaches(events, 'events_retried_total', labels('busy'), 2);
  await reaches(events, 'events_delivered_total', labels('good'), 2);
  const metrics = await reaches(events, 'dead_letters', labels('bad'), 1);
  for (const name of ['good', 'busy', 'bad']) {
    assert.equal(total(metrics, 'events_queued', name), 2);
    assert.equal(total(metrics, 'events_dropped', name), 0);
    assert.equal(metrics.of('endpoint_rests', labels(name)), 0);
  }
  assert.equal(metrics.of('event_delivery_seconds_count', labels('good')), 2);
  assert.equal(metrics.of('event_delivery_seconds_bucket', { ...labels('good'), le: '+Inf' }), 2);
  assert.ok(metrics.of('event_delivery_seconds_sum', labels('good')) > 0);
  assert.equal(total(metrics, 'event_attempts_failed', 'busy', { outcome: 'Busy' }), 2);
  assert.equal(total(metrics, 'event_attempts_failed', 'bad', { outcome: 'BadRequest' }), 1);
  const reason = 'UndeliverableDueToHttpBadRequest';
  assert.equal(total(metrics, 'events_dead_lettered', 'bad', { reason }), 1);
  await reaches(events, 'queue_events', labels('good'), 0);
  assert.equal((await events.metrics()).of('queue_events', labels('busy')), 2);
  assert.ok((await events.metrics()).of('queue_oldest_age_seconds', labels('busy')) > 0);
  await redgrid(events, 'deadletter', 'purge', '--topic', 'orders', '--subscription', 'bad', '--all');
  await reaches(events, 'events_dropped_total', labels('bad'), 1);
  await reaches(events, 'dead_letters', labels('bad'), 0);
});

scenario('Counts survive a change of the subscription, and go with it', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  const labels = { topic: 'orders', subscription: 'es1' };
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url()));
  await publish(events, 'orders', gridEvent());
  await reaches(events, 'events_delivered_total', labels, 1);
  const filter = { includedEventTypes: ['made'] };
  await events.subscription('orders', 'es1', Events.to(hook.url(), { filter }));
  await events.topic('orders', { disableLocalAuth: false });
  await publish(events, 'orders', gridEvent());
  const metrics = await reaches(events, 'events_delivered_total', labels, 2);
  assert.equal(metrics.of('events_published_total', { topic: 'orders' }), 2);
  assert.equal(metrics.of('event_delivery_seconds_count', labels), 2);
  await events.must('DELETE', '/api/subscriptions/es1?topic=orders');
  await reaches(events, 'events_delivered_total', labels, undefined);
  await events.must('DELETE', '/api/topics/orders');
  await reaches(events, 'events_published_total', { topic: 'orders' }, undefined);
});

scenario('An endpoint that fails again and again is shown to rest', async (w) => {
  const events = await w.events();
  const hook = await w.hook({ answers: Array(20).fill(500) });
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url()));
  await publish(events, 'orders', ...Array.from({ length: 12 }, () => gridEvent()));
  await reaches(events, 'endpoint_rests', { topic: 'orders', subscription: 'es1' }, 1);
  assert.match(await redgrid(events, 'status'), /^es1 +orders +rests \d+s +\d+ /m);
});

scenario('Counts by command', async (w) => {
  const events = await w.events();
  const [good, bad] = [await w.hook(), await w.hook({ handshake: { status: 500 } })];
  const idle = await redgrid(events, 'status');
  assert.match(idle, /^No functions\./m);
  assert.match(idle, new RegExp(`^at +http://127.0.0.1:${events.node.port()}`, 'm'));
  await events.topic('orders');
  await events.topic('quiet');
  await events.subscription('orders', 'good', Events.to(good.url()));
  await events.subscription('orders', 'waiting', {
    deliveryConfiguration: { deliveryMode: 'Queue', queue: {} },
  });
  assert.equal((await events.putSubscription('orders', 'bad', Events.to(bad.url()))).status, 400);
  await publish(events, 'orders', gridEvent(), gridEvent());
  await good.gets(2);
  const line = (text) => new RegExp(`^${text.replaceAll(' ', ' +')}$`, 'm');
  await until(
    async () => line('good orders Succeeded 0 - 0 2 0 0').test(await redgrid(events, 'status')),
    'both are delivered',
  );
  const page = await redgrid(events, 'status');
  assert.match(page, line('orders 3 2 0 0'));
  assert.match(page, line('quiet 0 0 0 0'));
  assert.match(page, /^bad +orders +Failed +0 +- /m);
  assert.match(page, /^waiting +orders +Succeeded +2 +\d+s +0 +0 +0 +0$/m);
  assert.ok(page.split('\n').every((row) => row.length <= 80 || row.startsWith('store')));
  assert.match(await redgrid(events, 'top'), /^good .* 2 +0 +0 +\d+\.\d\d$/m);
  const list = await redgrid(events, 'subscription', 'list');
  assert.match(list, /^waiting +orders +Succeeded +CloudEventSchemaV1_0 +2 +0 +queue$/m);
  const shown = await redgrid(events, 'subscription', 'show', 'good', '--topic', 'orders');
  assert.match(shown, /^counts\.delivered +2$/m);
  const status = JSON.parse(await redgrid(events, 'status', '--output', 'json'));
  assert.deepEqual(
    status.topics.map(({ name, subscriptions }) => [name, subscriptions.map((s) => s.name)]),
    [
      ['orders', ['bad', 'good', 'waiting']],
      ['quiet', []],
    ],
  );
  assert.equal(status.topics[0].subscriptions[2].queued, 2);
});

scenario('Requests that are refused are counted by their reason', async (w) => {
  const events = await w.events();
  await events.topic('orders');
  const refuse = async (topic, body, headers) => {
    const { status } = await events.publish(topic, body, headers);
    assert.ok(status >= 400, `${status}`);
  };
  await refuse('orders', '{');
  await refuse('orders', '[]');
  await refuse('orders', [gridEvent()], { 'aeg-sas-key': 'AAAA' });
  await events.ask('POST', '/topics/none/api/events', [], {});
  await events.ask('DELETE', '/topics/orders/api/events');
  const metrics = await events.metrics();
  const refused = (topic, reason) => metrics.of('publish_refused_total', { topic, reason });
  assert.equal(refused('orders', 'InputJsonInvalid'), 2);
  assert.equal(refused('orders', 'Unauthorized'), 1);
  assert.equal(refused('orders', 'MethodNotAllowed'), 1);
  assert.equal(refused('', 'ResourceNotFound'), 1);
  assert.equal(metrics.of('events_published_total', { topic: 'orders' }), 0);
});

scenario('What pull clients do is counted', async (w) => {
  const events = await w.events();
  const labels = { topic: 'orders', subscription: 'es1' };
  const topic = await events.topic('orders', { inputSchema: 'CloudEventSchemaV1_0' });
  await events.subscription('orders', 'es1', Events.queue());
  const events4 = Array.from({ length: 4 }, () => ({ type: 'made', source: '/s', data: {} }));
  await sender(events, topic).sendEvents(events4);
  const client = receiver(events, topic, 'es1');
  const { details } = await client.receiveEvents({ maxEvents: 4, maxWaitTime: 60 });
  const [a, b, c, d] = details.map(({ brokerProperties }) => brokerProperties.lockToken);
  await client.acknowledgeEvents([a, b]);
  await client.acknowledgeEvents([a]);
  await client.rejectEvents([c]);
  await client.renewEventLocks([d]);
  await client.releaseEvents([d]);
  const metrics = await reaches(events, 'queue_events', labels, 1);
  const results = ['received', 'acknowledged', 'rejected', 'renewed', 'released', 'lost'];
  assert.deepEqual(
    results.map((result) => metrics.of('events_pulled_total', { ...labels, result })),
    [4, 2, 1, 1, 1, 1],
  );
  assert.equal(metrics.of('events_delivered_total', labels), 2);
  assert.equal(metrics.of('events_dead_lettered_total', { ...labels, reason: 'Rejected' }), 1);
  assert.equal(metrics.of('dead_letters', labels), 1);
});
