// Two nodes on one store: what one leaves behind the other takes over in time, and what is changed
// on one is in force on the other.

import { setTimeout as pause } from 'node:timers/promises';
import { Events } from '../lib/events.js';
import { until } from '../lib/until.js';
import { eventStory } from './event-trial.js';
import { KILLS, SECONDS } from './random.js';

const TAKEN_OVER_MS = 5000;
const IN_FORCE_MS = 1000;

// Its receivers hold what they get, so that it is sure to die with work in its hands.
async function killAtWork(t, victim) {
  const receivers = t.subscriptions.map((one) => one.receiver);
  for (const receiver of receivers) receiver.mood = 'held';
  await until(
    () => receivers.every(({ held }) => held.length >= 4),
    'it has work in hand',
  );
  await t.kill(victim);
  const before = t.audit.expected();
  for (const receiver of receivers) receiver.release();
  return before;
}

async function rounds(t, round) {
  const end = Date.now() + SECONDS * 1000;
  do {
    await pause(t.random.between(100, 500));
    await round();
  } while (Date.now() < end || t.kills < KILLS);
}

const both = { store: true, nodes: 2 };

eventStory('A node is killed: its deliveries are taken over in time', both, async (t) => {
  await rounds(t, async () => {
    const victim = t.random.pick(t.nodes);
    t.note(`kill ${victim.name}`);
    const before = await killAtWork(t, victim);
    await t.settle(before, TAKEN_OVER_MS);
    t.note('taken over');
    await t.again(victim).start();
  });
  await t.balance();
});

// Each round makes a subscription on one node and removes it on the other.
eventStory('A change on one node is in force on the other in time', both, async (t) => {
  let round = 0;
  await rounds(t, async () => {
    const [one, other] = t.random.shuffled(t.nodes).map((node) => t.events(node));
    const name = `late${++round}`;
    const receiver = await t.receiver();
    t.note(name);
    await one.subscription('orders', name, Events.to(receiver.url()));
    const changed = Date.now();
    const sent = [];
    await until(
      async () => {
        sent.push(...(await t.publishers[0].send(1, other.node.httpPort)));
        return sent.some((id) => receiver.taken.has(id));
      },
      'it gets what is published on the other node',
      IN_FORCE_MS,
    );
    t.note(`in force after ${Date.now() - changed} ms`);
    await other.must('DELETE', `/api/subscriptions/${name}?topic=orders`);
    await until(
      async () => (await one.ask('GET', `/api/subscriptions/${name}?topic=orders`)).status === 404,
      'it is gone on the node that made it',
      IN_FORCE_MS,
    );
    if (round % 3 === 0) {
      const victim = t.random.pick(t.nodes);
      await t.kill(victim);
      await t.again(victim).start();
    }
  });
  await t.balance();
});
