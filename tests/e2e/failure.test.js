import assert from 'node:assert/strict';
import { list, pubsub, stream } from '../lib/app.js';
import { record } from '../lib/code.js';
import { deadLetters, numbers, pending, processing } from '../lib/keys.js';
import { Proxy } from '../lib/proxy.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

const SHORT = { pollingIntervalInMs: 100 };
const all = () => ({ L: list('q', SHORT), S: stream('s', SHORT), P: pubsub('ch', SHORT) });

async function oneEach(node, cli, total) {
  await cli.rpush('q', 'x');
  await cli.xadd('s', '*', 'a', 'b');
  await until(async () => (await cli.publish('ch', 'x')) > 0, 'the channel has a subscriber');
  for (const f of ['L', 'S', 'P']) await node.succeeds(f, total, 20000);
}

const LOST = /connection lost/;
const RESTORED = /connection restored/;

scenario('N13 Redis restart', async (w) => {
  const server = await w.redis({ persistent: true });
  const node = await w.up(all());
  await oneEach(node, server.cli, 1);
  await server.stop();
  await node.line(LOST);
  await stays(() => node.count(LOST) === 1, 'one line for the outage', 1500);
  await server.restart();
  await node.line(RESTORED);
  await oneEach(node, server.cli, 2);
  assert.equal(node.count(LOST), 1);
  assert.equal(node.count(RESTORED), 1);
  await node.stop();
});

scenario('N13 Redis killed and back with nothing', async (w) => {
  const server = await w.redis();
  const node = await w.up(all());
  await oneEach(node, server.cli, 1);
  await server.stop('SIGKILL');
  await server.restart();
  await oneEach(node, server.cli, 2);
});

scenario('N13 Redis hangs', async (w) => {
  const server = await w.redis();
  const node = await w.up({
    functions: all(),
    settings: { redis: `${server.address},syncTimeout=500,connectTimeout=500` },
  });
  await oneEach(node, server.cli, 1);
  server.process.kill('SIGSTOP');
  await stays(() => !node.hasExited(), 'it survives', 1500);
  server.process.kill('SIGCONT');
  await oneEach(node, server.cli, 2);
});

scenario('N14 Redis down at start', async (w) => {
  const server = await w.redis();
  const { port } = server;
  await server.stop();
  const node = w.node({ app: w.app(all()) }).spawn();
  await node.line(/Host started/);
  await server.restart();
  assert.equal(server.port, port);
  await oneEach(node, server.cli, 1);
  await node.stop();
});

scenario('N13 All connections are cut', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ L: list('q', SHORT), S: stream('s', SHORT), P: pubsub('ch', SHORT) });
  for (let round = 1; round <= 3; round++) {
    await cli.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await cli.client('KILL', 'TYPE', 'pubsub', 'SKIPME', 'yes');
    await oneEach(node, cli, round);
  }
});

for (const isIdle of [true, false]) {
  scenario(`N13 The answer to a move is lost, ${isIdle ? 'waiting' : 'busy'}`, async (w) => {
    const { cli, port } = await w.redis();
    const proxy = await new Proxy(port).start();
    const node = await w.up({
      functions: { L: list('q', { ...SHORT, count: 2 }, record('time.sleep(0.01)')) },
      settings: { redis: proxy.address },
    });
    if (!isIdle) await cli.rpush('q', ...numbers(200));
    await until(() => isIdle || node.startedCount('L') > 10, 'it runs');
    proxy.cutAfterBytes = 3;
    await cli.rpush('q', 'last');
    await node.line(LOST);
    const ends = () => new Set(w.ledger().filter((line) => line.startsWith('end '))).size;
    // Long before claimIdleMs (30 s), and although nobody but this node may touch its list.
    await until(
      () => ends() === (isIdle ? 1 : 201),
      () => `all run: ${ends()}`,
      8000,
    );
    await until(async () => (await processing(cli)).length === 0, 'all are acknowledged');
    await node.stop();
    await proxy.stop();
  });
}

// A server that becomes a replica closes its connections; some are back before it says what it is.
for (const [how, stale, outages] of [
  ['READONLY', 'yes', 2],
  ['MASTERDOWN', 'no', 1],
])
  scenario(`7.2 The server is a replica for a while: ${how}`, async (w) => {
    const { cli } = await w.redis({ settings: { 'replica-serve-stale-data': stale } });
    const node = await w.up(all());
    await oneEach(node, cli, 1);
    await cli.replicaof('127.0.0.1', '1');
    await node.line(/connection lost/);
    await until(() => node.count(LOST) === outages, 'said once');
    await stays(() => node.count(LOST) === outages && !node.hasExited(), 'and no more', 2000);
    await cli.replicaof('NO', 'ONE');
    await oneEach(node, cli, 2);
    assert.equal(node.count(RESTORED), outages);
    assert.equal(node.count(/TRIGGER-ERROR|trying again/), 0, 'no trigger complains');
    assert.equal(node.records.filter((one) => one.level === 'error').length, 0);
  });

scenario('N15 Stream deleted', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ S: stream('s') });
  await cli.xadd('s', '*', 'a', 'b');
  await node.succeeds('S', 1);
  await cli.del('s');
  await cli.xadd('s', '*', 'a', 'b');
  await node.succeeds('S', 2);
  await cli.flushall();
  await cli.xadd('s', '*', 'a', 'b');
  await node.succeeds('S', 3);
  await until(async () => (await pending(cli, 's', 'S')) === 0, 'acknowledged');
  await cli.xgroup('DESTROY', 's', 'S');
  await cli.xadd('s', '*', 'a', 'b');
  await until(() => node.succeededCount('S') >= 5, 'a new group begins at 0');
});

// What fills a Redis up is often the backlog itself: to refuse to take it would be to stay full.
scenario('A Redis that is full: its backlog is worked off', async (w) => {
  const { cli } = await w.redis();
  await cli.xgroup('CREATE', 's', 'S', '0', 'MKSTREAM');
  for (let i = 0; i < 20; i++) {
    await cli.rpush('q', `${i}`);
    await cli.xadd('s', '*', 'n', `${i}`);
  }
  await cli.config('SET', 'maxmemory', '1');
  await assert.rejects(cli.rpush('q', 'x'), /OOM/);
  const node = await w.up({ L: list('q', SHORT), S: stream('s', SHORT) });
  await node.succeeds('L', 20);
  await node.succeeds('S', 20);
  assert.equal(await cli.llen('q'), 0);
  await until(async () => (await pending(cli, 's', 'S')) === 0, 'all acknowledged');
  await cli.config('SET', 'maxmemory', '0');
  await cli.rpush('q', 'x');
  await node.succeeds('L', 21);
});

scenario('N16 Wrong type', async (w) => {
  const { cli } = await w.redis();
  await cli.set('q', 'a string');
  await cli.set('s', 'a string');
  const node = await w.up({ L: list('q', SHORT), S: stream('s', SHORT) });
  await until(() => node.count(/WRONGTYPE/) >= 2, 'each trigger says what is wrong');
  await stays(() => node.count(/WRONGTYPE/) === 2, 'once each', 1000);
  await cli.del('q', 's');
  await cli.lpush('q', 'x');
  await cli.xadd('s', '*', 'a', 'b');
  await node.succeeds('L', 1);
  await node.succeeds('S', 1);
});

scenario('N16 No permission: said once each, and over when it is given', async (w) => {
  const server = await w.redis();
  const { cli } = server;
  await cli.acl('SETUSER', 'app', 'on', '>secret', '+@all', '~nothing', 'resetchannels');
  const functions = { ...all(), E: pubsub('ch', { everyNode: true }) };
  const settings = { redis: `${server.address},user=app,password=secret` };
  const node = await w.up({ functions, settings });
  const errors = () => node.records.filter((one) => /NOPERM/.test(one.message));
  const about = (f) => errors().filter((one) => one.message.includes(`[Name:${f}]`));
  await until(() => ['L', 'S', 'P', 'E'].every((f) => about(f).length > 0), 'each says what is wrong');
  await stays(() => errors().length === 4, () => `once each: ${errors().length}`, 3000);
  assert.ok(errors().every((one) => one.level === 'error'));
  await cli.acl('SETUSER', 'app', '~*', '&*');
  await until(async () => (await cli.publish('ch', 'none')) === 2, 'both subscribe');
  await cli.rpush('q', 'x');
  await cli.xadd('s', '*', 'a', 'b');
  for (const f of ['L', 'S']) await node.succeeds(f, 1, 20000);
  const well = () => node.count(/^\[Name:P\].* works again$/);
  assert.equal(well(), 1);
  await cli.acl('SETUSER', 'app', 'resetkeys', '~nothing'); // while it holds the lease
  await until(() => about('P').length === 2, 'the lease is refused');
  await cli.acl('SETUSER', 'app', '~*');
  await until(() => well() === 2, 'and given again');
});

scenario('N16 A stream that may not be read: said once, nothing is skipped', async (w) => {
  const server = await w.redis();
  const { cli } = server;
  await cli.acl('SETUSER', 'app', 'on', '>secret', '+@all', '~*', '&*', '-xreadgroup');
  const settings = { redis: `${server.address},user=app,password=secret` };
  const functions = { S: stream('s t', { ...SHORT, startFrom: '$' }) };
  const node = await w.up({ functions, settings });
  await until(() => node.count(/NOPERM/) === 1, 'it says what is wrong');
  await stays(() => node.count(/NOPERM/) === 1, 'once', 1500);
  await cli.del('s');
  await cli.xadd('s', '*', 'a', 'b');
  await cli.acl('SETUSER', 'app', '+@all');
  await node.succeeds('S', 1, 20000);
});

scenario('7.2 Writes are refused for a while: said once each, then all run once', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({
    L: list('q', { ...SHORT, claimIdleMs: 500 }, record()),
    S: stream('s', { ...SHORT, claimIdleMs: 500 }),
    P: pubsub('ch', SHORT),
  });
  await cli.rpush('q', 'first');
  await cli.xadd('s', '*', 'a', 'b');
  for (const f of ['L', 'S']) await node.succeeds(f, 1);
  await cli.rpush('q', ...numbers(20));
  for (let i = 0; i < 20; i++) await cli.xadd('s', '*', 'n', i);
  await cli.config('SET', 'min-replicas-to-write', '1');
  await until(() => node.count(/\[Name:[LS]\].*NOREPLICAS/) >= 1, 'it is told');
  await stays(() => !node.hasExited(), 'it lives', 2000);
  for (const f of ['L', 'S'])
    assert.ok(node.count(new RegExp(`\\[Name:${f}\\].*(NOREPLICAS)`)) <= 2, 'not for each try');
  await cli.publish('ch', 'x'); // needs no write
  await node.succeeds('P', 1);
  await cli.config('SET', 'min-replicas-to-write', '0');
  for (const f of ['L', 'S']) await node.succeeds(f, 21, 20000);
  await until(async () => (await pending(cli, 's', 'S')) === 0, 'acknowledged');
  await until(async () => (await processing(cli)).length === 0, 'removed');
  assert.equal(w.ledger().length, 42, 'each ran once');
});

scenario('7.2 A key becomes another type and back while it is listened to', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ L: list('q', SHORT), S: stream('s', SHORT) });
  await cli.rpush('q', 'x');
  await cli.xadd('s', '*', 'a', 'b');
  for (const f of ['L', 'S']) await node.succeeds(f, 1);
  for (let round = 1; round <= 2; round++) {
    await cli.mset('q', 'text', 's', 'text');
    await until(() => node.count(/WRONGTYPE/) >= 2 * round, 'each says what is wrong');
    await stays(() => node.count(/WRONGTYPE/) === 2 * round, 'once each', 1000);
    await cli.del('q', 's');
    await cli.rpush('q', 'x');
    await cli.xadd('s', '*', 'a', 'b');
    for (const f of ['L', 'S']) await node.succeeds(f, 1 + round, 20000);
  }
});

scenario('N16 Stop while a wrong type is waited out', async (w) => {
  const { cli } = await w.redis();
  await cli.mset('q', 'a string', 's', 'a string');
  const node = await w.up({ L: list('q', SHORT), S: stream('s', SHORT) });
  await until(() => node.count(/WRONGTYPE/) === 2, 'each trigger says what is wrong');
  await node.stop();
});

scenario('A worker that crashes loses nothing', async (w) => {
  const { cli } = await w.redis();
  const functions = {
    F: list(
      'q',
      { claimIdleMs: 300 },
      record('testlib.is_first("crash") and __import__("os").abort()'),
    ),
  };
  const node = await w.up({ functions });
  await cli.rpush('q', ...numbers(10));
  await until(
    () => new Set(w.ledger().filter((line) => line.startsWith('end'))).size === 10,
    'all run',
  );
  await node.line(/SIGABRT/);
});

// All ten are under way when the poison kills their worker, each time it can.
scenario('A message that kills a worker full of others is the only one to be given up', async (w) => {
  const { cli } = await w.redis();
  const work = `
    if message == "poison":
        while len(open(testlib.path("ledger")).readlines()) < 10:
            time.sleep(0.005)
        __import__("os").abort()
    time.sleep(1 if testlib.is_first(message) else 0.1)`;
  const binding = { count: 10, claimIdleMs: 300, maxDeliveryCount: 2 };
  const node = await w.up({ F: list('q', binding, record(work.trim())) });
  await cli.rpush('q', ...numbers(5), 'poison', ...numbers(9).slice(5));
  const ends = () => w.ledger().filter((line) => line.startsWith('end '));
  await until(
    () => ends().length === 9,
    () => `the others run: ${ends()}`,
  );
  await until(async () => (await deadLetters(cli, 'F')).length > 0, 'it is given up', 20000);
  await until(async () => (await processing(cli)).length === 0, 'nothing is left');
  const letters = await deadLetters(cli, 'F');
  assert.deepEqual(
    letters.map((letter) => letter.element),
    ['poison'],
  );
  assert.equal(letters[0].deliveries, '2');
  assert.match(letters[0].error, /SIGABRT/);
  assert.deepEqual(ends().sort(), numbers(9).map((n) => `end ${n}`), 'each ended once');
  await node.stop();
});
