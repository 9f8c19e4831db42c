// A road on which all is a thousand times smaller: an answer that is longer than 512 KiB looks to the
// client like one of more than 512 MiB, and the scripts that keep their answers short do so at KiB.
// What needs gigabytes otherwise can then be seen in a second.

import { Proxy } from './proxy.js';

export const ANSWER_MAX_BYTES = 512 * 1024;

// Of the same length, so that the lengths around them still hold.
const SMALLER = [
  ['67108864', '00065536'],
  ['2^28', '2^18'],
];
const ENDLESS = Buffer.from('$9999999999\r\n');
const NESTED = { '*': 1, '~': 1, '>': 1, '%': 2, '|': 2 };

// Where the reply that begins at `at` ends; -1 if it is not whole yet.
function endOf(bytes, at) {
  for (let open = 1; open > 0; open--) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) return -1;
    const type = String.fromCharCode(bytes[at]);
    const number = Number(bytes.toString('latin1', at + 1, line));
    at = line + 2;
    if ('$=!'.includes(type) && number >= 0) at += number + 2;
    if (NESTED[type] && number > 0) open += NESTED[type] * number;
    if (type === '|') open++;
    if (at > bytes.length) return -1;
  }
  return at;
}

export class NarrowProxy extends Proxy {
  refused = 0; // answers that were too long
  shrunk = new Set(); // which numbers were made smaller

  accept(near) {
    let waiting = Buffer.alloc(0);
    super.accept(near, {
      there: (chunk) => this.shrink(chunk),
      back: (chunk) => {
        waiting = Buffer.concat([waiting, chunk]);
        const whole = [];
        for (let end; waiting.length > 0 && (end = endOf(waiting, 0)) > 0; ) {
          whole.push(this.judge(waiting.subarray(0, end)));
          waiting = waiting.subarray(end);
        }
        return Buffer.concat(whole);
      },
    });
  }

  judge(reply) {
    if (reply.length <= ANSWER_MAX_BYTES) return reply;
    this.refused++;
    return ENDLESS;
  }

  shrink(chunk) {
    let text = chunk.toString('latin1');
    for (const [large, small] of SMALLER) {
      if (!text.includes(large)) continue;
      text = text.replaceAll(large, small);
      this.shrunk.add(large);
    }
    return Buffer.from(text, 'latin1');
  }
}
