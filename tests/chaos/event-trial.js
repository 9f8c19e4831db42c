// eventTrial('..', {..}): publishers post events while faults happen; in the end every event that
// was accepted has come to everybody who wants it, or is among his dead letters.

import assert from 'node:assert/strict';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Redis from 'ioredis';
import { Events } from '../lib/events.js';
import { freePort, processesOf } from '../lib/process.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';
import { EventAudit, queuesOf } from './event-audit.js';
import { Publisher } from './publisher.js';
import { Puller } from './puller.js';
import { KILLS, Random, SECONDS, SEED } from './random.js';
import { Receiver } from './receiver.js';

const TOPIC = 'orders';
const WINDOW = 64 + 256; // with the endpoint; answered, and not yet told to the store
const SETTLE_MS = 30000;
const PER_SECOND = 120;
const IN_SOCKETS_MS = 1500; // for so long we may still read, and answer, what a dead node has sent

// What its filter is, and who wants an event by that.
const ANY = () => true;
const SUBSCRIPTIONS = {
  all: { wants: ANY },
  even: {
    wants: (n) => n % 2 === 0,
    filter: {
      advancedFilters: [{ operatorType: 'StringIn', key: 'data.parity', values: ['EVEN'] }],
    },
  },
  paid: {
    wants: (n) => n % 3 === 0,
    filter: { includedEventTypes: ['paid'], subjectBeginsWith: 'orders/' },
  },
  batch: { wants: ANY, destination: { maxEventsPerBatch: 10 } },
  slow: { wants: ANY, slowMs: 60 },
};

export class EventTrial {
  constructor(w, options, seed) {
    this.w = w;
    this.options = options;
    this.random = new Random(seed);
    this.nodes = []; // those that run now
    this.pullers = [];
    this.story = [];
    this.starts = 0;
    this.kills = 0;
  }

  async prepare() {
    this.certificates = this.options.certificates?.(this);
    if (this.options.store)
      this.store = await this.w.redis({ persistent: true, settings: { appendfsync: 'always' } });
    for (let i = 0; i < (this.options.nodes ?? 1); i++) {
      const node = this.node(`data${i}`, await freePort());
      await node.start();
    }
    const topic = await this.events().topic(TOPIC);
    this.key = topic.key1;
    this.ports = this.nodes.map((node) => node.httpPort);
    const rows = Object.entries(this.options.subscriptions?.(this) ?? SUBSCRIPTIONS);
    this.subscriptions = await Promise.all(rows.map(([name, row]) => this.subscribe(name, row)));
    await this.areKnown(rows.length);
    this.publishers = [
      new Publisher({
        topic: TOPIC,
        key: this.key,
        ports: () => this.ports,
        random: this.random,
        perSecond: this.options.perSecond ?? PER_SECOND,
      }),
    ];
    this.audit = new EventAudit(this.publishers, this.subscriptions);
    this.cli = this.store ? this.store.cli : this.privateStore();
  }

  // What one node was told is in force on the others within a second; before that, they accept
  // events for those whom they know.
  async areKnown(count) {
    const knows = async (node) => {
      const all = await this.events(node).must('GET', `/api/subscriptions?topic=${TOPIC}`);
      return all.value.length === count;
    };
    await Promise.all(this.nodes.map((node) => until(() => knows(node), 'all nodes know all')));
  }

  async subscribe(name, row) {
    return row.isPulled ? this.subscribePuller(name, row) : this.subscribeReceiver(name, row);
  }

  async subscribePuller(name, row) {
    await this.events().subscription(TOPIC, name, Events.queue({}));
    const { key, ports, random } = this;
    const puller = new Puller({ topic: TOPIC, name, key, ports: () => ports, random });
    this.pullers.push(puller.start());
    return { name, wants: row.wants, receiver: puller, window: WINDOW };
  }

  async subscribeReceiver(name, row) {
    const receiver = await this.receiver(row);
    const to = Events.to(receiver.url(), { filter: row.filter, ...row.more }, row.destination);
    await this.events().subscription(TOPIC, name, to);
    receiver.mood = row.mood ?? 'good';
    if (row.tls) receiver.present(row.tls);
    const batch = row.destination?.maxEventsPerBatch ?? 1;
    return { name, wants: row.wants, receiver, window: Math.max(WINDOW, 2 * batch + 256) };
  }

  // An https one presents what the daemon trusts, until it has agreed to get events.
  async receiver({ slowMs, tls } = {}) {
    const own = tls && this.certificates.own;
    const receiver = new Receiver({ slowMs, tls: own, random: this.random });
    this.w.hooks.push(receiver);
    return receiver.start();
  }

  receiverOf(name) {
    return this.subscriptions.find((one) => one.name === name).receiver;
  }

  // A client of the daemon's own redis-server.
  privateStore() {
    const socket = this.w.path('data0', 'store', 'redis.sock');
    const client = new Redis({
      path: path.relative('.', socket), // a long one would not fit
      retryStrategy: () => 30,
      maxRetriesPerRequest: null,
    });
    client.on('error', () => {}); // it is killed on purpose
    return client;
  }

  // A node on the data directory `data`, not started.
  node(data, port) {
    const { drainMs } = this.options;
    const node = this.w.node({
      data: this.w.path(data),
      listen: `127.0.0.1:${port}`,
      store: this.store,
      env: this.options.env?.(this),
      args: drainMs === undefined ? [] : ['--drain-timeout', `${drainMs}`],
      name: `${data} (start ${++this.starts})`,
    });
    Object.assign(node, { dataName: data, httpPort: port });
    this.nodes.push(node);
    return node;
  }

  events(node = this.nodes[0]) {
    return new Events(node);
  }

  // The same node again, not started.
  again(node) {
    this.nodes.splice(this.nodes.indexOf(node), 1);
    return this.node(node.dataName, node.httpPort);
  }

  async kill(node) {
    const begin = Date.now();
    this.kills++;
    await node.kill();
    this.upset(begin);
  }

  // A stop that its limit cuts short gives up attempts whose answers may be on their way.
  async stop(node) {
    const begin = Date.now();
    await node.stop();
    if (this.options.drainMs !== undefined) this.upset(begin);
  }

  upset(begin) {
    this.audit.upsets.push({ begin, end: Date.now() + IN_SOCKETS_MS });
  }

  // The store's own process, whoever started it.
  async killStore() {
    this.kills++;
    if (this.store) {
      await this.store.stop('SIGKILL');
      return;
    }
    const isStore = ({ command }) => /^\S*(redis|valkey)-server /.test(command);
    const [store] = this.nodes[0].children().filter(isStore);
    if (store) process.kill(store.pid, 'SIGKILL');
  }

  note(what) {
    this.story.push(`${Date.now() - this.beganAt} ms (${Date.now()}): ${what}`);
  }

  // Faults in the order that the seed gives, every kind once before any comes again.
  async suffer(faults) {
    const end = Date.now() + SECONDS * 1000;
    for (let bag = []; Date.now() < end || this.kills < KILLS; ) {
      if (bag.length === 0) bag = this.random.shuffled(Object.keys(faults));
      const name = bag.pop();
      await pause(this.random.between(100, 700));
      this.note(name);
      await faults[name](this, this.random);
    }
    this.note('calm');
  }

  // The common end of every story; `look` sees the store once all is settled.
  async balance(ms = SETTLE_MS, look = () => {}) {
    await Promise.all(this.publishers.map((publisher) => publisher.stop()));
    this.note('published');
    await this.settle(this.audit.expected(), ms);
    await this.clears(ms);
    this.audit.checkPublishers();
    this.audit.checkUninvited();
    this.audit.checkDuplicates();
    await look();
    this.result = await this.audit.summary(this.cli);
    await Promise.all(this.pullers.map((puller) => puller.stop()));
    await this.end();
  }

  async settle(expected, ms) {
    let lost;
    await until(
      async () => (lost = await this.audit.lost(this.cli, expected)).length === 0,
      () => {
        const some = lost.slice(0, 10).map(({ subscription, id }) => `${subscription.name} ${id}`);
        return `every event arrives: ${lost.length} did not: ${some.join(', ')}`;
      },
      ms,
    );
  }

  // Nothing is left in the store of what has arrived, nor of nodes that are gone.
  async clears(ms) {
    let remains;
    const look = async () => {
      remains = [];
      for (const [name, queue] of await queuesOf(this.cli)) {
        const found = await queue.remains();
        if (found) remains.push(`${name}: ${found}`);
        const holders = await queue.holders();
        if (holders.length > this.nodes.length) remains.push(`${name}: held by ${holders}`);
      }
      return remains.length === 0;
    };
    await until(look, () => `nothing remains in the store: ${remains.join('; ')}`, ms);
  }

  async end() {
    for (const node of [...this.nodes]) await node.stop();
    if (!this.store) this.cli.disconnect();
    const servers = this.w.servers.map((server) => server.process.pid);
    const left = processesOf(this.w.folder).filter((one) => !servers.includes(one.pid));
    assert.deepEqual(left, [], 'no process is left');
  }
}

// A number from a text, so that trials of one seed do not all suffer the same.
const hash = (text) => [...text].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) >>> 0, 7);

// eventStory(name, options, plot): its faults are told when it fails.
export function eventStory(name, options, plot) {
  const timeout = (SECONDS + 150 + KILLS * 10) * 1000;
  scenario(name, { timeout }, async (w) => {
    const trial = new EventTrial(w, options, (SEED + hash(name)) >>> 0);
    const replay = `CHAOS_SEED=${SEED} CHAOS_SECONDS=${SECONDS}`;
    try {
      await trial.prepare();
      trial.beganAt = Date.now();
      for (const publisher of trial.publishers) publisher.start();
      await plot(trial);
      console.log(`${name}: ${replay}: ${trial.kills} kills, ${trial.result}`);
    } catch (error) {
      const story = trial.story.join('\n');
      throw new Error(`${replay}: ${error.message}\n${story}`, { cause: error });
    } finally {
      for (const publisher of trial.publishers ?? []) publisher.isStopping = true;
      for (const puller of trial.pullers) puller.ending.abort();
      if (!trial.store) trial.cli?.disconnect();
    }
  });
}
