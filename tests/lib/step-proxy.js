// A road that ends behind a certain command: that one arrives, nothing after it does, as when the
// sender is killed at that point.

import { Proxy } from './proxy.js';

// The whole commands at the start of `bytes`: {name, end}.
function* commandsIn(bytes) {
  let at = 0;
  const line = () => {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) return NaN;
    const number = Number(bytes.toString('latin1', at + 1, end));
    at = end + 2;
    return number;
  };
  while (at < bytes.length) {
    let name;
    for (let left = line(); !(left <= 0); left--) {
      const length = line();
      if (!(at + length + 2 <= bytes.length)) return;
      name ??= bytes.toString('latin1', at, at + length).toUpperCase();
      at += length + 2;
    }
    if (name === undefined) return;
    yield { name, end: at };
  }
}

export class StepProxy extends Proxy {
  hasEnded = false;

  // Lets the nth command of this name pass, as the last of all.
  endAfter(name, nth = 1) {
    this.last = name;
    this.left = nth;
    return this;
  }

  accept(near) {
    let waiting = Buffer.alloc(0);
    super.accept(near, {
      there: (chunk) => {
        if (this.hasEnded) return Buffer.alloc(0);
        waiting = Buffer.concat([waiting, chunk]);
        let pass = 0;
        for (const { name, end } of commandsIn(waiting)) {
          pass = end;
          this.hasEnded = name === this.last && --this.left === 0;
          if (this.hasEnded) break;
        }
        const whole = waiting.subarray(0, pass);
        waiting = waiting.subarray(pass);
        return whole;
      },
    });
  }
}
