// What was given up: where it lies, in which form, and how it comes back (spec L1..L5).

import assert from 'node:assert/strict';
import net from 'node:net';
import { Azurite } from '../lib/azurite.js';
import { must, redgrid } from '../lib/command.js';
import { Events, cloudEvent, gridEvent } from '../lib/events.js';
import { scenario } from '../lib/scenario.js';
import { receiver, sender } from '../lib/sdk.js';
import { until } from '../lib/until.js';

const ONCE = { retryPolicy: { maxDeliveryAttempts: 1 } };
const WHERE = ['--topic', 'orders', '--subscription', 'es1'];

// Publishes events that the hook refuses, until all are dead.
async function die(events, batch, topic = 'orders', es = 'es1') {
  const before = (await letters(events, topic, es)).length;
  const answer = await events.publish(topic, batch);
  assert.equal(answer.status, 200, answer.text);
  await dead(events, before + batch.length, topic, es);
}

async function letters(events, topic = 'orders', es = 'es1', query = '') {
  const where = `/api/subscriptions/${es}/deadletters?topic=${topic}&limit=1000${query}`;
  return (await events.must('GET', where)).value;
}

async function dead(events, n, topic = 'orders', es = 'es1') {
  let found;
  await until(
    async () => (found = await letters(events, topic, es)).length >= n,
    () => `${n} dead letters, but ${found?.length}`,
  );
  assert.equal(found.length, n);
  return found;
}

const ask = (events, what, body, topic = 'orders', es = 'es1') =>
  events.ask('POST', `/api/subscriptions/${es}/${what}DeadLetters?topic=${topic}`, body);

async function orders(w, hook, more = ONCE, topic = {}) {
  const events = await w.events();
  await events.topic('orders', topic);
  await events.subscription('orders', 'es1', Events.to(hook.url(), more));
  return events;
}

const refusing = (n, status = 400) => ({ answers: Array(n).fill(status) });
const idsOf = (rows) => rows.map(({ deadLetter }) => deadLetter.id);

scenario('L2 L4 Listed, redriven with all attempts before it, and listed no longer', async (w) => {
  const hook = await w.hook(refusing(1, 500));
  const events = await orders(w, hook);
  const sent = gridEvent({ data: { total: 1.1 } });
  await events.publish('orders', [sent]);
  const [letter] = await dead(events, 1);
  assert.equal(letter.place, 'stream');
  const { publishTime, lastDeliveryAttemptTime, ...rest } = letter.deadLetter;
  const { topic } = hook.events()[0];
  assert.deepEqual(rest, {
    ...sent,
    topic,
    metadataVersion: '1',
    deadLetterReason: 'MaxDeliveryAttemptsExceeded',
    deliveryAttempts: 1,
    lastDeliveryOutcome: 'GenericError',
    lastHttpStatusCode: 500,
  });
  assert.ok(Math.abs(Date.now() - Date.parse(publishTime)) < 60000);
  assert.ok(Date.parse(lastDeliveryAttemptTime) >= Date.parse(publishTime));

  const listed = await must(events, 'deadletter', 'list', ...WHERE);
  assert.match(listed, new RegExp(`^${letter.id} +\\S+ +MaxDeliveryAttemptsExceeded +1 `, 'm'));
  const shown = await must(events, 'deadletter', 'show', letter.id, ...WHERE);
  assert.match(shown, /^deadLetter\.data\.total +1\.1/m);
  assert.match(shown, /^lastStatus +500$/m);
  const dry = await must(events, 'deadletter', 'redrive', ...WHERE, '--dry-run');
  assert.match(dry, /^1 dead letter would be redriven/m);
  assert.equal((await letters(events)).length, 1);

  assert.match(await must(events, 'deadletter', 'redrive', ...WHERE), /^1 dead letter was red/);
  const [, again] = await hook.getsRequests(2);
  assert.equal(again.headers['aeg-delivery-count'], '0');
  assert.equal(JSON.parse(again.text)[0].id, sent.id);
  assert.equal((await letters(events)).length, 0);
  const gone = await redgrid(events, ['deadletter', 'show', letter.id, ...WHERE]);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /has no dead letter/);
});

scenario('L3 CloudEvents have lower-case attributes, custom events an envelope', async (w) => {
  const events = await w.events();
  const hook = await w.hook(refusing(3));
  await events.topic('clouds', { inputSchema: 'CloudEventSchemaV1_0' });
  await events.topic('own', {
    inputSchema: 'CustomEventSchema',
    inputSchemaMapping: {
      inputSchemaMappingType: 'Json',
      properties: { eventType: { sourceField: 'kind' }, subject: { defaultValue: 'S' } },
    },
  });
  await events.subscription('clouds', 'es1', Events.to(hook.url(), ONCE));
  const asIs = { ...ONCE, eventDeliverySchema: 'CustomInputSchema' };
  await events.subscription('own', 'es1', Events.to(hook.url(), asIs));
  const headers = {
    'aeg-sas-key': (await events.keys('clouds')).key1,
    'content-type': 'application/cloudevents+json',
  };
  const cloud = cloudEvent({ data: { n: 1 }, tenant: 'blue' });
  assert.equal((await events.publish('clouds', cloud, headers)).status, 200);
  assert.equal((await events.publish('own', [{ kind: 'k', n: 2 }])).status, 200);

  const [first] = await dead(events, 1, 'clouds');
  const { publishtime, lastdeliveryattempttime, ...rest } = first.deadLetter;
  assert.ok(publishtime && lastdeliveryattempttime);
  assert.deepEqual(rest, {
    ...cloud,
    deadletterreason: 'UndeliverableDueToHttpBadRequest',
    deliveryattempts: 1,
    lastdeliveryoutcome: 'BadRequest',
    lasthttpstatuscode: 400,
  });
  const [second] = await dead(events, 1, 'own');
  assert.equal(second.deadLetter.eventType, 'k');
  assert.equal(second.deadLetter.subject, 'S');
  assert.deepEqual(second.deadLetter.data, { kind: 'k', n: 2 });
  assert.equal(second.deadLetter.deadLetterReason, 'UndeliverableDueToHttpBadRequest');
  assert.equal((await ask(events, 'redrive', {}, 'own')).json.redriven, 1);
  assert.deepEqual(JSON.parse((await hook.getsRequests(3))[2].text), [{ kind: 'k', n: 2 }]);
});

scenario('L4 Those that are meant: by id, time, reason and filter', async (w) => {
  const hook = await w.hook({ answers: [400, 400, 400, 413, 400] });
  const events = await orders(w, hook);
  for (const n of [1, 2, 3, 4, 5]) await die(events, [gridEvent({ id: `e${n}`, data: { n } })]);
  const all = await letters(events);
  assert.deepEqual(idsOf(all), ['e1', 'e2', 'e3', 'e4', 'e5']);
  const of = async (body) => idsOf((await ask(events, 'list', body)).json.value);

  assert.deepEqual(await of({ ids: [all[3].id, all[1].id, '1-1'] }), ['e4', 'e2']);
  const reason = 'UndeliverableDueToHttpRequestEntityTooLarge';
  assert.deepEqual(await of({ reason }), ['e4']);
  const [third, fifth] = [all[2].diedAt, all[4].diedAt];
  assert.deepEqual(await of({ diedAfter: third, diedBefore: fifth }), ['e3', 'e4']);
  const more = { operatorType: 'NumberGreaterThan', key: 'data.n', value: 2 };
  assert.deepEqual(await of({ filter: { advancedFilters: [more] }, diedBefore: fifth }), ['e3', 'e4']);
  const page = (await ask(events, 'list', { limit: 2 })).json;
  assert.deepEqual(idsOf(page.value), ['e1', 'e2']);
  assert.deepEqual(await of({ limit: 2, from: page.next }), ['e3', 'e4']);
  const filter = JSON.stringify({ advancedFilters: [more] });
  const query = `&filter=${encodeURIComponent(filter)}&reason=${reason}`;
  assert.deepEqual(idsOf(await letters(events, 'orders', 'es1', query)), ['e4']);

  const byFilter = ['--filter', 'data.n', 'NumberIn', '1', '2', '--after', all[1].diedAt];
  const rows = JSON.parse(await must(events, 'deadletter', 'list', ...WHERE, ...byFilter, '--output', 'json'));
  assert.deepEqual(idsOf(rows.value), ['e2']);

  const refused = await redgrid(events, ['deadletter', 'purge', ...WHERE]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /say --all, or which ones/);
  assert.equal((await ask(events, 'purge', {})).status, 400);
  const purged = await must(events, 'deadletter', 'purge', ...WHERE, '--id', all[0].id, all[1].id);
  assert.match(purged, /^2 dead letters were purged/);
  const redriven = (await ask(events, 'redrive', { ids: [all[0].id, all[2].id] })).json;
  assert.deepEqual(redriven, { redriven: 1, matched: 1, notFound: 1 });
  assert.deepEqual(idsOf(await letters(events)), ['e4', 'e5']);
  assert.match(await must(events, 'deadletter', 'purge', ...WHERE, '--all'), /^2 dead letters/);
  assert.deepEqual(await letters(events), []);
});

scenario('L4 What is asked wrongly is refused with the field', async (w) => {
  const hook = await w.hook();
  const events = await orders(w, hook);
  for (const [body, text] of [
    [{ ids: ['x'] }, /^ids: \[0\] is no id of a dead letter/],
    [{ ids: [] }, /^ids: is not an array/],
    [{ diedAfter: 'yesterday' }, /^diedAfter: is not an ISO 8601 time/],
    [{ diedAfter: '2030-01-01', diedBefore: '2029-01-01' }, /^diedAfter|^diedBefore/],
    [{ rate: 0 }, /^rate: /],
    [{ filter: { advancedFilters: [{ key: 'a', operatorType: 'No' }] } }, /^filter: advancedFilters\[0\]/],
    ['[1]', /not a JSON object/],
  ]) {
    const answer = await ask(events, 'redrive', body);
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.json.error.message, text);
  }
  assert.equal((await ask(events, 'redrive', {}, 'orders', 'other')).status, 404);
  assert.deepEqual((await ask(events, 'redrive', {})).json, { redriven: 0, matched: 0 });
});

scenario('L4 What dies again during a redrive is not redriven in the same run', { timeout: 120000 }, async (w) => {
  const hook = await w.hook(refusing(1000));
  const events = await orders(w, hook);
  const batch = Array.from({ length: 40 }, (_, n) => gridEvent({ id: `e${n}` }));
  await die(events, batch);
  const answer = await ask(events, 'redrive', { rate: 40 }); /* slower than they die */
  assert.deepEqual(answer.json, { redriven: 40, matched: 40 });
  await dead(events, 40);
  assert.equal(hook.events().length, 80);
  const words = ['deadletter', 'redrive', ...WHERE, '--rate', '200', '--limit', '30'];
  assert.match(await must(events, ...words), /^30 dead letters were redriven/);
  await hook.gets(110);
});

scenario('L4 Dead letters of queue mode have their own form, and come back to who pulls', async (w) => {
  const azurite = await w.azurite();
  const events = await w.events({ args: ['--storage-accounts', azurite.keyString()] });
  const topic = await events.topic('orders', { inputSchema: 'CloudEventSchemaV1_0' });
  await events.subscription('orders', 'es1', Events.queue());
  await events.subscription('orders', 'es2', { ...Events.queue(), ...Azurite.destination() });
  const from = ['es1', 'es2'].map((name) => receiver(events, topic, name));
  const soon = { maxWaitTime: 60 };
  const sent = { type: 'made', source: '/s', id: 'a', data: { n: 1 } };
  await sender(events, topic).sendEvents(sent);
  for (const [at, name] of ['es1', 'es2'].entries()) {
    const [{ brokerProperties }] = (await from[at].receiveEvents(soon)).details;
    await from[at].rejectEvents([brokerProperties.lockToken]);
    const place = ['stream', 'blob'][at];
    let letter;
    await until(
      async () => ([letter] = await letters(events, 'orders', name))?.[0]?.place === place,
      `a dead letter of ${name} in the ${place}`,
    );
    const { deadLetterProperties, event } = letter.deadLetter;
    assert.equal(deadLetterProperties.deadletterreason, 'Event was rejected.');
    assert.equal(deadLetterProperties.deliveryattempts, 1);
    const { publishutc, deliveryattemptutc } = deadLetterProperties;
    assert.ok(Date.parse(deliveryattemptutc) >= Date.parse(publishutc), deliveryattemptutc);
    assert.deepEqual([event.id, event.data, event.specversion], ['a', { n: 1 }, '1.0']);
    assert.equal(letter.reason, 'Rejected');
    const waiting = from[at].receiveEvents(soon); /* it is woken by the redrive */
    assert.equal((await ask(events, 'redrive', {}, 'orders', name)).json.redriven, 1);
    const [again] = (await waiting).details;
    assert.deepEqual([again.event.id, again.brokerProperties.deliveryCount], ['a', 1]);
    assert.deepEqual(await letters(events, 'orders', name), []);
  }
});

// A node with the account of an azurite, and a subscription whose dead letters go there.
async function stored(w, connection, hook, more = {}, container = 'dead') {
  const events = await w.events({ args: ['--storage-accounts', connection] });
  await events.topic('orders');
  const all = { ...ONCE, ...Azurite.destination(container), ...more };
  await events.subscription('orders', 'es1', Events.to(hook.url(), all));
  return events;
}

const BLOB = /^ES1\/20\d\d\/\d{1,2}\/\d{1,2}\/\d{1,2}\/[0-9a-f-]{36}\.json$/;

for (const [kind, how] of [
  ['a key', (azurite) => azurite.keyString()],
  ['a SAS', (azurite) => azurite.sasString()],
]) {
  scenario(`L1 L4 Blobs by ${kind}: written, listed, redriven and gone`, { timeout: 120000 }, async (w) => {
    const azurite = await w.azurite();
    const hook = await w.hook(refusing(2, 500));
    const events = await stored(w, how(azurite), hook);
    const sent = gridEvent({ data: { total: 1.5 }, dataVersion: '7' });
    assert.equal((await events.publish('orders', [sent])).status, 200);
    const [[name, body]] = Object.entries(await azurite.holds(1));
    assert.match(name, BLOB);
    const now = new Date();
    const hours = [now, new Date(now - 3600000)].map(
      (d) => `ES1/${d.getUTCFullYear()}/${d.getUTCMonth() + 1}/${d.getUTCDate()}/${d.getUTCHours()}/`,
    );
    assert.ok(hours.some((hour) => name.startsWith(hour)), name);
    assert.equal(body.length, 1);
    const { publishTime, lastDeliveryAttemptTime, topic, ...rest } = body[0];
    assert.ok(publishTime && lastDeliveryAttemptTime && topic);
    assert.deepEqual(rest, {
      ...sent,
      metadataVersion: '1',
      deadLetterReason: 'MaxDeliveryAttemptsExceeded',
      deliveryAttempts: 1,
      lastDeliveryOutcome: 'GenericError',
      lastHttpStatusCode: 500,
    });

    const [letter, ...others] = await dead(events, 1);
    assert.deepEqual([letter.id, letter.place, others.length], [name, 'blob', 0]);
    assert.deepEqual(letter.deadLetter, body[0]);
    const shown = await must(events, 'deadletter', 'show', name, ...WHERE);
    assert.match(shown, /^deadLetter\.data\.total +1\.5/m);
    const none = await must(events, 'deadletter', 'list', ...WHERE, '--reason', 'TimeToLiveExceeded');
    assert.doesNotMatch(none, /ES1/);
    const dry = await must(events, 'deadletter', 'redrive', ...WHERE, '--dry-run');
    assert.match(dry, /^1 dead letter would be redriven/m);

    assert.match(await must(events, 'deadletter', 'redrive', ...WHERE), /^1 dead letter was redriven/);
    await hook.getsRequests(2); /* and it dies once more, with another name */
    const [again] = Object.keys(await azurite.holds(1));
    assert.notEqual(again, name);
    const redriven = (await ask(events, 'redrive', { ids: [again, name] })).json;
    assert.deepEqual(redriven, { redriven: 1, matched: 1, notFound: 1 });
    const [, , third] = await hook.getsRequests(3);
    assert.equal(third.headers['aeg-delivery-count'], '0');
    assert.equal(third.text, hook.deliveries()[0].text);
    await azurite.holds(0);
    assert.deepEqual(await letters(events), []);
  });
}

scenario('L3 L4 Blobs of CloudEvents, in pages; others in the container are left alone', { timeout: 120000 }, async (w) => {
  const azurite = await w.azurite();
  const hook = await w.hook(refusing(50));
  const events = await stored(w, azurite.keyString(), hook, {
    eventDeliverySchema: 'CloudEventSchemaV1_0',
  });
  await azurite.container().getBlockBlobClient('ES1/2026/1/1/0/own.json').upload('[1]', 3);
  await events.topic('others');
  const same = { ...ONCE, ...Azurite.destination() };
  await events.subscription('others', 'es1', Events.to(hook.url(), same));
  const batch = Array.from({ length: 40 }, (_, n) => gridEvent({ id: `e${n}`, data: { n } }));
  await events.publish('orders', batch);
  await events.publish('others', [gridEvent({ id: 'other' })]);
  await azurite.holds(42);
  const rows = await dead(events, 40);
  assert.ok(rows.every(({ deadLetter }) => deadLetter.deadletterreason && deadLetter.specversion));
  const first = (await ask(events, 'list', { limit: 15 })).json;
  const second = (await ask(events, 'list', { limit: 1000, from: first.next })).json;
  assert.equal(new Set([...idsOf(first.value), ...idsOf(second.value)]).size, 40);
  const filter = { advancedFilters: [{ operatorType: 'NumberLessThan', key: 'data.n', value: 10 }] };
  assert.equal((await ask(events, 'purge', { filter })).json.purged, 10);
  const words = ['deadletter', 'redrive', ...WHERE, '--rate', '100', '--limit', '5'];
  assert.match(await must(events, ...words), /^5 dead letters were redriven/);
  await hook.getsRequests(46);
  await azurite.holds(32); /* they have died again */
  assert.equal((await ask(events, 'purge', { all: true })).json.purged, 30);
  const left = Object.keys(await azurite.blobs());
  assert.equal(left.length, 2);
  assert.ok(left.includes('ES1/2026/1/1/0/own.json'));
});

scenario('L4 A listing of large blobs, and of what is too large to be one, misses none', { timeout: 120000 }, async (w) => {
  const azurite = await w.azurite();
  const hook = await w.hook(refusing(12));
  const events = await stored(w, azurite.keyString(), hook);
  const sent = Array.from({ length: 12 }, (_, n) => `e${n}`);
  for (const id of sent) {
    const answer = await events.publish('orders', [gridEvent({ id, data: 'x'.repeat(900000) })]);
    assert.equal(answer.status, 200, answer.text);
  }
  await azurite.holds(12, 'dead', 60000);
  const foreign = Buffer.alloc(17 * 1024 * 1024, ' ');
  await azurite.container().getBlockBlobClient('ES1/0/own.json').upload(foreign, foreign.length);
  const found = [];
  let page = {};
  do {
    page = (await ask(events, 'list', { limit: 1000, from: page.next })).json;
    found.push(...idsOf(page.value));
  } while (page.next);
  assert.equal(page.storageError, undefined);
  assert.deepEqual(found.sort(), sent.sort());
});

scenario('L5 Storage is down, then without its container, then there: nothing is lost', { timeout: 120000 }, async (w) => {
  const azurite = await w.azurite();
  const hook = await w.hook(refusing(100));
  const events = await stored(w, azurite.keyString(), hook, {}, 'later');
  await events.publish('orders', [gridEvent({ id: 'a' })]);
  const said = /cannot be written to container later: .*404 ContainerNotFound: make the container/;
  await events.node.line(said);
  const list = async () => (await ask(events, 'list', {})).json;
  const { value, storageError } = await list();
  assert.deepEqual(idsOf(value), ['a']);
  assert.equal(value[0].place, 'stream');
  assert.match(storageError, /404 ContainerNotFound/);
  const told = await redgrid(events, ['deadletter', 'list', ...WHERE]);
  assert.equal(told.code, 1);
  assert.match(told.stdout, /UndeliverableDueToHttpBadRequest/);
  assert.match(told.stderr, /ContainerNotFound/);

  await azurite.stop();
  await events.publish('orders', [gridEvent({ id: 'b' })]);
  await until(async () => (await list()).value.length === 2, 'two dead letters in the stream');
  assert.match((await list()).storageError, /127\.0\.0\.1/);
  await events.node.stop();
  await events.node.start();
  await azurite.start();
  await azurite.container('later').create();
  const blobs = Object.values(await azurite.holds(2, 'later', 60000)).map(([{ id }]) => id);
  assert.deepEqual(blobs.sort(), ['a', 'b']);
  assert.deepEqual((await list()).value.map(({ place }) => place), ['blob', 'blob']);
  assert.equal(events.node.count(/cannot be written to container/), events.node.count(said) + 1);
});

scenario('L1 A wrong key is told, and an account that nobody named is refused', async (w) => {
  const azurite = await w.azurite();
  const hook = await w.hook(refusing(1));
  const wrong = azurite.keyString(Buffer.from('wrong').toString('base64'));
  const events = await stored(w, wrong, hook);
  await events.publish('orders', [gridEvent()]);
  await events.node.line(/403 .*the key or SAS of the account \(setting storage\.accounts\) must/);
  assert.equal((await letters(events)).length, 1);
  const other = structuredClone(Azurite.destination());
  other.deadLetterDestination.properties.resourceId += 'x';
  const refused = await events.putSubscription('orders', 'es2', Events.to(hook.url(), other));
  assert.equal(refused.status, 400);
  assert.match(refused.text, /deadLetterDestination\.properties\.resourceId: .*storage\.accounts/);
  assert.ok(events.node.messages().every((text) => !text.includes('d3Jvbmc=')));
});

scenario('L1 A connection string that is none keeps redgrid from starting, and is not shown', async (w) => {
  const node = w.node({ args: ['--storage-accounts', 'AccountName=a;AccountKey=hush!'] });
  node.spawn();
  await until(() => node.hasExited(), 'it ends');
  assert.match(node.messages().join('\n'), /storage\.accounts: AccountKey: is not Base64/);
  assert.doesNotMatch(node.messages().join('\n'), /hush/);
});

scenario('L1 L4 Two nodes carry and redrive the same dead letters once', { timeout: 120000 }, async (w) => {
  const azurite = await w.azurite();
  const store = await w.redis();
  const hook = await w.hook(refusing(30));
  const options = { store, args: ['--storage-accounts', azurite.keyString()] };
  const [one, two] = [await w.events(options), await w.events(options)];
  await one.topic('orders');
  const all = { ...ONCE, ...Azurite.destination() };
  await one.subscription('orders', 'es1', Events.to(hook.url(), all));
  await until(async () => (await two.ask('GET', '/api/topics/orders')).status === 200, 'the other node knows');
  const old = JSON.stringify(gridEvent({ id: 'old' })); /* for more than 4 hours: it stays where it is */
  let queue;
  await until(async () => ([queue] = await store.cli.keys('rg:{q:*}:events')).length, 'the queue');
  await store.cli.xadd(queue.replace(':events', ':dead'), '5-0', 'h', '1 ', 'b', old, 'reason', 'r');
  const batch = Array.from({ length: 15 }, (_, n) => gridEvent({ id: `e${n}` }));
  await one.publish('orders', batch);
  await two.publish('orders', batch);
  await azurite.holds(30);
  await until(async () => (await letters(two)).length === 31, 'all but one are blobs');
  assert.deepEqual(idsOf((await letters(one)).filter(({ place }) => place === 'stream')), ['old']);
  assert.equal((await ask(two, 'redrive', {})).json.redriven, 31);
  await hook.gets(61);
  assert.deepEqual(await letters(one), []);
});

scenario('L4 A stop ends a redrive, in either place, and loses nothing', { timeout: 120000 }, async (w) => {
  const azurite = await w.azurite();
  const hook = await w.hook(refusing(12));
  const events = await stored(w, azurite.keyString(), hook);
  await events.subscription('orders', 'es2', Events.to(hook.url(), ONCE));
  const batch = Array.from({ length: 6 }, (_, n) => gridEvent({ id: `e${n}` }));
  await events.publish('orders', batch);
  await azurite.holds(6);
  await dead(events, 6, 'orders', 'es2');
  const slowly = ['es1', 'es2'].map((name) => ask(events, 'redrive', { rate: 1 }, 'orders', name));
  await hook.gets(14);
  await events.node.stop();
  for (const { status, text } of await Promise.all(slowly)) {
    assert.equal(status, 503);
    assert.match(text, /the server is stopping: try again; \d (was|were) redriven before that/);
  }
  await events.node.start();
  for (const name of ['es1', 'es2']) await ask(events, 'redrive', {}, 'orders', name);
  await hook.gets(24);
  for (const name of ['es1', 'es2']) assert.deepEqual(await letters(events, 'orders', name), []);
  assert.equal(hook.events().length, 24);
});

// What answers as a broken storage does: nothing, half of it, something else; then Azurite.
scenario('L5 Half answers of the storage lose nothing', { timeout: 120000 }, async (w) => {
  const azurite = await w.azurite();
  const faults = [
    (socket) => socket.destroy(),
    (socket) => socket.end('HTTP/1.1 201 Created\r\nContent-Le'),
    (socket) => socket.end('HTTP/1.1 201 Created\r\nContent-Length: 50\r\n\r\nhalf'),
    (socket) => socket.end('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n'),
    (socket) => socket.end('SSH-2.0-nobody\r\n'),
  ];
  let met = 0;
  const proxy = net.createServer((socket) => {
    socket.on('error', () => {});
    const fault = faults[met++];
    if (fault) return socket.once('data', () => fault(socket));
    const there = net.connect(azurite.port, '127.0.0.1').on('error', () => socket.destroy());
    return socket.pipe(there).pipe(socket);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  try {
    const hook = await w.hook(refusing(1));
    const connection = azurite.keyString().replace(`:${azurite.port}/`, `:${proxy.address().port}/`);
    const events = await stored(w, connection, hook);
    await events.publish('orders', [gridEvent({ id: 'a' })]);
    const [[{ id }]] = Object.values(await azurite.holds(1, 'dead', 60000));
    assert.equal(id, 'a');
    assert.ok(met > faults.length);
    await until(async () => (await letters(events)).map(({ place }) => place).join() === 'blob', 'one blob');
    assert.equal(events.node.count(/cannot be written to container/), 1);
  } finally {
    proxy.close();
  }
});

scenario('L1 The command names account and container, briefly or by resource id, and takes them back', async (w) => {
  const azurite = await w.azurite();
  const hook = await w.hook();
  const env = { STORAGE: azurite.keyString() };
  const events = await w.events({ args: ['--storage-accounts', 'env:STORAGE'], env });
  await must(events, 'topic', 'create', 'orders');
  const made = ['subscription', 'create', 'es1', '--topic', 'orders', '--endpoint', hook.url()];
  const { resourceId } = Azurite.destination().deadLetterDestination.properties;
  for (const place of ['devstoreaccount1/dead', `${resourceId}/blobServices/default/containers/dead`]) {
    const shown = await must(events, ...made, '--deadletter-endpoint', place);
    assert.match(shown, /^deadLetterDestination\.blobContainerName +dead$/m);
    assert.match(shown, /^deadLetterDestination\.resourceId +\S*devstoreaccount1$/m);
  }
  const update = ['subscription', 'update', 'es1', '--topic', 'orders', '--deadletter-endpoint'];
  assert.doesNotMatch(await must(events, ...update, ''), /StorageBlob/);
  assert.equal((await redgrid(events, [...update, 'only'])).code, 2);
  const other = await redgrid(events, [...update, 'other/dead']);
  assert.match(other.stderr, /account 'other' is not known here: .*storage\.accounts/);
});
