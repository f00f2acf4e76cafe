// One at a time, over all tabs of a browser where it has Web Locks (https and localhost), else in this program.

const queues = /* @__PURE__ */ new Map<string, Promise<unknown>>();

/** `hasWaited`: somebody else was at work. */
export async function exclusive<T>(name: string, work: (hasWaited: boolean) => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks;
  if (locks) {
    const atOnce = await locks.request(name, { ifAvailable: true }, async (lock) => lock && { done: await work(false) });
    return atOnce ? atOnce.done : await locks.request(name, async () => work(true));
  }
  const before = queues.get(name);
  const mine = before ? before.then(() => work(true)) : work(false);
  const done = mine.catch(() => {}).then(() => {
    if (queues.get(name) === done) queues.delete(name);
  });
  queues.set(name, done);
  return mine;
}
