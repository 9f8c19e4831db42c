import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../lib/until.js';
import { FAULTS, signal, workers } from './faults.js';
import { Random, SECONDS } from './random.js';
import { story, trial } from './trial.js';

const both = { kinds: ['list', 'stream'], lang: 'c', nodes: 2, perSecond: 150 };

// Its workers stand still before it dies, so that it is sure to die with work in its hands.
async function killAtWork(t, victim) {
  const under = (f) => victim.startedCount(f) - victim.succeededCount(f) - victim.failedCount(f);
  for (const worker of workers(victim)) signal(worker.pid, 'SIGSTOP');
  const bursts = t.producers.map((producer) => producer.burst(40));
  await until(() => Object.values(t.groups).every((f) => under(f) > 0), 'it has work in hand');
  await Promise.all(bursts);
  await victim.kill();
}

// One of two nodes is killed: the other runs, in time, all that was sent until then.
function takeover(name, options, ms) {
  story(name, { ...both, ...options }, async (t, seed) => {
    const random = new Random(seed);
    for (const data of ['a', 'b']) await t.node(data).start();
    for (const producer of t.producers) producer.start();
    const end = Date.now() + SECONDS * 1000;
    do {
      await pause(random.between(100, 500));
      const victim = random.pick(t.nodes);
      t.note(`kill ${victim.name}`);
      await t.during({ again: 1 }, () => killAtWork(t, victim));
      const sent = t.audit.sent();
      await until(
        () => t.audit.open(sent).length === 0,
        () => `the other node takes over: ${t.audit.open(sent).slice(0, 10).join(' ')}`,
        ms,
      );
      t.note('taken over');
      await t.restart(victim);
    } while (Date.now() < end);
    await t.balance();
  });
}

// With a common store the silence of a node's heartbeat tells, long before claimIdleMs.
takeover('A node is killed, common store', { store: true, binding: { claimIdleMs: 30000 } }, 5000);
takeover('A node is killed, own stores', { binding: { claimIdleMs: 1000 } }, 5000);

trial('Two nodes under faults, common store', { ...both, faults: FAULTS, store: true });
