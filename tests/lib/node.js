// One `redgrid up`, and what it says.

import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { descendants, living } from './process.js';
import { stays, until } from './until.js';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const PROGRAM = process.env.REDGRID_BIN || path.join(ROOT, 'build', 'redgrid');
export { ROOT };

export class Node {
  constructor(name, args, env) {
    this.name = name;
    this.args = args;
    this.env = env;
    this.records = [];
  }

  spawn() {
    this.process = spawn(PROGRAM, ['up', '--log', 'json', ...this.args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...this.env },
    });
    this.process.on('error', (error) => this.records.push({ message: `spawn: ${error.message}` }));
    this.exited = new Promise((resolve) => {
      this.process.on('close', (code, signal) => resolve({ code, signal }));
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      readline.createInterface({ input: stream }).on('line', (line) => this.add(line));
    }
    return this;
  }

  add(line) {
    let record;
    try {
      record = JSON.parse(line);
    } catch {
      record = { message: line };
    }
    record.at = Date.now();
    this.records.push(record);
  }

  async start(ms = 20000) {
    const started = /^Host started \(\d+ms\)/;
    const before = this.count(started);
    this.spawn();
    await until(
      () => {
        if (this.hasExited()) throw new Error(`${this.name} ended: ${this.tail(5)}`);
        return this.count(started) > before;
      },
      `${this.name} says Host started`,
      ms,
    );
    return this;
  }

  hasExited() {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  isRunning() {
    return Boolean(this.process) && !this.hasExited();
  }

  messages() {
    return this.records.map((record) => String(record.message ?? ''));
  }

  find(pattern) {
    return this.records.filter((record) => pattern.test(String(record.message ?? '')));
  }

  has(pattern) {
    return this.find(pattern).length > 0;
  }

  count(pattern) {
    return this.find(pattern).length;
  }

  // Waits for a line; returns it.
  async line(pattern, ms) {
    await until(
      () => this.has(pattern),
      () => `a line ${pattern} from ${this.name}`,
      ms,
    );
    return this.find(pattern)[0].message;
  }

  succeededCount(f) {
    return this.count(
      new RegExp(`^Executed 'Functions\\.${f}' \\(Succeeded, Id=[0-9a-f-]{36}, Duration=\\d+ms\\)`),
    );
  }

  failedCount(f) {
    return this.count(
      new RegExp(`^Executed 'Functions\\.${f}' \\(Failed, Id=[0-9a-f-]{36}, Duration=\\d+ms\\)`),
    );
  }

  startedCount(f) {
    return this.count(new RegExp(`^Executing 'Functions\\.${f}' \\(Reason='`));
  }

  // Exactly n runs succeed: no fewer by the deadline, no more a moment later.
  async succeeds(f, n, ms) {
    return runsSucceed([this], f, n, ms);
  }

  async fails(f, n, ms) {
    await until(
      () => this.failedCount(f) >= n,
      () => `${n} failures of ${f}, but ${this.failedCount(f)}`,
      ms,
    );
  }

  // What the functions logged as triggerValue:<payload>, in order.
  values() {
    return this.messages()
      .filter((message) => message.startsWith('triggerValue:'))
      .map((message) => message.slice('triggerValue:'.length));
  }

  data() {
    return this.args[this.args.indexOf('--data') + 1];
  }

  ports() {
    return JSON.parse(fs.readFileSync(path.join(this.data(), 'ports.json'), 'utf8'));
  }

  port() {
    return this.ports().http;
  }

  async get(where) {
    return fetch(`http://127.0.0.1:${this.port()}${where}`);
  }

  children() {
    return descendants(this.process.pid);
  }

  // SIGTERM drains and ends with 0, and leaves no process behind.
  async stop(ms = 20000) {
    const children = this.children();
    this.process.kill('SIGTERM');
    await until(() => this.hasExited(), `${this.name} ends after SIGTERM`, ms);
    const { code, signal } = await this.exited;
    if (code !== 0) throw new Error(`${this.name} ended with ${code ?? signal}`);
    await gone(children);
  }

  // kill -9, and all of its children must follow by themselves.
  async kill() {
    const children = this.children();
    this.process.kill('SIGKILL');
    await until(() => this.hasExited(), `${this.name} is dead`);
    await gone(children);
  }

  // For cleaning up after a test, whatever state it left.
  async destroy() {
    if (!this.isRunning()) return;
    const children = this.children();
    this.process.kill('SIGCONT');
    this.process.kill('SIGKILL');
    await until(() => this.hasExited(), `${this.name} is dead`);
    for (const child of living(children)) {
      try {
        process.kill(child.pid, 'SIGKILL');
      } catch {
        // it ended meanwhile
      }
    }
  }

  tail(count = 40) {
    const lines = this.records.slice(-count).map((record) => {
      const { at, message, ...rest } = record;
      return `  ${rest.level ?? '-'} ${rest.id ?? ''} ${rest.function ?? ''} ${String(message).slice(0, 300)}`;
    });
    return `log of ${this.name}:\n${lines.join('\n')}`;
  }
}

async function gone(children) {
  await until(
    () => living(children).length === 0,
    () =>
      `gone: ${living(children)
        .map((child) => `${child.pid} ${child.command}`)
        .join('; ')}`,
    5000,
  );
}

export async function runsSucceed(nodes, f, n, ms) {
  const total = () => nodes.reduce((sum, node) => sum + node.succeededCount(f), 0);
  await until(
    () => total() >= n,
    () => `${n} runs of ${f} succeeded, but ${total()}`,
    ms,
  );
  await stays(
    () => total() === n,
    () => `exactly ${n} runs of ${f}, but ${total()}`,
  );
}
