// @ts-check
// The only place that talks to the API: requests, problems, and the session.

/** @typedef {{ id: string, name: string, year?: number, runtime?: number, casts: string[], genres: string[],
 *   directors: string[], countries: string[], languages: string[], plot?: string, poster_url?: string,
 *   added_by: string, created_at: string, updated_at: string, version: number }} Movie */
/** @typedef {{ id: string, email: string, email_verified: boolean, has_password: boolean, role: "user" | "admin", created_at: string, movie_count?: number }} User */
/** @typedef {{ field: string, code: string, message: string }} FieldError */

/** An answer that is an error (RFC 9457), or no answer at all: then the code is "unreachable". */
export class Problem extends Error {
  /** @param {{ code?: string, status?: number, detail?: string, errors?: FieldError[] }} body @param {number} [wait] seconds */
  constructor(body, wait) {
    super(body.detail ?? "The server gave an unexpected answer.");
    this.code = body.code ?? "unknown";
    this.status = body.status ?? 0;
    this.errors = body.errors ?? [];
    this.wait = wait;
  }

  /** The server does not accept our token. */
  get loggedOut() {
    return this.status === 401 && this.code.endsWith("-token");
  }

  /** For a person to read. */
  get words() {
    const again = this.wait ? ` Try again in ${duration(this.wait)}.` : "";
    switch (this.code) {
      case "too-many-requests":
        return `Too many attempts.${again || " Try again later."}`;
      case "overloaded":
        return `The server is busy.${again}`;
      case "database-unavailable":
      case "deadline-exceeded":
        return `The catalogue is not available right now.${again}`;
      case "precondition-failed":
        return "This movie was changed since you opened it.";
      default:
        return this.message + again;
    }
  }
}

/** @param {number} seconds */
function duration(seconds) {
  const [count, unit] = seconds < 90 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** The session, in `localStorage`, so that it is the same in every tab. README.md says why. */
class Session extends EventTarget {
  #key = "movie-bag.session";

  /** @type {{ token: string, user: User } | null} */
  get current() {
    try {
      return JSON.parse(localStorage.getItem(this.#key) ?? "null");
    } catch {
      // Another program wrote it, so nobody is logged in.
      return null;
    }
  }

  /** @param {{ token: string, user: User } | null} session */
  set current(session) {
    if (session) localStorage.setItem(this.#key, JSON.stringify(session));
    else localStorage.removeItem(this.#key);
    this.dispatchEvent(new Event("change"));
  }

  /** @returns {User | null} */
  get user() {
    return this.current?.user ?? null;
  }

  constructor() {
    super();
    // Another tab has logged in or out.
    addEventListener("storage", ({ key }) => key === this.#key && this.dispatchEvent(new Event("change")));
  }
}

export const session = new Session();

/** Called with the code of a problem when the server no longer accepts our token. @type {(code: string) => void} */
let onLoggedOut = () => {};
/** @param {(code: string) => void} listener */
export const whenLoggedOut = (listener) => (onLoggedOut = listener);

/** Called when a movie was added, changed or deleted here. */
let onChanged = () => {};
/** @param {() => void} listener */
export const whenChanged = (listener) => (onChanged = listener);

/**
 * @param {string} method
 * @param {string} path  below /api
 * @param {{ body?: unknown, etag?: string, query?: URLSearchParams | Record<string, string>, signal?: AbortSignal, token?: string }} [options]
 * @returns {Promise<{ status: number, body: any, etag: string | null }>}
 */
export async function request(method, path, { body, etag, query, signal, token = session.current?.token } = {}) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (token) headers["Authorization"] = `Bearer ${token}`;
  if (etag) headers["If-Match"] = etag;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const search = query ? `?${new URLSearchParams(query)}` : "";
  /** @param {unknown} error @returns {never} */
  const lost = (error) => {
    if (signal?.aborted) throw error;
    throw new Problem({ code: "unreachable", detail: "Cannot reach the server. Check your connection." });
  };
  const answer = await fetch(`/api${path}${search}`, {
    method,
    headers,
    signal,
    body: body === undefined ? undefined : JSON.stringify(body),
  }).catch(lost);
  // The connection may also end in the middle of a body.
  const json = answer.headers.get("Content-Type")?.includes("json") ? await answer.json().catch(lost) : null;
  if (answer.ok && method !== "GET") onChanged();
  if (answer.ok) return { status: answer.status, body: json, etag: answer.headers.get("ETag") };
  const problem = new Problem(
    json ?? { status: answer.status },
    Number(answer.headers.get("Retry-After")) || undefined,
  );
  // If a newer login has replaced this token meanwhile, the newer one stays.
  if (problem.loggedOut && token === session.current?.token) {
    session.current = null;
    onLoggedOut(problem.code);
  }
  throw problem;
}

/** @param {string} path @param {URLSearchParams | Record<string, string>} [query] @param {AbortSignal} [signal] */
export const get = async (path, query, signal) => (await request("GET", path, { query, signal })).body;

/** What the list of sessions calls this browser: "Firefox on Linux". Undefined for an unknown one: then the server uses
 * the whole `User-Agent`. The order counts, since many browsers name others too. */
export function browserName() {
  const find = (/** @type {[RegExp, string][]} */ known) =>
    known.find(([pattern]) => pattern.test(navigator.userAgent))?.[1];
  const browser = find([
    [/Edg/, "Edge"],
    [/OPR/, "Opera"],
    [/Firefox|FxiOS/, "Firefox"],
    [/Chrome|CriOS/, "Chrome"],
    [/Safari/, "Safari"],
  ]);
  const system = find([
    [/Windows/, "Windows"],
    [/Android/, "Android"],
    [/iPhone/, "iPhone"],
    [/iPad/, "iPad"],
    [/Mac OS/, "Mac"],
    [/CrOS/, "ChromeOS"],
    [/Linux/, "Linux"],
  ]);
  return browser && system && `${browser} on ${system}`;
}

/** @param {string} email @param {string} password */
export async function logIn(email, password) {
  await enter((await request("POST", "/auth/login", { body: { email, password, name: browserName() } })).body.token);
}

/** Logs this browser in. @param {string} token */
export async function enter(token) {
  const { body: user } = await request("GET", "/users/me", { token });
  session.current = { token, user };
}
