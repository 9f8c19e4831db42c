import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { list, pubsub, stream } from '../lib/app.js';
import { PROGRAM } from '../lib/node.js';
import { freePort } from '../lib/process.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

const SHORT = { pollingIntervalInMs: 100 };

// A private authority and a certificate for localhost.
function certificates(folder) {
  fs.mkdirSync(folder, { recursive: true });
  const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
  );
  openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'server.key',
    '-out',
    'server.csr',
    '-subj',
    '/CN=localhost',
  );
  fs.writeFileSync(path.join(folder, 'names'), 'subjectAltName=DNS:localhost,DNS:redis.test\n');
  openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    'names',
    '-out',
    'server.crt',
  );
  const file = (name) => path.join(folder, name);
  return { ca: file('ca.crt'), cert: file('server.crt'), key: file('server.key') };
}

async function tlsServer(w) {
  const files = certificates(w.path('tls'));
  const tlsPort = await freePort();
  const server = await w.redis({
    settings: {
      'tls-port': tlsPort,
      'tls-cert-file': files.cert,
      'tls-key-file': files.key,
      'tls-ca-cert-file': files.ca,
      'tls-auth-clients': 'no',
    },
  });
  return { server, files, tlsPort };
}

const all = () => ({ L: list('q', SHORT), S: stream('s', SHORT), P: pubsub('ch', SHORT) });

scenario('N36 TLS', async (w) => {
  const { server, files, tlsPort } = await tlsServer(w);
  const redis = `127.0.0.1:${tlsPort},ssl=true,sslHost=redis.test,caFile=${files.ca}`;
  const node = await w.up({ functions: all(), settings: { redis } });
  await server.cli.rpush('q', 'x');
  await server.cli.xadd('s', '*', 'a', 'b');
  await server.cli.publish('ch', 'x');
  for (const f of ['L', 'S', 'P']) await node.succeeds(f, 1);
  const clients = await server.cli.client('LIST');
  for (const line of clients
    .split('\n')
    .filter((one) => one.includes('AzureFunctionsRedisExtension'))) {
    assert.match(line, new RegExp(`laddr=127\\.0\\.0\\.1:${tlsPort} `));
  }
});

scenario(
  'N36 TLS: a certificate that nobody vouches for, or for another name, is refused',
  async (w) => {
    const { server, files, tlsPort } = await tlsServer(w);
    const base = `127.0.0.1:${tlsPort},ssl=true`;
    const node = w
      .node({
        app: w.app({
          functions: {
            Unknown: list('q', { ...SHORT, connectionStringSetting: 'unknown' }),
            Name: list('q', { ...SHORT, connectionStringSetting: 'name' }),
          },
          settings: {
            unknown: `${base},sslHost=redis.test`,
            name: `${base},sslHost=other.test,caFile=${files.ca}`,
          },
        }),
      })
      .spawn();
    await until(() => node.count(/certificate/i) >= 2, 'each says what is wrong');
    await server.cli.rpush('q', 'x');
    await stays(
      () => node.startedCount('Unknown') + node.startedCount('Name') === 0,
      'neither runs',
      500,
    );
  },
);

// A file with the authority and its list of what it has taken back: the server's certificate.
function revocation(folder) {
  const file = (name) => path.join(folder, name);
  fs.writeFileSync(file('index'), '');
  fs.writeFileSync(
    file('ca.conf'),
    '[ca]\ndefault_ca = d\n[d]\ndatabase = index\ndefault_md = sha256\ndefault_crl_days = 2\n',
  );
  const ca = ['ca', '-config', 'ca.conf', '-keyfile', 'ca.key', '-cert', 'ca.crt'];
  for (const args of [
    ['-revoke', 'server.crt'],
    ['-gencrl', '-out', 'crl.pem'],
  ])
    execFileSync('openssl', [...ca, ...args], { cwd: folder, stdio: 'pipe' });
  fs.writeFileSync(
    file('both.pem'),
    fs.readFileSync(file('ca.crt')) + fs.readFileSync(file('crl.pem')),
  );
  return file('both.pem');
}

scenario('N36 TLS: a revoked certificate is refused, unless nobody asks', async (w) => {
  const { server, tlsPort } = await tlsServer(w);
  const ca = revocation(w.path('tls'));
  const base = `127.0.0.1:${tlsPort},ssl=true,sslHost=redis.test,caFile=${ca}`;
  const node = await w.up({
    functions: {
      Checked: list('q', { ...SHORT, connectionStringSetting: 'checked' }),
      Free: list('p', { ...SHORT, connectionStringSetting: 'free' }),
    },
    settings: { checked: base, free: `${base},checkCertificateRevocation=false` },
  });
  await node.line(/certificate revoked/);
  await server.cli.rpush('q', 'x');
  await server.cli.rpush('p', 'x');
  await node.succeeds('Free', 1);
  await stays(() => node.startedCount('Checked') === 0, 'the other never connects', 500);
});

scenario('N36 ACL: wrong password, corrected on the server', async (w) => {
  const server = await w.redis();
  await server.cli.acl('SETUSER', 'app', 'on', '>right', '~*', '&*', '+@all');
  const app = w.app({
    functions: all(),
    settings: { redis: `${server.address},user=app,password=wrong` },
  });
  const node = w.node({ app }).spawn();
  await node.line(/WRONGPASS/);
  const of = async (name) => (await node.get(`/api/functions/${name}`)).json();
  assert.equal((await of('L')).state, 'offline');
  assert.match((await of('S')).error, /WRONGPASS/);
  const doctor = spawnSync(PROGRAM, ['doctor', '--app', app], { encoding: 'utf8' });
  assert.equal(doctor.status, 1);
  assert.match(doctor.stdout, /^bad {3}Redis .*: WRONGPASS/m);
  await stays(() => node.count(/WRONGPASS/) === 1, 'once', 1500);
  assert.ok(
    !node.messages().some((message) => /password=wrong|"wrong"/.test(message)),
    'no secret in the log',
  );
  await server.cli.acl('SETUSER', 'app', '>wrong');
  await until(async () => (await server.cli.publish('ch', 'x')) > 0, 'it recovers');
  await server.cli.rpush('q', 'x');
  await server.cli.xadd('s', '*', 'a', 'b');
  for (const f of ['L', 'S']) await node.succeeds(f, 1);
  assert.equal((await of('L')).state, 'running');
  assert.equal((await of('L')).error, null);
});

scenario('N36 ACL: a user with no more rights than needed', async (w) => {
  const server = await w.redis();
  await server.cli.acl(
    'SETUSER',
    'app',
    'on',
    '>secret',
    '~*',
    '&*',
    '+@all',
    '-@admin',
    '-info',
    '-config',
  );
  const node = await w.up({
    functions: all(),
    settings: { redis: `${server.address},user=app,password=secret` },
  });
  await server.cli.rpush('q', 'x');
  await server.cli.xadd('s', '*', 'a', 'b');
  await server.cli.publish('ch', 'x');
  for (const f of ['L', 'S', 'P']) await node.succeeds(f, 1);
});

scenario('N36 Password, database, unix socket', async (w) => {
  const socket = w.path('redis.sock');
  const server = await w.redis({
    settings: { requirepass: 'se=cret', unixsocket: socket },
    client: { password: 'se=cret' },
  });
  const node = await w.up({
    functions: {
      Tcp: list('q', { connectionStringSetting: 'tcp' }),
      Unix: list('q', { connectionStringSetting: 'unix' }),
    },
    settings: {
      tcp: `${server.address},password=se=cret,defaultDatabase=3`,
      unix: `!${socket},password=se=cret,defaultDatabase=4,name=mine`,
    },
  });
  assert.ok((await server.clientNames()).includes('mine'));
  for (const [f, db] of [
    ['Tcp', 3],
    ['Unix', 4],
  ]) {
    await server.client({ db }).rpush('q', 'x');
    await node.succeeds(f, 1);
  }
});

scenario('N13 The server behind a name moves: Sentinel', async (w) => {
  const server = await w.redis();
  const sentinel = await w.redis({ sentinelOf: server });
  const node = await w.up({
    functions: all(),
    settings: { redis: `127.0.0.1:${sentinel.port},serviceName=mymaster` },
  });
  await server.cli.rpush('q', 'x');
  await server.cli.xadd('s', '*', 'a', 'b');
  await server.cli.publish('ch', 'x');
  for (const f of ['L', 'S', 'P']) await node.succeeds(f, 1);
});

scenario('45 Stop closes the connections', async (w) => {
  const server = await w.redis();
  const node = await w.up(all());
  const ours = async () =>
    (await server.clientNames()).filter((name) => name.startsWith('AzureFunctionsRedisExtension.'));
  assert.deepEqual(
    [...new Set(await ours())].sort(),
    ['L', 'P', 'S'].map((f) => `AzureFunctionsRedisExtension.${f}`),
  );
  await node.stop();
  assert.deepEqual(await ours(), []);
});
