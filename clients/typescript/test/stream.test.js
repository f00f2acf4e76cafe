// Event streams in pieces, and what a stream may end with: against a server that answers from a list.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, createMovies, isProblem } from "movie-bag";
import { collect, problem } from "./support.js";

const TEXT = [
  ":\r\nid:82A1\r\n\r\n",
  'event:created\r\nid:82A2\r\ndata:{"id":"1",\r\ndata:"version":1}\r\n\r\n',
  ":\nid: 82A3\n\n",
  'event: deleted\rid: 82A4\rdata: {"id":"é – 2"}\r\r',
  "event: reset\nid:82A5\ndata:{}\n\n",
].join("");
const EVENTS = [
  { type: "created", cursor: "82A2", id: "1", version: 1 },
  { type: "deleted", cursor: "82A4", id: "é – 2" },
  { type: "reset", cursor: "82A5" },
];

/** Movies of a server whose streams consist of these pieces, one list for each connection. */
function streaming(...connections) {
  const asked = [];
  const fetch = async (_, { headers }) => {
    asked.push(headers.get("Last-Event-ID"));
    const pieces = connections.shift();
    if (!Array.isArray(pieces)) {
      const { status, headers, body } = pieces;
      return new Response(JSON.stringify(body), {
        status,
        headers: { ...headers, "Content-Type": "application/problem+json" },
      });
    }
    return new Response(ReadableStream.from(pieces), { headers: { "Content-Type": "text/event-stream" } });
  };
  return { movies: createMovies(createClient({ baseUrl: "https://movies.example.com", fetch, retries: 0 })), asked };
}

const noEvents = problem(501, "no-events");
const isEnd = (error) => isProblem(error, "no-events");

async function hear(movies, options) {
  const heard = [];
  await assert.rejects(async () => {
    for await (const event of movies.events(options)) heard.push(event);
  }, isEnd);
  return heard;
}

test("a stream is read the same wherever it is cut into pieces", async () => {
  const bytes = new TextEncoder().encode(TEXT);
  const cuts = Array.from(bytes, (_, at) => [bytes.slice(0, at), bytes.slice(at)]);
  cuts.push(Array.from(bytes, (byte) => Uint8Array.of(byte)));
  // Side by side: each waits a little before it asks again.
  const heard = await Promise.all(cuts.map((pieces) => hear(streaming(pieces, noEvents).movies)));
  for (const [at, events] of heard.entries()) assert.deepEqual(events, EVENTS, `cut at ${at}`);
});

test("a stream resumes after the last id, also after one without an event", async () => {
  const encode = (text) => [new TextEncoder().encode(text)];
  const { movies, asked } = streaming(
    encode(":\nid:82B1\n\n"),
    encode('event:created\nid:82B2\ndata:{"id":"1"}\n\nevent:created\nid:82B9\ndata:{"id":"half'),
    problem(503, "database-unavailable", { "Retry-After": "0" }),
    noEvents,
  );
  assert.deepEqual(await hear(movies), [{ type: "created", cursor: "82B2", id: "1" }]);
  assert.deepEqual(asked, [null, "82B1", "82B2", "82B2"]);
});

test("since is where it begins, and what will not pass is thrown", async () => {
  const { movies, asked } = streaming(noEvents);
  await assert.rejects(collect(movies.events({ since: "82C1" })), isEnd);
  assert.deepEqual(asked, ["82C1"]);
});
