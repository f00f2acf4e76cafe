// Who is logged in. The tokens are in a storage that the app hands in; all tabs that share it share the session.

import { type Client, newKey } from "./client.js";
import { exclusive } from "./lock.js";
import { Problem, isProblem } from "./problem.js";
import type { SignalOption, User } from "./types.js";
import { abortable, sleep } from "./wait.js";

/** `localStorage` and `sessionStorage` fit, and so does what answers with promises. */
export interface TokenStorage {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, value: string): unknown;
  removeItem(key: string): unknown;
}

export interface SessionOptions {
  /** Default: a storage that ends with the page or the process. */
  storage?: TokenStorage;
  /** The name in the storage. Default: `movie-bag.session`. */
  key?: string;
}

/** What a login, a refresh and an exchange answer. */
export interface Tokens {
  token: string;
  expires_in: number;
  refresh_token?: string;
}

export interface Credentials {
  email: string;
  password: string;
  /** What the list of sessions calls this one. Default: the server takes it from the `User-Agent`. */
  name?: string;
}

export interface Session {
  /** Makes an account and logs in. */
  signUp(credentials: Credentials, options?: SignalOption): Promise<User>;
  logIn(credentials: Credentials, options?: SignalOption): Promise<void>;
  /** Ends the session on the server, and forgets it here in any case. */
  logOut(options?: SignalOption): Promise<void>;
  /** Begins a session with tokens from elsewhere, such as an exchange after a sign-in with another provider. */
  adopt(tokens: Tokens): Promise<void>;
  isLoggedIn(): Promise<boolean>;
  /** Calls `listener` when somebody logs in or out, or the session ends, in any tab. Returns what ends that. */
  onChange(listener: (isLoggedIn: boolean) => void): () => void;
}

interface Held {
  /** Tells this session from the next one: made at the login, kept over refreshes. */
  id: string;
  token: string;
  refresh_token?: string | undefined;
  /** By the clock of this device, in milliseconds. */
  expires_at: number;
}

/** A token is renewed this long before it expires: it should not expire in flight. */
const MARGIN_MS = 30_000;
/** Everything that needs a token waits for a refresh, in all tabs: it must not hang. */
const REFRESH_MS = 30_000;

/** The client sends the session's token from now on, and renews it when it has expired. */
export function createSession(client: Client, options: SessionOptions = {}): Session {
  const { storage = memory(), key = "movie-bag.session" } = options;
  const name = `${key} ${client.baseUrl}`;
  const listeners = new Set<() => void>();
  let flight: { refused: string; token: Promise<string | undefined> } | undefined;

  async function load(): Promise<Held | undefined> {
    try {
      return JSON.parse((await storage.getItem(key)) ?? "null") ?? undefined;
    } catch {
      // This package did not write it, so nobody is logged in.
      return undefined;
    }
  }

  async function keep(id: string, { token, expires_in, refresh_token }: Tokens): Promise<void> {
    const held: Held = { id, token, refresh_token, expires_at: Date.now() + expires_in * 1000 };
    await storage.setItem(key, JSON.stringify(held));
  }

  function tell(): void {
    for (const listener of listeners) listener();
    if (!globalThis.BroadcastChannel) return;
    const channel = new BroadcastChannel(name);
    channel.postMessage(null);
    channel.close();
  }

  /** Inside the lock. */
  async function refresh(refused: string, hasWaited: boolean): Promise<string | undefined> {
    let held = await load();
    // Another tab has just written, and `localStorage` reaches this one later than the lock does.
    for (let looks = hasWaited ? 5 : 0; looks > 0 && held?.token === refused; looks--) {
      await sleep(100);
      held = await load();
    }
    // Another tab was here first, or nobody is logged in any more.
    if (!held || held.token !== refused) return held?.token;
    const { refresh_token } = held;
    if (!refresh_token) return undefined;
    try {
      // A repetition gets the same answer for 10 s, so a lost one logs nobody out.
      const body = { refresh_token };
      const signal = AbortSignal.timeout(REFRESH_MS);
      const tokens = await client.request("POST", "/api/auth/refresh", { body, auth: false, repeat: true, signal });
      await keep(held.id, tokens);
      return tokens.token;
    } catch (error) {
      if (!isProblem(error)) throw new Problem("unreachable", "The session cannot be renewed.", { cause: error });
      if (!isProblem(error, "invalid-refresh-token")) throw error;
      // Without Web Locks another tab may have used it meanwhile.
      const now = await load();
      if (now && now.refresh_token !== refresh_token) return now.token;
      await storage.removeItem(key);
      tell();
      throw error;
    }
  }

  /** Callers that ask at the same time wait for one refresh. A caller that gives up does not end it for the others. */
  function renew(refused: string, signal?: AbortSignal): Promise<string | undefined> {
    if (flight?.refused !== refused) {
      const mine = { refused, token: exclusive(name, (hasWaited) => refresh(refused, hasWaited)) };
      flight = mine;
      const land = () => {
        if (flight === mine) flight = undefined;
      };
      mine.token.then(land, land);
    }
    const { token } = flight;
    return abortable(() => token, signal);
  }

  client.auth = {
    async token(signal) {
      const held = await load();
      if (!held) return undefined;
      const isFresh = held.expires_at - MARGIN_MS > Date.now() || !held.refresh_token;
      return isFresh ? held.token : renew(held.token, signal);
    },
    renew,
  };

  const session: Session = {
    async signUp(credentials, { signal } = {}) {
      const { email, password } = credentials;
      const user = await client.request("POST", "/api/auth/signup", { body: { email, password }, auth: false, signal });
      await session.logIn(credentials, { signal });
      return user;
    },
    async logIn(credentials, { signal } = {}) {
      const body = { ...credentials, refresh: true };
      await session.adopt(await client.request("POST", "/api/auth/login", { body, auth: false, signal }));
    },
    async logOut({ signal } = {}) {
      try {
        await client.request("POST", "/api/auth/logout", { signal });
      } catch (error) {
        // The server has no such session any more.
        if (!isProblem(error) || error.status !== 401) throw error;
      } finally {
        await exclusive(name, async () => storage.removeItem(key));
        tell();
      }
    },
    async adopt(tokens) {
      await exclusive(name, () => keep(newKey(), tokens));
      tell();
    },
    isLoggedIn: async () => (await load()) !== undefined,
    onChange(listener) {
      let known: string | undefined;
      const begun = load().then((held) => (known = held?.id));
      const look = async () => {
        await begun;
        const id = (await load())?.id;
        if (id === known) return;
        known = id;
        listener(id !== undefined);
      };
      listeners.add(look);
      const channel = globalThis.BroadcastChannel && new BroadcastChannel(name);
      if (channel) channel.onmessage = look;
      // `localStorage` reaches other tabs later than the channel does, and says itself when it has.
      globalThis.addEventListener?.("storage", look);
      // In Node an open channel would keep the process from ending.
      (channel as { unref?: () => void } | undefined)?.unref?.();
      return () => {
        listeners.delete(look);
        channel?.close();
        globalThis.removeEventListener?.("storage", look);
      };
    },
  };
  return session;
}

function memory(): TokenStorage {
  const items = new Map<string, string>();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
}
