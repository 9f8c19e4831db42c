// What dies under a cache, and what its clients see of it: servers, the daemon, the store (spec CA7,
// CA13..CA17, CA30..CA32).

import assert from 'node:assert/strict';
import net from 'node:net';
import { BASIC, Caches, PREMIUM, STANDARD } from '../lib/caches.js';
import { Events } from '../lib/events.js';
import { living } from '../lib/process.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

const LONG = { timeout: 240000 };
const SLOW_MS = 60000; // for what takes a moment, on a machine that does much else
const KEYS = 500;
const AOF = { ...PREMIUM, redisConfiguration: { 'aof-backup-enabled': 'true' } };
const RDB = {
  ...PREMIUM,
  redisConfiguration: { 'rdb-backup-enabled': 'true', 'rdb-backup-frequency': '15' },
};

// ---- its servers ----

const primaryOf = (servers) => servers.find(({ role }) => role === 'primary');
const replicaOf = (servers) => servers.find(({ role }) => role === 'replica');
const signal = (server, name = 'SIGKILL') => process.kill(server.pid, name);

// Until all of them are what they should be; with that many changes of the primary since the first.
async function whole(caches, name, epoch) {
  let seen;
  await until(
    async () => {
      seen = (await caches.properties(name)).redgrid;
      return (
        seen.nodes.every((node) => node.inSync && node.state === (node.role === 'primary' ? 'open' : 'closed')) &&
        (epoch === undefined || seen.epoch === epoch)
      );
    },
    () => `${name} is whole: ${JSON.stringify(seen)}`,
    SLOW_MS,
  );
  return seen;
}

// ---- what is told ----

async function watch(w, caches, name) {
  const hook = await w.hook();
  const types = ['FailoverCompleted', 'NodeDown', 'NodeUp', 'DataLost', 'MemoryPressure'];
  const includedEventTypes = types.map((type) => `Redgrid.Cache.${type}`);
  const to = Events.to(hook.url(), { filter: { includedEventTypes } });
  const scope = encodeURIComponent(Caches.id(name));
  await caches.must('PUT', `/api/subscriptions/${name}-events?scope=${scope}`, { properties: to });
  const of = (type) =>
    hook.events().filter(({ eventType }) => eventType === `Redgrid.Cache.${type}`);
  return {
    of,
    gets: (type, count) =>
      until(
        () => of(type).length >= count,
        () => `${count} times ${type}: ${JSON.stringify(hook.events().map(({ data }) => data))}`,
        SLOW_MS,
      ),
  };
}

// ---- what is in it ----

async function fill(caches, name) {
  await caches.with(name, async (client) => {
    await Promise.all(Array.from({ length: KEYS }, (_, i) => client.set(`key:${i}`, i)));
    await client.wait(1, (await caches.servers(name)).length > 1 ? 30000 : 1);
  });
}

async function sees(caches, name, count) {
  const { there } = await until(
    () => caches.with(name, async (client) => ({ there: await client.dbsize() })).catch(() => null),
    `${name} can be reached`,
    SLOW_MS,
  );
  assert.equal(there, count);
}

// The ledger, read by a client of its own.
async function settle(caches, name, load) {
  await load.writes(20, SLOW_MS);
  return caches.with(name, (client) => load.stop(client));
}

// Does nobody listen where its clients come in?
const isShut = ({ hostName, port }) =>
  new Promise((resolve) => {
    const socket = net.connect(port, hostName);
    socket.once('error', () => resolve(true)).once('connect', () => {
      socket.destroy();
      resolve(false);
    });
  });

// The daemon alone; what it leaves is not waited for.
async function killDaemon(node) {
  node.process.kill('SIGKILL');
  await node.exited;
}

// ---- servers ----

scenario('CA7 A cache that is said to be there has a copy already', LONG, async (w) => {
  const caches = await w.caches();
  const answer = await caches.put('c', STANDARD);
  const load = await w.load(caches, 'c', { count: 8 });
  assert.equal((await caches.end(answer)).status, 'Succeeded');
  signal(primaryOf(await caches.servers('c')));
  await whole(caches, 'c', 2);
  const { lost } = await settle(caches, 'c', load);
  assert.ok(lost <= 8, `${lost} writes are lost`);
});

scenario('CA13 A dead primary is replaced by its replica, and becomes one', LONG, async (w) => {
  const kills = 10;
  const caches = await w.caches();
  await caches.cache('c', STANDARD);
  const events = await watch(w, caches, 'c');
  const load = await w.load(caches, 'c', { count: 8 });
  for (let i = 1; i <= kills; i++) {
    const dead = primaryOf(await caches.servers('c'));
    signal(dead);
    const { nodes } = await whole(caches, 'c', 1 + i);
    assert.equal(replicaOf(nodes).name, dead.name);
    await load.writes(20, SLOW_MS);
  }
  const { lost } = await settle(caches, 'c', load);
  assert.ok(lost <= 8 * kills, `${lost} writes are lost`);
  for (const type of ['FailoverCompleted', 'NodeDown', 'NodeUp']) {
    await events.gets(type, kills);
    assert.equal(events.of(type).length, kills, type);
  }
  for (const { data } of events.of('FailoverCompleted'))
    assert.deepEqual([data.reason, data.dataLoss, data.gapMs > 0], ['crash', 'none', true]);
  assert.equal(events.of('DataLost').length, 0);
});

scenario('CA14 A primary that hangs is killed and replaced', LONG, async (w) => {
  const caches = await w.caches({ args: ['--caches-hang', 2000] });
  await caches.cache('c', STANDARD);
  const events = await watch(w, caches, 'c');
  const load = await w.load(caches, 'c', { count: 4 });
  const hung = primaryOf(await caches.servers('c'));
  signal(hung, 'SIGSTOP');
  await events.gets('FailoverCompleted', 1);
  const [{ data }] = events.of('FailoverCompleted');
  assert.deepEqual([data.reason, data.from], ['hang', hung.name]);
  await whole(caches, 'c');
  const { lost } = await settle(caches, 'c', load);
  assert.ok(lost <= 4, `${lost} writes are lost`);
});

scenario('CA15 Of a dead replica no client notices', LONG, async (w) => {
  const caches = await w.caches();
  await caches.cache('c', STANDARD);
  const events = await watch(w, caches, 'c');
  const load = await w.load(caches, 'c');
  signal(replicaOf(await caches.servers('c')));
  await events.gets('NodeUp', 1);
  await whole(caches, 'c', 1);
  const { lost, errors } = await settle(caches, 'c', load);
  assert.deepEqual([lost, errors], [0, {}]);
  assert.equal(events.of('FailoverCompleted').length, 0);
});

scenario('CA16 A cache is never empty while there is a copy', LONG, async (w) => {
  const caches = await w.caches();
  const { properties } = await caches.cache('c', STANDARD);
  await fill(caches, 'c');
  const servers = await caches.servers('c');
  signal(replicaOf(servers), 'SIGSTOP');
  signal(primaryOf(servers));
  await caches.node.line(/ended \(signal 9\)/);
  await stays(() => isShut(properties), 'nobody is let in while the copy cannot answer', 1000);
  signal(replicaOf(servers), 'SIGCONT');
  await sees(caches, 'c', KEYS);
  await whole(caches, 'c', 2);
  await sees(caches, 'c', KEYS);
});

scenario('CA17 Without a copy a cache comes back empty and says so', LONG, async (w) => {
  const caches = await w.caches();
  await caches.cache('c', BASIC);
  const events = await watch(w, caches, 'c');
  await fill(caches, 'c');
  signal(primaryOf(await caches.servers('c')));
  await events.gets('DataLost', 1);
  await sees(caches, 'c', 0);
  assert.equal(events.of('DataLost')[0].data.reason, 'crash');
});

scenario('CA17 With a log it comes back with all when no server lives', LONG, async (w) => {
  const caches = await w.caches();
  await caches.cache('c', AOF);
  const events = await watch(w, caches, 'c');
  await fill(caches, 'c');
  await caches.with('c', (client) =>
    until(
      async () => /aof_pending_bio_fsync:0\r\n[^]*aof_buffer_length:0|aof_buffer_length:0\r\n[^]*aof_pending_bio_fsync:0/.test(
        await client.info('persistence'),
      ),
      'the log is written',
    ),
  );
  const servers = await caches.servers('c');
  signal(replicaOf(servers));
  signal(primaryOf(servers));
  await events.gets('NodeUp', 2);
  await whole(caches, 'c');
  await sees(caches, 'c', KEYS);
  assert.equal(events.of('DataLost').length, 0);
});

// ---- the daemon ----

scenario('CA30 Servers that outlive the daemon serve on, and are watched by the next', LONG, async (w) => {
  const caches = await w.caches({ args: ['--caches-detach', 'true'] });
  await caches.cache('c', STANDARD);
  const servers = await caches.servers('c');
  try {
    const load = await w.load(caches, 'c');
    await killDaemon(caches.node);
    await load.writes(50, SLOW_MS);
    await caches.node.start();
    const { nodes } = await whole(caches, 'c', 1);
    assert.deepEqual(nodes.map(({ pid }) => pid), servers.map(({ pid }) => pid));
    const told = (await load.writes(20, SLOW_MS)).map(({ errors }) => errors);
    assert.deepEqual(told, [{}, {}, {}, {}]);
    signal(primaryOf(nodes));
    servers.push(...(await whole(caches, 'c', 2)).nodes);
    const { lost } = await settle(caches, 'c', load);
    assert.ok(lost <= 4, `${lost} writes are lost`);
    await caches.done(caches.remove('c'));
    await until(() => servers.every(({ pid }) => !isThere(pid)), 'none of them is left', SLOW_MS);
  } finally {
    for (const { pid } of servers) if (isThere(pid)) process.kill(pid, 'SIGKILL');
  }
});

function isThere(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

for (const [kind, properties] of [['RDB', RDB], ['AOF', AOF]])
  scenario(`CA31 Servers that end with the daemon keep all in their files: ${kind}`, LONG, async (w) => {
    const caches = await w.caches();
    await caches.cache('c', properties);
    await fill(caches, 'c');
    const load = await w.load(caches, 'c');
    const children = caches.node.children();
    await killDaemon(caches.node);
    await until(() => living(children).length === 0, 'its servers have ended', SLOW_MS);
    await caches.node.start();
    await whole(caches, 'c');
    const { lost } = await settle(caches, 'c', load);
    assert.equal(lost, 0);
    await sees(caches, 'c', KEYS + 4);
  });

scenario('An orderly stop keeps what there are files for, and the next start says what it lost', LONG, async (w) => {
  const caches = await w.caches();
  const kinds = { basic: BASIC, standard: STANDARD, rdb: RDB, aof: AOF };
  const events = {};
  for (const [name, properties] of Object.entries(kinds)) {
    await caches.cache(name, properties);
    events[name] = await watch(w, caches, name);
    await fill(caches, name);
  }
  await caches.node.stop(SLOW_MS);
  await caches.node.start();
  for (const name of Object.keys(kinds)) await whole(caches, name);
  for (const name of ['basic', 'standard']) {
    await events[name].gets('DataLost', 1);
    assert.equal(events[name].of('DataLost')[0].data.reason, 'restart');
    await sees(caches, name, 0);
  }
  for (const name of ['rdb', 'aof']) {
    await sees(caches, name, KEYS);
    assert.equal(events[name].of('DataLost').length, 0);
  }
});

// ---- the store ----

scenario('CA32 While the store is away nobody is promoted', LONG, async (w) => {
  const store = await w.redis({ persistent: true });
  const caches = await w.caches({ store });
  const { properties } = await caches.cache('c', STANDARD);
  const load = await w.load(caches, 'c');
  const dead = primaryOf(await caches.servers('c'));
  await store.stop();
  signal(dead);
  await caches.node.line(/ended \(signal 9\)/);
  await stays(() => isShut(properties), 'nobody is let in', 5000);
  await store.restart();
  const { nodes } = await whole(caches, 'c', 2);
  assert.equal(replicaOf(nodes).name, dead.name);
  const { lost } = await settle(caches, 'c', load);
  assert.ok(lost <= 4, `${lost} writes are lost`);
});

// ---- memory ----

scenario('A cache that fills up says so, once', LONG, async (w) => {
  const caches = await w.caches();
  const redisConfiguration = { 'redgrid-max-memory': '8mb', 'maxmemory-policy': 'noeviction' };
  await caches.cache('c', { ...BASIC, redisConfiguration });
  const events = await watch(w, caches, 'c');
  await caches.with('c', async (client) => {
    const block = 'x'.repeat(64 * 1024);
    const full = async (i) => client.set(`block:${i}`, block).then(() => full(i + 1), (error) => error);
    assert.match((await full(0)).message, /OOM/);
  });
  await events.gets('MemoryPressure', 1);
  const [{ data }] = events.of('MemoryPressure');
  assert.ok(data.usedBytes > data.maxBytes * 0.9, JSON.stringify(data));
  assert.equal(data.maxBytes, 8 * 2 ** 20);
});
