// A real redis-server or valkey-server (SERVER_BIN) on a free port, in a folder of its own.

import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import Redis from 'ioredis';
import { freePort } from './process.js';
import { until } from './until.js';

const PROGRAM = process.env.SERVER_BIN || 'redis-server';

// What older servers lack. Renaming a command to nothing is as near as one binary gets to them.
const MISSING = {
  '6.0': ['lmove', 'blmove', 'lmpop', 'blmpop', 'xautoclaim'],
  6.2: ['lmpop', 'blmpop'],
};

export class RedisServer {
  constructor(folder, options = {}) {
    this.folder = folder;
    this.options = options;
    this.clients = [];
  }

  async start() {
    fs.mkdirSync(this.folder, { recursive: true });
    for (let tries = 0; ; tries++) {
      this.port ??= this.options.port ?? (await freePort());
      this.spawn();
      try {
        this.cli ??= this.client();
        await until(() => this.isReady(), `${PROGRAM} on port ${this.port}`, 10000);
        return this;
      } catch (error) {
        this.process.kill('SIGKILL');
        this.disconnect();
        if (tries === 3 || this.options.port) throw error;
        this.port = undefined;
        this.cli = undefined;
      }
    }
  }

  spawn() {
    const settings = {
      port: this.port,
      bind: '127.0.0.1',
      dir: this.folder,
      save: '',
      appendonly: this.options.persistent ? 'yes' : 'no',
      'notify-keyspace-events': 'AKE',
      ...this.options.settings,
    };
    if (this.options.sentinelOf) delete settings['notify-keyspace-events'];
    const lines = Object.entries(settings).map(
      ([key, value]) => `${key} ${value === '' ? '""' : value}`,
    );
    for (const command of [...(MISSING[this.options.version] ?? []), ...(this.options.without ?? [])])
      lines.push(`rename-command ${command} ""`);
    const master = this.options.sentinelOf;
    if (master)
      lines.push(
        `sentinel monitor mymaster 127.0.0.1 ${master.port} 1`,
        'sentinel down-after-milliseconds mymaster 1000',
      );
    const file = path.join(this.folder, 'redis.conf');
    fs.writeFileSync(file, `${lines.join('\n')}\n`);
    const log = fs.openSync(path.join(this.folder, 'server.log'), 'a');
    this.process = spawn(PROGRAM, master ? [file, '--sentinel'] : [file], {
      stdio: ['ignore', log, log],
    });
    fs.closeSync(log);
    this.exited = new Promise((resolve) => this.process.on('exit', resolve));
    this.process.on('error', () => {});
  }

  async isReady() {
    if (this.process.exitCode !== null) throw new Error(`${PROGRAM} ended: see ${this.folder}`);
    try {
      return (await this.cli.ping()) === 'PONG';
    } catch (error) {
      return /NOAUTH/.test(error.message);
    }
  }

  // The connection string for function apps.
  get address() {
    return `127.0.0.1:${this.port}`;
  }

  client(options = {}) {
    const client = new Redis({
      host: '127.0.0.1',
      port: this.port,
      maxRetriesPerRequest: null,
      enableReadyCheck: false,
      retryStrategy: () => 30,
      ...this.options.client,
      ...options,
    });
    client.on('error', () => {}); // tests stop servers on purpose
    this.clients.push(client);
    return client;
  }

  disconnect() {
    for (const client of this.clients) client.disconnect();
    this.clients = [];
  }

  async stop(signal = 'SIGTERM') {
    this.process.kill(signal);
    await this.exited;
  }

  async restart() {
    this.spawn();
    await until(() => this.isReady(), 'the server is back', 10000);
  }

  // How often the server ran a command since it started.
  async calls(command) {
    const text = await this.cli.info('commandstats');
    const match = text.match(new RegExp(`cmdstat_${command.toLowerCase()}:calls=(\\d+)`));
    return match ? +match[1] : 0;
  }

  async clientNames() {
    const text = await this.cli.client('LIST');
    return [...text.matchAll(/ name=(\S*)/g)].map((match) => match[1]).filter(Boolean);
  }

  async destroy() {
    this.disconnect();
    if (this.process && this.process.exitCode === null) {
      this.process.kill('SIGCONT');
      await this.stop('SIGKILL');
    }
  }
}
