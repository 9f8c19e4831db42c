// Whoever is killed, and whenever: what a publisher was answered 200 for arrives, everywhere.

import { FAULTS } from './event-faults.js';
import { eventStory } from './event-trial.js';

for (const store of [false, true])
  eventStory(`Events under kills, ${store ? 'external' : 'private'} store`, { store }, async (t) => {
    await t.suffer(FAULTS);
    await t.balance();
  });

eventStory('Events under kills, two nodes on one store', { store: true, nodes: 2 }, async (t) => {
  await t.suffer(FAULTS);
  await t.balance();
});
