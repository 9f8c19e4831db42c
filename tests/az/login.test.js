// The ways in which az finds this server and logs in (azure-api.md 3.1, K16, K17; J6).

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Az, without } from '../lib/az.js';
import { redgrid } from '../lib/command.js';
import { authorityFile } from '../lib/https.js';
import { ROOT } from '../lib/node.js';
import { scenario } from '../lib/scenario.js';

const OPTIONS = { skip: without, timeout: 600000 };
const TOKEN = 't0ken';
const SECRET = 's3cret';
const CLIENT = '00000000-0000-0000-0000-000000000003';
const TENANT = '11111111-2222-3333-4444-555555555555';

// A server that lets nobody in without a token.
async function start(w) {
  const env = { REDGRID_LISTEN_TOKEN: TOKEN, REDGRID_AZURE_CLIENT_SECRET: SECRET };
  const events = await w.events({ https: '127.0.0.1:0', env });
  const { node } = events;
  return {
    events,
    ca: authorityFile(node),
    url: `https://localhost:${node.ports().https}`,
    plain: `http://localhost:${node.port()}`,
  };
}

const register = (url) => ['cloud', 'register', '-n', 'Local', '--endpoint-resource-manager', url];
const login = (tenant, secret = SECRET) =>
  `login --service-principal -u ${CLIENT} -p ${secret} --tenant ${tenant}`.split(' ');

// A question that is answered only with a token.
async function assertIn(az) {
  const places = await az.must('account list-locations');
  assert.deepEqual(places.map(({ name }) => name), ['local']);
}

for (const [what, tenant, end] of [
  ['a GUID as tenant', TENANT, ''],
  ['a name as tenant', 'contoso.com', ''],
  ['adfs as tenant', 'adfs', ''],
  ['a slash at the end', TENANT, '/'],
]) {
  scenario(`K17 way A, with ${what}`, OPTIONS, async (w) => {
    const { url, ca } = await start(w);
    const az = new Az(w.path('a'), { REQUESTS_CA_BUNDLE: ca });
    await az.must(...register(url + end));
    await az.must('cloud set -n Local');
    const [account] = await az.must(...login(tenant));
    assert.equal(account.name, 'Local');
    await assertIn(az);
  });
}

scenario('K17 a wrong secret is refused, and az says why', OPTIONS, async (w) => {
  const { url, ca } = await start(w);
  const az = new Az(w.path('a'), { REQUESTS_CA_BUNDLE: ca });
  await az.must(...register(url));
  await az.must('cloud set -n Local');
  const { code, stderr } = await az.run(login(TENANT, 'wrong'));
  assert.equal(code, 1);
  assert.match(stderr, /azure\.client_secret/);
});

for (const [what, from] of [
  ['http', ({ plain }) => plain],
  ['https', ({ url }) => url],
]) {
  scenario(`K17 way B, over ${what}`, OPTIONS, async (w) => {
    const place = await start(w);
    const metadata = `${from(place)}/metadata/endpoints?api-version=2019-05-01`;
    const trust = { REQUESTS_CA_BUNDLE: place.ca, SSL_CERT_FILE: place.ca };
    const az = new Az(w.path('b'), { ARM_CLOUD_METADATA_URL: metadata, ...trust });
    await az.must(...login(TENANT));
    await assertIn(az);
  });
}

scenario('K17 way C: a managed identity', OPTIONS, async (w) => {
  const { url, plain, ca } = await start(w);
  const identity = { MSI_ENDPOINT: `${plain}/msi/token`, MSI_SECRET: TOKEN };
  const az = new Az(w.path('c'), {
    REQUESTS_CA_BUNDLE: ca,
    APPSETTING_WEBSITE_SITE_NAME: 'any', // says that there is a secret to be shown
    ...identity,
  });
  await az.must(...register(url));
  await az.must('cloud set -n Local');
  await az.must('login --identity');
  await assertIn(az);
});

scenario('K17 way D: what az-env writes', OPTIONS, async (w) => {
  const { events } = await start(w);
  const { code, stdout, stderr } = await redgrid(events, ['az-env', '--output', 'json'], { REDGRID_TOKEN: TOKEN });
  assert.equal(code, 0, stderr);
  const az = new Az(w.path('d'), JSON.parse(stdout));
  const account = await az.must('account show');
  assert.equal(account.name, 'Local');
  await assertIn(az);

  // J6: and an SDK that asks az for a token.
  const ask = `import { AzureCliCredential } from '@azure/identity';
    process.stdout.write((await new AzureCliCredential().getToken(process.argv[1])).token);`;
  const words = ['--input-type=module', '-e', ask, 'https://management.azure.com/.default'];
  const options = { cwd: path.join(ROOT, 'tests'), env: az.env };
  const asked = await promisify(execFile)(process.execPath, words, options);
  const headers = { authorization: `Bearer ${asked.stdout}` };
  assert.equal((await events.ask('GET', '/subscriptions', undefined, headers)).status, 200);
});

scenario('K16 K17 way E: az rest over plain http, without a login', OPTIONS, async (w) => {
  const { plain } = await start(w);
  const az = new Az(w.path('e'));
  const question = ['rest', '--url', `${plain}/subscriptions`];
  const { value } = await az.must(...question, '--headers', `Authorization=Bearer ${TOKEN}`);
  assert.equal(value.length, 1);
  const open = await w.events();
  const dummy = ['rest', '--url', `http://localhost:${open.node.port()}/subscriptions`];
  await az.must(...dummy, '--headers', 'Authorization=Bearer x');
  await az.must(...dummy, '--skip-authorization-header');
  assert.equal((await az.run([...question, '--skip-authorization-header'])).code, 1);
});

scenario('K17 way F: with no authority at all', OPTIONS, async (w) => {
  const { node } = await w.events({ https: '127.0.0.1:0' });
  const plain = `http://localhost:${node.port()}`;
  const az = new Az(w.path('f'), {
    AZURE_CLI_DISABLE_CONNECTION_VERIFICATION: '1',
    ARM_CLOUD_METADATA_URL: `${plain}/metadata/endpoints?api-version=2019-05-01`,
    MSI_ENDPOINT: `${plain}/msi/token`,
  });
  await az.must('login --identity');
  await assertIn(az);
});

scenario('What az writes of a user stays as it was', OPTIONS, async (w) => {
  const { events } = await start(w);
  const home = w.path('home');
  fs.mkdirSync(path.join(home, '.azure'), { recursive: true });
  fs.writeFileSync(path.join(home, '.azure', 'config'), '[cloud]\nname = AzureCloud\n');
  const { stdout } = await redgrid(events, ['az-env', '--output', 'json'], { REDGRID_TOKEN: TOKEN, HOME: home });
  const az = new Az(home, JSON.parse(stdout));
  await assertIn(az);
  assert.deepEqual(fs.readdirSync(path.join(home, '.azure')), ['config']);
});
