// What kills a node, its store, or both; each is up again before the next one begins.

import { setTimeout as pause } from 'node:timers/promises';

// Both, in either order.
const either = async (random, one, other) => {
  const acts = random.next() < 0.5 ? [one, other] : [other, one];
  for (const act of acts) {
    await act();
    await pause(random.between(0, 200));
  }
};

export const FAULTS = {
  async 'kill the node'(t, random) {
    const node = random.pick(t.nodes);
    await t.kill(node);
    await pause(random.between(0, 300));
    await t.again(node).start();
  },
  async 'kill the node while it starts'(t, random) {
    let node = random.pick(t.nodes);
    for (let i = random.between(2, 5); i > 0; i--) {
      await t.kill(node);
      node = t.again(node).spawn();
      await pause(random.between(0, 250));
    }
    await t.kill(node);
    await t.again(node).start();
  },
  async 'kill the store'(t, random) {
    await t.killStore();
    await pause(random.between(0, 500));
    await t.store?.restart();
  },
  async 'kill both'(t, random) {
    const node = random.pick(t.nodes);
    await either(random, () => t.killStore(), () => t.kill(node));
    const next = t.again(node);
    if (t.store) await either(random, () => t.store.restart(), async () => next.spawn());
    else next.spawn();
    await next.line(/^Host started/, 30000);
  },
  async 'stop and start the node'(t, random) {
    const node = random.pick(t.nodes);
    await t.stop(node);
    await t.again(node).start();
  },
};

