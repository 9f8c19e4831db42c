// An endpoint is asked before it gets events (spec H1..H8).

import assert from 'node:assert/strict';
import { Events, gridEvent } from '../lib/events.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

const CLOUD = { inputSchema: 'CloudEventSchemaV1_0' };

scenario('H1 An endpoint that sends the code back gets events', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  const topic = await events.topic('orders');
  const made = await events.subscription('orders', 'es1', Events.to(hook.url('/hook?code=secret')));
  assert.equal(made.properties.provisioningState, 'Succeeded');
  assert.equal(made.properties.topic, topic.id);
  assert.equal(made.properties.destination.properties.endpointUrl, null);
  assert.equal(made.properties.destination.properties.endpointBaseUrl, hook.url('/hook'));
  const [request, ...more] = hook.requests;
  assert.equal(more.length, 0);
  assert.equal(request.method, 'POST');
  assert.equal(request.url, '/hook?code=secret');
  assert.equal(request.kind, 'SubscriptionValidation');
  assert.match(request.headers['content-type'], /^application\/json/);
  const [event, ...others] = JSON.parse(request.text);
  assert.equal(others.length, 0);
  assert.equal(event.topic, topic.id);
  assert.equal(event.subject, '');
  assert.equal(event.eventType, 'Microsoft.EventGrid.SubscriptionValidationEvent');
  assert.equal(event.metadataVersion, '1');
  assert.equal(event.dataVersion, '1');
  assert.match(event.data.validationCode, /^[0-9a-f-]{36}$/);
  assert.ok(event.data.validationUrl.startsWith(`${events.base()}/eventsubscriptions/es1/validate?`));
});

scenario('H2 The member may be written in any case', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  hook.confirm = (record, response) => {
    const { validationCode } = JSON.parse(record.text)[0].data;
    hook.end(response, { body: JSON.stringify({ ValidationResponse: validationCode }) });
  };
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url()));
  assert.equal(await events.state('orders', 'es1'), 'Succeeded');
});

scenario('H3 Refused answers: the subscription fails and gets nothing', async (w) => {
  const events = await w.events();
  const elsewhere = await w.hook();
  const control = await w.hook();
  await events.topic('orders');
  const answers = [
    { status: 202 },
    { body: '{"validationResponse":"00000000-0000-4000-8000-000000000000"}' },
    { status: 500 },
    { status: 302, headers: { location: elsewhere.url() } },
  ];
  const hooks = await Promise.all(answers.map((handshake) => w.hook({ handshake })));
  await Promise.all(
    hooks.map(async (hook, i) => {
      const to = Events.to(hook.url('/hook?code=secret'));
      const { status, json } = await events.putSubscription('orders', `es${i}`, to);
      assert.equal(status, 400);
      assert.equal(json.error.code, 'Url validation');
      const code = answers[i].status ?? 200;
      assert.ok(
        json.error.message.startsWith(
          `Webhook validation handshake failed for ${hook.url()}. ` +
            `Http POST request failed with response code ${code}`,
        ),
        json.error.message,
      );
      assert.ok(!json.error.message.includes('secret'));
      assert.equal(await events.state('orders', `es${i}`), 'Failed');
      assert.equal(hook.handshakes().length, 2); /* once more */
    }),
  );
  await events.subscription('orders', 'control', Events.to(control.url()));
  assert.equal((await events.publish('orders', [gridEvent()])).status, 200);
  await control.gets(1);
  for (const hook of hooks) assert.equal(hook.deliveries().length, 0);
  assert.equal(elsewhere.requests.length, 0);
});

scenario('H4 An endpoint that is silent is confirmed by hand', async (w) => {
  const events = await w.events();
  const hook = await w.hook({ handshake: 'silent' });
  await events.topic('orders');
  const made = await events.subscription('orders', 'es1', Events.to(hook.url()));
  assert.equal(made.properties.provisioningState, 'AwaitingManualAction');
  const first = gridEvent();
  assert.equal((await events.publish('orders', [first])).status, 200);
  const answer = await fetch(hook.validationUrl());
  assert.equal(answer.status, 200);
  assert.equal(await events.state('orders', 'es1'), 'Succeeded');
  const second = gridEvent();
  await events.publish('orders', [second]);
  await hook.gets(1);
  assert.deepEqual(hook.ids(), [second.id]);
});

scenario('H5 By hand with the wrong code, or too late', async (w) => {
  const events = await w.events({ args: ['--delivery-validation', '400'] });
  const hook = await w.hook({ handshake: 'silent' });
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url()));
  for (const name of ['id', 'token']) {
    const url = new URL(hook.validationUrl());
    url.searchParams.set(name, '00000000-0000-4000-8000-000000000000');
    assert.equal((await fetch(url)).status, 400);
  }
  await until(async () => (await events.state('orders', 'es1')) === 'Failed', 'it has failed');
  assert.equal((await fetch(hook.validationUrl())).status, 400);
  assert.equal(await events.state('orders', 'es1'), 'Failed');
});

scenario('H6 CloudEvents endpoints are asked by OPTIONS', async (w) => {
  const events = await w.events();
  await events.topic('orders', CLOUD);
  const allowing = (origin) => ({ headers: origin ? { 'WebHook-Allowed-Origin': origin } : {} });
  for (const [name, origin, state] of [
    ['any', '*', 'Succeeded'],
    ['own', 'eventgrid.azure.net', 'Succeeded'],
    ['none', undefined, 'AwaitingManualAction'],
  ]) {
    const hook = await w.hook({ handshake: allowing(origin) });
    await events.subscription('orders', name, Events.to(hook.url('/x?y=1')));
    assert.equal(await events.state('orders', name), state);
    const [{ method, url, headers }, ...more] = hook.requests;
    assert.equal(more.length, 0);
    assert.deepEqual([method, url], ['OPTIONS', '/x?y=1']);
    assert.equal(headers['webhook-request-origin'], 'eventgrid.azure.net');
    assert.ok(headers['webhook-request-callback'].includes('/eventsubscriptions/'));
    assert.equal(headers['webhook-request-rate'], undefined);
    if (state === 'Succeeded') continue;
    assert.equal((await fetch(hook.validationUrl(), { method: 'POST' })).status, 200);
    assert.equal(await events.state('orders', name), 'Succeeded');
  }
});

scenario('H7 Plain http is for this machine, unless allowed', async (w) => {
  const events = await w.events();
  await events.topic('orders');
  for (const [name, host] of [
    ['ip4', '127.0.0.1'],
    ['ip6', '::1'],
  ]) {
    const hook = await w.hook({ host });
    await events.subscription('orders', name, Events.to(hook.url()));
  }
  const far = Events.to('http://10.0.0.1/hook');
  const refused = await events.putSubscription('orders', 'far', far);
  assert.equal(refused.status, 400);
  assert.equal(refused.json.error.code, 'BadRequest');
  assert.match(refused.json.error.message, /endpointUrl/);
  // Allowed, it is asked; that it cannot be reached from here is another rule's doing.
  const args = ['--delivery-allow-http', 'yes', '--delivery-allow-private', 'no'];
  const other = await w.events({ args });
  await other.topic('orders');
  const asked = await other.putSubscription('orders', 'far', far);
  assert.equal(asked.json.error.code, 'Url validation');
});

scenario('H8 A changed endpoint is asked, nothing else is', async (w) => {
  const events = await w.events();
  const [before, after] = [await w.hook(), await w.hook({ handshake: 'silent' })];
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(before.url()));
  const where = '/api/subscriptions/es1?topic=orders';
  await events.must('PATCH', where, { labels: ['a'] });
  assert.equal(before.handshakes().length, 1);
  await events.must('PATCH', where, Events.to(after.url()));
  assert.equal(after.handshakes().length, 1);
  assert.equal(await events.state('orders', 'es1'), 'AwaitingManualAction');
  await events.publish('orders', [gridEvent()]);
  await before.gets(1); // in force until the new one is confirmed
  assert.equal((await fetch(after.validationUrl())).status, 200);
  await events.publish('orders', [gridEvent()]);
  await after.gets(1);
  assert.equal(before.events().length, 1);
});
