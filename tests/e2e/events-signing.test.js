// Deliveries that are signed as Standard Webhooks has it, checked by its own package.

import assert from 'node:assert/strict';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { must } from '../lib/command.js';
import { Events, cloudEvent, gridEvent } from '../lib/events.js';
import { scenario } from '../lib/scenario.js';

const GIVEN = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const signed = (signing, more) => ({ signing, ...more });

const verify = (secret, { text, headers }) => new Webhook(secret).verify(text, headers);
const refuses = (secret, delivery) =>
  assert.throws(() => verify(secret, delivery), WebhookVerificationError);

const command = async (events, words) =>
  JSON.parse(await must(events, ...words, '--output', 'json'));

function secretsOf(events, name, action = 'getSigningSecrets', body = undefined) {
  return events.ask('POST', `/api/subscriptions/${name}/${action}?topic=orders`, body);
}

async function publish(events, count = 1) {
  const batch = Array.from({ length: count }, () => gridEvent({ data: { text: 'é.' } }));
  assert.equal((await events.publish('orders', batch)).status, 200);
  return batch;
}

scenario('S1 A secret that was given; the id stays over attempts', { timeout: 120000 }, async (w) => {
  const events = await w.events();
  const hook = await w.hook({ answers: [500] });
  const plain = await w.hook();
  await events.topic('orders');
  const signing = signed({ secret: GIVEN });
  const shown = await events.subscription('orders', 'es1', Events.to(hook.url(), {}, signing));
  await events.subscription('orders', 'plain', Events.to(plain.url()));
  assert.deepEqual(shown.properties.destination.properties.signing, {
    isEnabled: true,
    secret: 'Hidden',
  });
  const [event] = await publish(events);
  const [first, second] = await hook.getsRequests(2, 60000);
  for (const delivery of [first, second]) {
    assert.equal(verify(GIVEN, delivery)[0].id, event.id);
    refuses('whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=', delivery);
    refuses(GIVEN, { ...delivery, text: delivery.text.replace('é', 'e') });
  }
  assert.equal(first.headers['webhook-id'], second.headers['webhook-id']);
  assert.notEqual(first.headers['webhook-timestamp'], second.headers['webhook-timestamp']);
  await publish(events);
  const third = (await hook.getsRequests(3)).at(-1);
  assert.notEqual(third.headers['webhook-id'], first.headers['webhook-id']);
  await plain.gets(2);
  assert.equal(plain.deliveries()[0].headers['webhook-signature'], undefined);
});

scenario('S2 A secret made here, rotated, and ended', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  await events.topic('orders');
  const to = Events.to(hook.url(), {}, signed({ isEnabled: true }));
  await events.subscription('orders', 'es1', to);
  const newest = async () => {
    const { length } = hook.deliveries();
    await publish(events);
    return (await hook.getsRequests(length + 1)).at(-1);
  };
  const one = (await secretsOf(events, 'es1')).json;
  assert.deepEqual(Object.keys(one), ['secret']);
  verify(one.secret, await newest());

  await events.subscription('orders', 'es1', to); // said again, it is the same
  assert.deepEqual((await secretsOf(events, 'es1')).json, one);

  const two = (await secretsOf(events, 'es1', 'rotateSigningSecret')).json;
  assert.equal(two.previousSecret, one.secret);
  assert.notEqual(two.secret, one.secret);
  const both = await newest();
  verify(one.secret, both);
  verify(two.secret, both);

  const end = { keepPrevious: false, secret: GIVEN };
  const three = (await secretsOf(events, 'es1', 'rotateSigningSecret', end)).json;
  assert.deepEqual(three, { secret: GIVEN });
  const last = await newest();
  verify(GIVEN, last);
  refuses(two.secret, last);

  const bad = await secretsOf(events, 'es1', 'rotateSigningSecret', { secret: 'whsec_x' });
  assert.equal(bad.status, 400);
  assert.match(bad.json.error.message, /signing\.secret: is not whsec_/);
  const text = JSON.stringify(await events.must('GET', '/api/subscriptions'));
  assert.ok(!text.includes('whsec_'));
});

scenario('S3 Batches, CloudEvents, and the commands', async (w) => {
  const events = await w.events();
  const [single, batch] = [await w.hook(), await w.hook()];
  await events.topic('orders', { inputSchema: 'CloudEventSchemaV1_0' });
  await command(events, [
    ...['subscription', 'create', 'single', '--topic', 'orders', '--endpoint', single.url()],
    ...['--sign', 'yes'],
  ]);
  await command(events, [
    ...['subscription', 'create', 'batch', '--topic', 'orders', '--endpoint', batch.url()],
    ...['--max-events-per-batch', '10', '--signing-secret', GIVEN],
  ]);
  const named = ['subscription', 'secrets', 'single', '--topic', 'orders'];
  const { secret } = await command(events, named);
  const rotated = await command(events, [...named, '--rotate', 'yes']);
  assert.equal(rotated.previousSecret, secret);
  const headers = {
    'aeg-sas-key': (await events.keys('orders')).key1,
    'content-type': 'application/cloudevents-batch+json',
  };
  const sent = [1, 2, 3].map((n) => cloudEvent({ data: { n } }));
  assert.equal((await events.publish('orders', sent, headers)).status, 200);
  await single.gets(3);
  await batch.gets(3);
  for (const delivery of single.deliveries()) verify(rotated.secret, delivery);
  for (const delivery of batch.deliveries()) verify(GIVEN, delivery);
  const ids = [...single.deliveries(), ...batch.deliveries()].map((d) => d.headers['webhook-id']);
  assert.equal(new Set(ids).size, ids.length);
  await command(events, [
    ...['subscription', 'update', 'single', '--topic', 'orders', '--sign', 'no'],
  ]);
  assert.equal((await secretsOf(events, 'single')).status, 409);
});
