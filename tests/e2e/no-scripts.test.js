// Servers, users and connection strings without EVAL: plain commands stand in for the scripts.

import assert from 'node:assert/strict';
import { list, pubsub, stream } from '../lib/app.js';
import { FAIL, record } from '../lib/code.js';
import { addEntries, deadLetters, numbers, pending, processing } from '../lib/keys.js';
import { Proxy } from '../lib/proxy.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

const SHORT = { pollingIntervalInMs: 100 };
const SLOW = record('time.sleep(0.02)');

async function userWithout(w, ...rights) {
  const server = await w.redis();
  await server.cli.acl('SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all', ...rights);
  return { server, redis: `${server.address},user=app,password=secret` };
}

// Each starts a server, and tells how to reach it without scripts.
const WAYS = {
  async 'rename-command'(w) {
    const server = await w.redis({ without: ['eval', 'evalsha', 'script'] });
    return { server, redis: server.address };
  },
  async '-@scripting'(w) {
    return userWithout(w, '-@scripting');
  },
  async '$EVAL='(w) {
    const server = await w.redis();
    return { server, redis: `${server.address},$EVAL=` };
  },
  async 'resp3'(w) {
    const server = await w.redis({ without: ['eval'] });
    return { server, redis: `${server.address},protocol=resp3` };
  },
};

const ended = (w) => w.ledger().filter((line) => line.startsWith('end '));
const allEnd = (w, n, ms) =>
  until(
    () => new Set(ended(w)).size === n,
    () => `${n} end: ${new Set(ended(w)).size}`,
    ms,
  );
const nothingHeld = (cli) =>
  until(async () => (await processing(cli)).length === 0, 'nothing is held');

const assertNoScripts = async (server) =>
  assert.doesNotMatch(await server.cli.info('commandstats'), /cmdstat_eval(sha)?:calls=[1-9]/);

for (const [way, reach] of Object.entries(WAYS)) {
  for (const end of ['head', 'tail']) {
    scenario(`${way}: 100 elements run once each, from the ${end}`, async (w) => {
      const { server, redis } = await reach(w);
      const options = { ...SHORT, listPopFromBeginning: end === 'head' };
      const node = await w.up({ functions: { F: list('q r', options) }, settings: { redis } });
      await server.cli.rpush('q', ...numbers(100));
      await server.cli.rpush('r', ...numbers(100));
      await node.succeeds('F', 200);
      await nothingHeld(server.cli);
      const seen = node.values().map((value) => JSON.parse(value));
      for (const key of ['q', 'r'])
        assert.deepEqual(
          seen.filter((one) => one.Trigger === key).map((one) => +one.Message).sort((a, b) => a - b),
          numbers(100).map(Number),
        );
      assert.equal(node.count(/no scripts here/), 1);
      assert.equal(node.records.filter((one) => one.level === 'error').length, 0);
      await node.stop();
      assert.deepEqual(await server.cli.keys('redgrid:*'), []);
      await assertNoScripts(server);
    });
  }

  scenario(`${way}: what always fails becomes a dead letter`, async (w) => {
    const { server, redis } = await reach(w);
    const limit = { ...SHORT, maxDeliveryCount: 2, claimIdleMs: 200 };
    const node = await w.up({
      functions: { L: list('q', limit, FAIL), S: stream('s', limit, FAIL) },
      settings: { redis },
    });
    await server.cli.rpush('q', Buffer.from('bad\0\xff', 'latin1'));
    const id = await server.cli.xadd('s', '*', 'a', '1', Buffer.from('b\xff', 'latin1'), '');
    for (const f of ['L', 'S'])
      await until(async () => (await deadLetters(server.cli, f)).length === 1, `a letter of ${f}`);
    const [l] = await deadLetters(server.cli, 'L');
    const [s] = await deadLetters(server.cli, 'S');
    assert.deepEqual([l.function, l.key, l.deliveries, l.element], ['L', 'q', '2', 'bad\0\xff']);
    assert.deepEqual([s.key, s.id, s.deliveries, s['f:a'], s['f:b\xff']], ['s', id, '2', '1', '']);
    await nothingHeld(server.cli);
    await until(async () => (await pending(server.cli, 's', 'S')) === 0, 'XPENDING 0');
    await stays(() => w.ledger().length === 4, 'no further delivery', 600);
    assert.equal((await deadLetters(server.cli, 'L')).length, 1);
    await node.stop();
  });

  scenario(`${way}: a batch, and entries that are deleted`, async (w) => {
    const { server, redis } = await reach(w);
    await server.cli.rpush('q', ...numbers(3000));
    await addEntries(server.cli, 's', 3000);
    const many = { ...SHORT, cardinality: 'many', count: 2000 };
    const node = await w.up({
      functions: { L: list('q', many), S: stream('s', { ...many, deleteAfterProcess: true }) },
      settings: { redis },
    });
    for (const f of ['L', 'S']) await node.succeeds(f, 2);
    await nothingHeld(server.cli);
    await until(async () => (await server.cli.xlen('s')) === 0, 'deleted');
    assert.equal(await pending(server.cli, 's', 'S'), 0);
  });

  scenario(`${way}: kill -9 and restart`, async (w) => {
    const { server, redis } = await reach(w);
    const functions = { L: list('q', SHORT, SLOW), S: stream('s', SHORT, SLOW) };
    const app = w.app({ functions, settings: { redis } });
    const node = await w.up(app, { data: w.path('data') });
    await server.cli.rpush('q', ...numbers(100).map((n) => `l${n}`));
    await addEntries(server.cli, 's', 100);
    await until(() => ended(w).length > 20, 'they run');
    await node.kill();
    assert.ok((await processing(server.cli)).length > 0, 'it held some');
    await w.up(app, { data: w.path('data') });
    await allEnd(w, 200, 10000);
    await nothingHeld(server.cli);
    await until(async () => (await pending(server.cli, 's', 'S')) === 0, 'XPENDING 0');
    const consumers = await server.cli.zcard('redgrid:{q}:consumers:L');
    assert.equal(consumers, 1, 'the dead one is forgotten');
  });

  scenario(`${way}: a node takes over from another that died`, async (w) => {
    const { server, redis } = await reach(w);
    const functions = { L: list('q', SHORT, SLOW), S: stream('s', SHORT, SLOW) };
    const app = w.app({ functions, settings: { redis } });
    const store = await w.redis();
    const nodes = await Promise.all([w.up(app, { store }), w.up(app, { store })]);
    await server.cli.rpush('q', ...numbers(200).map((n) => `l${n}`));
    await addEntries(server.cli, 's', 200);
    await until(() => nodes.every((node) => node.startedCount('L') > 5), 'both nodes run');
    await nodes[0].kill();
    await allEnd(w, 400, 15000);
    await nothingHeld(server.cli);
  });

  scenario(`${way}: a stop gives elements back in their order, and counts failures`, async (w) => {
    const { server, redis } = await reach(w);
    const node = await w.up({
      functions: { F: list('q', { ...SHORT, count: 100 }, FAIL) },
      settings: { redis },
    });
    await server.cli.rpush('q', ...numbers(100));
    await until(() => node.failedCount('F') === 100, 'all fail');
    await node.stop();
    assert.deepEqual(await server.cli.lrange('q', 0, -1), numbers(100));
    assert.deepEqual(await processing(server.cli), []);
    const tries = await server.cli.hvals('redgrid:{q}:tries:F');
    assert.deepEqual(tries, Array(100).fill('1'));
    assert.deepEqual(await server.cli.keys('redgrid:*consumers*'), []);
  });
}

scenario('an element that ends its process each time is dead-lettered unrun', async (w) => {
  const { server, redis } = await WAYS['-@scripting'](w);
  const limit = { ...SHORT, maxDeliveryCount: 2 };
  const app = w.app({
    functions: { F: list('q', limit, record('testlib.wait_for("never")')) },
    settings: { redis },
  });
  await server.cli.rpush('q', 'poison');
  for (const starts of [1, 2]) {
    const node = await w.up(app, { data: w.path('data') });
    await until(() => w.ledger().length === starts, `it runs, ${starts}`);
    await node.kill();
  }
  await w.up(app, { data: w.path('data') });
  await until(async () => (await deadLetters(server.cli, 'F')).length === 1, 'a dead letter');
  const [letter] = await deadLetters(server.cli, 'F');
  assert.deepEqual([letter.element, letter.deliveries], ['poison', '2']);
  assert.equal(w.ledger().length, 2);
  await nothingHeld(server.cli);
});

scenario('neither scripts nor LMOVE: the error names both, and reliable: false runs', async (w) => {
  const server = await w.redis({ without: ['eval', 'lmove', 'blmove'] });
  const redis = server.address;
  const node = await w.up({
    functions: { F: list('q', SHORT), G: list('g', { ...SHORT, reliable: false }) },
    settings: { redis },
  });
  await server.cli.rpush('q', 'x');
  await server.cli.rpush('g', ...numbers(10));
  await node.succeeds('G', 10);
  await until(() => node.has(/EVAL.*LMOVE/), 'the error');
  assert.equal(node.startedCount('F'), 0);
  assert.deepEqual(await server.cli.lrange('q', 0, -1), ['x']);
});

scenario('scripts are refused while it runs, and allowed again', async (w) => {
  const { server, redis } = await userWithout(w);
  const node = await w.up({ functions: { F: list('q', SHORT) }, settings: { redis } });
  await server.cli.rpush('q', ...numbers(10));
  await node.succeeds('F', 10);
  await server.cli.acl('SETUSER', 'app', '-@scripting');
  await server.cli.rpush('q', ...numbers(10));
  await node.succeeds('F', 20);
  await nothingHeld(server.cli);
  await server.cli.acl('SETUSER', 'app', '+@all');
  await server.cli.client('KILL', 'USER', 'app');
  await server.cli.config('RESETSTAT');
  await server.cli.rpush('q', ...numbers(10));
  await node.succeeds('F', 30);
  await until(async () => (await server.calls('eval')) > 2, 'by scripts again');
});

for (const rights of ['-@blocking', '-blmove'])
  scenario(`a user who may not wait for elements polls by the clock, ${rights}`, async (w) => {
    const { server, redis } = await userWithout(w, rights);
    const node = await w.up({ functions: { F: list('q', SHORT) }, settings: { redis } });
    const before = await server.calls('eval');
    await stays(() => !node.hasExited(), 'it polls', 1000);
    const fetches = (await server.calls('eval')) - before;
    assert.ok(fetches > 3 && fetches < 30, `${fetches} fetches in a second`);
    await server.cli.rpush('q', 'x');
    await node.succeeds('F', 1);
  });

for (const where of ['waiting', 'busy'])
  scenario(`the answer to a move is lost, ${where}`, async (w) => {
    const { server } = await WAYS['rename-command'](w);
    const proxy = await new Proxy(server.port).start();
    const node = await w.up({
      functions: { F: list('q', { ...SHORT, count: 10 }, record('time.sleep(0.01)')) },
      settings: { redis: proxy.address },
    });
    if (where === 'busy') await server.cli.rpush('q', ...numbers(200));
    await until(() => where === 'waiting' || node.startedCount('F') > 20, 'it runs');
    if (where === 'busy') proxy.cutReplyTo = 'LMOVE';
    else proxy.cutAfterBytes = 3;
    await server.cli.rpush('q', 'last');
    await node.line(/connection lost/);
    await allEnd(w, where === 'busy' ? 201 : 1, 10000);
    await nothingHeld(server.cli);
    await proxy.stop();
  });

scenario('a channel has one subscriber among several nodes', async (w) => {
  const { server, redis } = await WAYS['-@scripting'](w);
  const app = w.app({ functions: { F: pubsub('ch', SHORT) }, settings: { redis } });
  const store = await w.redis();
  const nodes = await Promise.all([w.up(app, { store }), w.up(app, { store })]);
  const subscribed = async () => (await server.cli.pubsub('NUMPAT')) === 1;
  await until(subscribed, 'one subscribes');
  await server.cli.publish('ch', 'x');
  const runs = () => nodes.reduce((sum, node) => sum + node.succeededCount('F'), 0);
  await until(() => runs() === 1, 'it runs');
  const holder = nodes.find((node) => node.succeededCount('F') === 1);
  await holder.kill();
  const other = nodes.find((node) => node !== holder);
  await until(async () => (await server.cli.publish('ch', 'y')) === 1, 'the other subscribes');
  await until(() => other.succeededCount('F') >= 1, 'and runs');
});
