// The lines that tests and tools look for, byte for byte.

import assert from 'node:assert/strict';
import { list, pubsub, stream } from '../lib/app.js';
import { FAIL } from '../lib/code.js';
import { deadLetters } from '../lib/keys.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

const GUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const TIME = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{7}Z';
const fixed = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

// The one message that matches; named groups of `pattern` are its variable parts.
function only(node, pattern) {
  const found = node.messages().filter((message) => pattern.test(message));
  assert.equal(found.length, 1, `${pattern}: ${found}`);
  return found[0].match(pattern).groups ?? {};
}

scenario('The start and the runs', async (w) => {
  const { cli } = await w.redis();
  const reasons = {
    L: "Redis list entry detected from key 'q' at ",
    S: "Redis stream entry detected from key 's' at ",
    P: "Redis pubsub message detected from channel 'ch1' at ",
    Bad: "Redis list entry detected from key 'bad' at ",
  };
  const node = await w.up({
    functions: {
      L: list('%key%'),
      S: stream('s'),
      P: pubsub('ch*'),
      Bad: list('bad', { maxDeliveryCount: 1 }, FAIL),
    },
    settings: { key: 'q' },
  });
  assert.deepEqual(
    node.messages().filter((message) => /^(Generating|Job host|Host started)/.test(message)).slice(0, 2),
    ['Generating 4 job function(s)', 'Job host started'],
  );
  only(node, /^Host started \(\d+ms\)$/);
  await cli.rpush('q', 'x');
  await cli.xadd('s', '*', 'a', 'b');
  await cli.publish('ch1', 'x');
  await cli.rpush('bad', 'x');
  for (const f of ['L', 'S', 'P']) await node.succeeds(f, 1);
  await node.fails('Bad', 1);
  for (const [f, reason] of Object.entries(reasons)) {
    const began = only(
      node,
      new RegExp(
        `^Executing 'Functions\\.${f}' \\(Reason='${fixed(reason)}${TIME}\\.', Id=(?<id>${GUID})\\)$`,
      ),
    );
    const ended = only(
      node,
      new RegExp(
        `^Executed 'Functions\\.${f}' \\(${f === 'Bad' ? 'Failed' : 'Succeeded'}, Id=(?<id>${GUID}), Duration=\\d+ms\\)$`,
      ),
    );
    assert.equal(began.id, ended.id);
  }
});

scenario('Listeners say who they are, once for each thing that happens', async (w) => {
  const { cli } = await w.redis();
  const one = { maxDeliveryCount: 1, claimIdleMs: 300 };
  const node = await w.up({
    L: list('q r', one, FAIL),
    S: stream('s', { ...one, consumerGroup: 'mine' }, FAIL),
    P: pubsub('ch', { pattern: false, connection: 'redis' }),
    U: pubsub('%nobody%'),
  });
  const s = `^\\[Name:S\\]\\[Trigger:RedisStreamTrigger\\]\\[ConsumerGroup:mine\\]\\[Key:s\\]\\[Consumer:(?<consumer>${GUID})\\] `;
  const l = '^\\[Name:L\\]\\[Trigger:RedisListTrigger\\]\\[Key:q r\\] ';
  const made = only(node, new RegExp(`${s}consumer group created$`));
  only(node, /^\[Name:P\]\[Trigger:RedisPubSubTrigger\]\[Channel:ch\] this node subscribes$/);
  only(node, /^U: U\/function\.json: bindings\[0\]\.channel: .*%nobody%|^U: .*'%nobody%'/);
  await cli.rpush('q', 'x');
  const id = await cli.xadd('s', '*', 'a', 'b');
  for (const f of ['L', 'S'])
    await until(async () => (await deadLetters(cli, f)).length === 1, `a dead letter of ${f}`);
  await node.line(new RegExp(`${s}entry `));
  await node.line(new RegExp(`${l}an element `));
  only(node, new RegExp(`${l}an element was dead-lettered after 1 deliveries: ValueError: always$`));
  only(node, new RegExp(`${s}entry ${id} was dead-lettered after 1 deliveries: ValueError: always$`));
  const [, consumer] = (await cli.xinfo('CONSUMERS', 's', 'mine'))[0];
  assert.equal(consumer, made.consumer);
  await cli.del('s');
  await node.line(new RegExp(`${s}consumer group created again$`));
  only(node, new RegExp(`${s}consumer group created again$`));
});

scenario('Long names do not hide what comes behind them', async (w) => {
  const { cli } = await w.redis();
  const key = 'k'.repeat(300);
  const name = `S${'x'.repeat(100)}`;
  const node = await w.up({
    [name]: stream(key, { consumerGroup: 'g'.repeat(100) }),
    P: pubsub('\u00e9*'),
  });
  await cli.xadd(key, '*', 'a', 'b');
  await cli.publish('\u00e9'.repeat(2000), 'x');
  await node.succeeds(name, 1);
  await node.succeeds('P', 1);
  only(node, new RegExp(`^Executing 'Functions.P' .* channel '\u00e9{512}' at ${TIME}.', Id=${GUID}\\)$`));
  only(
    node,
    new RegExp(
      `^\\[Name:${name}\\]\\[Trigger:RedisStreamTrigger\\]\\[ConsumerGroup:g{100}\\]\\[Key:k{300}\\]\\[Consumer:${GUID}\\] consumer group created$`,
    ),
  );
});
