// One at a time, over all tabs of a browser where it has Web Locks (https and localhost), else in this program.

const queues = /* @__PURE__ */ new Map<string, Promise<unknown>>();

export function exclusive<T>(name: string, work: () => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks;
  if (locks) return locks.request(name, work) as Promise<T>;
  const mine = (queues.get(name) ?? Promise.resolve()).then(work);
  const done = mine.catch(() => {}).then(() => {
    if (queues.get(name) === done) queues.delete(name);
  });
  queues.set(name, done);
  return mine;
}
