// Which messages Redis holds for runs that are not acknowledged yet, watched while a fault lasts:
// these may run again, and no others. One that is seen once may be on its usual way; one that is
// seen at two looks in a row is held up.

import { setTimeout as pause } from 'node:timers/promises';
import { processing } from '../lib/keys.js';

const LOOK_MS = 20;

// Not in a script: there are trials without.
async function held(cli, group) {
  const rows = group ? await cli.xpending('stream', group, '-', '+', 10000) : [];
  const pipeline = cli.pipeline();
  for (const [id] of rows) pipeline.xrange('stream', id, id);
  const entries = (await pipeline.exec()).flatMap(([error, found]) => (error ? [] : found));
  return [...entries.map(([, fields]) => fields[1]), ...(await processing(cli))];
}

export class Watch {
  // group: of the stream, if there is one.
  constructor(cli, group) {
    this.cli = cli;
    this.group = group;
    this.last = new Set();
    this.heldUp = new Set();
  }

  begin() {
    this.isOver = false;
    this.looking = this.keepLooking();
    return this;
  }

  // The labels that were held up.
  async end() {
    this.isOver = true;
    await this.looking;
    await this.look();
    await pause(LOOK_MS);
    await this.look();
    return this.heldUp;
  }

  async keepLooking() {
    while (!this.isOver) {
      await this.look();
      await pause(LOOK_MS);
    }
  }

  async look() {
    let labels;
    try {
      labels = new Set(await held(this.cli, this.group));
    } catch {
      return; // the server, the group or the stream is gone: nothing moves meanwhile
    }
    for (const label of labels) if (this.last.has(label)) this.heldUp.add(label);
    this.last = labels;
  }
}
