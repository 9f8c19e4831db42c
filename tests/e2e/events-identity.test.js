// Bearer tokens: what webhooks are shown, and what publishers may show (spec A6), with another
// library's idea of a token.

import assert from 'node:assert/strict';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { Events, gridEvent } from '../lib/events.js';
import { scenario } from '../lib/scenario.js';

const GRID = 'https://eventgrid.azure.net';
const AAD = { azureActiveDirectoryTenantId: 'my-tenant', azureActiveDirectoryApplicationIdOrUri: 'api://my-app' };

async function check(events, token, audience) {
  const { json } = await events.ask('GET', '/adfs/.well-known/openid-configuration');
  const keys = createRemoteJWKSet(new URL(json.jwks_uri));
  return jwtVerify(token, keys, { issuer: json.issuer, audience });
}

function bearer(request) {
  const [scheme, token] = request.headers.authorization.split(' ');
  assert.equal(scheme, 'Bearer');
  return token;
}

async function token(events, resource = GRID, headers) {
  const where = `/msi/token?api-version=2019-08-01&resource=${encodeURIComponent(resource)}`;
  return events.ask('GET', where, undefined, headers);
}

scenario('A webhook is shown a token in its handshake and with events', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  const plain = await w.hook();
  await events.topic('orders');
  await events.subscription('orders', 'es1', Events.to(hook.url(), {}, AAD));
  await events.subscription('orders', 'es2', Events.to(plain.url()));
  await events.publish('orders', [gridEvent()]);
  await hook.gets(1);
  await plain.gets(1);
  for (const request of hook.requests) {
    const { payload } = await check(events, bearer(request), 'api://my-app');
    assert.equal(payload.tid, 'my-tenant');
    assert.ok(payload.exp > Date.now() / 1000 + 3600);
  }
  assert.ok(plain.requests.every(({ headers }) => headers.authorization === undefined));
});

scenario('All nodes of a store sign with one key, which a restart keeps', async (w) => {
  const store = await w.redis();
  const nodes = [await w.events({ store }), await w.events({ store })];
  const ids = new Set();
  for (let round = 0; round < 2; round++) {
    for (const events of nodes) {
      const { json } = await token(events);
      ids.add(decodeProtectedHeader(json.access_token).kid);
      for (const other of nodes) {
        const keys = createRemoteJWKSet(new URL(`${other.base()}/adfs/discovery/keys`));
        await jwtVerify(json.access_token, keys, { audience: GRID });
      }
    }
    await nodes[round].node.stop();
    await nodes[round].node.start();
  }
  assert.equal(ids.size, 1);
});

scenario('A token is given to whoever may use the API', async (w) => {
  const events = await w.events({ env: { REDGRID_LISTEN_TOKEN: 'secret' } });
  assert.equal((await token(events)).status, 401);
  assert.equal((await token(events, GRID, { 'x-identity-header': 'wrong' })).status, 401);
  const { status, json } = await token(events, GRID, { 'x-identity-header': 'secret' });
  assert.equal(status, 200);
  assert.equal(json.token_type, 'Bearer');
  assert.equal(json.resource, GRID);
  assert.ok(Number(json.expires_on) > Date.now() / 1000);
  const form = await events.ask('POST', '/msi/token', `resource=${encodeURIComponent(GRID)}`, {
    authorization: 'Bearer secret',
    metadata: 'true',
    'content-type': 'application/x-www-form-urlencoded',
  });
  assert.equal(form.json.resource, GRID);
  const none = await events.ask('GET', '/msi/token', undefined, { authorization: 'Bearer secret' });
  assert.equal(none.status, 400);
  assert.match(none.json.error.message, /resource/);
  const long = await token(events, '\u0001'.repeat(1000), { 'x-identity-header': 'secret' });
  assert.equal(long.status, 400); // it would not fit into a token
});

scenario('A6 A bearer token publishes, also where keys are refused', async (w) => {
  const events = await w.events();
  await events.topic('orders');
  await events.topic('locked', { disableLocalAuth: true });
  const { json } = await token(events, `${GRID}/`);
  for (const topic of ['orders', 'locked']) {
    const sent = await events.publish(topic, [gridEvent()], { authorization: `Bearer ${json.access_token}` });
    assert.equal(sent.status, 200, sent.text);
  }
  const { json: foreign } = await token(events, 'https://else.where');
  for (const bad of [foreign.access_token, `${json.access_token}x`, 'a.b.c', '']) {
    const sent = await events.publish('orders', [gridEvent()], { authorization: `Bearer ${bad}` });
    assert.equal(sent.status, 401);
    assert.equal(sent.json.error.code, 'Unauthorized');
  }
});
