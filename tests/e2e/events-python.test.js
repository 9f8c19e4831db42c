// The SDK for Python publishes (spec Y2, A3). `script/bootstrap test` unpacks Debian's; without it these are skipped.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Events } from '../lib/events.js';
import { PYTHON, pythonEnv, pythonLacks } from '../lib/python-sdk.js';
import { scenario } from '../lib/scenario.js';

const run = promisify(execFile);
const SCRIPT = new URL('../lib/publish.py', import.meta.url).pathname;

const OPTIONS = { skip: pythonLacks('azure.eventgrid') };

const CUSTOM = {
  inputSchema: 'CustomEventSchema',
  inputSchemaMapping: {
    inputSchemaMappingType: 'Json',
    properties: { eventType: { sourceField: 'kind' }, subject: { sourceField: 'what' } },
  },
};
const TOPICS = {
  EventGrid: {},
  CloudEvent: { inputSchema: 'CloudEventSchemaV1_0' },
  Custom: CUSTOM,
};

scenario('Y2 Python publishes all schemas with key and SAS', OPTIONS, async (w) => {
  const events = await w.events();
  for (const [schema, properties] of Object.entries(TOPICS)) {
    const hook = await w.hook();
    const name = `of-${schema}`;
    const topic = await events.topic(name, properties);
    await events.subscription(name, 'es1', Events.to(hook.url()));
    for (const credential of ['key', 'sas', 'naive'])
      await run(PYTHON, [SCRIPT, topic.endpoint, topic.key1, credential, schema], { env: pythonEnv });
    const came = await hook.gets(9);
    const subjects = came.map(({ subject }) => subject);
    assert.deepEqual(subjects.sort(), ['one', 'three', 'two'].flatMap((s) => [s, s, s]));
    for (const event of came) assert.equal(event.type ?? event.eventType, 'made');
    if (schema === 'CloudEvent') assert.ok(came.every(({ tenant }) => tenant === 'blue'));
  }
});

scenario('A4 A token of Python for another topic is refused', OPTIONS, async (w) => {
  const events = await w.events();
  const topic = await events.topic('orders');
  const other = await events.topic('others');
  const words = [SCRIPT, topic.endpoint, other.key1, 'sas', 'EventGrid'];
  const { stderr } = await run(PYTHON, words, { env: pythonEnv }).then(() => ({ stderr: '' }), (error) => error);
  assert.match(stderr, /ClientAuthenticationError/);
});
