// What becomes of a message by the properties of its binding, seen from outside.

import assert from 'node:assert/strict';
import { list, pubsub, stream } from '../lib/app.js';
import { FAIL, record, show } from '../lib/code.js';
import { addEntries, deadLetters, numbers, pending, processing } from '../lib/keys.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

const QUICK = { claimIdleMs: 200, pollingIntervalInMs: 100 };
const RAW = { payload: 'value', ...QUICK };

// Logs which delivery this is, and fails until the third.
const COUNTS = {
  code: `
import logging

def main(entry, context):
    count = context.trigger_metadata["DeliveryCount"]
    logging.info("triggerValue:%s", count)
    if int(count) < 3:
        raise ValueError("not yet")
`,
};

scenario('DeliveryCount tells which delivery it is', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ L: list('q', RAW, COUNTS), S: stream('s', RAW, COUNTS) });
  await cli.rpush('q', 'x');
  await node.succeeds('L', 1);
  await cli.xadd('s', '*', 'a', 'b');
  await node.succeeds('S', 1);
  assert.deepEqual(node.values(), ['1', '2', '3', '1', '2', '3']);
  assert.deepEqual(await processing(cli), []);
  assert.equal(await pending(cli, 's', 'S'), 0);
});

scenario('A batch of a list that fails is delivered again as a whole, then dead-lettered', async (w) => {
  const { cli } = await w.redis();
  const code = `
import testlib

def main(entry: list):
    testlib.record(",".join(entry))
    raise ValueError("always")
`;
  await cli.rpush('q', ...numbers(5));
  const many = { ...RAW, cardinality: 'many', count: 5, maxDeliveryCount: 2 };
  await w.up({ F: list('q', many, { code }) });
  await until(async () => (await deadLetters(cli, 'F')).length === 5, 'five dead letters');
  assert.deepEqual(w.ledger(), ['0,1,2,3,4', '0,1,2,3,4']);
  const letters = await deadLetters(cli, 'F');
  assert.deepEqual(letters.map((letter) => letter.element).sort(), numbers(5));
  assert.deepEqual([...new Set(letters.map((letter) => letter.deliveries))], ['2']);
  assert.deepEqual(await processing(cli), []);
});

for (const kind of ['list', 'stream'])
  scenario(`What failed in a ${kind} is delivered again after claimIdleMs`, async (w) => {
    const { cli } = await w.redis();
    const make = kind === 'list' ? list : stream;
    const node = await w.up({ F: make('q', { ...RAW, claimIdleMs: 1000 }, FAIL) });
    if (kind === 'list') await cli.rpush('q', 'x');
    else await cli.xadd('q', '*', 'a', 'b');
    await node.fails('F', 3);
    const at = node.find(/^Executing 'Functions\.F'/).map((line) => line.at);
    for (const ms of [at[1] - at[0], at[2] - at[1]])
      assert.ok(ms >= 980 && ms < 2000, `${ms} ms between deliveries`);
  });

scenario('ackOnFailure of a list: one delivery, nothing left', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ F: list('q', { ...QUICK, ackOnFailure: true }, FAIL) });
  await cli.rpush('q', 'x');
  await node.fails('F', 1);
  await until(async () => (await processing(cli)).length === 0, 'it is removed');
  await stays(() => node.startedCount('F') === 1, 'one delivery', 600);
  assert.deepEqual(await deadLetters(cli, 'F'), []);
});

for (const kind of ['list', 'stream'])
  scenario(`maxDeliveryCount -1 of a ${kind}: delivered again and again`, async (w) => {
    const { cli } = await w.redis();
    const without = { ...QUICK, maxDeliveryCount: -1 };
    const make = kind === 'list' ? list : stream;
    const node = await w.up({ F: make('q', without, FAIL) });
    if (kind === 'list') await cli.rpush('q', 'x');
    else await cli.xadd('q', '*', 'a', 'b');
    await node.fails('F', 12, 20000); // the default would have been 10
    assert.deepEqual(await deadLetters(cli, 'F'), []);
  });

scenario('deadLetterKey takes what is given up', async (w) => {
  const { cli } = await w.redis();
  const own = { ...QUICK, maxDeliveryCount: 1, deadLetterKey: 'grave' };
  await w.up({ L: list('q', own, FAIL), S: stream('s', own, FAIL) });
  await cli.rpush('q', 'x');
  await cli.xadd('s', '*', 'a', 'b');
  await until(async () => (await cli.xlen('grave')) === 2, 'two dead letters');
  assert.deepEqual(await cli.keys('*dead*'), []);
});

for (const version of ['6.0', '6.2', 'newest'])
  for (const popsHead of [true, false])
    scenario(`8.4 Unreliable lists, ${version}, ${popsHead ? 'head' : 'tail'}`, async (w) => {
      const { cli } = await w.redis({ version });
      const pop = { ...RAW, reliable: false, listPopFromBeginning: popsHead, count: 3 };
      await cli.rpush('b', ...numbers(10));
      const node = await w.up({ F: list('a b', pop), G: list('g', { ...pop, count: 1 }) });
      await node.succeeds('F', 10);
      await cli.rpush('b', '10');
      await node.succeeds('F', 11);
      await cli.rpush('a', '11', '12');
      await node.succeeds('F', 13);
      assert.deepEqual(
        node.values().sort((x, y) => x - y),
        numbers(13),
      );
      await cli.rpush('g', ...numbers(20));
      await node.succeeds('G', 20);
      const inOrder = popsHead ? numbers(20) : numbers(20).reverse();
      assert.deepEqual(node.values().slice(13), inOrder);
      assert.deepEqual(await cli.keys('redgrid:*:list:*'), []);
      assert.equal(await cli.exists('a', 'b', 'g'), 0);
      await node.stop();
    });

scenario('8.4 Unreliable list: a retry policy holds, a stop lets what was taken run', async (w) => {
  const { cli } = await w.redis();
  const retry = { strategy: 'fixedDelay', maxRetryCount: 2, delayInterval: '00:00:00.050' };
  const gate = { ...record('testlib.wait_for("go")') };
  const node = await w.up({
    F: list('q', { ...QUICK, reliable: false }, { ...FAIL, retry }),
    G: list('g', { ...QUICK, reliable: false, count: 2 }, gate),
  });
  await cli.rpush('q', 'x');
  await node.fails('F', 3);
  await cli.rpush('g', ...numbers(5));
  await until(() => node.startedCount('G') === 2, 'two run');
  node.process.kill('SIGTERM');
  w.touch('go');
  assert.equal((await node.exited).code, 0);
  const ends = w.ledger().filter((line) => line.startsWith('end ')).length;
  assert.equal(ends + (await cli.llen('g')), 5, 'none is lost');
  assert.equal(node.failedCount('F'), 3, 'three attempts, no second delivery');
});

// Fetches begin one interval after the end of the batch before, though there is a backlog.
for (const [how, make] of [
  ['stream', () => stream('q', { ...RAW, polling: 'fixed', count: 10, pollingIntervalInMs: 500 })],
  [
    'unreliable list',
    () =>
      list('q', { ...RAW, polling: 'fixed', reliable: false, count: 10, pollingIntervalInMs: 500 }),
  ],
])
  scenario(`8.5 Fixed polling of a ${how}`, async (w) => {
    const { cli } = await w.redis();
    if (how === 'stream') await addEntries(cli, 'q', 30);
    else await cli.rpush('q', ...numbers(30));
    const node = await w.up({ F: make() });
    await node.succeeds('F', 30);
    const at = node.find(/^Executing 'Functions\.F'/).map((line) => line.at);
    assert.ok(at[9] - at[0] < 300, `ten at once: ${at[9] - at[0]} ms`);
    for (const [before, next] of [
      [0, 10],
      [10, 20],
    ]) {
      const ms = at[next] - at[before];
      assert.ok(ms >= 450 && ms < 1000, `fetch ${next / 10}: ${ms} ms`);
    }
    const clients = await cli.client('LIST');
    assert.doesNotMatch(clients, /flags=b/, 'nobody is blocked');
  });

for (const kind of ['list', 'stream'])
  scenario(`8.5 Fixed polling of a ${kind} waits for the slowest run, then for the interval`, async (w) => {
    const { cli } = await w.redis();
    const code = `
import time

def main(entry):
    time.sleep(0.6 if entry == "0" or '"0"' in entry else 0.01)
`;
    const slow = { ...RAW, polling: 'fixed', count: 5, pollingIntervalInMs: 300 };
    if (kind === 'list') await cli.rpush('q', ...numbers(10));
    else await addEntries(cli, 'q', 10);
    const node = await w.up({ F: (kind === 'list' ? list : stream)('q', slow, { code }) });
    await node.succeeds('F', 10);
    const at = node.find(/^Executing 'Functions\.F'/).map((line) => line.at);
    assert.ok(at[4] - at[0] < 300, 'five at once');
    assert.ok(at[5] - at[0] >= 880 && at[5] - at[0] < 1500, `then ${at[5] - at[0]} ms`);
  });

scenario('10 Retries of a channel run in place: later messages wait, none is a dead letter', async (w) => {
  const { cli } = await w.redis();
  const code = `
import logging

def main(entry, context):
    logging.info("triggerValue:%s %d", entry, context.retry_context.retry_count)
    if entry == "bad":
        raise ValueError("always")
`;
  const retry = { strategy: 'fixedDelay', maxRetryCount: 2, delayInterval: '00:00:00.100' };
  const node = await w.up({ F: pubsub('ch', { payload: 'value' }, { code, retry }) });
  for (const text of ['first', 'bad', 'last']) await cli.publish('ch', text);
  await node.succeeds('F', 2);
  assert.deepEqual(node.values(), ['first 0', 'bad 0', 'bad 1', 'bad 2', 'last 0']);
  assert.deepEqual(await cli.keys('*dead*'), []);
});

scenario('10 A stop gives the lease up: another node subscribes at once', async (w) => {
  const { cli } = await w.redis();
  const app = w.app({ F: pubsub('ch', { payload: 'value' }, show('entry')) });
  const first = await w.up(app); // stores of their own: only the lease can tell
  const second = await w.up(app);
  await cli.publish('ch', 'one');
  await first.succeeds('F', 1);
  const before = Date.now();
  await first.stop();
  await until(async () => (await cli.publish('ch', 'two')) > 0, 'the other one subscribes', 5000);
  assert.ok(Date.now() - before < 4000, 'long before the lease has run out');
  await second.succeeds('F', 1);
  assert.equal(first.succeededCount('F'), 1);
});
