// A client of the Movie Bag API: see README.md.

export {
  type Auth,
  type Client,
  type ClientOptions,
  type ItemOf,
  type PagedPath,
  createClient,
  newKey,
} from "./client.js";
export { type EventsOptions, type MovieEvent, events } from "./events.js";
export {
  type AddOptions,
  type Filters,
  type ListQuery,
  type Movies,
  type Page,
  type Target,
  createMovies,
} from "./movies.js";
export type { components, paths } from "./openapi.js";
export { Problem, type ProblemBody, type ProblemCode, isProblem } from "./problem.js";
export {
  type Credentials,
  type Session,
  type SessionOptions,
  type TokenStorage,
  type Tokens,
  createSession,
} from "./session.js";
export { type IndexedDbStore, type MemoryStore, indexedDbStore, memoryStore } from "./stores.js";
export { type ChangesOptions, type SyncStep, type SyncStore, changes } from "./sync.js";
export type {
  AnswerOf,
  CallOptions,
  Change,
  Facets,
  FieldError,
  Method,
  Movie,
  MovieInput,
  MoviePatch,
  Operation,
  PathOf,
  SendOptions,
  SignalOption,
  Suggestion,
  User,
} from "./types.js";
