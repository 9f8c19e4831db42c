// `redgrid apply`: topics and subscriptions as files declare them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { gridEvent } from '../lib/events.js';
import { PROGRAM } from '../lib/node.js';
import { scenario } from '../lib/scenario.js';

// Runs the command in the world's folder; {code, out, err}.
function apply(w, events, words, input = '') {
  const env = { ...process.env, REDGRID_SERVER: events.base(), HOOK_KEY: 'k3y' };
  const child = spawn(PROGRAM, ['apply', ...words], { cwd: w.folder, env });
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (said.out += chunk));
  child.stderr.on('data', (chunk) => (said.err += chunk));
  child.stdin.on('error', () => {}); // one that reads none of it may have ended before
  child.stdin.end(input);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...said })));
}

async function must(w, events, words, input) {
  const { code, out, err } = await apply(w, events, words, input);
  assert.equal(code, 0, err);
  assert.equal(err, '');
  return out;
}

const write = (w, name, text) => fs.writeFileSync(w.path(name), text);

const orders = (hook, more = '') => `# what we need
topics:
  - name: orders
subscriptions:
  - name: billing
    topic: orders
    destination:
      endpointUrl: ${hook.url('/billing')}
    filter:
      includedEventTypes: [made, paid]
      advancedFilters:
        - {key: data.total, operatorType: NumberGreaterThan, value: 100}
    retryPolicy: {maxDeliveryAttempts: 5}
${more}`;

scenario('A file is applied, and applied again', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  write(w, 'orders.yaml', orders(hook));
  const planned = await must(w, events, ['-f', 'orders.yaml', '--dry-run']);
  assert.match(planned, /^\+ topic orders +would be created$/m);
  assert.match(planned, /^\+ subscription orders\/billing +would be created$/m);
  assert.match(planned, /^2 to create; nothing was done$/m);
  assert.deepEqual((await events.must('GET', '/api/topics')).value, []);
  const made = await must(w, events, ['-f', 'orders.yaml']);
  assert.match(made, /^\+ subscription orders\/billing +created$/m);
  assert.match(made, /^2 created$/m);
  assert.equal(hook.handshakes().length, 1);
  const again = await must(w, events, ['-f', 'orders.yaml']);
  assert.match(again, /^= subscription orders\/billing +unchanged$/m);
  assert.match(again, /^nothing to do: all is as declared$/m);
  assert.equal(hook.handshakes().length, 1);
  await events.publish('orders', [gridEvent({ data: { total: 101 } }), gridEvent({ data: { total: 7 } })]);
  assert.deepEqual((await hook.gets(1)).map(({ data }) => data.total), [101]);
});

scenario('A change is shown member by member, without its secrets', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  const file = (key, attempts) => `
topics: [{name: orders}]
subscriptions:
  - name: billing
    topic: orders
    destination:
      endpointUrl: ${key}
      deliveryAttributeMappings:
        - {name: x-key, type: Static, value: !env HOOK_KEY, isSecret: true}
    retryPolicy: {maxDeliveryAttempts: ${attempts}}
`;
  write(w, 'a.yaml', file(hook.url('/a?code=tiger'), 5));
  write(w, 'b.yaml', file(hook.url('/b?code=lion'), 30));
  await must(w, events, ['-f', 'a.yaml']);
  for (const words of [['--dry-run'], []]) {
    const said = await must(w, events, ['-f', 'b.yaml', ...words]);
    assert.match(said, /^~ subscription orders\/billing +(would change|changed)$/m);
    assert.match(said, /^ {4}retryPolicy.maxDeliveryAttempts: 5 -> 30$/m);
    const url = /^ {4}destination.properties.endpointUrl: "http:.*\/a\?\(hidden\)" -> "http:.*\/b\?\(hidden\)"$/m;
    assert.match(said, url);
    assert.doesNotMatch(said, /tiger|lion|k3y/);
  }
  assert.deepEqual(hook.handshakes().map(({ url }) => url), ['/a?code=tiger', '/b?code=lion']);
  await events.publish('orders', [gridEvent()]);
  await hook.gets(1);
  assert.equal(hook.deliveries()[0].headers['x-key'], 'k3y');
});

scenario('Every mistake is named by file, line and column before anything is changed', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  write(w, 'good.yaml', 'topics: [{name: good}]\n');
  write(
    w,
    'bad.yaml',
    `topics:
  - name: orders
    inputSchmea: EventGridSchema
  - {name: x!}
---
subscriptions:
  - name: one
    topic: orders
    destination:
      endpointUrl: http://10.0.0.1/hook
    filter:
      includedEventType: [a]
      advancedFilters:
        - {key: data.n, operatorType: NumberIn, values: [1, two]}
    retryPolicy:
      maxDeliveryAttempts: 31
  - name: two
    topic: nowhere
    destination: {endpointType: Hook}
`,
  );
  const { code, out, err } = await apply(w, events, ['-f', 'good.yaml', '-f', 'bad.yaml']);
  assert.equal(code, 1);
  assert.equal(out, '');
  const places = err.split('\n').map((line) => line.replace(/^redgrid: /, ''));
  const expected = [
    "bad.yaml:3:5: inputSchmea: is not known; did you mean 'inputSchema'?",
    "bad.yaml:4:6: name: the name 'x!' must have 3 to 50 characters",
    'bad.yaml:10:7: destination.endpointUrl: is http:// and not on this machine; use https://, ' +
      'or set delivery.allow_http',
    'bad.yaml:16:7: retryPolicy.maxDeliveryAttempts: 31 is not between 1 and 30',
    'bad.yaml:14:61: filter.advancedFilters[0].values[1]: is not a number',
    "bad.yaml:12:7: filter.includedEventType: is not known; did you mean 'includedEventTypes'?",
    "bad.yaml:18:5: topic: there is no topic 'nowhere', neither declared nor on the server",
  ];
  for (const line of expected) assert.ok(places.includes(line), `${line}\nis not in\n${err}`);
  assert.match(err, /bad.yaml:19:19: destination.endpointType: 'Hook' is not 'WebHook'/);
  assert.equal(places.length, expected.length + 3); // that one, `nothing was changed`, the end
  assert.deepEqual((await events.must('GET', '/api/topics')).value, []);
  // What is wrong with the YAML itself is told without a server.
  write(w, 'worse.yaml', 'topcs: []\ntopics: [{name: a, name: b}]\n');
  const worse = await apply(w, { base: () => 'http://127.0.0.1:1' }, ['-f', 'worse.yaml']);
  assert.equal(worse.code, 1);
  assert.equal(
    worse.err,
    "redgrid: worse.yaml:1:1: topcs: is not known; did you mean 'topics'?\n" +
      'redgrid: worse.yaml:2:20: name: is given twice\n',
  );
  const missing = await apply(w, events, ['-f', 'none.yaml']);
  assert.match(missing.err, /none.yaml:1:1: No such file/);
  assert.equal((await apply(w, events, [])).code, 2);
  assert.equal(hook.requests.length, 0);
});

scenario('A bad endpoint does not stop the others, and is asked again', async (w) => {
  const events = await w.events();
  const good = await w.hook();
  const bad = await w.hook({ handshake: { status: 404 } });
  const more = `  - name: audit
    topic: orders
    destination: {endpointUrl: "${bad.url('/audit')}"}
  - name: later
    topic: orders
    deliveryConfiguration: {deliveryMode: Queue}
`;
  write(w, 'orders.yaml', orders(good, more));
  const first = await apply(w, events, ['-f', 'orders.yaml']);
  assert.equal(first.code, 1);
  assert.match(first.out, /^! subscription orders\/audit +failed$/m);
  assert.match(first.out, /^3 created, 1 failed$/m);
  assert.match(first.err, /^redgrid: orders.yaml:14:5: subscription orders\/audit: .*404/m);
  bad.handshake = 'echo';
  const second = await must(w, events, ['-f', 'orders.yaml']);
  assert.match(second, /^~ subscription orders\/audit +has agreed now$/m);
  assert.match(second, /^1 asked again, 3 unchanged$/m);
  assert.equal(good.handshakes().length, 1);
  const json = JSON.parse(await must(w, events, ['-f', 'orders.yaml', '--output', 'json']));
  assert.deepEqual(json.resources.map(({ step }) => step), ['none', 'none', 'none', 'none']);
});

scenario('Several files, standard input, and what is not named any more', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  const one = (name, topic) =>
    `subscriptions: [{name: ${name}, topic: ${topic}, destination: {endpointUrl: "${hook.url()}"}}]\n`;
  write(w, 'topics.yaml', 'topics: [{name: aaa}]\n---\ntopics: [{name: bbb}]\n');
  write(w, 'one.yaml', one('one', 'aaa'));
  await must(w, events, ['-f', 'topics.yaml', 'one.yaml', '-f', '-'], one('two', 'bbb'));
  await events.subscription('aaa', 'stranger', hooked(hook));
  await events.subscription('bbb', 'stranger', hooked(hook));
  const kept = await must(w, events, ['-f', 'one.yaml']);
  assert.match(kept, /nothing to do/);
  const planned = await must(w, events, ['-f', 'one.yaml', '--prune', '--dry-run']);
  assert.match(planned, /^- subscription aaa\/stranger +would be removed$/m);
  assert.match(await must(w, events, ['-f', 'one.yaml', '--prune']), /^1 removed, 1 unchanged$/m);
  const { value } = await events.must('GET', '/api/subscriptions');
  const left = value.map(({ id }) => id.replace(/.*topics\/(.*?)\/.*\/(.*)/, '$1/$2'));
  assert.deepEqual(left.sort(), ['aaa/one', 'bbb/stranger', 'bbb/two']);
});

function hooked(hook) {
  return { destination: { endpointUrl: hook.url() } };
}

const declared = (hook, attempts = 30) => `topics: [{name: orders}]
subscriptions:
  - name: billing
    topic: orders
    destination: {endpointUrl: "${hook.url()}"}
    retryPolicy: {maxDeliveryAttempts: ${attempts}}
`;

scenario('A server applies its own files, at its start and at SIGHUP', async (w) => {
  const hook = await w.hook();
  write(w, 'orders.yaml', declared(hook));
  const options = { args: ['--resources', w.path('orders.yaml')], data: w.path('data') };
  const first = await w.events(options);
  await first.node.line(/^subscription orders\/billing: create$/);
  await first.publish('orders', [gridEvent()]);
  await hook.gets(1);
  await first.node.stop();
  const second = await w.events(options);
  await second.node.line(/^2 of the topics and subscriptions are as declared$/);
  write(w, 'orders.yaml', declared(hook, 5));
  second.node.process.kill('SIGHUP');
  await second.node.line(/^subscription orders\/billing: change$/);
  const { properties } = await second.must('GET', '/api/subscriptions/billing?topic=orders');
  assert.equal(properties.retryPolicy.maxDeliveryAttempts, 5);
  assert.equal(hook.handshakes().length, 1);
  write(w, 'orders.yaml', declared(hook, 31));
  second.node.process.kill('SIGHUP');
  await second.node.line(/orders\.yaml:6:19: .*maxDeliveryAttempts: 31 is not between 1 and 30$/);
});

scenario('Two servers that start with the same file make one of each', async (w) => {
  const store = await w.redis();
  const hook = await w.hook();
  write(w, 'orders.yaml', declared(hook));
  const args = ['--resources', w.path('orders.yaml')];
  const all = await Promise.all([w.events({ store, args }), w.events({ store, args })]);
  for (const { node } of all) await node.line(/as declared$|billing: create$/);
  for (const events of all)
    for (let i = 0; i < 5; i++) await events.publish('orders', [gridEvent()]);
  await hook.gets(10);
  const queues = await store.cli.keys('rg:{q:*}:events');
  assert.equal(queues.length, 1);
});
