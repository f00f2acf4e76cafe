// The catalogue in words of its own. Every other route is in `client.request`, typed as well.

import { type Client, newKey } from "./client.js";
import { type EventsOptions, type MovieEvent, events } from "./events.js";
import { isProblem } from "./problem.js";
import { type ChangesOptions, type SyncStep, type SyncStore, changes } from "./sync.js";
import type {
  Facets,
  Movie,
  MovieInput,
  MoviePatch,
  Operation,
  QueryOf,
  SignalOption,
  Suggestion,
} from "./types.js";

type List = QueryOf<Operation<"GET", "/api/movies">>;

/** The filters and the order of a list. `fields` chooses what to answer with; `id` is always there. */
export type ListQuery<F extends keyof Movie = keyof Movie> = Omit<List, "fields" | "after"> & {
  fields?: readonly F[] | undefined;
};

export type Filters = QueryOf<Operation<"GET", "/api/movies/facets">>;

export interface Page<T> {
  items: T[];
  next: string | null;
  /** With `count: true`. */
  total?: number;
}

/** A movie that was read: then its version guards the change. Or an id: then nothing does. */
export type Target = string | Pick<Movie, "id" | "version">;

export interface AddOptions extends SignalOption {
  /** Hand one in that you keep, to repeat the request after a restart. Default: a fresh one. */
  idempotencyKey?: string;
}

export interface Movies {
  /** All that match, page by page as they are needed. */
  list<F extends keyof Movie = keyof Movie>(
    query?: ListQuery<F>,
    options?: SignalOption,
  ): AsyncGenerator<Pick<Movie, F | "id">, void, undefined>;
  /** One page, for a list with a button below. */
  page<F extends keyof Movie = keyof Movie>(
    query?: ListQuery<F> & { after?: string | undefined },
    options?: SignalOption,
  ): Promise<Page<Pick<Movie, F | "id">>>;
  get(id: string, options?: SignalOption): Promise<Movie>;
  /** Adds it once, however often the request has to be sent. */
  add(movie: MovieInput, options?: AddOptions): Promise<Movie>;
  replace(target: Target, movie: MovieInput, options?: SignalOption): Promise<Movie>;
  patch(target: Target, patch: MoviePatch, options?: SignalOption): Promise<Movie>;
  /**
   * Changes the newest version: where somebody else was faster, `change` is asked again with what is there now. It answers with
   * a patch, or with `undefined` to leave the movie as it is.
   */
  edit(
    target: string | Movie,
    change: (movie: Movie) => MoviePatch | undefined | Promise<MoviePatch | undefined>,
    options?: SignalOption,
  ): Promise<Movie>;
  remove(target: Target, options?: SignalOption): Promise<void>;
  suggest(prefix: string, options?: SignalOption & { limit?: number }): Promise<Suggestion[]>;
  facets(filters?: Filters, options?: SignalOption): Promise<Facets>;
  changes(store: SyncStore, options?: ChangesOptions): AsyncGenerator<SyncStep, void, undefined>;
  events(options?: EventsOptions): AsyncGenerator<MovieEvent, void, undefined>;
}

/** How often `edit` looks again before it gives up. */
const EDITS = 5;

export function createMovies(client: Client): Movies {
  // Reading is public: without a token a page of another origin asks no leave first, and a cache may answer.
  const open = ({ signal }: SignalOption = {}) => ({ signal, auth: false });

  const movies: Movies = {
    async *list(query, options) {
      let after: string | undefined;
      do {
        const page = await movies.page({ limit: 100, ...query, after } as typeof query & { after?: string }, options);
        yield* page.items;
        after = page.next ?? undefined;
      } while (after !== undefined);
    },
    async page({ fields, ...query } = {}, options) {
      const all = { ...query, ...(fields && { fields: fields.join() }) } as List;
      // The document describes whole movies. With `fields` they have these alone, as the type of this function says.
      return await client.request("GET", "/api/movies", { query: all, ...open(options) });
    },
    get: (id, options) => client.request("GET", "/api/movies/{id}", { path: { id }, ...open(options) }),
    add(body, { idempotencyKey = newKey(), signal } = {}) {
      return client.request("POST", "/api/movies", { body, idempotencyKey, signal });
    },
    replace: (target, body, options) => client.request("PUT", "/api/movies/{id}", { body, ...guarded(target, options) }),
    patch: (target, body, options) => client.request("PATCH", "/api/movies/{id}", { body, ...guarded(target, options) }),
    async edit(target, change, options) {
      let movie = typeof target === "string" ? await movies.get(target, options) : target;
      for (let left = EDITS; ; left--) {
        const patch = await change(movie);
        if (!patch) return movie;
        try {
          return await movies.patch(movie, patch, options);
        } catch (error) {
          if (left === 0 || !isProblem(error, "precondition-failed")) throw error;
          movie = await movies.get(movie.id, options);
        }
      }
    },
    remove: (target, options) => client.request("DELETE", "/api/movies/{id}", guarded(target, options)),
    suggest(prefix, { limit, signal } = {}) {
      const query = { prefix, ...(limit !== undefined && { limit }) };
      return client.request("GET", "/api/movies/suggest", { query, ...open({ signal }) });
    },
    facets: (query = {}, options) => client.request("GET", "/api/movies/facets", { query, ...open(options) }),
    changes: (store, options) => changes(client, store, options),
    events: (options) => events(client, options),
  };
  return movies;
}

function guarded(target: Target, { signal }: SignalOption = {}) {
  if (typeof target === "string") return { path: { id: target }, signal };
  return { path: { id: target.id }, headers: { "If-Match": `"${target.version}"` }, signal };
}
