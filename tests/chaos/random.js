// Numbers that a seed decides, so that a run can be had again: CHAOS_SEED names it. A trial of the
// event router goes on until CHAOS_KILLS kills too.

export const SEED = Number(process.env.CHAOS_SEED) || (Date.now() % 1000000) + 1;
export const SECONDS = Number(process.env.CHAOS_SECONDS) || 8;
export const KILLS = Number(process.env.CHAOS_KILLS) || 0;

export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  // [0, 1), by mulberry32: four lines, and good enough to shuffle faults.
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  between(low, high) {
    return Math.floor(low + this.next() * (high - low));
  }

  pick(array) {
    return array[this.between(0, array.length)];
  }

  shuffled(array) {
    const rest = [...array];
    return array.map(() => rest.splice(this.between(0, rest.length), 1)[0]);
  }
}
