// The caches of one node, over its control plane.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Redis } from 'ioredis';
import { Events } from './events.js';
import { until } from './until.js';

export const SUBSCRIPTION = '/subscriptions/00000000-0000-0000-0000-000000000001';
export const GROUP = `${SUBSCRIPTION}/resourceGroups/redgrid`;
const VERSION = '?api-version=2024-11-01';
const ENDS_MS = 60000; // an operation, on a machine that does much else

export const sku = (name, capacity) => ({
  name,
  family: name === 'Premium' ? 'P' : 'C',
  capacity,
});
export const BASIC = { sku: sku('Basic', 0) };
export const STANDARD = { sku: sku('Standard', 1) };
export const PREMIUM = { sku: sku('Premium', 1) };

export class Caches extends Events {
  static id(name) {
    return `${GROUP}/providers/Microsoft.Cache/Redis/${name}`;
  }

  at(name, tail = '') {
    return `${Caches.id(name)}${tail}${VERSION}`;
  }

  // ---- asking; the raw answers ----

  put(name, properties, more = {}) {
    return this.ask('PUT', this.at(name), { location: 'local', properties, ...more });
  }

  patch(name, properties, more = {}) {
    return this.ask('PATCH', this.at(name), { properties, ...more });
  }

  act(name, action, body) {
    return this.ask('POST', this.at(name, `/${action}`), body);
  }

  remove(name) {
    return this.ask('DELETE', this.at(name));
  }

  // ---- waiting ----

  // What becomes of the operation that an answer names: {status, error}.
  async end(answer, ms = ENDS_MS) {
    assert.ok(answer.status < 300, `${answer.status} ${answer.text}`);
    const { pathname, search } = new URL(answer.headers.get('azure-asyncoperation'));
    let operation;
    await until(
      async () => {
        operation = await this.must('GET', pathname + search);
        return operation.status !== 'InProgress';
      },
      () => `the operation ends: ${JSON.stringify(operation)}`,
      ms,
    );
    return operation;
  }

  // The same, for what must go well.
  async done(answer, ms) {
    const operation = await this.end(await answer, ms);
    assert.equal(operation.status, 'Succeeded', JSON.stringify(operation));
    return operation;
  }

  // Makes a cache, and shows it.
  async cache(name, properties = BASIC, more = {}) {
    await this.done(this.put(name, properties, more));
    return this.show(name);
  }

  // ---- looking ----

  async show(name) {
    return this.must('GET', this.at(name));
  }

  async properties(name) {
    return (await this.show(name)).properties;
  }

  // Its servers: {name, address, role, version, state, pid, ..}.
  async servers(name) {
    return (await this.properties(name)).redgrid.nodes;
  }

  async keys(name) {
    return this.must('POST', this.at(name, '/listKeys'));
  }

  // ---- as its clients see it ----

  ca() {
    return fs.readFileSync(path.join(this.node.data(), 'tls', 'ca.crt'), 'utf8');
  }

  // A client that does not connect again: {tls, key: a password, ..options of ioredis}.
  async client(name, { tls = false, key, ...more } = {}) {
    const { hostName, port, sslPort } = await this.properties(name);
    const password = key ?? (await this.keys(name)).primaryKey;
    const options = { host: hostName, port: tls ? sslPort : port, password, ...more };
    const how = tls === true ? {} : tls;
    if (tls) options.tls = { ca: this.ca(), servername: 'localhost', ...how };
    const client = new Redis({ lazyConnect: true, retryStrategy: null, ...options });
    client.on('error', () => {}); // told by connect(), and by each command
    await client.connect();
    return client;
  }

  // Runs `use` with a client that is closed afterwards.
  async with(name, use, options) {
    const client = await this.client(name, options);
    try {
      return await use(client);
    } finally {
      client.disconnect();
    }
  }
}
