// @ts-check
// What others change, as it happens: server-sent events.
//
// A browser opens six connections to a server at most, and each stream holds one. So the tabs share
// one: whoever gets the lock listens, and passes on what it hears.

/** @typedef {{ type: "created" | "updated" | "deleted" | "reset", id?: string, version?: number, movie?: import("./api.js").Movie }} Change */

/** After the server has ended a stream with an error. */
const RETRY_MS = 15_000;

const address = "/api/movies/events";

/** @param {(change: Change) => void} onChange */
export function listen(onChange) {
  const channel = new BroadcastChannel("movie-bag.events");
  channel.onmessage = ({ data }) => onChange(data);
  /** @param {Change} change */
  const tell = (change) => {
    onChange(change);
    channel.postMessage(change);
  };
  // Locks are there on https and localhost only; elsewhere each tab has a stream of its own.
  if (!navigator.locks) return void stream(onChange);
  navigator.locks.request("movie-bag.events", () => stream(tell)).catch(() => {});
}

/**
 * Settles when there is nothing to listen to: a server whose database has no change streams answers
 * 501, an older one 404. A lost connection is not the end: the browser goes on by itself, from where it was.
 * @param {(change: Change) => void} onChange
 */
function stream(onChange) {
  return new Promise((resolve) => {
    let heard = false;
    const open = () => {
      const source = new EventSource(address);
      for (const type of /** @type {const} */ (["created", "updated", "deleted", "reset"])) {
        source.addEventListener(type, ({ data }) => onChange({ ...(data && JSON.parse(data)), type }));
      }
      source.onopen = () => {
        // This is another stream than before, and something may have been missed in between.
        if (heard) onChange({ type: "reset" });
        heard = true;
        source.onopen = null;
      };
      source.onerror = async () => {
        if (source.readyState !== EventSource.CLOSED) return;
        // The event does not say what was answered: 503 passes, these two do not.
        const answer = heard ? null : await fetch(address, { method: "HEAD" }).catch(() => null);
        if ([404, 501].includes(answer?.status ?? 0)) resolve(undefined);
        else setTimeout(open, RETRY_MS);
      };
    };
    open();
  });
}
