import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { list, stream } from '../lib/app.js';
import { ROOT } from '../lib/node.js';
import { deadLetters, numbers } from '../lib/keys.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

// A function in C with a body; FOLDER is the test's.
const c = (body, head = '') => ({
  code: `
#include <fcntl.h>
#include <pthread.h>
#include <redgrid/function.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static bool is_first(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/first", getenv("TEST_FOLDER"));
    return open(path, O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0;
}
${head}
int NAME(struct redgrid_invocation *run)
{
    (void)is_first;
    ${body}
    return REDGRID_OK;
}
`,
});
const QUICK = { claimIdleMs: 300 };
const SHOW =
  'redgrid_log(run, REDGRID_INFO, "triggerValue:%.*s", REDGRID_ARG(redgrid_message(run)));';

for (const [how, crash, name] of [
  ['a null pointer', '*(volatile int *)0 = 1;', 'SIGSEGV'],
  ['abort()', 'abort();', 'SIGABRT'],
  ['exit(3)', 'exit(3);', '3'],
]) {
  scenario(`C: a crash by ${how} fails that run, and loses nothing`, async (w) => {
    const { cli } = await w.redis();
    const functions = {
      F: stream('s', QUICK, c(`if (is_first()) { ${crash} }`)),
      G: list('q', QUICK, c('')),
    };
    // A sanitizer in the worker must leave the signal alone.
    const env = { ASAN_OPTIONS: 'handle_segv=0:handle_abort=0' };
    const node = await w.up({ functions, lang: 'c' }, { env });
    await cli.rpush('q', ...numbers(20));
    await cli.xadd('s', '*', 'a', 'b');
    await node.succeeds('F', 1, 20000);
    await until(() => node.succeededCount('G') >= 20, 'the others run too');
    assert.ok(node.failedCount('F') >= 1);
    assert.ok(node.has(new RegExp(name)), `the log names ${name}`);
  });
}

scenario('C: what the compiler says is said as our own; mended, it runs', async (w) => {
  const { cli } = await w.redis();
  const app = w.app({
    functions: { Bad: list('bad', {}, c('int x = ;')), Good: list('good', {}, c(SHOW)) },
    lang: 'c',
  });
  const node = await w.up(app);
  assert.ok(node.has(/Bad\/function\.c:\d+:\d+: error: expected expression/));
  await cli.rpush('good', 'x');
  await node.succeeds('Good', 1);
  const file = path.join(app, 'Bad', 'function.c');
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('int x = ;', ''));
  await cli.rpush('bad', 'x');
  await node.succeeds('Bad', 1, 20000);
});

scenario('C: a shared object, another entry point, the default one', async (w) => {
  const { cli } = await w.redis();
  const binding = (key) => ({
    type: 'redisListTrigger',
    name: 'entry',
    connectionStringSetting: 'redis',
    key,
    direction: 'in',
  });
  const app = w.app({
    functions: {
      Shared: {
        json: { bindings: [binding('shared')], scriptFile: 'run.so', entryPoint: 'other_name' },
      },
      Entry: {
        json: { bindings: [binding('entry')], scriptFile: 'function.c', entryPoint: 'go' },
        ...c('', `int go(struct redgrid_invocation *run) { ${SHOW} return REDGRID_OK; }`),
      },
      Missing: {
        json: { bindings: [binding('missing')], scriptFile: 'function.c', entryPoint: 'nobody' },
        ...c(''),
      },
      // A name that the C library has too, and code in `run`.
      getpid: { json: { bindings: [binding('run')], scriptFile: 'run.c' } },
    },
    lang: 'c',
  });
  const source = path.join(app, 'Shared', 'function.c');
  const code = (name) =>
    `#include <redgrid/function.h>\nint ${name}(struct redgrid_invocation *run) { ${SHOW} return REDGRID_OK; }\n`;
  fs.writeFileSync(source, code('other_name'));
  fs.writeFileSync(path.join(app, 'getpid', 'run.c'), code('run'));
  execFileSync('cc', [
    '-shared',
    '-fPIC',
    '-I',
    path.join(ROOT, 'include'),
    '-o',
    path.join(app, 'Shared', 'run.so'),
    source,
  ]);
  const node = await w.up(app);
  await cli.rpush('shared', 'x');
  await cli.rpush('entry', 'x');
  await node.succeeds('Shared', 1);
  await node.succeeds('Entry', 1);
  await cli.rpush('run', 'x');
  await node.succeeds('getpid', 1);
  assert.ok(node.records.some((one) => one.level === 'error' && /nobody/.test(one.message)));
});

scenario('C: later completion, outputs, metadata, failure text', async (w) => {
  const { cli } = await w.redis();
  const later = `
static void *finish(void *arg)
{
    struct redgrid_invocation *run = arg;
    redgrid_output(run, "out", redgrid_text("out1 1"));
    redgrid_output(run, "out", redgrid_text("out2 2"));
    redgrid_complete(run, REDGRID_OK);
    return NULL;
}
`;
  const bindings = [
    { type: 'redis', connection: 'redis', command: 'SET', name: 'out', direction: 'out' },
  ];
  const node = await w.up({
    functions: {
      Later: list(
        'later',
        {},
        {
          ...c(
            'pthread_t t; pthread_create(&t, NULL, finish, run); pthread_detach(t); return REDGRID_LATER;',
            later,
          ),
          bindings,
        },
      ),
      Meta: stream(
        's',
        { payload: 'value' },
        c(`
    redgrid_log(run, REDGRID_WARNING, "meta %.*s %.*s", REDGRID_ARG(redgrid_metadata(run, "Id")), REDGRID_ARG(redgrid_metadata(run, "Values")));`),
      ),
      Fails: list(
        'fails',
        { maxDeliveryCount: 1 },
        c('return redgrid_fail(run, "no %s today", "luck");'),
      ),
    },
    lang: 'c',
  });
  await cli.rpush('later', 'x');
  await cli.xadd('s', '7-1', 'a', 'b');
  await cli.rpush('fails', 'x');
  await node.succeeds('Later', 1);
  assert.deepEqual(await cli.mget('out1', 'out2'), ['1', '2']);
  await node.succeeds('Meta', 1);
  const meta = node.find(/^meta /)[0];
  assert.equal(meta.message, 'meta 7-1 {"a":"b"}');
  assert.equal(meta.level, 'warn');
  await until(async () => (await deadLetters(cli, 'Fails')).length === 1, 'a dead letter');
  assert.match((await deadLetters(cli, 'Fails'))[0].error, /no luck today/);
});

scenario('C: bytes', async (w) => {
  const { cli } = await w.redis();
  const body = `
    struct redgrid_slice m = redgrid_message(run);
    char hex[64] = "";
    for (size_t i = 0; i < m.len; i++)
        sprintf(hex + 2 * i, "%02x", (unsigned char)m.data[i]);
    redgrid_log(run, REDGRID_INFO, "triggerValue:%s", hex);`;
  const node = await w.up({
    functions: { F: list('q', { payload: 'value', dataType: 'binary' }, c(body)) },
    lang: 'c',
  });
  await cli.rpush('q', Buffer.from([0, 255, 254]));
  await node.succeeds('F', 1);
  assert.deepEqual(node.values(), ['00fffe']);
});

scenario('C: a function that hangs is ended by functionTimeout', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({
    functions: { F: stream('s', QUICK, c('if (is_first()) for (;;) pause();')) },
    lang: 'c',
    host: { functionTimeout: '00:00:01' },
  });
  await cli.xadd('s', '*', 'a', 'b');
  await node.fails('F', 1);
  await node.line(/^Timeout value of 00:00:01 exceeded by function 'Functions\.F'/);
  await until(() => node.succeededCount('F') === 1, 'the next run succeeds', 30000);
});
