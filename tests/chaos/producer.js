// Sends numbered messages, each until the server has acknowledged it, and remembers every try.
//
// Every try has a label of its own, `list:17.2` is the second one to send message 17: a try whose
// answer was lost may be in Redis or not, so that a second run of the message is no surprise, but a
// second run of one label is.

import { setTimeout as pause } from 'node:timers/promises';

const LANES = 4;
const TRY_AGAIN_MS = 20;

export class Producer {
  // kind: list or stream, which is also the key and begins the labels.
  constructor(server, kind, perSecond) {
    this.kind = kind;
    this.pauseMs = (1000 * LANES) / perSecond;
    this.acknowledged = new Map(); // message number -> label
    this.tries = 0;
    this.next = 0;
    // ioredis must not send anything again by itself: we could not tell the two tries apart.
    this.cli = server.client({
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
    });
  }

  start() {
    this.lanes = Array.from({ length: LANES }, () => this.lane());
    return this;
  }

  async lane() {
    while (!this.isStopping) {
      await this.send(++this.next);
      await pause(this.pauseMs);
    }
  }

  // Many at once, beside the steady ones.
  burst(count) {
    return Promise.all(Array.from({ length: count }, () => this.send(++this.next)));
  }

  async send(number) {
    for (let attempt = 1; ; attempt++) {
      const label = `${this.kind}:${number}.${attempt}`;
      this.tries++;
      try {
        if (this.kind === 'list') await this.cli.rpush('list', label);
        else await this.cli.xadd('stream', '*', 'n', label);
        this.acknowledged.set(number, label);
        return;
      } catch {
        await pause(TRY_AGAIN_MS);
      }
    }
  }

  // Afterwards every message that was begun is acknowledged.
  async stop() {
    this.isStopping = true;
    await Promise.all(this.lanes);
  }
}
