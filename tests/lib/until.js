// Waiting for what must become true, with a deadline; and watching that something stays true.

const TURN_MS = 5;
const turn = () => new Promise((resolve) => setTimeout(resolve, TURN_MS));

// Asks until `condition` gives something truthy, and returns that. `what` may be a function.
export async function until(condition, what, ms = 15000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) {
      const text = typeof what === 'function' ? what() : what;
      throw new Error(`after ${ms} ms still not: ${text}`);
    }
    await turn();
  }
}

// Fails as soon as `condition` is false within `ms`: for what must not happen.
export async function stays(condition, what, ms = 200) {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (!(await condition())) {
      const text = typeof what === 'function' ? what() : what;
      throw new Error(`no longer: ${text}`);
    }
    await turn();
  }
}
