// What the generated document says of one route: its parameters, its body and its answer.

import type { components, paths } from "./openapi.js";

type Schemas = components["schemas"];

export type Movie = Schemas["Movie"];
export type MovieInput = Schemas["MovieInput"];
export type MoviePatch = Schemas["MoviePatch"];
export type User = Schemas["User"];
export type FieldError = Schemas["FieldError"];
export type Change = Schemas["Change"];
export type Facets = Schemas["Facets"];
export type Suggestion = Schemas["Suggestion"];

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** The routes that have this method. */
export type PathOf<M extends Method> = {
  [P in keyof paths]: Operation<M, P> extends { responses: unknown } ? P : never;
}[keyof paths];

/** A route and a method, as the document describes them. */
export type Operation<M extends Method, P extends keyof paths> = paths[P][Lowercase<M> & keyof paths[P]];

type Parameters<Op, Place extends string> = Op extends { parameters: { [K in Place]?: infer T } }
  ? NonNullable<T>
  : never;

export type QueryOf<Op> = Parameters<Op, "query">;

type BodyOf<Op> = Op extends { requestBody?: infer B }
  ? NonNullable<B> extends { content: infer C }
    ? C[keyof C]
    : never
  : never;

/** What a success holds; `undefined` where there is no body. */
export type AnswerOf<Op> = Op extends { responses: infer R }
  ? { [S in keyof R & (200 | 201 | 202 | 204)]: JsonOf<R[S]> }[keyof R & (200 | 201 | 202 | 204)]
  : never;

type JsonOf<R> = R extends { content: { "application/json": infer J } } ? J : undefined;

/** An option that must be there if something in it must. */
type Part<Name extends string, T> = [T] extends [never]
  ? { [K in Name]?: undefined }
  : {} extends T
    ? { [K in Name]?: T | undefined }
    : { [K in Name]: T };

export type CallOptions<Op> = Part<"query", QueryOf<Op>> &
  Part<"path", Parameters<Op, "path">> &
  Part<"body", BodyOf<Op>> &
  SendOptions;

/** The last argument of a call: it may be left out if nothing in it must be there. */
export type Optional<T> = {} extends T ? [options?: T] : [options: T];

export interface SignalOption {
  signal?: AbortSignal | undefined;
}

export interface SendOptions extends SignalOption {
  headers?: Record<string, string> | undefined;
  /** `false`: without a token, also when there is a session. Default: true. */
  auth?: boolean | undefined;
  /**
   * Whether the request may be sent again when it is not known if the first one was done. Default: true for GET and with an
   * `idempotencyKey`, otherwise false.
   */
  repeat?: boolean | undefined;
  /** Sent as `Idempotency-Key`: however often the request is sent with this key, the server does it once. */
  idempotencyKey?: string | undefined;
}

/** The codes that the server may answer with. A later release may have more. */
export type ServerProblemCode = Schemas["ProblemCode"];
