import { DAMAGE, FAULTS } from './faults.js';
import { trial } from './trial.js';

const faults = {
  ...DAMAGE,
  'kill the daemon': FAULTS['kill the daemon'],
  'kill the clients': FAULTS['kill the clients'],
};

trial('Groups and streams deleted', { kinds: ['stream'], lang: 'c', faults });
trial('Groups and streams deleted, entries deleted when done', {
  kinds: ['stream'],
  lang: 'c',
  faults,
  binding: { deleteAfterProcess: true },
});
