// Caches that change while clients work: sizes, tiers, replicas, settings, and a flush (spec CA18..CA21,
// CA26, CA38).

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BASIC, Caches, PREMIUM, sku, STANDARD } from '../lib/caches.js';
import { Events } from '../lib/events.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

const LONG = { timeout: 180000 };
const SCALED = 'Microsoft.Cache.ScalingCompleted';

// What a cache tells: to a webhook of its own, events of these types.
async function listen(w, caches, name, types) {
  const hook = await w.hook();
  const to = Events.to(hook.url(), { filter: { includedEventTypes: types } });
  const scope = encodeURIComponent(Caches.id(name));
  await caches.must('PUT', `/api/subscriptions/es1?scope=${scope}`, { properties: to });
  return hook;
}

const typesOf = (hook) =>
  hook.requests.filter(({ kind }) => kind === 'Notification').flatMap(({ text }) => JSON.parse(text).map((e) => e.eventType));

const pidsOf = async (caches, name) => (await caches.servers(name)).map(({ name: node, pid }) => `${node} ${pid}`).sort();

async function refuse(caches, name, properties, expected) {
  const { status, json } = await caches.patch(name, properties);
  assert.equal(status, 400, `${JSON.stringify(properties)}: ${JSON.stringify(json)}`);
  assert.match(json.error.message, expected);
}

// As many keys as are said, with values of so many bytes.
async function fill(client, count, bytes) {
  const script = `for i = ARGV[1], ARGV[1] + ARGV[2] - 1 do
    redis.call('SET', 'key:' .. i, string.rep('x', ARGV[3])) end return redis.call('DBSIZE')`;
  const each = Math.min(count, 20000);
  for (let i = 0; i < count; i += each) await client.eval(script, 0, i, each, bytes);
}

async function assertCopies(caches, name, replicas) {
  const servers = await caches.servers(name);
  assert.equal(servers.length, replicas + 1, JSON.stringify(servers));
  assert.equal(servers.filter(({ role }) => role === 'primary').length, 1);
  if (!replicas) return;
  const info = await caches.with(name, (client) => client.info('replication'));
  assert.equal(info.match(/slave\d:.*state=online/g)?.length, replicas, info);
}

scenario('CA18 A cache grows, shrinks and becomes Premium in place', LONG, async (w) => {
  const caches = await w.caches();
  await caches.cache('c', STANDARD);
  const hook = await listen(w, caches, 'c', [SCALED]);
  const load = await w.load(caches, 'c', { count: 4 });
  const pids = await pidsOf(caches, 'c');
  for (const [properties, clients] of [
    [{ sku: sku('Standard', 2) }, '2000'],
    [{ sku: sku('Standard', 1) }, '1000'],
    [PREMIUM, '7500'],
  ]) {
    await caches.done(caches.patch('c', properties));
    assert.equal((await caches.properties('c')).redisConfiguration.maxclients, clients);
    await load.writes(10);
  }
  const { lost, errors } = await caches.with('c', (client) => load.stop(client));
  assert.deepEqual([lost, errors], [0, {}]);
  assert.deepEqual(await pidsOf(caches, 'c'), pids);
  assert.equal((await caches.properties('c')).sku.name, 'Premium');
  await hook.gets(3);
  assert.deepEqual(typesOf(hook), [SCALED, SCALED, SCALED]);
  const [event] = JSON.parse(hook.requests.find(({ kind }) => kind === 'Notification').text);
  assert.deepEqual(Object.keys(event.data).sort(), ['name', 'status', 'timestamp']);
  assert.equal(event.data.status, 'Succeeded');
});

scenario('CA19 What cannot be scaled is refused, and nothing begins', LONG, async (w) => {
  const caches = await w.caches();
  await caches.cache('c', { sku: sku('Basic', 2) });
  const hook = await listen(w, caches, 'c', [SCALED, 'Redgrid.Cache.OperationStarted']);
  await refuse(caches, 'c', PREMIUM, /sku\.name.*Standard is between/);
  await refuse(caches, 'c', STANDARD, /sku\.capacity/);
  await refuse(caches, 'c', { sku: sku('Basic', 0) }, /sku\.capacity.*C0/);
  await refuse(caches, 'c', { replicasPerPrimary: 2 }, /replicasPer/);
  await caches.done(caches.patch('c', { sku: sku('Standard', 2) }));
  await refuse(caches, 'c', { sku: sku('Basic', 2) }, /sku\.name/);
  await refuse(caches, 'c', { sku: sku('Standard', 0) }, /sku\.capacity.*C0/);
  await caches.done(caches.patch('c', PREMIUM));
  await refuse(caches, 'c', { sku: sku('Standard', 2) }, /sku\.name/);
  await refuse(caches, 'c', { sku: sku('Premium', 2), shardCount: 2 }, /shardCount/);
  await hook.gets(4); // those of the two that were done
  assert.equal(typesOf(hook).filter((type) => type === SCALED).length, 2);
});

// Of every size 900 MB are reserved, so that little is left of the small one.
const RESERVED = { 'maxmemory-reserved': '900' };

scenario('CA20 What is in use must fit, or may be evicted', LONG, async (w) => {
  const caches = await w.caches({ args: ['--caches-max-memory', '64'] });
  const small = { sku: sku('Standard', 1) };
  const policy = (name) => ({ redisConfiguration: { ...RESERVED, 'maxmemory-policy': name } });
  await caches.cache('c', { sku: sku('Standard', 2), ...policy('noeviction') });
  const client = await caches.client('c');
  await fill(client, 20000, 1000);
  await refuse(caches, 'c', small, /sku\.capacity.*MB are in use.*noeviction/);
  assert.equal(await client.dbsize(), 20000);
  await caches.done(caches.patch('c', policy('allkeys-lru')));
  await caches.done(caches.patch('c', small));
  const { maxmemory } = (await caches.properties('c')).redgrid;
  assert.ok(maxmemory < 10 << 20, `${maxmemory}`);
  await until(
    async () => {
      await client.set('one', 'more');
      return Number((await client.info('memory')).match(/used_memory:(\d+)/)[1]) <= maxmemory;
    },
    () => 'what is too much is evicted',
    30000,
  );
  assert.ok((await client.dbsize()) < 20000);
  client.disconnect();
});

scenario('CA21 Basic becomes Standard, and no client notices', LONG, async (w) => {
  const caches = await w.caches();
  await caches.cache('c', { sku: sku('Basic', 1) });
  const load = await w.load(caches, 'c', { count: 4 });
  await caches.done(caches.patch('c', STANDARD));
  await load.writes(10);
  await assertCopies(caches, 'c', 1);
  const { lost, errors } = await caches.with('c', (client) => load.stop(client));
  assert.deepEqual([lost, errors], [0, {}]);
});

scenario('CA21b Replicas of a Premium cache come and go', LONG, async (w) => {
  const caches = await w.caches();
  await caches.cache('c', PREMIUM);
  const load = await w.load(caches, 'c', { count: 2 });
  for (const replicas of [3, 2, 1]) {
    await caches.done(caches.patch('c', { replicasPerPrimary: replicas }));
    await assertCopies(caches, 'c', replicas);
    await load.writes(10);
  }
  const { lost, errors } = await caches.with('c', (client) => load.stop(client));
  assert.deepEqual([lost, errors], [0, {}]);
});

scenario('CA6b The plain port is closed and opened again while the cache works', LONG, async (w) => {
  const caches = await w.caches();
  await caches.cache('c', STANDARD);
  const hook = await listen(w, caches, 'c', ['Redgrid.Cache.Updated']);
  const load = await w.load(caches, 'c', { count: 2, tls: true });
  const plain = await caches.client('c');
  const pids = await pidsOf(caches, 'c');
  await caches.done(caches.patch('c', { enableNonSslPort: false }));
  await until(() => plain.status === 'end', 'what came by the plain port is gone');
  await assert.rejects(caches.client('c'));
  const link = await caches.with('c', (client) => client.info('replication'), { tls: true });
  assert.match(link, /slave0:.*state=online/);
  await caches.done(caches.patch('c', { enableNonSslPort: true }));
  await assertCopies(caches, 'c', 1);
  await load.writes(10);
  const { lost, errors } = await caches.with('c', (client) => load.stop(client));
  assert.deepEqual([lost, errors], [0, {}]);
  assert.deepEqual(await pidsOf(caches, 'c'), pids);
  await hook.gets(2);
  const [event] = JSON.parse(hook.requests.find(({ kind }) => kind === 'Notification').text);
  assert.deepEqual(event.data.changed, ['enableNonSslPort']);
});

scenario('CA26 A flush that was killed removes nothing that is newer', LONG, async (w) => {
  const caches = await w.caches({ args: ['--caches-detach', 'yes'] });
  await caches.cache('c', BASIC);
  const pids = (await caches.servers('c')).map(({ pid }) => pid);
  try {
    const hook = await listen(w, caches, 'c', ['Redgrid.Cache.FlushCompleted']);
    const client = await caches.client('c');
    await fill(client, 1000000, 1);
    assert.equal(await client.dbsize(), 1000000);
    const place = path.join(caches.node.data(), 'fail-at');
    fs.mkdirSync(place);
    fs.writeFileSync(path.join(place, 'flush.flush:after'), '');
    await caches.act('c', 'flush').catch(() => {}); // it may end before it has answered
    await until(() => caches.node.hasExited(), 'the daemon is dead', 30000);
    assert.equal(await client.dbsize(), 0);
    await client.set('newer', 'than the flush');
    await caches.node.start(60000);
    await hook.gets(1);
    assert.deepEqual(await client.keys('*'), ['newer']);
    client.disconnect();
    assert.deepEqual(typesOf(hook), ['Redgrid.Cache.FlushCompleted']);
    await caches.done(caches.remove('c'));
  } finally {
    for (const pid of pids)
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended, as it should
      }
  }
});

scenario('CA38 The memory budget holds for what is made, and a patch finds another way', LONG, async (w) => {
  const budget = Math.floor(os.totalmem() / 100 / (1 << 20)); // MB
  const most = String(Math.floor(budget * 0.6));
  const caches = await w.caches({ args: ['--caches-memory-budget', '1', '--caches-max-memory', '0'] });
  const memory = { redisConfiguration: { 'redgrid-max-memory': `${most}mb` } };
  const two = await caches.put('two', { ...STANDARD, ...memory });
  assert.equal(two.status, 400, two.text);
  assert.match(two.json.error.message, /\d+ MB more are needed, 0 MB of the \d+ MB of caches\.memory_budget/);
  await caches.cache('c', { sku: sku('Basic', 1), ...memory });
  await refuse(caches, 'c', STANDARD, new RegExp(`${most} MB more are needed, ${most} MB of the \\d+ MB`));
  const more = { 'redgrid-max-memory': `${2 * budget}mb` };
  await refuse(caches, 'c', { redisConfiguration: more }, /MB more are needed/);
  await caches.with('c', (client) => fill(client, 1000, 10));
  await caches.done(caches.act('c', 'patch', {}));
  assert.equal(await caches.with('c', (client) => client.dbsize()), 1000);
  await assertCopies(caches, 'c', 0);
});
