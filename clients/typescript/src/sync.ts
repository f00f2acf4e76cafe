// The catalogue on the device: the list once, and from then on what has changed.

import type { Client } from "./client.js";
import { events } from "./events.js";
import { isPassing, isProblem } from "./problem.js";
import type { Movie, SignalOption } from "./types.js";
import { backoff, sleep } from "./wait.js";

/** What changed on the device. */
export interface SyncStep {
  /** The state that this step began with. */
  from: string | undefined;
  /** The state after it. */
  to: string;
  /** Everything in the store is deleted first. */
  clear: boolean;
  /** Movies that are new or have changed. */
  put: Movie[];
  /** Ids of movies that are gone. */
  remove: string[];
}

/** Where the movies are kept. `indexedDbStore` and `memoryStore` are two. */
export interface SyncStore {
  /** The `to` of the last step; `undefined` in the beginning. */
  state(): Promise<string | undefined>;
  /**
   * Does all of a step or, if the state is no longer `from`, nothing: then another tab was faster. Says whether the state is
   * `to` now.
   */
  apply(step: SyncStep): Promise<boolean>;
}

export interface ChangesOptions extends SignalOption {
  /** Goes on with changes as they happen, and waits where the server cannot be reached. Default: ends when all is there. */
  live?: boolean | undefined;
}

/** Opaque to stores. */
interface State {
  /** Where to resume the changes. */
  cursor: string;
  /** Where to resume the first walk of the list; `null` once it is complete. */
  after: string | null;
}

/** Brings the store to what the server has, and yields each step once it is in the store. */
export async function* changes(
  client: Client,
  store: SyncStore,
  { live = false, signal }: ChangesOptions = {},
): AsyncGenerator<SyncStep, void, undefined> {
  let stored = await store.state();
  // Cursors that are kept may be of another server, or of a database that was restored.
  let isOld = stored !== undefined;
  let isAnew = !isOld;
  let isBehind = true;
  let failures = 0;
  const get = { auth: false, signal };

  for (;;) {
    try {
      const state: State | undefined = stored === undefined || isAnew ? undefined : JSON.parse(stored);
      if (!state) {
        yield* begin();
        isAnew = false;
      } else if (state.after !== null) {
        yield* apply(await listed(state, state.after), false);
      } else if (isBehind) {
        const query = { since: state.cursor, limit: 1000 };
        const { items, next, more } = await client.request("GET", "/api/movies/changes", { query, ...get });
        if (next !== state.cursor) yield* apply(changed(items, next), false);
        isBehind = more;
      } else if (live) {
        yield* follow(state.cursor);
      } else {
        return;
      }
      isOld = false;
      failures = 0;
    } catch (error) {
      if (isProblem(error, "changes-gone") || (isOld && isProblem(error, "invalid-query"))) {
        isAnew = true;
        isOld = false;
      } else if (live && isPassing(error)) {
        await sleep(Math.max(backoff(failures++), (error.retryAfter ?? 0) * 1000), signal);
      } else {
        throw error;
      }
    }
  }

  /** The cursor comes before the list, so that nothing is lost between the two. */
  async function* begin(): AsyncGenerator<SyncStep, void, undefined> {
    const { next: cursor } = await client.request("GET", "/api/movies/changes", get);
    isBehind = true;
    yield* apply(await listed({ cursor, after: null }), true);
  }

  async function listed({ cursor }: State, after?: string): Promise<Parts> {
    const query = { sort: "created_at", limit: 100, ...(after !== undefined && { after }) } as const;
    const page = await client.request("GET", "/api/movies", { query, ...get });
    // Without `fields` they are whole.
    return { put: page.items as Movie[], remove: [], state: { cursor, after: page.next } };
  }

  async function* follow(since: string): AsyncGenerator<SyncStep, void, undefined> {
    for await (const event of events(client, { since, signal })) {
      // A movie that is too long for an event is in the changes; so is what came before a reset, if anything has it.
      isBehind = event.type === "reset" || (event.type !== "deleted" && !event.movie);
      if (event.type === "reset" || isBehind) return;
      yield* apply(changed([event], event.cursor), false);
      // Another tab was here, and perhaps further.
      if (isBehind) return;
    }
  }

  async function* apply({ put, remove, state }: Parts, clear: boolean): AsyncGenerator<SyncStep, void, undefined> {
    signal?.throwIfAborted();
    const to = JSON.stringify(state);
    const step = { from: stored, to, clear, put, remove };
    if (await store.apply(step)) {
      stored = to;
    } else {
      stored = await store.state();
      isBehind = true;
    }
    yield step;
  }
}

interface Parts {
  put: Movie[];
  remove: string[];
  state: State;
}

/** Each change has its movie as it is now, so the last one of a movie is all that counts. */
function changed(items: { id: string; movie?: Movie }[], cursor: string): Parts {
  const last = new Map(items.map(({ id, movie }) => [id, movie]));
  const put = [...last.values()].filter((movie) => movie !== undefined);
  const remove = [...last].filter(([, movie]) => !movie).map(([id]) => id);
  return { put, remove, state: { cursor, after: null } };
}
