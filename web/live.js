// @ts-check
// Changes that others make, as they happen (server-sent events).
//
// A browser opens at most six connections to a server, and each stream uses one. So all tabs share one
// stream: the tab that holds the lock listens and tells the others.

/** @typedef {{ type: "created" | "updated" | "deleted" | "reset", id?: string, version?: number, movie?: import("./api.js").Movie }} Change */

/** The pause after the server ended a stream with an error. */
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
  // Browsers have locks only on https and on localhost. Elsewhere each tab has its own stream.
  if (!navigator.locks) return void stream(onChange);
  navigator.locks.request("movie-bag.events", () => stream(tell)).catch(() => {});
}

/**
 * Settles when there is nothing to listen to: a server whose database has no change streams answers
 * 501, an older server 404. After a lost connection the browser reconnects by itself and misses nothing.
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
        // This is a new stream, and events may have been missed before it.
        if (heard) onChange({ type: "reset" });
        heard = true;
        source.onopen = null;
      };
      source.onerror = async () => {
        if (source.readyState !== EventSource.CLOSED) return;
        // The event does not tell the status. These two are final, unlike 503.
        const answer = heard ? null : await fetch(address, { method: "HEAD" }).catch(() => null);
        if ([404, 501].includes(answer?.status ?? 0)) resolve(undefined);
        else setTimeout(open, RETRY_MS);
      };
    };
    open();
  });
}
