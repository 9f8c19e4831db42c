import { FAULTS } from './faults.js';
import { trial } from './trial.js';

for (const lang of ['c', 'python'])
  trial(`Lists under faults, ${lang}`, { kinds: ['list'], lang, faults: FAULTS });

trial('Lists under faults, two nodes, without scripts', {
  kinds: ['list'],
  lang: 'c',
  nodes: 2,
  store: true,
  faults: FAULTS,
  without: ['eval', 'evalsha', 'script'],
});
