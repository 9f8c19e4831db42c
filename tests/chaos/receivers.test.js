// Receivers that do whatever receivers do, while nodes and stores are killed.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { makeCertificate, trusting } from '../lib/certificate.js';
import { queuesOf } from './event-audit.js';
import { eventStory } from './event-trial.js';
import { FAULTS } from './event-faults.js';
import { KILLS } from './random.js';

// The timeout of a delivery, its delay, and the rest of its endpoint; the lock of what nobody got. In
// long trials some events have failed more often, and wait longer.
const SETTLE_MS = KILLS ? 900000 : 90000;
const MOODS = ['500', '503', 'reset', 'half a body', 'half a head', 'good'];

const every = (k) => (n) => n % k === 0;

// What is to be dead comes seldom: an endpoint that fails all the time is left alone for longer and
// longer, and so its events are not given up at once.
const SELDOM = [
  [1, 4],
  [101, 104],
];
const isSeldom = (n) => SELDOM.some(([low, high]) => n >= low && n <= high);

function subscriptions({ own, foreign }) {
  const inRange = { operatorType: 'NumberInRange', key: 'data.n', values: SELDOM };
  const https = { wants: isSeldom, filter: { advancedFilters: [inRange] }, tls: foreign };
  return {
    moody: { wants: every(1) },
    'moody-batch': { wants: every(1), destination: { maxEventsPerBatch: 10 } },
    silent: { wants: every(1), mood: 'held' },
    refusing: { wants: every(3), filter: { includedEventTypes: ['paid'] }, mood: '400' },
    pulled: { wants: every(1), isPulled: true },
    secure: { wants: every(1), tls: own },
    foreign: { ...https, more: { retryPolicy: { maxDeliveryAttempts: 1 } } },
    renewed: https,
  };
}

const DEAD = {
  refusing: 'UndeliverableDueToHttpBadRequest',
  foreign: 'MaxDeliveryAttemptsExceeded',
};

async function reasonsOf(t, name) {
  const dead = await (await queuesOf(t.cli)).get(name).dead();
  return [...new Set([...dead.values()].map(({ reason }) => reason))];
}

eventStory(
  'Receivers that are slow, silent, ill, or not who they say they are',
  {
    perSecond: 80,
    drainMs: 500, // some never answer
    certificates: (t) => ({
      own: makeCertificate(t.w.path('own'), 'IP:127.0.0.1'),
      foreign: makeCertificate(t.w.path('foreign'), 'DNS:elsewhere.example'),
    }),
    env: (t) => trusting(t.w.folder, Object.values(t.certificates)),
    subscriptions: (t) => subscriptions(t.certificates),
  },
  async (t) => {
    const moody = ['moody', 'moody-batch'].map((name) => t.receiverOf(name));
    const renewed = t.receiverOf('renewed');
    for (const receiver of moody) receiver.share = 0.3;
    let isCalm = false;
    const moods = (async () => {
      while (!isCalm) {
        for (const receiver of moody) receiver.mood = t.random.pick(MOODS);
        await pause(t.random.between(100, 600));
      }
    })();
    await t.suffer(FAULTS);
    isCalm = true;
    await moods;
    for (const receiver of [...moody, t.receiverOf('silent')]) receiver.mood = 'good';
    assert.equal(renewed.taken.size, 0, 'nothing is sent to whom the certificate does not name');
    renewed.present(t.certificates.own);
    await t.balance(SETTLE_MS, async () => {
      for (const [name, reason] of Object.entries(DEAD)) {
        assert.equal(t.receiverOf(name).taken.size, 0, name);
        assert.deepEqual(await reasonsOf(t, name), [reason]);
      }
    });
  },
);
