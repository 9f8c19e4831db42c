import { FAULTS } from './faults.js';
import { trial } from './trial.js';

for (const lang of ['c', 'python'])
  trial(`Lists under faults, ${lang}`, { kinds: ['list'], lang, faults: FAULTS });
