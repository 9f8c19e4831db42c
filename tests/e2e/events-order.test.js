// Events of one key are delivered in the order in which they were accepted (orderBy), and no faster than an endpoint
// wants (maxEventsPerSecond).

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { must } from '../lib/command.js';
import { Events, gridEvent } from '../lib/events.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

// What a receiver sees of each key: `last` is the number that was answered with 200 last.
class Ledger {
  constructor(judge) {
    this.judge = judge;
    this.keys = new Map();
    this.faults = [];
  }

  of(key) {
    if (!this.keys.has(key)) this.keys.set(key, { last: 0, underWay: 0, log: [] });
    return this.keys.get(key);
  }

  async take({ text }) {
    const events = JSON.parse(text);
    const keys = events.map(({ subject }) => this.of(subject));
    for (const [i, { subject, data }] of events.entries()) {
      const key = keys[i];
      key.log.push(data.n);
      if (key.underWay++ > 0) this.faults.push(`two at once: ${subject} ${key.log}`);
      if (data.n !== key.last && data.n !== key.last + 1)
        this.faults.push(`out of order: ${subject} ${key.log}`);
    }
    await pause(3);
    const status = this.judge(events, this);
    for (const [i, { data }] of events.entries()) {
      keys[i].underWay--;
      if (status === 200) keys[i].last = data.n;
    }
    return status;
  }

  async reaches(key, n, ms) {
    await until(
      () => this.of(key).last >= n,
      () => `${key} at ${n}, but it is at ${this.of(key).last}: ${this.of(key).log}`,
      ms,
    );
  }
}

const KEYS = Array.from({ length: 10 }, (_, i) => `key${i}`);
const BAD = new Set(['key0', 'key1']);
const LENGTH = 12;

function round(n) {
  return KEYS.map((subject) => gridEvent({ subject, data: { n, shop: { id: subject } } }));
}

for (const [what, orderBy, batch] of [
  ['the subject', 'subject', {}],
  ['a value in the data, in batches', 'data.shop.id', { maxEventsPerBatch: 4 }],
]) {
  scenario(`O1 By ${what}: failures, two nodes, kill -9`, { timeout: 120000 }, async (w) => {
    const store = await w.redis({ persistent: true });
    const nodes = [await w.events({ store }), await w.events({ store })];
    const failed = new Set();
    const ledger = new Ledger((all) => {
      const bad = all.filter(({ subject, data }) => BAD.has(subject) && data.n === 4);
      const fresh = bad.filter(({ subject }) => !failed.has(subject));
      for (const { subject } of fresh) failed.add(subject);
      return fresh.length ? 500 : 200;
    });
    const hook = await w.hook({ judge: (record) => ledger.take(record) });
    await nodes[0].topic('orders');
    await nodes[0].subscription('orders', 'es1', Events.to(hook.url(), { orderBy }, batch));
    const headers = { 'aeg-sas-key': (await nodes[0].keys('orders')).key1 };
    await until(
      async () => (await nodes[1].ask('GET', '/api/topics/orders')).status === 200,
      'the other node knows the topic',
    );
    const publish = async (n) => {
      const answer = await nodes[n % nodes.length].publish('orders', round(n), headers);
      assert.equal(answer.status, 200, answer.text);
    };
    for (let n = 1; n <= LENGTH / 2; n++) await publish(n);
    // Those that fail wait for their retry; nobody else does, but in the same batch.
    const good = KEYS.filter((name) => !BAD.has(name));
    for (const key of good) await ledger.reaches(key, LENGTH / 2, 30000);
    if (!batch.maxEventsPerBatch)
      assert.deepEqual(
        [...BAD].map((key) => ledger.of(key).last),
        [3, 3],
      );
    for (let n = LENGTH / 2 + 1; n <= LENGTH; n++) await publish(n);
    await nodes.pop().node.kill();
    for (const key of KEYS) await ledger.reaches(key, LENGTH, 60000);
    assert.deepEqual(ledger.faults, []);
  });
}

scenario('O2 A dead letter frees its key; a restart keeps the order', async (w) => {
  const events = await w.events();
  const ledger = new Ledger(([{ data }], { isOpen }) => {
    if (data.n === 1) return 400;
    return isOpen ? 200 : 429;
  });
  const hook = await w.hook({
    judge: async (record) => {
      const status = await ledger.take(record);
      if (status === 400) ledger.of('a').last = 1; // it does not come again
      return status === 429 ? { status, headers: { 'Retry-After': '0' } } : status;
    },
  });
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url(), { orderBy: 'subject' }));
  const all = [1, 2, 3, 4].map((n) => gridEvent({ subject: 'a', data: { n } }));
  assert.equal((await events.publish('orders', all)).status, 200);
  await until(() => ledger.of('a').log.includes(2), 'the second one comes after the dead letter');
  await events.node.kill();
  await events.node.start();
  ledger.isOpen = true;
  await ledger.reaches('a', 4, 60000);
  assert.deepEqual(ledger.faults, []);
});

scenario('O3 The settings change while one is under way: the next comes', async (w) => {
  const events = await w.events();
  let open;
  const gate = new Promise((resolve) => (open = resolve));
  const hook = await w.hook({ judge: async () => (await gate) ?? 200 });
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url(), { orderBy: 'subject' }));
  const all = [1, 2].map((n) => gridEvent({ subject: 'a', data: { n } }));
  assert.equal((await events.publish('orders', all)).status, 200);
  await hook.getsRequests(1);
  await events.must('PATCH', '/api/subscriptions/es1?topic=orders', {
    properties: { labels: ['changed'] },
  });
  open();
  await hook.getsRequests(2, 8000);
});

scenario('O4 Evenly, not more a second than were asked for; by command', async (w) => {
  const events = await w.events();
  const times = [];
  const hook = await w.hook({ judge: () => (times.push(Date.now()), 200) });
  await must(events, 'topic', 'create', 'orders');
  const named = ['es1', '--topic', 'orders'];
  const limits = ['--max-events-per-second', '10', '--order-by', 'subject'];
  await must(events, 'subscription', 'create', ...named, '--endpoint', hook.url(), ...limits);
  const batch = Array.from({ length: 12 }, (_, n) => gridEvent({ subject: `s${n}` }));
  assert.equal((await events.publish('orders', batch)).status, 200);
  await hook.gets(batch.length);
  assert.ok(times.at(-1) - times[0] >= 700, `${times.map((time) => time - times[0])}`);
  const show = async () =>
    JSON.parse(await must(events, 'subscription', 'show', ...named, '--output', 'json')).properties;
  const { orderBy, maxEventsPerSecond } = await show();
  assert.deepEqual([orderBy, maxEventsPerSecond], ['subject', 10]);
  const none = ['--max-events-per-second', '0', '--order-by', ''];
  await must(events, 'subscription', 'update', ...named, ...none);
  const after = await show();
  assert.deepEqual([after.orderBy, after.maxEventsPerSecond], [undefined, undefined]);
});
