// Two places for the movies of `changes`.

import type { SyncStore } from "./sync.js";
import type { Movie } from "./types.js";

export interface MemoryStore extends SyncStore {
  /** By id. */
  readonly movies: ReadonlyMap<string, Movie>;
}

/** Ends with the page or the process. */
export function memoryStore(): MemoryStore {
  const movies = new Map<string, Movie>();
  let state: string | undefined;
  return {
    movies,
    state: async () => state,
    async apply({ from, to, clear, put, remove }) {
      if (state !== from) return state === to;
      if (clear) movies.clear();
      for (const movie of put) movies.set(movie.id, movie);
      for (const id of remove) movies.delete(id);
      state = to;
      return true;
    },
  };
}

export interface IndexedDbStore extends SyncStore {
  get(id: string): Promise<Movie | undefined>;
  all(): Promise<Movie[]>;
  close(): Promise<void>;
}

/** Stays in the browser, and all tabs share it. */
export function indexedDbStore(name = "movie-bag"): IndexedDbStore {
  let opening: Promise<IDBDatabase> | undefined;

  function open(): Promise<IDBDatabase> {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("movies", { keyPath: "id" });
      request.result.createObjectStore("state");
    };
    return (opening ??= answer(request));
  }

  async function read<T>(of: string, ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    return answer(ask((await open()).transaction(of).objectStore(of)));
  }

  return {
    state: () => read("state", (store) => store.get("state")),
    get: (id) => read("movies", (store) => store.get(id)),
    all: () => read("movies", (store) => store.getAll()),
    async apply({ from, to, clear, put, remove }) {
      const transaction = (await open()).transaction(["movies", "state"], "readwrite");
      const movies = transaction.objectStore("movies");
      const states = transaction.objectStore("state");
      const done = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error);
      });
      const state = await answer(states.get("state"));
      const isMine = state === from;
      if (isMine) {
        if (clear) movies.clear();
        for (const movie of put) movies.put(movie);
        for (const id of remove) movies.delete(id);
        states.put(to, "state");
      }
      await done;
      return isMine || state === to;
    },
    async close() {
      (await opening)?.close();
      opening = undefined;
    },
  };
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
