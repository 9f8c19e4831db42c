// N37: what each key of a connection string does, seen by a proxy between redgrid and the server.

import assert from 'node:assert/strict';
import { list, pubsub, stream } from '../lib/app.js';
import { Proxy } from '../lib/proxy.js';
import { scenario } from '../lib/scenario.js';

class Witness extends Proxy {
  said = '';

  watch(chunk) {
    this.said += chunk.toString('latin1');
    return super.watch(chunk);
  }
}

const word = (text) => `\\$\\d+\r\n${text}\r\n`;
const command = (...words) => new RegExp(`\\*\\d+\r\n${words.map(word).join('')}`, 'i');
const BLOCKS = new RegExp(`${command('B(LMOVE|RPOPLPUSH|LPOP|RPOP|LMPOP)').source}|${word('BLOCK')}`);
const renamed = (...names) =>
  names.map((name) => `${name} ${name}2`).join('\nrename-command ');
const NO_INFO = ['-info', '-command'];

const rows = {
  'nothing said': {
    text: '',
    says: [
      command('BLMOVE'),
      BLOCKS,
      command('CLIENT', 'SETINFO', 'LIB-NAME', 'redgrid'),
      command('CLIENT', 'SETNAME', 'AzureFunctionsRedisExtension.L'),
      command('PSUBSCRIBE', 'ch'),
    ],
    not: [command('HELLO'), command('SELECT'), command('AUTH')],
  },
  'proxy=twemproxy': { not: [BLOCKS] },
  'proxy=envoyproxy': { not: [BLOCKS] },
  'proxy=none': { says: [BLOCKS] },
  'name=mine': { says: [command('CLIENT', 'SETNAME', 'mine')], not: [/AzureFunctions/] },
  'setlib=false': { not: [command('CLIENT', 'SETINFO')] },
  'protocol=resp3': { says: [command('HELLO', '3')] },
  'protocol=resp2': { not: [command('HELLO')] },
  'defaultDatabase=5': { says: [command('SELECT', '5')] },
  'channelPrefix=pre:': { says: [command('PSUBSCRIBE', 'pre:ch')], channel: 'pre:ch' },
  '$EVAL=eval2,$XACK=xack2,$PSUBSCRIBE=psubscribe2,$BLMOVE=blmove2': {
    settings: { 'rename-command': renamed('eval', 'xack', 'psubscribe', 'blmove') },
    says: [command('blmove2'), command('eval2'), command('xack2')],
  },
  '$BLMOVE=,$COMMAND=': { not: [command('BLMOVE'), command('COMMAND')] },
  'version=6.0, where INFO and COMMAND are refused': {
    text: 'version=6.0',
    refused: NO_INFO,
    not: [command('BLMOVE')],
  },
  'version=7.0, where INFO and COMMAND are refused': {
    text: 'version=7.0',
    refused: NO_INFO,
    says: [command('BLMOVE')],
  },
};

for (const [name, row] of Object.entries(rows)) {
  scenario(`N37 ${name}`, async (w) => {
    const { cli, port } = await w.redis({ settings: row.settings });
    const witness = await new Witness(port).start();
    const short = { pollingIntervalInMs: 100 };
    if (row.refused) await cli.acl('SETUSER', 'default', ...row.refused);
    const node = await w.up({
      functions: { L: list('q', short), S: stream('s', short), P: pubsub('ch') },
      settings: { redis: `${witness.address},${row.text ?? name}` },
    });
    if (/Database/.test(name)) await cli.select(5);
    await cli.rpush('q', 'x');
    await cli.xadd('s', '*', 'a', 'b');
    await cli.publish(row.channel ?? 'ch', 'hi');
    for (const f of ['L', 'S', 'P']) await node.succeeds(f, 1);
    assert.deepEqual(node.values().sort(), [
      '{"Trigger":"ch","Message":"hi"}',
      '{"Trigger":"q","Message":"x"}',
      '{"Trigger":"s","Message":"{\\"a\\":\\"b\\"}"}',
    ]);
    for (const pattern of row.says ?? []) assert.ok(pattern.test(witness.said), `says ${pattern}`);
    for (const pattern of row.not ?? []) assert.ok(!pattern.test(witness.said), `not ${pattern}`);
    await node.stop();
    await witness.stop();
  });
}
