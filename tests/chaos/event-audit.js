// Holds what the receivers took, and what is in the dead letters, against what was accepted.

import assert from 'node:assert/strict';

const numberOf = (id) => Number(id.match(/:(\d+)\.\d+$/)[1]);

// What stands in the store of one subscription.
class Queue {
  constructor(cli, id) {
    this.cli = cli;
    this.id = id;
  }

  key(name) {
    return `rg:{q:${this.id}}:${name}`;
  }

  // Event id -> the fields of its dead letter.
  async dead() {
    const letters = new Map();
    for (const [, fields] of await this.cli.xrange(this.key('dead'), '-', '+')) {
      const pairs = {};
      for (let i = 0; i < fields.length; i += 2) pairs[fields[i]] = fields[i + 1];
      letters.set(JSON.parse(pairs.b).id, pairs);
    }
    return letters;
  }

  // What is not cleared away, in words.
  async remains() {
    const [events, due, state] = await Promise.all([
      this.cli.xlen(this.key('events')),
      this.cli.zcard(this.key('due')),
      this.cli.hlen(this.key('state')),
    ]);
    return events + due + state === 0 ? '' : `${events} entries, ${due} due, ${state} states`;
  }

  async holders() {
    const rows = await this.cli.xinfo('CONSUMERS', this.key('events'), 'redgrid');
    return rows.map((row) => row[row.indexOf('name') + 1]);
  }
}

// The queues of all subscriptions, by the names of these.
export async function queuesOf(cli) {
  const documents = Object.values(await cli.hgetall('rg:{meta}:resources')).map(JSON.parse);
  const subscriptions = documents.filter((one) => one.queue);
  return new Map(subscriptions.map((one) => [one.name, new Queue(cli, one.queue)]));
}

export class EventAudit {
  // subscriptions: {name, wants(number), receiver, window}
  constructor(publishers, subscriptions) {
    this.publishers = publishers;
    this.subscriptions = subscriptions;
    this.upsets = []; // {begin, end}: what explains that events come twice
  }

  // What was accepted until now, and by whom it is wanted: [{subscription, id}].
  expected() {
    const accepted = this.publishers.flatMap((one) => [...one.accepted]);
    return this.subscriptions.flatMap((subscription) =>
      accepted
        .filter(([, number]) => subscription.wants(number))
        .map(([id]) => ({ subscription, id })),
    );
  }

  untaken(expected) {
    return expected.filter(({ subscription, id }) => !subscription.receiver.taken.has(id));
  }

  // Neither taken nor a dead letter.
  async lost(cli, expected) {
    const rest = this.untaken(expected);
    if (rest.length === 0) return [];
    const dead = new Map();
    for (const [name, queue] of await queuesOf(cli)) dead.set(name, await queue.dead());
    return rest.filter(({ subscription, id }) => !dead.get(subscription.name)?.has(id));
  }

  // Nobody took what was refused, or what he did not ask for.
  checkUninvited() {
    const refused = new Set(this.publishers.flatMap((one) => [...one.refused]));
    for (const { name, wants, receiver } of this.subscriptions)
      for (const id of receiver.taken.keys()) {
        assert.ok(!refused.has(id), `${name}: got ${id}, which was refused`);
        assert.ok(wants(numberOf(id)), `${name}: got ${id}, which its filter keeps out`);
      }
  }

  // [{name, id, first, again}] of all that was taken more than once.
  duplicates() {
    return this.subscriptions.flatMap(({ name, receiver }) =>
      [...receiver.taken].flatMap(([id, times]) =>
        times.slice(1).map((again, i) => ({ name, id, first: times[i], again })),
      ),
    );
  }

  // What was answered, but not yet told to the store, when its node was killed or cut short comes
  // again: at most a window of each subscription each time, and never anything else.
  checkDuplicates() {
    const duplicates = this.duplicates();
    const unexplained = duplicates.filter(
      ({ first, again }) => !this.upsets.some(({ begin, end }) => first <= end && again >= begin),
    );
    assert.deepEqual(unexplained, [], 'no event comes twice for no reason');
    for (const { name, window } of this.subscriptions) {
      const count = duplicates.filter((one) => one.name === name).length;
      const most = window * this.upsets.length;
      assert.ok(count <= most, `${name}: ${count} duplicates, ${most} explained`);
    }
  }

  checkPublishers() {
    for (const { topic, surprises } of this.publishers)
      assert.deepEqual(surprises, [], `${topic}: no answer but 200, 503, and 400 for what is bad`);
  }

  async summary(cli) {
    const sum = (rows, f) => rows.reduce((total, row) => total + f(row), 0);
    let dead = 0;
    for (const queue of (await queuesOf(cli)).values()) dead += (await queue.dead()).size;
    return (
      `${sum(this.publishers, (one) => one.accepted.size)} events accepted in ` +
      `${sum(this.publishers, (one) => one.tries)} tries, ` +
      `${sum(this.publishers, (one) => one.refused.size)} refused, ` +
      `${this.expected().length} deliveries wanted, ${dead} dead letters, ` +
      `${sum(this.subscriptions, (one) => one.receiver.turnedAway)} requests turned away, ` +
      `${this.duplicates().length} duplicates, ${this.upsets.length} upsets of nodes`
    );
  }
}
