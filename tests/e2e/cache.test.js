// Caches as their users see them: made, reached, looked at, taken away (spec CA1..CA6, CA28, CA36, CA39).

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { BASIC, Caches, PREMIUM, STANDARD, sku } from '../lib/caches.js';
import { redgrid } from '../lib/command.js';
import { Events } from '../lib/events.js';
import { descendants } from '../lib/process.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

const LONG = { timeout: 120000 };

async function pings(caches, name) {
  const { primaryKey, secondaryKey } = await caches.keys(name);
  for (const key of [primaryKey, secondaryKey])
    for (const tls of [false, true])
      assert.equal(await caches.with(name, (client) => client.ping(), { key, tls }), 'PONG');
}

const replicasOf = (servers) => servers.filter(({ role }) => role !== 'primary');
const isOpen = (port, host = '127.0.0.1') =>
  new Promise((resolve) => {
    const socket = net.connect(port, host);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

scenario('CA1 Basic, Standard and Premium caches are there, with both keys, by both ports', LONG, async (w) => {
  const caches = await w.caches();
  for (const [name, properties, replicas] of [
    ['basic', BASIC, 0],
    ['standard', STANDARD, 1],
    ['premium', PREMIUM, 1],
  ]) {
    const { properties: made } = await caches.cache(name, properties);
    assert.equal(made.provisioningState, 'Succeeded');
    assert.equal(made.accessKeys, null);
    await pings(caches, name);
    const servers = await caches.servers(name);
    assert.equal(servers.length, replicas + 1);
    assert.equal(replicasOf(servers).length, replicas);
    if (replicas) {
      const info = await caches.with(name, (client) => client.info('replication'));
      assert.match(info, /connected_slaves:1\r\nslave0:.*state=online/);
    }
  }
  const { json } = await caches.ask('GET', caches.at('').replace(/\/\?/, '?'));
  assert.deepEqual(json.value.map(({ name }) => name).sort(), ['basic', 'premium', 'standard']);
});

scenario('CA2 Ports: the given one, the next free pair, or none that is taken', LONG, async (w) => {
  const caches = await w.caches();
  const first = (await caches.cache('first')).properties.port;
  const blocker = net.createServer();
  await new Promise((resolve) => blocker.listen(first + 2, '127.0.0.1', resolve));
  const second = (await caches.cache('second')).properties;
  assert.ok(second.port > first + 2, `${second.port}`);
  assert.equal(second.sslPort, second.port + 1);
  const own = { ...BASIC, redisConfiguration: { 'redgrid-port': String(first + 12) } };
  const third = (await caches.cache('third', own)).properties;
  assert.deepEqual([third.port, third.sslPort], [first + 12, first + 13]);
  const taken = { ...BASIC, redisConfiguration: { 'redgrid-port': String(first + 2) } };
  const { status, json } = await caches.put('fourth', taken);
  assert.equal(status, 400, JSON.stringify(json));
  assert.match(json.error.message, new RegExp(`redgrid-port.*${first + 2}`));
  blocker.close();
});

scenario('CA3 Keys and passwords stand in no argument, environment, file or log', async (w) => {
  const caches = await w.caches({ args: ['--log-level', 'debug'] });
  await caches.cache('c', STANDARD);
  const { primaryKey, secondaryKey } = await caches.keys('c');
  const servers = descendants(caches.node.process.pid).filter(({ command }) => /redis|valkey/.test(command));
  assert.ok(servers.length >= 3, 'the store, a primary and a replica');
  const texts = servers.flatMap(({ pid }) =>
    ['cmdline', 'environ'].map((file) => fs.readFileSync(`/proc/${pid}/${file}`, 'latin1')),
  );
  const folder = path.join(caches.node.data(), 'caches');
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) texts.push(fs.readFileSync(path.join(entry.parentPath ?? entry.path, entry.name), 'latin1'));
  texts.push(caches.node.records.map((record) => JSON.stringify(record)).join('\n'));
  for (const secret of [primaryKey, secondaryKey])
    assert.ok(texts.every((text) => !text.includes(secret)));
});

scenario('CA4 Clients may not do what would break the cache', async (w) => {
  const caches = await w.caches();
  await caches.cache('c');
  await caches.with('c', async (client) => {
    for (const words of ['CONFIG GET maxmemory', 'SHUTDOWN', 'REPLICAOF NO ONE', 'ACL SETUSER x', 'MODULE LIST', 'PSYNC ? -1'])
      await assert.rejects(client.call(...words.split(' ')), /NOPERM/, words);
    await assert.rejects(client.call('DEBUG', 'SLEEP', '0'), /NOPERM|not allowed/);
    assert.equal(await client.call('ACL', 'WHOAMI'), 'default');
  });
});

scenario('CA5 A key that is made anew: the old one is refused, connections stay', async (w) => {
  const caches = await w.caches();
  await caches.cache('c', STANDARD);
  const old = await caches.keys('c');
  const live = await caches.client('c', { key: old.primaryKey });
  const answer = await caches.act('c', 'regenerateKey', { keyType: 'Primary' });
  assert.equal(answer.status, 200, answer.text);
  assert.notEqual(answer.json.primaryKey, old.primaryKey);
  assert.equal(answer.json.secondaryKey, old.secondaryKey);
  assert.equal(await live.ping(), 'PONG');
  await assert.rejects(live.call('AUTH', old.primaryKey), /WRONGPASS/);
  await assert.rejects(caches.client('c', { key: old.primaryKey }));
  live.disconnect();
  await pings(caches, 'c');
  const wrong = await caches.act('c', 'regenerateKey', { keyType: 'third' });
  assert.equal(wrong.status, 400);
});

scenario('CA6 TLS 1.2 and 1.3; without the plain port nothing is in the clear', async (w) => {
  const caches = await w.caches();
  const { properties } = await caches.cache('c', { ...STANDARD, enableNonSslPort: false });
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const tls = { minVersion: version, maxVersion: version };
    assert.equal(await caches.with('c', (client) => client.ping(), { tls }), 'PONG');
  }
  await assert.rejects(caches.client('c', { tls: { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' } }));
  assert.equal(await isOpen(properties.port), false);
  const info = await caches.with('c', (client) => client.info('replication'), { tls: true });
  assert.match(info, /slave0:.*state=online/);
});

scenario('CA28 What is deleted leaves nothing behind', LONG, async (w) => {
  const caches = await w.caches();
  const events = new Events(caches.node);
  const hook = await w.hook();
  const { properties } = await caches.cache('c', STANDARD);
  const to = Events.to(hook.url(), { filter: { includedEventTypes: ['Redgrid.Cache.OperationStarted'] } });
  const scope = encodeURIComponent(Caches.id('c'));
  await events.must('PUT', `/api/subscriptions/es1?scope=${scope}`, { properties: to });
  const servers = () =>
    descendants(caches.node.process.pid).filter(({ command }) => command.includes(`:${properties.port}`));
  assert.equal(servers().length, 2);
  await caches.done(caches.remove('c'));
  await hook.gets(1);
  assert.equal((await caches.ask('GET', caches.at('c'))).status, 404);
  assert.equal((await caches.remove('c')).status, 204);
  assert.equal(servers().length, 0);
  assert.equal(await isOpen(properties.port), false);
  assert.deepEqual(fs.readdirSync(path.join(caches.node.data(), 'caches')), []);
  const { value } = await events.must('GET', '/api/subscriptions');
  assert.deepEqual(value, []);
});

scenario('CA36 One operation at a time', LONG, async (w) => {
  const caches = await w.caches({ args: ['--caches-notice', '2000'] });
  await caches.cache('c', STANDARD);
  const patch = await caches.act('c', 'patch', {});
  assert.equal(patch.status, 202, patch.text);
  const { status, json } = await caches.patch('c', { sku: sku('Standard', 2) });
  assert.equal(status, 409);
  assert.equal(json.error.code, 'Conflict');
  assert.match(json.error.message, /patch/);
  await caches.done(patch);
});

scenario('CA39 Keyspace notifications, on Basic too', async (w) => {
  const caches = await w.caches();
  await caches.cache('c', { ...BASIC, redisConfiguration: { 'notify-keyspace-events': 'Kg' } });
  const listener = await caches.client('c');
  const got = [];
  listener.on('message', (channel, message) => got.push(`${channel} ${message}`));
  await listener.subscribe('__keyspace@0__:a');
  await caches.with('c', async (client) => {
    await client.set('a', 1);
    await client.del('a');
  });
  await until(() => got.length, 'a notification');
  assert.deepEqual(got, ['__keyspace@0__:a del']);
  await caches.done(caches.patch('c', { redisConfiguration: { 'notify-keyspace-events': '' } }));
  await caches.with('c', async (client) => {
    await client.set('a', 1);
    await client.del('a');
    await client.publish('__keyspace@0__:a', 'last');
  });
  await until(() => got.length > 1, 'the message behind it');
  assert.deepEqual(got.slice(1), ['__keyspace@0__:a last']);
  listener.disconnect();
});

scenario('The same by the command', async (w) => {
  const caches = await w.caches();
  const run = async (...words) => {
    const { code, stdout, stderr } = await redgrid(caches, ['cache', ...words]);
    assert.equal(code, 0, `${words.join(' ')}: ${stderr}`);
    return stdout;
  };
  assert.match(await run('create', 'shop', '--sku', 'Basic', '--vm-size', 'C0', '--set', 'maxmemory-policy=allkeys-lru'), /Succeeded/);
  assert.match(await run('list'), /shop +Succeeded +Basic +C0/);
  assert.match(await run('show', 'SHOP'), /redisConfiguration.maxmemory-policy +allkeys-lru/);
  const { primaryKey } = JSON.parse(await run('keys', 'shop', '--output', 'json'));
  assert.notEqual(JSON.parse(await run('keys', 'shop', '--regenerate', 'Primary', '--output', 'json')).primaryKey, primaryKey);
  await run('update', 'shop', '--set', 'maxmemory-policy=');
  assert.doesNotMatch(await run('show', 'shop'), /maxmemory-policy/); // the default
  const unknown = await redgrid(caches, ['cache', 'show', 'shot']);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /there is no cache 'shot'; did you mean 'shop'\?/);
  await run('delete', 'shop');
  assert.doesNotMatch(await run('list'), /shop/);
});
