// A client that fetches events for itself and acknowledges each, whatever happens to the nodes; it
// looks like a Receiver to those who hold the books.

import { setTimeout as pause } from 'node:timers/promises';

const TRY_AGAIN_MS = 50;
const LANES = 2;

export class Puller {
  constructor({ topic, name, key, ports, random }) {
    Object.assign(this, { topic, name, key, ports, random });
    this.taken = new Map(); // event id -> times at which it was received
    this.turnedAway = 0; // answers that were lost, or refused
    this.ending = new AbortController();
  }

  start() {
    this.lanes = Array.from({ length: LANES }, () => this.lane());
    return this;
  }

  async stop() {
    this.ending.abort();
    await Promise.all(this.lanes);
  }

  async lane() {
    while (!this.ending.signal.aborted) {
      const received = await this.ask('receive?maxEvents=20&maxWaitTime=10');
      const value = received?.value ?? [];
      const now = Date.now();
      for (const { event } of value)
        this.taken.set(event.id, [...(this.taken.get(event.id) ?? []), now]);
      if (value.length > 0) await this.acknowledge(value);
    }
  }

  async acknowledge(value) {
    const lockTokens = value.map(({ brokerProperties }) => brokerProperties.lockToken);
    while (!this.ending.signal.aborted && !(await this.ask('acknowledge', { lockTokens })));
  }

  // The answer, or undefined if there was none that means anything.
  async ask(what, body) {
    const base = `http://127.0.0.1:${this.random.pick(this.ports())}`;
    const path = `/topics/${this.topic}/eventsubscriptions/${this.name}:${what}`;
    const authorization = `SharedAccessKey ${this.key}`;
    try {
      const answer = await fetch(base + path, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: body ? JSON.stringify(body) : undefined,
        signal: this.ending.signal,
      });
      if (answer.status === 200) return await answer.json();
    } catch {
      // the node is gone, or we are to end
    }
    this.turnedAway++;
    await pause(TRY_AGAIN_MS);
    return undefined;
  }
}
