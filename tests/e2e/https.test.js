// HTTPS, with the private certificate authority that the first start makes.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { makeCertificate } from '../lib/certificate.js';
import { Events, gridEvent } from '../lib/events.js';
import { askHttps, authority } from '../lib/https.js';
import { scenario } from '../lib/scenario.js';
import { publisher } from '../lib/sdk.js';
import { until } from '../lib/until.js';

scenario('All that HTTP has is there by HTTPS, under every name of this machine', async (w) => {
  const { node } = await w.events({ https: '127.0.0.1:0' });
  for (const host of ['localhost', '127.0.0.1']) {
    const { status } = await askHttps(node, 'GET', '/healthz', { host });
    assert.equal(status, 200);
  }
  const { json } = await askHttps(node, 'PUT', '/api/topics/orders', { body: '{}' });
  const { https: port } = node.ports();
  assert.equal(json.properties.endpoint, `https://localhost:${port}/topics/orders/api/events`);
  assert.ok(node.has(new RegExp(`http://127.0.0.1:${node.port()}, https://127.0.0.1:${port}`)));
  await assert.rejects(askHttps(node, 'GET', '/healthz', { ca: null }), /self-signed|unable to|verify/);
  await assert.rejects(askHttps(node, 'GET', '/healthz', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }));
  const { mode } = fs.statSync(path.join(node.data(), 'tls', 'server.key'));
  assert.equal(mode & 0o777, 0o600);
});

scenario('The SDK publishes by HTTPS with a key', async (w) => {
  const { node } = await w.events({ https: '127.0.0.1:0' });
  const events = new Events(node);
  const hook = await w.hook();
  const { key1 } = await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url()));
  const endpoint = `https://localhost:${node.ports().https}/topics/orders/api/events`;
  const more = { allowInsecureConnection: false, tlsOptions: { ca: authority(node) } };
  const event = { subject: 's', eventType: 'made', dataVersion: '1', data: {} };
  await publisher({ endpoint, key1 }, 'EventGrid', undefined, more).send([event]);
  await hook.gets(1);
});

scenario('A certificate has the names that the operator says, or is the operator\'s own', async (w) => {
  const named = await w.events({ https: '127.0.0.1:0', args: ['--listen-names', 'grid.test', '10.1.2.3'] });
  for (const servername of ['grid.test', 'localhost']) {
    const { status } = await askHttps(named.node, 'GET', '/healthz', { servername, host: '127.0.0.1' });
    assert.equal(status, 200);
  }
  await assert.rejects(askHttps(named.node, 'GET', '/healthz', { servername: 'other.test', host: '127.0.0.1' }));
  const own = makeCertificate(w.path('own'), 'DNS:own.test');
  const files = ['--listen-cert', own.file, '--listen-key', w.path('own', 'key.pem')];
  const { node } = await w.events({ https: '127.0.0.1:0', args: files });
  const more = { ca: own.cert, servername: 'own.test', host: '127.0.0.1' };
  assert.equal((await askHttps(node, 'GET', '/healthz', more)).status, 200);
  const wrong = w.node({ https: '127.0.0.1:0', args: ['--listen-names', 'a name'] });
  await assert.rejects(wrong.start());
  assert.ok(wrong.has(/listen.names: 'a name' is no name of a host/));
  const none = w.node({ https: '127.0.0.1:0', args: ['--listen-cert', w.path('none'), '--listen-key', own.file] });
  await assert.rejects(none.start());
  assert.ok(none.has(/none/), none.tail(5));
});

scenario('A certificate that was renewed in its place is taken by a reload', async (w) => {
  const before = makeCertificate(w.path('own'), 'DNS:own.test');
  const key = w.path('own', 'key.pem');
  const args = ['--listen-cert', before.file, '--listen-key', key];
  const { node } = await w.events({ https: '127.0.0.1:0', args });
  const more = { servername: 'own.test', host: '127.0.0.1', agent: false };
  const ask = (ca) => askHttps(node, 'GET', '/healthz', { ca, ...more });
  fs.writeFileSync(key, 'no key');
  node.process.kill('SIGHUP');
  await until(() => node.has(/key\.pem: .*HTTPS goes on with the certificate it has/), 'the key is refused');
  assert.equal((await ask(before.cert)).status, 200);
  const after = makeCertificate(w.path('own'), 'DNS:own.test');
  node.process.kill('SIGHUP');
  await until(() => ask(after.cert).then(() => true, () => false), 'the new certificate is there');
  await assert.rejects(ask(before.cert));
});

scenario('A restart keeps the authority', async (w) => {
  const { node } = await w.events({ https: '127.0.0.1:0' });
  const before = authority(node);
  await node.stop();
  await node.start();
  assert.equal(authority(node), before);
  assert.equal((await askHttps(node, 'GET', '/healthz', { ca: before })).status, 200);
});

scenario('A proxy in front may speak TLS for us', async (w) => {
  const events = await w.events();
  const headers = { 'x-forwarded-proto': 'https', host: 'localhost:1' };
  const { json } = await events.ask('PUT', '/api/topics/orders', {}, headers);
  assert.ok(json.properties.endpoint.startsWith('https://'));
  const set = await w.events({ args: ['--public-url', 'https://grid.example.com'] });
  const topic = await set.topic('orders');
  assert.equal(topic.endpoint, 'https://grid.example.com/topics/orders/api/events');
});

// What the server has to send to this client and cannot, in bytes.
function stuckBytes(client) {
  const hex = (port) => port.toString(16).toUpperCase().padStart(4, '0');
  const ends = new RegExp(`:${hex(client.remotePort)} \\w+:${hex(client.localPort)} \\w+ (\\w+):`);
  const [, waiting = '0'] = fs.readFileSync('/proc/net/tcp', 'utf8').match(ends) ?? [];
  return parseInt(waiting, 16);
}

scenario('HTTPS, which is closed behind HTTP, answers until then', async (w) => {
  const { node } = await w.events({ https: '127.0.0.1:0' });
  const events = new Events(node);
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.queue());
  const { http: plain, https: port } = node.ports();
  const ca = authority(node);
  const get = (where) =>
    new Promise((resolve, reject) => {
      const take = (response) => resolve(response.on('error', () => {}).resume().statusCode);
      https.get({ host: 'localhost', port, path: where, ca }, take).on('error', reject);
    });
  const slow = net.connect(plain, '127.0.0.1').on('error', () => {});
  slow.pause(); // reads nothing, so that HTTP takes its time to be closed
  await new Promise((resolve) => slow.once('connect', resolve));
  slow.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(5000));
  let before = 0;
  let rounds = 0; // in which nothing moved
  await until(() => {
    const bytes = stuckBytes(slow);
    rounds = bytes > 0 && bytes === before ? rounds + 1 : 0;
    before = bytes;
    return rounds > 20;
  }, 'a client that does not read');
  node.process.kill('SIGTERM');
  await until(() => !fs.existsSync(path.join(node.data(), 'ports.json')), 'HTTP is being closed');
  const letters = '/api/subscriptions/es1/deadletters?topic=orders';
  const asked = ['/api/status', '/api/logs?lines=3', '/api/logs?follow=1', letters];
  assert.deepEqual(await Promise.all(asked.map(get)), [200, 200, 200, 503]);
  const { code } = await node.exited;
  assert.equal(code, 0);
  slow.destroy();
});

scenario('A port that is taken: said, and fatal only when it was asked for', async (w) => {
  const blocker = net.createServer();
  await new Promise((resolve) => blocker.listen(0, '127.0.0.1', resolve));
  const taken = `127.0.0.1:${blocker.address().port}`;
  const node = w.node({ https: taken });
  await assert.rejects(node.start());
  assert.ok(node.has(/listen_https: .* is taken: choose another address with --listen-https/));
  blocker.close();

  // That of the default is taken by whoever comes first.
  const standard = net.createServer().on('error', () => {});
  await new Promise((resolve) => {
    standard.once('error', resolve);
    standard.listen(7443, '127.0.0.1', resolve);
  });
  const other = w.node({ https: '127.0.0.1:7443' });
  other.args.splice(other.args.indexOf('--listen-https'), 2);
  await other.start();
  assert.ok(other.has(/nothing is served by HTTPS: .*7443 is taken/));
  assert.equal(other.ports().https, undefined);
  standard.close();
});
