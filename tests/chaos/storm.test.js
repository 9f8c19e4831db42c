import { setTimeout as pause } from 'node:timers/promises';
import { Random, SECONDS } from './random.js';
import { story } from './trial.js';

const both = { kinds: ['list', 'stream'], lang: 'c' };

story('A daemon that is killed every 300 ms', both, async (t, seed) => {
  const random = new Random(seed);
  await t.node('data').start(); // compiles the functions
  for (const producer of t.producers) producer.start();
  const end = Date.now() + SECONDS * 1250;
  while (Date.now() < end) {
    const [node] = t.nodes;
    await pause(random.between(100, 500));
    t.note('kill the daemon');
    await t.during({ again: 1 }, () => node.kill());
    t.nodes = [];
    t.node('data').spawn();
  }
  t.note('calm');
  await t.balance();
});
