// Clients that write without a pause, in a process of their own, with a ledger: each INCRs a key of
// its own, one after the other, and counts what was acknowledged.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';

const AGAIN_MS = 2; // after an error
const STOP_MS = 5000; // for writes under way
const PROGRAM = fileURLToPath(import.meta.url);

// ---- the process of the clients ----

class Writer {
  constructor(key, options) {
    this.key = key;
    this.acknowledged = 0;
    this.errors = {};
    this.gap = 0;
    this.client = new Redis({
      ...options,
      lazyConnect: true,
      maxRetriesPerRequest: 0, // an answer that was lost is not asked for again: it may be there twice
      enableOfflineQueue: false,
      retryStrategy: () => AGAIN_MS,
    });
    this.client.on('error', () => {});
  }

  async run() {
    await this.client.connect().catch(() => {});
    while (!this.isOver) {
      try {
        await this.client.incr(this.key);
        this.note();
      } catch (error) {
        const kind = error.message.split(' ')[0];
        this.errors[kind] = (this.errors[kind] ?? 0) + 1;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  note() {
    const now = performance.now();
    if (this.last !== undefined) this.gap = Math.max(this.gap, now - this.last);
    this.last = now;
    this.acknowledged++;
  }
}

async function beWriters({ count, options, prefix }) {
  const writers = Array.from({ length: count }, (_, i) => new Writer(`${prefix}${i}`, options));
  const runs = writers.map((writer) => writer.run());
  const tell = () =>
    writers.map(({ key, acknowledged, errors, gap }) => ({ key, acknowledged, errors, gap }));
  process.on('message', async (message) => {
    if (message !== 'stop') return process.send(tell());
    for (const writer of writers) writer.isOver = true;
    const late = new Promise((resolve) => setTimeout(resolve, STOP_MS));
    await Promise.race([Promise.all(runs), late]);
    process.send(tell(), () => process.exit(0));
  });
  process.on('disconnect', () => process.exit(0));
}

if (process.argv[2] === 'be-writers') await beWriters(JSON.parse(process.argv[3]));

// ---- the test's side ----

export class Load {
  // {count: clients, options: of ioredis, prefix: of the keys}
  constructor({ count = 4, options, prefix = 'load:' }) {
    const words = ['be-writers', JSON.stringify({ count, options, prefix })];
    this.process = fork(PROGRAM, words, { stdio: 'inherit' });
    this.exited = new Promise((resolve) => this.process.on('close', resolve));
  }

  // For a cache of caches.js; TLS by {tls: true}.
  static async on(caches, name, { count, tls = false, prefix } = {}) {
    const { hostName, port, sslPort } = await caches.properties(name);
    const { primaryKey: password } = await caches.keys(name);
    const options = { host: hostName, port: tls ? sslPort : port, password };
    if (tls) options.tls = { ca: caches.ca(), servername: 'localhost' };
    const load = new Load({ count, options, prefix });
    await load.writes(1);
    return load;
  }

  ask(what) {
    return new Promise((resolve, reject) => {
      this.process.once('message', resolve);
      this.exited.then(() => reject(new Error('the clients have ended')));
      this.process.send(what);
    });
  }

  // Until every client has had so many writes more acknowledged.
  async writes(more, ms = 30000) {
    const end = Date.now() + ms;
    const before = (await this.ask('tell')).map(({ acknowledged }) => acknowledged);
    for (;;) {
      const now = await this.ask('tell');
      if (now.every(({ acknowledged }, i) => acknowledged >= before[i] + more)) return now;
      if (Date.now() > end) throw new Error(`clients do not write: ${JSON.stringify(now)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  // Ends the clients; `client` reads what is there: {acknowledged, lost, errors, gap (the longest,
  // in ms), writers}. Writes that were not acknowledged, but done, are not lost.
  async stop(client) {
    const writers = await this.ask('stop');
    await this.exited;
    let lost = 0;
    for (const { key, acknowledged } of writers) {
      const there = Number((await client.get(key)) ?? 0);
      lost += Math.max(0, acknowledged - there);
    }
    const errors = {};
    for (const one of writers)
      for (const [kind, n] of Object.entries(one.errors)) errors[kind] = (errors[kind] ?? 0) + n;
    return {
      acknowledged: writers.reduce((sum, one) => sum + one.acknowledged, 0),
      gap: Math.max(...writers.map(({ gap }) => gap)),
      lost,
      errors,
      writers,
    };
  }

  async destroy() {
    this.process.kill('SIGKILL');
    await this.exited;
  }
}
