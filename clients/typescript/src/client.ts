// Requests: the token, the answer or its problem, and when to try again.

import { Problem, isPassing, isProblem, problemOf } from "./problem.js";
import type { AnswerOf, CallOptions, Method, Operation, Optional, PathOf, SendOptions } from "./types.js";
import { backoff, sleep } from "./wait.js";

/** Where tokens come from: see `createSession`. */
export interface Auth {
  /** The token to send, if there is one. */
  token(signal?: AbortSignal): Promise<string | undefined>;
  /** Another token than the one that the server refused. */
  renew(refused: string, signal?: AbortSignal): Promise<string | undefined>;
}

export interface ClientOptions {
  /** Such as `https://movies.example.com`. Default: the server that the page is from. */
  baseUrl?: string;
  /** A personal access token, for scripts. People log in with `createSession`. */
  token?: string;
  /** How often a request is repeated that may be repeated. Default: 3. */
  retries?: number;
  /** How many milliseconds to wait at most before a repetition; beyond that the problem is thrown. Default: 10,000. */
  maxWait?: number;
  fetch?: typeof fetch;
}

export interface Client {
  readonly baseUrl: string;
  auth: Auth | undefined;
  /** Any route of the API. Throws a `Problem`, or the signal's reason. */
  request<M extends Method, P extends PathOf<M>>(
    method: M,
    path: P,
    ...options: Optional<CallOptions<Operation<M, P>>>
  ): Promise<AnswerOf<Operation<M, P>>>;
  /** Every item of a list, page by page as they are needed. */
  walk<P extends PagedPath>(
    path: P,
    ...options: Optional<CallOptions<Operation<"GET", P>>>
  ): AsyncGenerator<ItemOf<P>, void, undefined>;
  /** As `request`, but hands over the whole answer. */
  send<T>(method: Method, path: string, options: SendParts, read: (response: Response) => Promise<T>): Promise<T>;
}

type PageOf<P extends PathOf<"GET">> = AnswerOf<Operation<"GET", P>>;

/** The routes that answer page by page. */
export type PagedPath = {
  [P in PathOf<"GET">]: PageOf<P> extends { items: unknown[]; next: string | null } ? P : never;
}[PathOf<"GET">];

export type ItemOf<P extends PagedPath> = PageOf<P> extends { items: (infer T)[] } ? T : never;

export interface SendParts extends SendOptions {
  query?: object | undefined;
  path?: object | undefined;
  body?: unknown;
}

export function createClient(options: ClientOptions = {}): Client {
  const { retries = 3, maxWait = 10_000 } = options;
  const fetcher: typeof fetch = options.fetch ?? ((input, init) => fetch(input, init));
  const client: Client = {
    baseUrl: (options.baseUrl ?? "").replace(/\/+$/, ""),
    auth: options.token ? constant(options.token) : undefined,
    request: (method, path, ...[options]) => client.send(method, path, (options ?? {}) as SendParts, json),
    walk: (path, ...[options]) => walk(client, path, (options ?? {}) as SendParts),
    send,
  };
  return client;

  async function send<T>(
    method: Method,
    path: string,
    parts: SendParts,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const { signal, body, idempotencyKey, repeat = method === "GET" || idempotencyKey !== undefined } = parts;
    const headers = new Headers(parts.headers);
    if (body !== undefined) headers.set("Content-Type", "application/json");
    if (idempotencyKey !== undefined) headers.set("Idempotency-Key", idempotencyKey);
    const init: RequestInit = { method, headers };
    if (body !== undefined) init.body = JSON.stringify(body);
    if (signal) init.signal = signal;
    const url = client.baseUrl + expand(path, parts.path) + search(parts.query);

    const auth = parts.auth === false ? undefined : client.auth;
    let token = await auth?.token(signal);
    for (let attempt = 0, renewed = false; ; attempt++) {
      if (token) headers.set("Authorization", `Bearer ${token}`);
      let problem: Problem;
      try {
        return await once(url, init, read);
      } catch (error) {
        if (!isProblem(error)) throw error;
        problem = error;
      }
      if (auth && token && !renewed && isRefusal(problem)) {
        const next = await auth.renew(token, signal);
        if (!next || next === token) throw problem;
        token = next;
        renewed = true;
        continue;
      }
      const wait = problem.retryAfter === undefined ? backoff(attempt) : problem.retryAfter * 1000;
      if (attempt >= retries || wait > maxWait || !mayRepeat(problem, repeat)) throw problem;
      await sleep(wait, signal);
    }
  }

  async function once<T>(url: string, init: RequestInit, read: (response: Response) => Promise<T>): Promise<T> {
    try {
      const response = await fetcher(url, init);
      if (!response.ok) throw await problemOf(response);
      return await read(response);
    } catch (cause) {
      init.signal?.throwIfAborted();
      if (cause instanceof TypeError) {
        throw new Problem("unreachable", "The server cannot be reached.", { cause });
      }
      throw cause;
    }
  }
}

/** Before anything else was looked at, so also a write may be sent again. */
function isRefusal(problem: Problem): boolean {
  return problem.status === 401 && problem.code.endsWith("-token");
}

function mayRepeat(problem: Problem, repeat: boolean): boolean {
  // It was turned away at the door, so nothing was done.
  if (problem.status === 429) return true;
  // A 503 and a lost answer leave open whether it was done.
  return repeat && ((problem.code as string) === "request-in-progress" || isPassing(problem));
}

function constant(token: string): Auth {
  return { token: async () => token, renew: async () => undefined };
}

/** `any`: from here on the types are those of the document, which the server is held to. */
async function json(response: Response): Promise<any> {
  const text = await response.text();
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    const { status } = response;
    throw new Problem("unexpected-answer", "The answer is not JSON.", { status, cause });
  }
}

async function* walk<P extends PagedPath>(
  client: Client,
  path: P,
  parts: SendParts,
): AsyncGenerator<ItemOf<P>, void, undefined> {
  let query = parts.query;
  for (;;) {
    const page: { items: ItemOf<P>[]; next: string | null } = await client.send("GET", path, { ...parts, query }, json);
    yield* page.items;
    if (page.next === null) return;
    query = { ...query, after: page.next };
  }
}

/** `/api/movies/{id}` with the id in it. */
function expand(path: string, parameters: object = {}): string {
  return Object.entries(parameters).reduce(
    (path, [name, value]) => path.replace(`{${name}}`, () => encodeURIComponent(String(value))),
    path,
  );
}

function search(query: object = {}): string {
  const all = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value].flat()) if (each !== undefined) all.append(name, String(each));
  }
  const text = String(all);
  return text && `?${text}`;
}

/** A fresh `Idempotency-Key`. (`crypto.randomUUID` is only there on https and localhost.) */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
