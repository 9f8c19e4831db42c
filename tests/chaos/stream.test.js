import { FAULTS } from './faults.js';
import { trial } from './trial.js';

for (const lang of ['c', 'python'])
  trial(`Streams under faults, ${lang}`, { kinds: ['stream'], lang, faults: FAULTS });
