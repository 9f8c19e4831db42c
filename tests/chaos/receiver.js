// A webhook with moods, that remembers of each event when it took it, and nothing else.

import { Hook } from '../lib/hook.js';

// How it treats a request that it does not take.
const MOODS = {
  500: (hook, { response }) => hook.end(response, { status: 500 }),
  503: (hook, { response }) => hook.end(response, { status: 503 }),
  400: (hook, { response }) => hook.end(response, { status: 400 }),
  reset: (hook, { request }) => request.socket.resetAndDestroy(),
  'half a body': (hook, { request, response }) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('half of it', () => request.socket.destroy());
  },
  'half a head': (hook, { request }) => {
    request.socket.write('HTTP/1.1 20', () => request.socket.destroy());
  },
  held: (hook, post) => hook.held.push(post), // until release(), or for ever
};

export class Receiver extends Hook {
  // {slowMs, random, tls}
  constructor(options = {}) {
    super(options);
    this.slowMs = options.slowMs ?? 0;
    this.random = options.random;
    this.mood = 'good';
    this.share = 1; // of the requests that meet the mood
    this.taken = new Map(); // event id -> times at which it was answered with 200
    this.turnedAway = 0;
    this.held = [];
  }

  reply(_answer, request, response) {
    const { text } = this.requests.pop(); // deliveries are not kept
    const post = { text, request, response };
    if (this.mood !== 'good' && this.random.next() < this.share) {
      this.turnedAway++;
      MOODS[this.mood](this, post);
    } else {
      setTimeout(() => this.accept(post), this.random.next() * this.slowMs);
    }
  }

  accept({ text, response }) {
    if (response.destroyed) return; // nobody waits any more
    const now = Date.now();
    for (const { id } of [JSON.parse(text)].flat()) {
      if (!this.taken.has(id)) this.taken.set(id, []);
      this.taken.get(id).push(now);
    }
    this.end(response, {});
  }

  // Another certificate, from the next connection on.
  present(tls) {
    this.server.setSecureContext(tls);
    this.server.closeAllConnections();
  }

  release() {
    this.mood = 'good';
    for (const post of this.held.splice(0)) this.accept(post);
  }
}
