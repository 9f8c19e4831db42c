// What is tried again, and when (spec R3, R4, R5, R8). Waits are put short in the store, by making what is parked due.

import assert from 'node:assert/strict';
import { Events, gridEvent } from '../lib/events.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

// The queues of a store, whatever their ids.
class Queues {
  constructor({ cli }) {
    this.cli = cli;
  }

  keys(part) {
    return this.cli.keys(`rg:{q:*}:${part}`);
  }

  // When each parked event is due, from now on, in ms.
  async waits() {
    const keys = await this.keys('due');
    const rows = await Promise.all(keys.map((key) => this.cli.zrange(key, 0, -1, 'WITHSCORES')));
    return rows.flatMap((row) => row.filter((_, i) => i % 2).map((due) => due - Date.now()));
  }

  async makeDue() {
    for (const key of await this.keys('due'))
      for (const id of await this.cli.zrange(key, 0, -1)) await this.cli.zadd(key, 1, id);
  }

  async length() {
    const lengths = await Promise.all((await this.keys('events')).map((key) => this.cli.xlen(key)));
    return lengths.reduce((sum, n) => sum + n, 0);
  }

  parked(n) {
    return until(
      async () => (await this.waits()).length === n,
      async () => `${n} parked events, but ${(await this.waits()).length}`,
    );
  }
}

async function publish(events) {
  const event = gridEvent();
  assert.equal((await events.publish('orders', [event])).status, 200);
  return event;
}

// A hook whose path says with which status it answers the first attempt; the second goes well.
const byPath = ({ url, headers }) => {
  if (headers['aeg-delivery-count'] !== '0') return 200;
  return Number(url.slice(1)) || url.slice(1);
};

async function subscribe(events, hook, words) {
  for (const word of words)
    await events.subscription('orders', `is-${word}`, Events.to(hook.url(`/${word}`)));
}

const countOf = (hook, word) => hook.deliveries().filter(({ url }) => url === `/${word}`).length;

async function world(w, options = {}) {
  const store = await w.redis({ persistent: true });
  const events = await w.events({ store, ...options });
  await events.topic('orders');
  return { events, queues: new Queues(store) };
}

scenario('R3 Retry-After, in seconds and as a date', async (w) => {
  const { events, queues } = await world(w);
  const answers = {
    '/seconds': () => ({ status: 429, headers: { 'Retry-After': '120' } }),
    '/date': () => ({
      status: 503,
      headers: { 'Retry-After': new Date(Date.now() + 121000).toUTCString() },
    }),
    '/other': () => ({ status: 500, headers: { 'Retry-After': '120' } }),
  };
  const hook = await w.hook({ judge: ({ url }) => answers[url]() });
  for (const where of Object.keys(answers))
    await events.subscription('orders', `at-${where.slice(1)}`, Events.to(hook.url(where)));
  await publish(events);
  await queues.parked(3);
  const [other, ...asked] = (await queues.waits()).sort((a, b) => a - b);
  assert.ok(other < 12000, `${other}`);
  for (const wait of asked) assert.ok(wait > 100000 && wait < 134000, `${wait}`);
});

scenario('R4 What is not tried again', async (w) => {
  const { events, queues } = await world(w);
  const hook = await w.hook({ judge: byPath });
  await subscribe(events, hook, [400, 401, 403, 413]);
  await publish(events);
  await until(async () => hook.deliveries().length === 4 && (await queues.length()) === 0, 'gone');
  for (const status of [400, 401, 403, 413]) {
    const where = `/api/subscriptions/is-${status}/deadletters?topic=orders`;
    const { value } = await events.must('GET', where);
    assert.deepEqual([value.length, value[0].attempts, value[0].lastStatus], [1, 1, status]);
    assert.match(value[0].reason, /^UndeliverableDueToHttp/);
    assert.equal(countOf(hook, status), 1);
  }
});

const SUCCESS = [200, 201, 202, 203, 204];
const AGAIN = [205, 302, 404, 408, 429, 500, 502, 503, 504, 'reset', 'hang'];

scenario('R5 Success, and what is tried again', { timeout: 120000 }, async (w) => {
  const { events, queues } = await world(w, { args: ['--delivery-timeout', '1000'] });
  const hook = await w.hook({ judge: byPath });
  const closing = await w.hook();
  await subscribe(events, hook, [...SUCCESS, ...AGAIN]);
  await events.subscription('orders', 'closed', Events.to(closing.url()));
  await closing.destroy();
  await publish(events);
  await queues.parked(AGAIN.length + 1);
  assert.equal(await queues.length(), AGAIN.length + 1);
  await events.node.kill();
  await queues.makeDue();
  await closing.reopen();
  await events.node.start();
  await until(async () => (await queues.length()) === 0, 'all have arrived');
  for (const status of SUCCESS) assert.equal(countOf(hook, status), 1, `${status}`);
  for (const status of AGAIN) assert.equal(countOf(hook, status), 2, `${status}`);
  assert.equal(closing.deliveries().length, 1);
  assert.equal(closing.deliveries()[0].headers['aeg-delivery-count'], '1');
});

scenario('R8 A restart keeps count and time; a kill is no attempt', async (w) => {
  const { events, queues } = await world(w);
  const answers = [500, 500, 'hang', 200];
  const hook = await w.hook({ judge: () => answers.shift() });
  await events.subscription('orders', 'es1', Events.to(hook.url()));
  await publish(events);
  await queues.parked(1);
  await events.node.kill();
  await queues.makeDue();
  await events.node.start();
  await hook.getsRequests(2);
  await queues.parked(1);
  const [before] = await queues.waits();
  await events.node.stop();
  await events.node.start();
  const [after] = await queues.waits();
  assert.ok(before > 20000 && after < before && after > before - 20000, `${before} ${after}`);
  await events.node.stop();
  await queues.makeDue();
  await events.node.start();
  await hook.getsRequests(3);
  await events.node.kill();
  await events.node.start();
  await hook.getsRequests(4);
  const counts = hook.deliveries().map(({ headers }) => headers['aeg-delivery-count']);
  assert.deepEqual(counts, ['0', '1', '2', '2']);
  await until(async () => (await queues.length()) === 0, 'it has arrived');
});

scenario('R8 What a node has parked that leaves in peace comes from another', async (w) => {
  const store = await w.redis({ persistent: true });
  const [stays, leaves] = [await w.events({ store }), await w.events({ store })];
  const hook = await w.hook({ answers: [500] });
  await leaves.topic('orders');
  await leaves.subscription('orders', 'es1', Events.to(hook.url()));
  await until(
    async () => (await stays.ask('GET', '/api/subscriptions/es1?topic=orders')).status === 200,
    'the other node knows it',
  );
  // Each has said that it lives since both do: so each knows of the other, and will notice that it goes.
  const beats = async () =>
    (await store.cli.zrange('rg:{meta}:nodes', 0, -1, 'WITHSCORES')).filter((_, i) => i % 2).map(Number);
  const latest = Math.max(...(await beats()));
  await until(async () => Math.min(...(await beats())) > latest, 'both have said that they live');
  await publish(leaves);
  await new Queues(store).parked(1);
  await leaves.node.stop();
  const [, { headers }] = await hook.getsRequests(2, 30000);
  assert.equal(headers['aeg-delivery-count'], '1');
});

scenario('R8 What a node was sending when it left in peace comes from one that never met it', async (w) => {
  const store = await w.redis({ persistent: true });
  const leaves = await w.events({ store, args: ['--drain-timeout', '100'] });
  const answers = ['hang', 200];
  const hook = await w.hook({ judge: () => answers.shift() });
  await leaves.topic('orders');
  await leaves.subscription('orders', 'es1', Events.to(hook.url()));
  await publish(leaves);
  await hook.getsRequests(1);
  await leaves.node.stop();
  await w.events({ store });
  const [, { headers }] = await hook.getsRequests(2, 30000);
  assert.equal(headers['aeg-delivery-count'], '0');
});
