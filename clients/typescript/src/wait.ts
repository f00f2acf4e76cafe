// Waiting that a signal ends.

/** Resolves after so many milliseconds, or as soon as a browser is online again; rejects with the signal's reason. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return abortable(
    (stop) =>
      new Promise((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          globalThis.removeEventListener?.("online", wake);
          resolve();
        };
        const timer = setTimeout(wake, ms);
        globalThis.addEventListener?.("online", wake);
        stop.push(wake);
      }),
    signal,
  );
}

/** What `work` comes to, or the signal's reason if that is sooner. Then what `work` has pushed is called. */
export function abortable<T>(work: (stop: (() => void)[]) => Promise<T>, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop: (() => void)[] = [];
    const abort = () => {
      reject(signal?.reason);
      for (const call of stop) call();
    };
    signal?.addEventListener("abort", abort, { once: true });
    work(stop)
      .then(resolve, reject)
      .finally(() => signal?.removeEventListener("abort", abort));
  });
}

/** Milliseconds before the next try: twice as long each time, to half a minute, and never the same for all clients. */
export function backoff(attempt: number): number {
  return Math.min(250 * 2 ** attempt, 30_000) * (0.5 + Math.random());
}
