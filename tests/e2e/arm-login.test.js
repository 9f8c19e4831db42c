// How clients of Azure find this server, log in and are let in (azure-api.md 2 and 3; J6). Those of
// `az` itself are in az/login.test.js.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { decodeJwt } from 'jose';
import { redgrid } from '../lib/command.js';
import { Events, gridEvent } from '../lib/events.js';
import { askHttps, authorityFile } from '../lib/https.js';
import { ROOT } from '../lib/node.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

const run = promisify(execFile);
const HTTPS = { https: '127.0.0.1:0' };
const GRID = 'https://eventgrid.azure.net';
const MANAGE = 'https://management.azure.com';
const CLIENT = '00000000-0000-0000-0000-000000000003';
const GUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

const form = (fields) => new URLSearchParams(fields).toString();
const base = (node, host = 'localhost') => `https://${host}:${node.ports().https}`;

// Logs in as MSAL does; the answer.
function login(events, { where = '/adfs/oauth2/token/', ...fields } = {}) {
  const all = { grant_type: 'client_credentials', client_id: CLIENT, client_secret: 'any' };
  const body = form({ ...all, scope: `${MANAGE}/.default`, ...fields });
  return events.ask('POST', where, body, { 'content-type': 'application/x-www-form-urlencoded' });
}

async function token(events, fields) {
  const { status, text, json } = await login(events, fields);
  assert.equal(status, 200, text);
  return json.access_token;
}

// The status of a question to the control plane.
async function managed(events, bearer, headers = {}) {
  const own = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  return (await events.ask('GET', '/subscriptions', undefined, { ...own, ...headers })).status;
}

scenario('Clients find the endpoints, the older way and the newer one', async (w) => {
  const { node } = await w.events(HTTPS);
  const events = new Events(node);
  const url = base(node, '127.0.0.1');
  for (const version of ['2015-01-01', '2022-09-01', '2019-05-01']) {
    const { json } = await events.ask('GET', `//metadata/endpoints?api-version=${version}`);
    assert.equal(Array.isArray(json), version === '2019-05-01');
    const cloud = Array.isArray(json) ? json[0] : json;
    assert.equal(cloud.galleryEndpoint, url);
    assert.equal(cloud.graphEndpoint, `${url}/graph`);
    assert.equal(cloud.portalEndpoint, url);
    assert.equal(cloud.resourceManager, `${url}/`); // by HTTPS, though asked for by HTTP
    assert.equal(cloud.authentication.loginEndpoint, `${url}/adfs`);
    assert.deepEqual(cloud.authentication.audiences, [`${url}/`]);
    assert.equal(typeof cloud.suffixes, 'object');
    assert.notEqual(cloud.name, 'AzureCloud');
  }
  const { json } = await askHttps(node, 'GET', '/metadata/endpoints');
  assert.equal(json.resourceManager, `${base(node)}/`); // by the name that the client knows
  const proxied = await events.ask('GET', '/metadata/endpoints', undefined, {
    'x-forwarded-proto': 'https',
  });
  assert.equal(proxied.json.resourceManager, `https://127.0.0.1:${node.port()}/`);
  const plain = await w.events();
  const { json: cloud } = await plain.ask('GET', '/metadata/endpoints');
  assert.equal(cloud.resourceManager, `http://127.0.0.1:${plain.node.port()}/`);
});

scenario('A login is answered wherever clients look for it', async (w) => {
  const { node } = await w.events(HTTPS);
  const events = new Events(node);
  const tenant = '11111111-2222-3333-4444-555555555555';
  const rows = [
    ['/adfs', '/adfs/oauth2/token'],
    ['/ADFS', '/ADFS/oauth2/token'],
    ['/adfs/adfs', /^\/adfs\/[0-9a-f-]{36}\/oauth2\/token$/], // some read the tenant there
    ['/adfs/contoso.com', /^\/adfs\/[0-9a-f-]{36}\/oauth2\/token$/],
    [`/adfs/${tenant}`, `/adfs/${tenant}/oauth2/token`],
    [`/${tenant}/v2.0`, `/${tenant}/oauth2/v2.0/token`],
    [`/${tenant}`, `/${tenant}/oauth2/token`],
  ];
  for (const [authority, expected] of rows) {
    const { status, json } = await askHttps(node, 'GET', `${authority}/.well-known/openid-configuration`);
    assert.equal(status, 200);
    const { origin, pathname } = new URL(json.token_endpoint);
    assert.equal(origin, base(node));
    if (typeof expected === 'string') assert.equal(pathname, expected);
    else assert.match(pathname, expected);
    assert.ok(json.authorization_endpoint.startsWith(`${origin}/`));
    for (const end of ['', '/', '/?client-request-id=1']) {
      const { json: got } = await login(events, { where: pathname + end });
      assert.equal(got.token_type, 'Bearer');
      assert.equal(got.expires_in, 86399); // a number: texts are refused
      assert.match(decodeJwt(got.access_token).tid, GUID);
    }
  }
});

scenario('What a token is for follows from what the client names', async (w) => {
  const { node } = await w.events(HTTPS);
  const events = new Events(node);
  const [plain, https] = [node.port(), node.ports().https];
  const rows = [
    [`${MANAGE}/.default`, MANAGE],
    ['https://management.core.windows.net//.default', MANAGE],
    [`https://localhost:${https}//.default`, MANAGE],
    [`https://127.0.0.1:${https}/.default openid`, MANAGE],
    [`http://localhost:${plain}/.default`, MANAGE],
    [`https://[::1]:${https}/.default`, MANAGE],
    [`${GRID}/.default`, GRID],
    ['https://localhost:1//.default', 'https://localhost:1/'],
    [`https://else.where:${https}/.default`, `https://else.where:${https}`],
    ['api://my-app/.default', 'api://my-app'],
  ];
  for (const [scope, audience] of rows) {
    assert.equal(decodeJwt(await token(events, { scope })).aud, audience, scope);
    const resource = scope.split('/.default')[0];
    const asked = await events.ask('GET', `/msi/token?resource=${encodeURIComponent(resource)}`);
    assert.equal(decodeJwt(asked.json.access_token).aud, audience, resource);
    assert.equal(asked.json.resource, resource);
  }
  assert.equal(decodeJwt(await token(events, { scope: '', resource: MANAGE })).aud, MANAGE);
});

scenario('A wrong login says what is wrong, and nobody else what was sent', async (w) => {
  const env = { REDGRID_LISTEN_TOKEN: 't0ken', REDGRID_AZURE_CLIENT_SECRET: 's3cret' };
  const events = await w.events({ env });
  const rows = [
    [{ client_secret: 'wr0ng' }, 401, 'invalid_client', /azure\.client_secret/],
    [{ client_secret: '' }, 401, 'invalid_client', /secret/],
    [{ client_id: 'other', client_secret: 's3cret' }, 401, 'invalid_client', /client_id/],
    [{ grant_type: 'password' }, 400, 'unsupported_grant_type', /service principal/],
    [{ client_secret: 's3cret', scope: '' }, 400, 'invalid_scope', /what the token is for/],
    [{ client_secret: 's3cret', scope: 'x'.repeat(4000) }, 400, 'invalid_scope', /too long/],
    [{ client_secret: 'x'.repeat(5000) }, 400, 'invalid_request', /too long/],
  ];
  for (const [fields, status, error, description] of rows) {
    const answer = await login(events, fields);
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.json.error, error);
    assert.match(answer.json.error_description, description);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
  }
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  const { json } = await events.ask('POST', '/adfs/oauth2/token', 'client_id=%2', type);
  assert.equal(json.error, 'invalid_request');
  for (const fields of [{ client_secret: 's3cret' }, { client_id: 'other', client_secret: 't0ken' }]) {
    assert.equal(await managed(events, await token(events, fields)), 200);
  }
  assert.ok(!events.node.has(/s3cret|t0ken|wr0ng/));
});

scenario('Who may manage: whoever shows a token of this server', async (w) => {
  const open = await w.events();
  for (const bearer of [undefined, 'any', '']) assert.equal(await managed(open, bearer), 200);
  assert.ok(await token(open, { client_id: 'any', client_secret: '' }));

  const worlds = [
    [{ REDGRID_LISTEN_TOKEN: 't0ken' }, 't0ken'],
    [{ REDGRID_AZURE_CLIENT_SECRET: 's3cret' }, 's3cret'],
    [{ REDGRID_LISTEN_TOKEN: 't0ken', REDGRID_AZURE_CLIENT_SECRET: 's3cret' }, 's3cret'],
  ];
  for (const [env, secret] of worlds) {
    const events = await w.events({ env });
    const good = await token(events, { client_secret: secret });
    assert.equal(await managed(events, good), 200);
    assert.equal(await managed(events, 't0ken'), env.REDGRID_LISTEN_TOKEN ? 200 : 401);
    const publish = await token(events, { client_secret: secret, scope: `${GRID}/.default` });
    const foreign = await token(open);
    for (const bad of [undefined, '', 'any', 's3cret', `${good}x`, publish, foreign])
      assert.equal(await managed(events, bad), 401, bad);
    const refused = await events.ask('GET', '/subscriptions');
    assert.equal(refused.json.error.code, 'AuthenticationFailed');
    const challenge = refused.headers.get('www-authenticate');
    assert.match(challenge, /^Bearer authorization_uri="http.*\/adfs"/);
    assert.doesNotMatch(challenge, /claims/); // would start another login
    await events.node.stop();
  }
});

scenario('A token that manages does not publish, and no webhook is sent one', async (w) => {
  const events = await w.events();
  await events.topic('orders');
  const bearer = await token(events);
  const sent = await events.publish('orders', [gridEvent()], { authorization: `Bearer ${bearer}` });
  assert.equal(sent.status, 401);
  const destination = {
    azureActiveDirectoryTenantId: 't',
    azureActiveDirectoryApplicationIdOrUri: `${MANAGE}/`,
  };
  const to = Events.to('http://127.0.0.1:1/', {}, destination);
  const { status, text } = await events.putSubscription('orders', 'es1', to);
  assert.equal(status, 400);
  assert.match(text, /azureActiveDirectoryApplicationIdOrUri/);
});

scenario('Every node of a store takes a token, before and after a restart', async (w) => {
  const store = await w.redis();
  const env = { REDGRID_LISTEN_TOKEN: 't0ken' };
  const nodes = [await w.events({ store, env }), await w.events({ store, env })];
  const bearer = await token(nodes[0], { client_secret: 't0ken' });
  await nodes[0].node.stop();
  await nodes[0].node.start();
  for (const events of nodes) assert.equal(await managed(events, bearer), 200);
});

scenario('A secret that changed is in force at once', async (w) => {
  const file = w.path('redgrid.yaml');
  const write = (secret) => fs.writeFileSync(file, `azure: {client_id: c1, client_secret: ${secret}}\n`);
  write('s3cret');
  const events = await w.events({ args: ['--config', file] });
  const as = (client_secret) => login(events, { client_id: 'c1', client_secret });
  assert.equal((await as('s3cret')).status, 200);
  write('an0ther');
  events.node.process.kill('SIGHUP');
  await until(async () => (await as('an0ther')).status === 200, 'the other secret', 30000);
  assert.equal((await as('s3cret')).status, 401);
  assert.ok(!events.node.has(/s3cret|an0ther/));
});

scenario('Pages of elsewhere and foreign names are kept out', async (w) => {
  const events = await w.events();
  const page = { origin: 'https://evil.example' };
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  const posted = await events.ask('POST', '/adfs/oauth2/token', 'grant_type=x', { ...page, ...type });
  assert.equal(posted.status, 403);
  const { node } = await w.events(HTTPS);
  const host = { servername: 'localhost', headers: { host: 'evil.example' } };
  for (const where of ['/subscriptions', '/api/azure', '/msi/token?resource=x'])
    assert.equal((await askHttps(node, 'GET', where, host)).status, 403);
  assert.equal((await askHttps(node, 'GET', '/metadata/endpoints', host)).status, 200);
});

scenario('A managed identity shows its secret where SDKs put it', async (w) => {
  const events = await w.events({ env: { REDGRID_LISTEN_TOKEN: 't0ken' } });
  const where = `/msi/token/?resource=${GRID}&api-version=2017-09-01`;
  for (const name of ['X-IDENTITY-HEADER', 'secret']) {
    assert.equal((await events.ask('GET', where, undefined, { [name]: 'wrong' })).status, 401);
    const { status, json } = await events.ask('GET', where, undefined, { [name]: 't0ken' });
    assert.equal(status, 200);
    assert.ok(Number(json.expires_on) > Date.now() / 1000);
  }
});

scenario('There is one subscription, one tenant and one location', async (w) => {
  const events = await w.events();
  const { value } = await events.must('GET', '/subscriptions?api-version=2019-11-01');
  assert.equal(value.length, 1);
  assert.equal(value[0].id, `/subscriptions/${value[0].subscriptionId}`);
  assert.equal(value[0].state, 'Enabled');
  const one = await events.must('GET', `/SUBSCRIPTIONS/${value[0].subscriptionId}`);
  assert.deepEqual(one, value[0]);
  const tenants = await events.must('GET', '/tenants');
  assert.equal(tenants.value[0].tenantId, value[0].tenantId);
  const places = await events.must('GET', `${one.id}/locations`);
  assert.equal(places.value[0].id, `${one.id}/locations/local`);
});

// ---- redgrid az-env ----

async function azEnv(events, words = [], env = {}) {
  const { code, stdout, stderr } = await redgrid(events, ['az-env', '--output', 'json', ...words], env);
  return { code, stderr, env: code === 0 ? JSON.parse(stdout) : undefined };
}

scenario('az-env writes what az wants, for this user only', async (w) => {
  const events = await w.events({ ...HTTPS, env: { REDGRID_LISTEN_TOKEN: "t0'ken" } });
  const asked = { REDGRID_TOKEN: "t0'ken", REQUESTS_CA_BUNDLE: '' };
  const { code, stdout, stderr } = await redgrid(events, ['az-env'], asked);
  assert.equal(code, 0, stderr);
  const dir = path.join(events.node.data(), 'azure');
  const ca = path.join(dir, 'redgrid-ca.crt');
  assert.deepEqual(stdout.trim().split('\n'), [
    `export AZURE_CONFIG_DIR=${dir}`,
    `export REQUESTS_CA_BUNDLE=${ca}`,
    'export AZURE_CORE_COLLECT_TELEMETRY=0',
  ]);
  assert.equal(fs.statSync(dir).mode & 0o777, 0o700);
  const names = ['azureProfile.json', 'clouds.config', 'config', 'redgrid-ca.crt'];
  assert.deepEqual(fs.readdirSync(dir), [...names, 'service_principal_entries.json']);
  for (const name of fs.readdirSync(dir))
    assert.equal(fs.statSync(path.join(dir, name)).mode & 0o777, 0o600, name);
  assert.ok(fs.readFileSync(ca, 'utf8').endsWith(fs.readFileSync(authorityFile(events.node), 'utf8')));
  const [entry] = JSON.parse(fs.readFileSync(path.join(dir, 'service_principal_entries.json')));
  assert.equal(entry.client_secret, "t0'ken");
  assert.ok(await token(events, entry)); // what it says opens the door
  const clouds = fs.readFileSync(path.join(dir, 'clouds.config'), 'utf8');
  assert.ok(clouds.includes(`endpoint_resource_manager = ${base(events.node, '127.0.0.1')}\n`));
  const { env } = await azEnv(events, ['--sdk'], asked);
  assert.equal(env.AZURE_CLIENT_SECRET, "t0'ken");
  const printed = await redgrid(events, ['az-env', '--sdk'], asked);
  const { stdout: read } = await run('sh', ['-c', `${printed.stdout} printf %s "$AZURE_CLIENT_SECRET"`]);
  assert.equal(read, "t0'ken");
});

scenario('az-env touches nothing that it did not make', async (w) => {
  const events = await w.events(HTTPS);
  const own = w.path('own');
  fs.mkdirSync(own);
  fs.writeFileSync(path.join(own, 'config'), '[cloud]\nname = AzureCloud\n');
  const refused = await azEnv(events, ['--dir', own]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /own: is there already, and was not made by this command: .*--dir/);
  assert.deepEqual(fs.readdirSync(own), ['config']);

  const dir = w.path('new', 'folder');
  assert.equal((await azEnv(events, ['--dir', dir])).code, 0);
  fs.writeFileSync(path.join(dir, 'config'), '[cloud]\nname = Local\n[defaults]\ngroup = g1\n');
  fs.writeFileSync(path.join(dir, 'msal_token_cache.json'), '{}');
  fs.rmSync(path.join(dir, 'azureProfile.json'));
  assert.equal((await azEnv(events, ['--dir', dir])).code, 0); // again: mends, and forgets tokens
  assert.match(fs.readFileSync(path.join(dir, 'config'), 'utf8'), /group = g1/);
  assert.ok(fs.existsSync(path.join(dir, 'azureProfile.json')));
  assert.ok(!fs.existsSync(path.join(dir, 'msal_token_cache.json')));
});

scenario('az-env says what it lacks', async (w) => {
  const plain = await w.events();
  const none = await azEnv(plain);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /has no HTTPS.*--listen-https/);

  const closed = await w.events({ ...HTTPS, env: { REDGRID_LISTEN_TOKEN: 't0ken' } });
  const denied = await azEnv(closed);
  assert.equal(denied.code, 1);
  assert.match(denied.stderr, /REDGRID_TOKEN/);

  const asked = { REDGRID_TOKEN: 't0ken', REQUESTS_CA_BUNDLE: '', SSL_CERT_FILE: '' };
  const copy = w.path('copy.crt');
  fs.renameSync(authorityFile(closed.node), copy); // as it is on another machine
  const dir = w.path('elsewhere');
  const blind = await azEnv(closed, ['--dir', dir], asked);
  assert.equal(blind.code, 1);
  assert.match(blind.stderr, /ca\.crt: .*copy this file.*--ca/);
  const { code, env } = await azEnv(closed, ['--dir', dir, '--ca', copy], asked);
  assert.equal(code, 0);
  assert.ok(fs.readFileSync(env.REQUESTS_CA_BUNDLE, 'utf8').includes(fs.readFileSync(copy, 'utf8')));
});

scenario('az-env keeps the authorities that were trusted', async (w) => {
  const events = await w.events(HTTPS);
  const bundle = w.path('mine.crt');
  fs.writeFileSync(bundle, 'MINE');
  const { env } = await azEnv(events, [], { REQUESTS_CA_BUNDLE: bundle });
  const text = fs.readFileSync(env.REQUESTS_CA_BUNDLE, 'utf8');
  assert.ok(text.startsWith('MINE\n-----BEGIN'));
  const again = await azEnv(events, [], { REQUESTS_CA_BUNDLE: env.REQUESTS_CA_BUNDLE, SSL_CERT_FILE: bundle });
  assert.equal(fs.readFileSync(again.env.REQUESTS_CA_BUNDLE, 'utf8'), text); // its own does not grow
});

// ---- J6: the SDKs' credentials, in a process that knows nothing but its environment ----

const ASK = `
import { EnvironmentCredential, ManagedIdentityCredential } from '@azure/identity';
const kinds = { EnvironmentCredential, ManagedIdentityCredential };
const [kind, scope] = process.argv.slice(1);
process.stdout.write((await new kinds[kind]().getToken(scope)).token);
`;

async function sdkToken(kind, scope, env) {
  const words = ['--input-type=module', '-e', ASK, kind, scope];
  const { PATH, HOME } = process.env;
  const cwd = path.join(ROOT, 'tests');
  return (await run(process.execPath, words, { cwd, env: { PATH, HOME, ...env } })).stdout;
}

scenario('J6 EnvironmentCredential gets a token, by what az-env --sdk prints', async (w) => {
  const env = { REDGRID_LISTEN_TOKEN: 't0ken', REDGRID_AZURE_CLIENT_SECRET: 's3cret' };
  const events = await w.events({ ...HTTPS, env });
  const { env: sdk } = await azEnv(events, ['--sdk'], { REDGRID_TOKEN: 't0ken' });
  const bearer = await sdkToken('EnvironmentCredential', `${sdk.AZURE_AUTHORITY_HOST}/.default`, sdk);
  assert.equal(await managed(events, bearer), 200);
  const wrong = { ...sdk, AZURE_CLIENT_SECRET: 'wrong' };
  await assert.rejects(sdkToken('EnvironmentCredential', `${GRID}/.default`, wrong), /invalid_client/);
});

scenario('J6 ManagedIdentityCredential gets a token', async (w) => {
  const events = await w.events({ env: { REDGRID_LISTEN_TOKEN: 't0ken' } });
  await events.node.get('/healthz');
  const env = { IDENTITY_ENDPOINT: `${events.base()}/msi/token`, IDENTITY_HEADER: 't0ken' };
  const bearer = await sdkToken('ManagedIdentityCredential', `${MANAGE}/.default`, env);
  assert.equal(await managed(events, bearer), 200);
});
