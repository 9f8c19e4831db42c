// Holds what ran against what was sent.

import assert from 'node:assert/strict';
import { deadLetters } from '../lib/keys.js';

const LABEL = /(?:list|stream):\d+\.\d+/;

// How often each label was begun and brought to an end.
export function tally(lines) {
  const starts = new Map();
  const ends = new Map();
  for (const line of lines) {
    const label = line.match(LABEL)?.[0];
    assert.ok(label, `a line of the ledger without a label: ${line}`);
    const counts = line.startsWith('start ') ? starts : ends;
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  return { starts, ends };
}

export class Audit {
  constructor(world, producers, functions) {
    this.world = world;
    this.functions = functions;
    this.producers = producers;
    this.repeats = new Map(); // label -> how many more runs a fault has asked for
    this.heldUp = new Map(); // label -> how many faults found it in Redis's hands, not acknowledged
    this.missing = new Set(); // labels that a fault took away
  }

  mayRepeat(labels) {
    count(this.repeats, labels);
  }

  wasHeldUp(labels) {
    count(this.heldUp, labels);
  }

  mayMiss(labels) {
    for (const label of labels) this.missing.add(label);
  }

  sent() {
    return this.producers.flatMap((producer) => [...producer.acknowledged.values()]);
  }

  async dead(cli) {
    const letters = await Promise.all(this.functions.map((f) => deadLetters(cli, f)));
    return letters.flat().map((letter) => letter.element ?? letter['f:n']);
  }

  // Those of the labels that no run has brought to an end.
  open(labels) {
    const { ends } = tally(this.world.ledger());
    return labels.filter((label) => !ends.has(label) && !this.missing.has(label));
  }

  // Acknowledged to the producer, but neither run to the end nor in the dead letters.
  async lost(cli) {
    const open = this.open(this.sent());
    if (open.length === 0) return [];
    const dead = new Set(await this.dead(cli));
    return open.filter((label) => !dead.has(label));
  }

  // Labels with runs beyond the first that no fault has asked for by name, and how many.
  repeated() {
    const { starts } = tally(this.world.ledger());
    const again = [...starts].map(([label, n]) => [label, n - 1 - (this.repeats.get(label) ?? 0)]);
    return again.filter(([, n]) => n > 0);
  }

  // Those of them that no fault held up.
  unexplained() {
    return this.repeated().filter(([label, n]) => n > (this.heldUp.get(label) ?? 0));
  }

  async summary(cli) {
    const { starts, ends } = tally(this.world.ledger());
    const tries = this.producers.reduce((sum, producer) => sum + producer.tries, 0);
    const dead = await this.dead(cli);
    return (
      `${this.sent().length} messages acknowledged in ${tries} tries, ${ends.size} labels run, ` +
      `${this.missing.size} taken away, ${dead.length} dead letters, ` +
      `${sum(starts) - starts.size} runs repeated, ${this.heldUp.size} messages held up, ` +
      `${sum(starts) - sum(ends)} runs cut short`
    );
  }
}

function count(counts, labels) {
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
}

const sum = (counts) => [...counts.values()].reduce((total, n) => total + n, 0);
