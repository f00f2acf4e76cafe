// Live changes: server-sent events over fetch, which unlike EventSource says what was answered and obeys a signal.

import type { Client } from "./client.js";
import { Problem, isPassing } from "./problem.js";
import type { Movie, SignalOption } from "./types.js";
import { backoff, sleep } from "./wait.js";

export type MovieEvent =
  | {
      type: "created" | "updated" | "deleted";
      /** A place in the order of all changes: where to resume, also with `changes`. */
      cursor: string;
      id: string;
      version?: number;
      /** As it is now, if it still exists and is not too long for an event (16 KB). */
      movie?: Movie;
    }
  /** More was missed than the server keeps: read the catalogue again. */
  | { type: "reset"; cursor: string };

export interface EventsOptions extends SignalOption {
  /** The cursor of the last event that was seen. Default: from now on. */
  since?: string | undefined;
  /** Called when the stream is there, the first time and after each interruption. */
  onOpen?: (() => void) | undefined;
}

/** The server says something every 15 s; after three silences the connection is dead. */
const SILENCE_MS = 45_000;

/**
 * Changes as they happen, until the signal or a `break`. After an interruption it resumes where it was, for as long as it
 * takes. Throws what will not pass by itself: `no-events`, or a malformed cursor.
 */
export async function* events(
  client: Client,
  { since, signal, onOpen }: EventsOptions = {},
): AsyncGenerator<MovieEvent, void, undefined> {
  let last = since;
  for (let failures = 0; ; failures++) {
    const connection = new AbortController();
    const abort = () => connection.abort(signal?.reason);
    signal?.addEventListener("abort", abort);
    let watch: ReturnType<typeof setTimeout> | undefined;
    const heard = () => {
      clearTimeout(watch);
      watch = setTimeout(() => connection.abort(), SILENCE_MS);
    };
    try {
      signal?.throwIfAborted();
      heard();
      const headers: Record<string, string> = last === undefined ? {} : { "Last-Event-ID": last };
      const options = { headers, signal: connection.signal, auth: false };
      const body = await client.send("GET", "/api/movies/events", options, stream);
      onOpen?.();
      for await (const message of messages(body, heard)) {
        failures = 0;
        if (message.id !== undefined) last = message.id;
        if (message.data) {
          yield { ...JSON.parse(message.data), type: message.event, cursor: last } as MovieEvent;
        }
      }
    } catch (error) {
      signal?.throwIfAborted();
      const isBroken = connection.signal.aborted || error instanceof TypeError || isPassing(error);
      if (!isBroken) throw error;
    } finally {
      clearTimeout(watch);
      signal?.removeEventListener("abort", abort);
      connection.abort();
    }
    await sleep(backoff(failures), signal);
  }
}

async function stream(response: Response): Promise<ReadableStream<Uint8Array>> {
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream") || !response.body) {
    throw new Problem("unexpected-answer", "The answer is not a stream of events.", { status: response.status });
  }
  return response.body;
}

interface Message {
  event: string;
  data: string;
  /** As of this message: an id without data counts too. */
  id: string | undefined;
}

/** Reads an event stream (<https://html.spec.whatwg.org/multipage/server-sent-events.html>). */
export async function* messages(
  body: ReadableStream<Uint8Array>,
  heard: () => void,
): AsyncGenerator<Message, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let message: Message = { event: "message", data: "", id: undefined };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      rest += decoder.decode(value, { stream: true });
      // A CR at the end may be half of a CRLF.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "") {
          yield { ...message, data: message.data.slice(0, -1) };
          message = { event: "message", data: "", id: message.id };
          continue;
        }
        const [, field, text = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
        if (field === "data") message.data += `${text}\n`;
        else if (field === "event") message.event = text;
        else if (field === "id" && !text.includes("\0")) message.id = text;
      }
    }
  } finally {
    // Not awaited: it may be broken.
    reader.cancel().catch(() => {});
  }
}
