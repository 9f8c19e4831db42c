import assert from 'node:assert/strict';
import { list, pubsub } from '../lib/app.js';
import { numbers } from '../lib/keys.js';
import { scenario } from '../lib/scenario.js';

scenario(
  'Python: logs carry function, invocation and level; printed lines are whole',
  async (w) => {
    const { cli } = await w.redis();
    const code = `
import logging
import sys

def main(entry):
    logging.getLogger("shop.orders").debug("debug %s", entry)
    logging.info("info %s", entry)
    logging.warning("warning %s", entry)
    logging.error("error %s", entry)
    for _ in range(20):
        print("printed", entry, "to", "the", "end")
    print("on stderr", entry, file=sys.stderr)
`;
    const node = await w.up({ F: list('q', { payload: 'value', count: 50 }, { code }) });
    await cli.rpush('q', ...numbers(50));
    await node.succeeds('F', 50);
    const ids = new Map(
      node.find(/^Executing /).map((one) => [one.message.match(/Id=([0-9a-f-]{36})/)[1], 0]),
    );
    assert.equal(ids.size, 50);
    for (const [word, level] of [
      ['info', 'info'],
      ['warning', 'warn'],
      ['error', 'error'],
    ]) {
      const found = node.find(new RegExp(`^${word} \\d+$`));
      assert.equal(found.length, 50);
      for (const one of found) {
        assert.equal(one.level, level);
        assert.equal(one.function, 'F');
        assert.ok(ids.has(one.invocation), `an invocation of ours: ${one.invocation}`);
      }
      assert.equal(new Set(found.map((one) => one.invocation)).size, 50);
    }
    assert.equal(node.count(/^debug/), 0);
    assert.equal(node.count(/^printed \d+ to the end$/), 1000);
    assert.equal(node.count(/^on stderr \d+$/), 50);
  },
);

scenario('Python: async, shared modules, the model of the requirements', async (w) => {
  const { cli } = await w.redis();
  const code = `
import logging

from . import helper
from ..shared import thing
import shared.thing

class RedisMessageModel:
    def __init__(self, trigger, message):
        self.Trigger = trigger
        self.Message = message

async def main(entry: RedisMessageModel):
    logging.info("triggerValue:%s", " ".join([entry.Trigger, entry.Message, helper.WORD, thing.WORD]))
`;
  const node = await w.up({
    functions: { F: list('q', {}, { code }) },
    files: {
      'F/helper.py': 'WORD = "helper"\n',
      'shared/__init__.py': '',
      'shared/thing.py': 'WORD = "thing"\n',
    },
  });
  await cli.rpush('q', 'hello');
  await node.succeeds('F', 1);
  assert.deepEqual(node.values(), ['q hello helper thing']);
});

scenario('Python: a script that does not load puts its function in error', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({
    Import: list('a', {}, { code: 'import no_such_module\n\ndef main(entry):\n    pass\n' }),
    Syntax: list('b', {}, { code: 'def main(entry)\n    pass\n' }),
    Names: list('c', {}, { code: 'def main(message):\n    pass\n' }),
    Main: list('d', {}, { code: 'def other(entry):\n    pass\n' }),
    Good: pubsub('ch'),
  });
  for (const [name, text] of [
    ['Import', /no_such_module/],
    ['Syntax', /SyntaxError|expected ':'/],
    ['Names', /takes message, but no binding/],
    ['Main', /no function main\(\)/],
  ]) {
    const found = node.records.filter(
      (one) => one.level === 'error' && `${one.function} ${one.message}`.includes(name),
    );
    assert.ok(
      found.some((one) => text.test(one.message)),
      `${name}: ${text}`,
    );
    const status = await (await node.get(`/api/functions/${name}`)).json();
    assert.equal(status.state, 'error');
    assert.match(status.error, text);
  }
  await cli.publish('ch', 'x');
  await node.succeeds('Good', 1);
});

scenario('Python: what fails says why, with the trace of the user code', async (w) => {
  const { cli } = await w.redis();
  const code = 'def helper():\n    raise ValueError("no luck")\n\ndef main(entry):\n    helper()\n';
  const node = await w.up({ F: list('q', { maxDeliveryCount: 1 }, { code }) });
  await cli.rpush('q', 'x');
  await node.fails('F', 1);
  assert.ok(node.has(/ValueError: no luck/));
  assert.ok(node.has(/__init__\.py", line 2, in helper/), 'the trace');
  assert.ok(!node.has(/redgrid_worker/), 'nothing of ours');
});

scenario('Python: blocking functions do not wait for each other, nor for the loop', async (w) => {
  const { cli } = await w.redis();
  const code = `
import threading
barrier = threading.Barrier(50)

def main(entry):
    barrier.wait(20)
`;
  const node = await w.up({ F: list('q', { count: 50 }, { code }) });
  await cli.rpush('q', ...numbers(50));
  await node.succeeds('F', 50);
});
