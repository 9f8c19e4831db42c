// `redgrid events tail`: what happens to events, as it happens.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http from 'node:http';
import readline from 'node:readline';
import { Events, gridEvent } from '../lib/events.js';
import { PROGRAM } from '../lib/node.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

// `redgrid events tail` with more words; `lines` grows.
class Tail {
  constructor(events, ...words) {
    const env = { ...process.env, REDGRID_SERVER: events.base() };
    this.lines = [];
    this.process = spawn(PROGRAM, ['events', 'tail', ...words], { env });
    this.exited = new Promise((resolve) => this.process.on('close', resolve));
    for (const stream of [this.process.stdout, this.process.stderr]) {
      readline.createInterface({ input: stream }).on('line', (line) => this.lines.push(line));
    }
  }

  // Publishes to a topic that nobody wants, until it is seen: from then on all is seen.
  async begins(events, topic = 'probe') {
    await until(async () => {
      await publish(events, topic, gridEvent());
      return this.lines.length > 0;
    }, 'the tail shows something');
    return this;
  }

  async shows(pattern) {
    await until(
      () => this.lines.some((line) => pattern.test(line)),
      () => `a line ${pattern} in:\n${this.lines.join('\n')}`,
    );
    return this.lines.find((line) => pattern.test(line));
  }

  of(topic) {
    return this.lines.map((line) => JSON.parse(line)).filter((line) => line.topic === topic);
  }
}

async function publish(events, topic, ...batch) {
  const answer = await events.publish(topic, batch);
  assert.equal(answer.status, 200, answer.text);
}

async function begin(w) {
  const events = await w.events();
  await events.topic('probe');
  await events.topic('orders');
  return events;
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

scenario('Each step of an event is told as it happens', async (w) => {
  const events = await begin(w);
  const [good, busy, bad] = [
    await w.hook(),
    await w.hook({ answers: [503] }),
    await w.hook({ answers: [400] }),
  ];
  for (const [name, hook] of Object.entries({ good, busy, bad })) {
    await events.subscription('orders', name, Events.to(hook.url()));
  }
  const tail = await new Tail(events, '--output', 'json').begins(events);
  const event = gridEvent({ subject: 'orders/"17"\u001b', eventType: 'order.made' });
  await publish(events, 'orders', event);
  await tail.shows(/"what":"parked"/);
  await tail.shows(/"what":"dead"/);
  await tail.shows(/"what":"delivered"/);
  const lines = tail.of('orders');
  const { id, subject } = event;
  for (const line of lines) {
    assert.match(line.time, TIME);
    assert.deepEqual([line.id, line.type, line.subject], [id, 'order.made', subject]);
  }
  const told = (name) =>
    lines
      .filter(({ subscription }) => subscription === name)
      .map(({ what, count, attempt, outcome, status, reason }) =>
        [what, count, attempt, outcome, status, reason].filter((value) => value !== undefined),
      );
  assert.deepEqual(told(undefined), [['published', 3]]);
  assert.equal(lines[0].what, 'published');
  assert.deepEqual(told('good'), [['delivered', 1, 200]]);
  assert.deepEqual(told('busy'), [
    ['failed', 1, 'Busy', 503],
    ['parked', 1, 'Busy', 503],
  ]);
  assert.deepEqual(told('bad'), [
    ['failed', 1, 'BadRequest', 400],
    ['dead', 1, 'BadRequest', 400, 'UndeliverableDueToHttpBadRequest'],
  ]);
  assert.ok(lines.find(({ what }) => what === 'delivered').tookMs > 0);
  const { time, until: due } = lines.find(({ what }) => what === 'parked');
  assert.ok(Date.parse(due) - Date.parse(time) >= 30000);
});

scenario('A tail for people', async (w) => {
  const events = await begin(w);
  const [good, busy, bad] = [
    await w.hook(),
    await w.hook({ answers: [503] }),
    await w.hook({ answers: [401] }),
  ];
  const tail = await new Tail(events, '--topic', 'ORDERS').begins(events, 'orders');
  const first = /^\d\d:\d\d:\d\d\.\d{3} {2}published {2}orders {2}e\d+ {2}made {2}s {2}for 0 subscriptions$/;
  assert.match(tail.lines[0], first);
  for (const [name, hook] of Object.entries({ good, busy, bad })) {
    await events.subscription('orders', name, Events.to(hook.url()));
  }
  await publish(events, 'orders', gridEvent({ id: 'a\u001bb' }));
  await tail.shows(/ published {2}orders {2}a\?b {2}made {2}s {2}for 3 subscriptions$/);
  await tail.shows(/ delivered {2}orders\/good {2}a\?b {2}attempt 1, status 200, after \d+\.\d ms$/);
  await tail.shows(/ failed {5}orders\/busy {2}\S+ {2}attempt 1: Busy, status 503$/);
  await tail.shows(/ parked {5}orders\/busy {2}\S+ {2}until \d\d:\d\d:\d\d\.\d{3}$/);
  await tail.shows(/ dead {7}orders\/bad {2}\S+ {2}after 1 attempt: UndeliverableDueToHttpUnauthorized$/);
  assert.ok(!tail.lines.some((line) => line.includes('probe')));
});

scenario('A tail of one subscription, that ends with the node', async (w) => {
  const events = await begin(w);
  const hook = await w.hook();
  for (const topic of ['orders', 'probe']) {
    await events.subscription(topic, 'es1', Events.to(hook.url()));
    await events.subscription(topic, 'es2', Events.to(hook.url()));
  }
  const words = ['--topic', 'orders', '--subscription', 'ES1', '--output', 'json'];
  const tail = await new Tail(events, ...words).begins(events, 'orders');
  await publish(events, 'probe', gridEvent());
  await publish(events, 'orders', gridEvent({ id: 'last' }));
  await tail.shows(/last/);
  for (const line of tail.lines) assert.match(line, /"topic":"orders","subscription":"es1"/);
  await events.node.stop();
  assert.equal(await tail.exited, 0);
});

scenario('There is nothing to watch under a wrong name', async (w) => {
  const events = await begin(w);
  for (const words of [['--topic', 'none'], ['--subscription', 'none']]) {
    const tail = new Tail(events, ...words);
    assert.equal(await tail.exited, 1);
    assert.match(tail.lines.join('\n'), /there is no .*'none'/);
  }
  const before = await events.ask('GET', '/api/events?topic=none');
  assert.equal(before.status, 404);
});

// A client that has stopped reading.
function stuck(events) {
  return new Promise((resolve, reject) => {
    const request = http.get(`${events.base()}/api/events`, (answer) => {
      answer.pause();
      resolve(answer);
    });
    request.on('error', reject);
  });
}

const BATCH = 5000;
const BATCHES = 40;

scenario('A watcher that does not read loses lines, and is told how many', { timeout: 120000 }, async (w) => {
  const events = await begin(w);
  const watcher = await stuck(events);
  const { key1 } = await events.keys('orders');
  const batch = JSON.stringify(Array.from({ length: BATCH }, () => gridEvent({ subject: 'x'.repeat(100) })));
  for (let i = 0; i < BATCHES; i++) {
    const answer = await events.publish('orders', batch, { 'aeg-sas-key': key1 });
    assert.equal(answer.status, 200, answer.text);
  }
  let [published, missed, notices, bytes] = [0, 0, 0, 0];
  readline.createInterface({ input: watcher }).on('line', (text) => {
    if (!text) return; // a sign of life
    const line = JSON.parse(text);
    bytes += text.length;
    if (line.what === 'published') published++;
    else {
      assert.equal(line.what, 'missed');
      missed += line.count;
      notices++;
    }
  });
  await until(
    () => published + missed === BATCH * BATCHES,
    () => `${published} lines and ${missed} missed`,
    60000,
  );
  assert.ok(notices > 0 && published > 0, `${bytes} bytes`);
  watcher.destroy();
  // Nobody is left: the router goes on as before.
  await publish(events, 'orders', gridEvent());
});

scenario('Only so many may watch', { timeout: 120000 }, async (w) => {
  const events = await begin(w);
  const watchers = [];
  for (let i = 0; i < 16; i++) watchers.push(await stuck(events));
  assert.equal((await events.ask('GET', '/api/events')).status, 429);
  for (const watcher of watchers.splice(0, 8)) watcher.destroy();
  const hasRoom = async () => {
    const another = await stuck(events);
    watchers.push(another);
    return another.statusCode === 200;
  };
  await until(hasRoom, 'those who left are noticed, though nothing happens', 40000);
  for (const watcher of watchers) watcher.destroy();
});
