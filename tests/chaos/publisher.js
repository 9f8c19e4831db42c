// Posts numbered events over plain HTTP, each until it is accepted, and remembers every try.
//
// Every try has an id of its own, `orders:17.2` is the second one to publish event 17: a try whose
// answer was lost, or was 503, may stand in some queues, so that its delivery is no surprise, but a
// delivery of a try that was refused as invalid is.

import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const TRY_AGAIN_MS = 30;
const TIMEOUT_MS = 15000;

export class Publisher {
  // ports: gives the ports of the nodes that may be asked.
  constructor({ topic, key, ports, random, perSecond, lanes = 4 }) {
    Object.assign(this, { topic, key, ports, random, laneCount: lanes });
    this.pauseMs = (1000 * lanes) / perSecond;
    this.accepted = new Map(); // id -> number
    this.refused = new Set(); // ids that were answered with 400
    this.surprises = []; // answers that no fault explains
    this.tries = 0;
    this.next = 0;
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  }

  start() {
    this.lanes = Array.from({ length: this.laneCount }, () => this.lane());
    return this;
  }

  async lane() {
    while (!this.isStopping) {
      if (this.random.next() < 0.03) await this.sendBad();
      else await this.send(this.random.next() < 0.2 ? this.random.between(2, 8) : 1);
      await pause(this.pauseMs);
    }
  }

  // Afterwards every event that was begun is accepted.
  async stop() {
    this.isStopping = true;
    await Promise.all(this.lanes);
    this.agent.destroy();
  }

  event(number, attempt) {
    return {
      id: `${this.topic}:${number}.${attempt}`,
      subject: `orders/${number}`,
      eventType: number % 3 ? 'made' : 'paid',
      eventTime: '2026-01-01T00:00:00Z',
      data: { n: number, parity: number % 2 ? 'odd' : 'even' },
      dataVersion: '1',
    };
  }

  // The ids under which they were accepted; port: of the one node to ask.
  async send(count, port) {
    const numbers = Array.from({ length: count }, () => ++this.next);
    for (let attempt = 1; ; attempt++) {
      const events = numbers.map((number) => this.event(number, attempt));
      this.tries += count;
      if ((await this.post(events, { port })) === 200) {
        for (const [i, { id }] of events.entries()) this.accepted.set(id, numbers[i]);
        return events.map(({ id }) => id);
      }
      await pause(TRY_AGAIN_MS);
    }
  }

  // Of a request with one bad event nothing may ever arrive.
  async sendBad() {
    const events = [this.event(++this.next, 1), this.event(++this.next, 1)];
    delete events[1].subject;
    for (const { id } of events) this.refused.add(id);
    this.tries += events.length;
    const status = await this.post(events, { also: 400 });
    if (status === 200) this.surprises.push('200 for a bad event');
  }

  // The status; 0 = nobody knows what became of it.
  async post(events, { also, port } = {}) {
    const status = await this.request(JSON.stringify(events), port).catch(() => 0);
    if (![0, 200, 503, also].includes(status)) this.surprises.push(`${status}`);
    return status;
  }

  request(body, port = this.random.pick(this.ports())) {
    const options = {
      port,
      host: '127.0.0.1',
      method: 'POST',
      path: `/topics/${this.topic}/api/events`,
      agent: this.agent,
      timeout: TIMEOUT_MS,
      headers: {
        'aeg-sas-key': this.key,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
    };
    return new Promise((resolve, reject) => {
      const request = http.request(options, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode));
        response.on('error', reject);
      });
      request.on('timeout', () => request.destroy(new Error('no answer')));
      request.on('error', reject);
      request.end(body);
    });
  }
}
