// Who may publish: keys, SAS tokens, and what ends them (spec A1..A6).

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { AzureKeyCredential } from '@azure/eventgrid';
import { gridEvent } from '../lib/events.js';
import { scenario } from '../lib/scenario.js';
import { publisher, sas } from '../lib/sdk.js';

const EVENT = [{ subject: 's', eventType: 'made', dataVersion: '1', data: {} }];

async function assertDenied(sent, status = 401) {
  await assert.rejects(sent, (error) => error.statusCode === status && /denied|nauthorized/i.test(error.code));
}

scenario('A1 No key, an empty one, a wrong one, and none at all', async (w) => {
  const events = await w.events();
  await events.topic('orders');
  const body = [gridEvent()];
  const rows = [
    [{}, 401, 'Unauthorized', /one of the following authorization signature/],
    [{ 'aeg-sas-key': '' }, 400, 'InvalidSas', /must have a value for aeg-sas-key/],
    [{ 'aeg-sas-key': Buffer.from('x'.repeat(32)).toString('base64') }, 401, 'Unauthorized', /not authorized for 127\.0\.0\.1:\d+/],
    [{ 'aeg-sas-key': '%%%' }, 401, 'Unauthorized', /not a valid Base-64 string/],
  ];
  for (const [headers, status, code, text] of rows) {
    const answer = await events.publish('orders', body, headers);
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.json.error.details[0].code, code);
    assert.match(answer.json.error.message, text);
  }
});

scenario('A2 The key in the query, and the second key', async (w) => {
  const events = await w.events();
  const { key1, key2 } = await events.topic('orders');
  const where = `/topics/orders/api/events?aeg-sas-key=${encodeURIComponent(key1)}`;
  const type = { 'content-type': 'application/json' };
  assert.equal((await events.ask('POST', where, [gridEvent()], type)).status, 200);
  const second = await events.publish('orders', [gridEvent()], { 'aeg-sas-key': key2 });
  assert.equal(second.status, 200);
});

scenario('A3 Tokens of the SDK, in both headers', async (w) => {
  const events = await w.events();
  const topic = await events.topic('orders');
  for (const key of [topic.key1, topic.key2]) {
    const { text, credential } = await sas(topic, key);
    await publisher(topic, 'EventGrid', credential).send(EVENT);
    for (const headers of [
      { 'aeg-sas-token': text },
      { authorization: `SharedAccessSignature ${text}` },
    ]) {
      const answer = await events.publish('orders', [gridEvent()], headers);
      assert.equal(answer.status, 200, answer.text);
    }
  }
});

scenario('A4 Tokens that are expired, changed, or for another topic', async (w) => {
  const events = await w.events();
  const topic = await events.topic('orders');
  const other = await events.topic('others');
  const { text } = await sas(topic, topic.key1);
  const expired = await sas(topic, topic.key1, new Date(Date.now() - 60000));
  const foreign = await sas(other, topic.key1);
  const swap = (at) => text.slice(0, at) + (text[at] === '1' ? '2' : '1') + text.slice(at + 1);
  const bad = [
    expired.text,
    foreign.text,
    swap(text.indexOf('r=') + 12),
    swap(text.indexOf('e=') + 2),
    swap(text.indexOf('s=') + 5),
  ];
  for (const token of bad) {
    const answer = await events.publish('orders', [gridEvent()], { 'aeg-sas-token': token });
    assert.equal(answer.status, 401, token);
  }
  assert.equal(
    (await events.publish('orders', [gridEvent()], { 'aeg-sas-token': text })).status,
    200,
  );
});

scenario('A5 A regenerated key ends itself and its tokens, at once', async (w) => {
  const events = await w.events();
  const topic = await events.topic('orders');
  const token = await sas(topic, topic.key1);
  await publisher(topic, 'EventGrid').send(EVENT);
  const now = await events.must('POST', '/api/topics/orders/regenerate', { keyName: 'key1' });
  assert.notEqual(now.key1, topic.key1);
  assert.equal(now.key2, topic.key2);
  await assertDenied(publisher(topic, 'EventGrid').send(EVENT));
  await assertDenied(publisher(topic, 'EventGrid', token.credential).send(EVENT));
  await publisher(topic, 'EventGrid', new AzureKeyCredential(topic.key2)).send(EVENT);
  await publisher(topic, 'EventGrid', new AzureKeyCredential(now.key1)).send(EVENT);
});

scenario('A6 A topic without local authorization refuses keys and tokens', async (w) => {
  const events = await w.events();
  const topic = await events.topic('orders', { disableLocalAuth: true });
  await assertDenied(publisher(topic, 'EventGrid').send(EVENT));
  const { credential } = await sas(topic, topic.key1);
  await assertDenied(publisher(topic, 'EventGrid', credential).send(EVENT));
});

scenario('The API asks for the token, publishing for the key', async (w) => {
  const events = await w.events({ env: { REDGRID_LISTEN_TOKEN: 'secret' } });
  const bearer = { authorization: 'Bearer secret' };
  assert.equal((await events.ask('PUT', '/api/topics/orders', {})).status, 401);
  assert.equal((await events.ask('PUT', '/api/topics/orders', {}, bearer)).status, 200);
  const { json } = await events.ask('GET', '/api/topics/orders/keys', undefined, bearer);
  const sent = await events.publish('orders', [gridEvent()], { 'aeg-sas-key': json.key1 });
  assert.equal(sent.status, 200);
});

// The head alone is sent: who waited for the body before he says no would wait for ever.
scenario('Nobody without a credential may send a body', async (w) => {
  const events = await w.events({ env: { REDGRID_LISTEN_TOKEN: 'secret' } });
  const bearer = { authorization: 'Bearer secret' };
  assert.equal((await events.ask('PUT', '/api/topics/orders', {}, bearer)).status, 200);
  const rows = [
    ['POST /topics/orders/api/events', 401],
    ['POST /topics/orders:publish', 401],
    ['POST /topics/unknown/api/events', 404],
    ['PUT /api/topics/other', 401],
  ];
  for (const [start, status] of rows) {
    const head = `${start} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16000000\r\n\r\n`;
    const client = net.connect(events.node.port(), '127.0.0.1');
    client.write(head);
    const [first] = await once(client, 'data');
    assert.match(first.toString(), new RegExp(`^HTTP/1.1 ${status} `));
    client.destroy();
  }
});
