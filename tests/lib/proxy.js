// A road to a Redis server that can be made bad: cut, held up, half closed, or closed for new cars.

import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

export class Proxy {
  constructor(port) {
    this.target = port;
    this.pairs = new Set();
    this.latencyMs = 0;
    this.isRefusing = false;
    this.cutAfterBytes = Infinity; // replies that still pass before all connections are cut
    this.cutReplyTo = undefined; // a text: the first request with it is served, its reply is lost
    this.muteFrom = undefined; // a text: from the first request with it on no reply comes, until reset()
    this.isMute = false;
  }

  async start() {
    this.server = net.createServer({ allowHalfOpen: true }, (near) => this.accept(near));
    await new Promise((resolve, reject) => {
      this.server.on('error', reject);
      this.server.listen(0, '127.0.0.1', resolve);
    });
    this.server.unref(); // a test that failed does not wait for it
    this.port = this.server.address().port;
    return this;
  }

  get address() {
    return `127.0.0.1:${this.port}`;
  }

  // `there` and `back` turn what passes into what arrives.
  accept(near, { there = (chunk) => this.watch(chunk), back = (chunk) => this.ration(chunk) } = {}) {
    if (this.isRefusing) {
      near.resetAndDestroy();
      return;
    }
    const far = net.connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true });
    const pair = { near, far };
    this.pairs.add(pair);
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on('error', () => {}); // cutting is what it is for
      socket.on('close', () => {
        this.pairs.delete(pair);
        near.destroy();
        far.destroy();
      });
    }
    this.carry(near, far, there);
    this.carry(far, near, back);
  }

  // Carries what `from` says to `to`, in order, each piece after the latency of the moment.
  carry(from, to, toll) {
    let before = Promise.resolve();
    let waiting = 0;
    const inTurn = (step) => {
      if (this.latencyMs === 0 && waiting === 0) {
        step();
        return;
      }
      waiting++;
      before = before.then(() => pause(this.latencyMs)).then(() => {
        waiting--;
        step();
      });
    };
    from.on('data', (chunk) => inTurn(() => to.destroyed || to.write(toll(chunk))));
    from.on('end', () => inTurn(() => to.end()));
  }

  watch(chunk) {
    if (this.cutReplyTo !== undefined && chunk.includes(this.cutReplyTo)) {
      this.cutReplyTo = undefined;
      this.cutAfterBytes = 0;
    }
    if (this.muteFrom !== undefined && chunk.includes(this.muteFrom)) {
      this.muteFrom = undefined;
      this.isMute = true;
    }
    return chunk;
  }

  // What may still pass of a reply; the cut comes a turn later, so that this part leaves first.
  ration(chunk) {
    if (this.isMute) return Buffer.alloc(0);
    const part = chunk.subarray(0, this.cutAfterBytes);
    this.cutAfterBytes -= part.length;
    if (this.cutAfterBytes <= 0) {
      this.cutAfterBytes = Infinity;
      setImmediate(() => this.reset());
    }
    return part;
  }

  reset() {
    this.isMute = false;
    for (const { near, far } of [...this.pairs]) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  // One side says that it is done; the other may go on talking to nobody.
  halfClose(side) {
    for (const pair of [...this.pairs]) pair[side].end();
  }

  pause() {
    this.held = [...this.pairs];
    for (const { near, far } of this.held) {
      near.pause();
      far.pause();
    }
  }

  resume() {
    for (const { near, far } of this.held ?? []) {
      near.resume();
      far.resume();
    }
  }

  async stop() {
    this.isRefusing = true;
    this.reset();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
