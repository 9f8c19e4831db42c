import assert from 'node:assert/strict';
import { deadLetters, pending, processing } from '../lib/keys.js';
import { list, stream } from '../lib/app.js';
import { record } from '../lib/code.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';
import { tally } from './audit.js';
import { functionFor } from './functions.js';

const send = (cli, kind, label) =>
  kind === 'list' ? cli.rpush(kind, label) : cli.xadd(kind, '*', 'n', label);

const labelOf = (letter) => letter.element ?? letter['f:n'];

async function nothingLeft(cli, kind) {
  await until(
    async () =>
      kind === 'list'
        ? (await cli.llen('list')) + (await processing(cli)).length === 0
        : (await pending(cli, 'stream')) === 0,
    'nothing is left unacknowledged',
  );
}

// A message that kills its worker each time it runs. One at a time, so that it never dies with
// others, which would run twice; and three deaths make the whole app pause for a minute.
for (const kind of ['list', 'stream']) {
  for (const lang of ['c', 'python']) {
    scenario(`A message that kills its worker, ${kind}, ${lang}`, async (w) => {
      const { cli } = await w.redis();
      const binding = { count: 1, claimIdleMs: 300, maxDeliveryCount: 2 };
      const functions = { F: functionFor(kind, lang, binding, 'crash') };
      const node = await w.up({ lang, functions });
      const good = Array.from({ length: 20 }, (_, i) => `${kind}:${i}.1`);
      const bad = `${kind}:100.0`;
      for (const label of [...good.slice(0, 10), bad, ...good.slice(10)])
        await send(cli, kind, label);
      const dead = () => deadLetters(cli, 'F');
      await until(async () => (await dead()).length > 0, 'it is in the dead letters', 20000);
      await until(() => tally(w.ledger()).ends.size >= good.length, 'the others run');
      await nothingLeft(cli, kind);
      const letters = await dead();
      assert.deepEqual(letters.map(labelOf), [bad], 'it alone is');
      assert.equal(letters[0].deliveries, '2');
      assert.match(letters[0].error, /SIGABRT/);
      const { starts, ends } = tally(w.ledger());
      assert.equal(starts.get(bad), 2, 'it ran as often as it may');
      for (const label of good) assert.equal(ends.get(label), 1, `${label} ran once`);
      await node.stop();
    });
  }

  // A message during which the daemon dies each time is given up without being run again.
  scenario(`A message that kills the daemon, ${kind}`, async (w) => {
    const { cli } = await w.redis();
    const binding = { claimIdleMs: 30000, maxDeliveryCount: 3 };
    const code = record('testlib.wait_for("go")');
    const app = w.app({ F: (kind === 'list' ? list : stream)(kind, binding, code) });
    await send(cli, kind, `${kind}:1.1`);
    for (let time = 1; time <= 3; time++) {
      const node = await w.up(app, { data: w.path('data') });
      await until(() => w.ledger().length === time, () => `run ${time}: ${w.ledger().length}`);
      await node.kill();
    }
    const node = await w.up(app, { data: w.path('data') });
    await until(async () => (await deadLetters(cli, 'F')).length === 1, 'it is dead-lettered');
    await nothingLeft(cli, kind);
    const [letter] = await deadLetters(cli, 'F');
    assert.equal(labelOf(letter), `${kind}:1.1`);
    assert.equal(letter.deliveries, '3');
    assert.equal(w.ledger().length, 3, 'not run a fourth time');
    await node.stop();
  });
}
