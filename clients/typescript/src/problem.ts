// An answer that is no success (RFC 9457), or no answer at all.

import type { components } from "./openapi.js";
import type { FieldError, ServerProblemCode } from "./types.js";

export type ProblemBody = components["schemas"]["Problem"];

/**
 * `unreachable`: there was no answer. `unexpected-answer`: the answer did not come from Movie Bag, as when a proxy or a
 * network's login page answers.
 */
export type ProblemCode = ServerProblemCode | "unreachable" | "unexpected-answer";

export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: ProblemCode;
  /** 0 if there was no answer. */
  readonly status: number;
  /** Every broken field, with `validation-failed`. */
  readonly errors: FieldError[];
  /** The server's log has more under this id. */
  readonly requestId: string | undefined;
  /** After how many seconds the server asks to try again. */
  readonly retryAfter: number | undefined;
  /** The answer as it came, if it came from Movie Bag. */
  readonly body: ProblemBody | undefined;

  constructor(
    code: ProblemCode,
    message: string,
    more: { status?: number; body?: ProblemBody; retryAfter?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.code = code;
    this.status = more.status ?? 0;
    this.body = more.body;
    this.errors = more.body?.errors ?? [];
    this.requestId = more.body?.request_id;
    this.retryAfter = more.retryAfter;
  }
}

/** Whether this is a problem, with one of these codes if there are any. */
export function isProblem<C extends ProblemCode = ProblemCode>(
  error: unknown,
  ...codes: C[]
): error is Problem & { readonly code: C } {
  return error instanceof Problem && (codes.length === 0 || (codes as ProblemCode[]).includes(error.code));
}

export async function problemOf(response: Response): Promise<Problem> {
  const { status } = response;
  const retryAfter = seconds(response.headers.get("Retry-After"));
  const isOurs = response.headers.get("Content-Type")?.startsWith("application/problem+json");
  const body = isOurs ? await response.json().catch(() => undefined) : undefined;
  if (typeof body?.code !== "string") {
    return new Problem("unexpected-answer", `The server answered ${status}.`, { status, retryAfter });
  }
  return new Problem(body.code, body.detail, { status, retryAfter, body });
}

/** A number of seconds or a date (RFC 9110, 10.2.3). */
function seconds(header: string | null): number | undefined {
  if (!header) return undefined;
  const number = Number(header);
  const wait = Number.isNaN(number) ? (Date.parse(header) - Date.now()) / 1000 : number;
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}

/** Whether the same request may succeed a little later. */
export function isPassing(error: unknown): error is Problem {
  return isProblem(error) && [0, 408, 429, 502, 503, 504].includes(error.status);
}
