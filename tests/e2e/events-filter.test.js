// Every operator of advanced filters, from what is published to what arrives (spec F3 and section 5).

import assert from 'node:assert/strict';
import { Events, gridEvent } from '../lib/events.js';
import { scenario } from '../lib/scenario.js';

const yes = true;
const no = false;
const MISSING = undefined;
const one = new Set([
  'NumberLessThan',
  'NumberLessThanOrEquals',
  'NumberGreaterThan',
  'NumberGreaterThanOrEquals',
  'BoolEquals',
]);

// Operator, operand and values as JSON text, since JavaScript has no decimals: [value, does it match].
const ROWS = [
  ['NumberIn', '[5,1]', ['5', yes], ['5.0', yes]],
  ['NumberIn', '[12345678901234567]', ['12345678901234568', no]],
  ['NumberIn', '[1000]', ['1e3', yes]],
  ['NumberIn', '[5]', ['"5"', no]],
  ['NumberNotIn', '[41,0]', ['7', yes], ['41', no]],
  ['NumberNotIn', '[41]', ['null', yes], ['"41"', yes]],
  ['NumberLessThan', '100', ['99.99', yes], ['100', no]],
  ['NumberLessThanOrEquals', '100', ['100', yes], ['100.1', no]],
  ['NumberGreaterThan', '20', ['20.1', yes], ['20', no]],
  ['NumberGreaterThan', '0', ['true', no]],
  ['NumberGreaterThanOrEquals', '30', ['30', yes], ['29.9', no]],
  ['NumberInRange', '[[3.14,999.95],[3000,4000]]', ['3.14', yes], ['4000', yes], ['1000', no]],
  ['NumberNotInRange', '[[3000,4000]]', ['2999.99', yes], ['3000', no]],
  ['BoolEquals', 'true', ['true', yes], ['false', no], ['"true"', no], ['1', no]],
  ['BoolEquals', 'false', ['null', no]],
  ['StringContains', '["microsoft","azure"]', ['"Azure data factory"', yes]],
  ['StringContains', '["5"]', ['5', no]],
  ['StringNotContains', '["contoso","fabrikam"]', ['"adventure"', yes], ['"Contoso Ltd"', no]],
  ['StringNotContains', '["contoso"]', ['null', no]],
  ['StringNotContains', '["5"]', ['5', yes]],
  ['StringBeginsWith', '["event","message"]', ['"Event Hubs"', yes], ['"my event"', no]],
  ['StringNotBeginsWith', '["event"]', ['"EVENT-1"', no]],
  ['StringEndsWith', '["jpg","png"]', ['"a.PNG"', yes]],
  ['StringNotEndsWith', '["jpg"]', ['"a.txt"', yes]],
  ['StringIn', '["contoso"]', ['"CONTOSO"', yes], ['"contoso2"', no]],
  ['StringIn', '["true"]', ['true', no]],
  ['StringNotIn', '["aws","bridge"]', ['"azure"', yes], ['"AWS"', no]],
  ['NumberLessThan', '1', [MISSING, no]],
  ['NumberLessThanOrEquals', '1', [MISSING, no]],
  ['NumberGreaterThan', '-1', [MISSING, no]],
  ['NumberGreaterThanOrEquals', '0', [MISSING, no]],
  ['NumberIn', '[0]', [MISSING, no]],
  ['BoolEquals', 'false', [MISSING, no]],
  ['StringContains', '["a"]', [MISSING, no]],
  ['StringBeginsWith', '["a"]', [MISSING, no]],
  ['StringEndsWith', '["a"]', [MISSING, no]],
  ['StringIn', '["a"]', [MISSING, no]],
  ['StringNotContains', '["a"]', [MISSING, no]],
  ['StringNotBeginsWith', '["a"]', [MISSING, no]],
  ['StringNotEndsWith', '["a"]', [MISSING, no]],
  ['NumberNotIn', '[0]', [MISSING, yes]],
  ['StringNotIn', '["a"]', [MISSING, yes]],
  ['NumberInRange', '[[0,1]]', [MISSING, no]],
  ['NumberNotInRange', '[[0,1]]', [MISSING, yes]],
  ['IsNullOrUndefined', '', [MISSING, yes], ['null', yes], ['""', no], ['0', no], ['false', no], ['[]', no]],
  ['IsNotNull', '', [MISSING, no], ['null', no], ['""', yes], ['0', yes], ['{}', yes]],
  ['StringIn', '["a"]', ['["a"]', no]],
  ['StringNotIn', '["z"]', ['["a"]', no]],
  ['StringIn', '["b"]', ['["a","B"]', yes], 'arrays'],
  ['StringNotIn', '["b"]', ['["a","b"]', no], 'arrays'],
  ['StringNotIn', '["z"]', ['["a","b"]', yes], 'arrays'],
  ['NumberGreaterThan', '4', ['[1,5]', yes], 'arrays'],
  ['NumberNotInRange', '[[4,6]]', ['[1,5]', no], 'arrays'],
  ['NumberIn', '[2]', ['["a",2,true]', yes], 'arrays'],
  ['StringIn', '["2"]', ['["a",2]', no], 'arrays'],
  ['StringIn', '["x"]', ['[]', no], ['"x"', yes], 'arrays'],
  ['StringNotIn', '["x"]', ['[]', yes], 'arrays'],
];

function filterOf(operator, operand, key = 'data.v') {
  const name = one.has(operator) ? 'value' : 'values';
  const values = operand ? `,"${name}":${operand}` : '';
  return `{"operatorType":"${operator}","key":"${key}"${values}}`;
}

// Subscribes a hook's path to events of a type, with filters as JSON text.
async function subscribe(events, hook, name, filters, arrays = false) {
  const filter =
    `{"includedEventTypes":["${name}"],"enableAdvancedFilteringOnArrays":${arrays},` +
    `"advancedFilters":[${filters}]}`;
  const destination = `{"endpointType":"WebHook","properties":{"endpointUrl":"${hook.url(`/${name}`)}"}}`;
  const body = `{"properties":{"destination":${destination},"filter":${filter}}}`;
  const answer = await events.ask('PUT', `/api/subscriptions/${name}?topic=orders`, body);
  assert.equal(answer.status, 200, `${name}: ${answer.text}`);
}

const eventText = (id, type, data) =>
  `{"id":"${id}","subject":"s","eventType":"${type}","eventTime":"2026-01-01T00:00:00Z",` +
  `"dataVersion":"1","data":${data}}`;

scenario('F3 Every operator', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  await events.topic('orders');
  const texts = [];
  const wanted = [];
  for (const [i, [operator, operand, ...rest]] of ROWS.entries()) {
    const name = `row-${i}`;
    await subscribe(events, hook, name, filterOf(operator, operand), rest.includes('arrays'));
    for (const [value, matches] of rest.filter(Array.isArray)) {
      const id = `${i} ${operator} ${operand} ${value}`.replaceAll('"', "'");
      texts.push(eventText(id, name, value === MISSING ? '{}' : `{"v":${value}}`));
      if (matches) wanted.push(id);
    }
  }
  await events.subscription('orders', 'control', Events.to(hook.url(), { filter: { includedEventTypes: ['end'] } }));
  const answer = await events.publish('orders', `[${texts.join(',')}]`);
  assert.equal(answer.status, 200, answer.text);
  assert.equal((await events.publish('orders', [gridEvent({ id: 'end', eventType: 'end' })])).status, 200);
  await hook.gets(wanted.length + 1);
  assert.deepEqual(hook.ids().sort(), [...wanted, 'end'].sort());
});

scenario('F3 Keys: paths, their case, and two filters on one', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  await events.topic('orders');
  const rows = [
    ['dotted', filterOf('StringIn', '["x"]', 'data.a.b'), ['{"a.b":"x"}', no], ['{"a":{"b":"x"}}', yes]],
    ['case', filterOf('StringIn', '["red"]', 'DATA.color'), ['{"Color":"Red"}', yes]],
    [
      'both',
      [filterOf('NumberGreaterThan', '1'), filterOf('NumberLessThan', '5')].join(','),
      ['{"v":3}', yes],
      ['{"v":7}', no],
    ],
    ['subject', filterOf('StringIn', '["S"]', 'Subject'), ['{}', yes]],
  ];
  const texts = [];
  const wanted = [];
  for (const [name, filters, ...values] of rows) {
    await subscribe(events, hook, name, filters);
    for (const [i, [data, matches]] of values.entries()) {
      texts.push(eventText(`${name} ${i}`, name, data));
      if (matches) wanted.push(`${name} ${i}`);
    }
  }
  assert.equal((await events.publish('orders', `[${texts.join(',')}]`)).status, 200);
  await hook.gets(wanted.length);
  assert.deepEqual(hook.ids().sort(), wanted.sort());
});

scenario('F3 An extension attribute of a CloudEvent is a text too', async (w) => {
  const events = await w.events();
  const hook = await w.hook();
  await events.topic('orders', { inputSchema: 'CloudEventSchemaV1_0' });
  const filter = { advancedFilters: [{ operatorType: 'StringBeginsWith', key: 'size', values: ['5'] }] };
  await events.subscription('orders', 'es1', Events.to(hook.url(), { filter }));
  const headers = {
    'aeg-sas-key': (await events.keys('orders')).key1,
    'content-type': 'application/cloudevents-batch+json',
  };
  const sent = [6, 5].map((size) => ({ specversion: '1.0', id: `${size}`, source: '/', type: 't', size }));
  assert.equal((await events.publish('orders', sent, headers)).status, 200);
  await hook.gets(1);
  assert.deepEqual(hook.ids(), ['5']);
});
