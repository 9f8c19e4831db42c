// scenario('N1 ..', async (w) => ..): one test in a world of its own, which is cleared afterwards.
// w.skip(why) ends it as skipped.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { makeApp } from './app.js';
import { Caches } from './caches.js';
import { Events } from './events.js';
import { Hook } from './hook.js';
import { Load } from './load.js';
import { Node } from './node.js';
import { RedisServer } from './redis-server.js';

const TEST_TIMEOUT_MS = 90000;

class Skip extends Error {}

class World {
  constructor() {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'redgrid-e2e-'));
    this.servers = [];
    this.nodes = [];
    this.hooks = [];
    this.apps = 0;
  }

  path(...names) {
    return path.join(this.folder, ...names);
  }

  skip(why) {
    throw new Skip(why);
  }

  // Starts a server; the first one is what the setting `redis` of every app names.
  async redis(options) {
    const server = new RedisServer(this.path(`redis-${this.servers.length}`), options);
    this.servers.push(server);
    await server.start();
    return server;
  }

  // Writes an app; returns its folder. `functions` or a whole description with {functions, ..}.
  app(description, name = `app${++this.apps}`) {
    const whole = description.functions ? description : { functions: description };
    const settings = {
      redis: this.servers[0]?.address ?? '127.0.0.1:1',
      TEST_FOLDER: this.folder,
      ...whole.settings,
    };
    const folder = this.path('apps', name);
    makeApp(folder, { ...whole, settings });
    return folder;
  }

  // A node that is not started: {app: folder, store, args, env, data}.
  node(options) {
    const name = options.name ?? `node${this.nodes.length + 1}`;
    const data = options.data ?? this.path(name);
    const args = ['--data', data, '--listen', options.listen ?? '127.0.0.1:0'];
    args.push('--listen-https', options.https ?? 'off');
    if (options.app) args.push('--app', options.app);
    if (options.store) args.push('--store', options.store.address);
    const node = new Node(name, [...args, ...(options.args ?? [])], options.env);
    this.nodes.push(node);
    return node;
  }

  // Starts a node for an app (a folder, or a description as for app()).
  async up(app, options = {}) {
    const folder = typeof app === 'string' ? app : this.app(app);
    return this.node({ app: folder, ...options }).start();
  }

  // Starts a node without functions, for topics and subscriptions.
  async events(options = {}) {
    return new Events(await this.node(options).start());
  }

  // Starts a node for caches, with ports and servers of its own.
  async caches(options = {}) {
    const port = 20000 + (process.pid % 500) * 20 + 4 * this.nodes.length;
    const args = ['--caches-port', port, ...(options.args ?? [])].map(String);
    return new Caches(await this.node({ https: '127.0.0.1:0', ...options, args }).start());
  }

  // Starts clients that write to a cache, as Load.on() has them.
  async load(caches, name, options) {
    const load = await Load.on(caches, name, options);
    this.servers.push(load);
    return load;
  }

  // Starts a webhook; options as for Hook.
  async hook(options) {
    const hook = new Hook(options);
    this.hooks.push(hook);
    return hook.start();
  }

  // Starts an emulated Azure Storage with the container `dead`.
  async azurite() {
    const { Azurite } = await import('./azurite.js'); // its SDK takes a while to load
    const azurite = new Azurite(this.path(`azurite-${this.servers.length}`));
    this.servers.push(azurite);
    await azurite.start();
    await azurite.container().create();
    return azurite;
  }

  // Starts n nodes for one app on a common store.
  async cluster(n, app, options = {}) {
    const folder = this.app(app);
    const store = await this.redis();
    return Promise.all(Array.from({ length: n }, () => this.up(folder, { store, ...options })));
  }

  // Whatever a test was about, its nodes end with 0 and leave no process behind.
  async stop() {
    await Promise.all(this.nodes.filter((node) => node.isRunning()).map((node) => node.stop()));
  }

  touch(name) {
    fs.writeFileSync(this.path(name), '');
  }

  // The lines that functions recorded, however their processes ended.
  ledger(name = 'ledger') {
    try {
      return fs.readFileSync(this.path(name), 'utf8').split('\n').slice(0, -1);
    } catch {
      return [];
    }
  }

  // What no run may say, whatever it tests: reports of the sanitizers and broken assertions.
  assertSound() {
    const bad = /AddressSanitizer|LeakSanitizer|runtime error:|Assertion .* failed/;
    for (const node of this.nodes) {
      const found = node.find(bad);
      if (found.length) throw new Error(`${node.name}: ${found[0].message}`);
    }
  }

  tails() {
    return this.nodes.map((node) => node.tail()).join('\n');
  }

  async destroy() {
    await Promise.allSettled(this.nodes.map((node) => node.destroy()));
    await Promise.allSettled(this.hooks.map((hook) => hook.destroy()));
    await Promise.allSettled(this.servers.map((server) => server.destroy()));
    if (!process.env.KEEP) fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

export function scenario(name, ...rest) {
  const body = rest.pop();
  const { timeout = TEST_TIMEOUT_MS, ...options } = rest[0] ?? {};
  test(name, { timeout, ...options }, async (t) => {
    const world = new World();
    try {
      await body(world);
      await world.stop();
      world.assertSound();
    } catch (error) {
      if (error instanceof Skip) return t.skip(error.message);
      error.message += `\n${world.tails()}`;
      throw error;
    } finally {
      await world.destroy();
    }
  });
}
