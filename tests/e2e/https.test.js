// HTTPS, with the private certificate authority that the first start makes.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { Events, gridEvent } from '../lib/events.js';
import { scenario } from '../lib/scenario.js';
import { publisher } from '../lib/sdk.js';

const authority = (node) => fs.readFileSync(path.join(node.data(), 'tls', 'ca.crt'), 'utf8');

function ask(node, method, where, { body, host = 'localhost', ca = authority(node), ...more } = {}) {
  return new Promise((resolve, reject) => {
    const options = { host, port: node.ports().https, path: where, method, ca, ...more };
    const request = https.request(options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode, text, json: JSON.parse(text || 'null') });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

scenario('All that HTTP has is there by HTTPS, under every name of this machine', async (w) => {
  const { node } = await w.events({ https: '127.0.0.1:0' });
  for (const host of ['localhost', '127.0.0.1']) {
    const { status } = await ask(node, 'GET', '/healthz', { host });
    assert.equal(status, 200);
  }
  const { json } = await ask(node, 'PUT', '/api/topics/orders', { body: '{}' });
  const { https: port } = node.ports();
  assert.equal(json.properties.endpoint, `https://localhost:${port}/topics/orders/api/events`);
  assert.ok(node.has(new RegExp(`http://127.0.0.1:${node.port()}, https://127.0.0.1:${port}`)));
  await assert.rejects(ask(node, 'GET', '/healthz', { ca: null }), /self-signed|unable to|verify/);
  await assert.rejects(ask(node, 'GET', '/healthz', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }));
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

scenario('A restart keeps the authority', async (w) => {
  const { node } = await w.events({ https: '127.0.0.1:0' });
  const before = authority(node);
  await node.stop();
  await node.start();
  assert.equal(authority(node), before);
  assert.equal((await ask(node, 'GET', '/healthz', { ca: before })).status, 200);
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
