// Adds the movies of a file that has one JSON object per line: node add-films.js FILE
//
// MOVIE_BAG_URL is the server, and MOVIE_BAG_TOKEN is a personal access token with the scope movies:write. You can
// run it again on the same file: it skips movies that exist already.

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { createClient, isProblem } from "movie-bag";

const { MOVIE_BAG_URL: baseUrl = "http://127.0.0.1:8000", MOVIE_BAG_TOKEN: token } = process.env;
const [file] = process.argv.slice(2);
if (!file || !token) {
  console.error("usage: MOVIE_BAG_URL=… MOVIE_BAG_TOKEN=… node add-films.js FILE");
  process.exit(2);
}

const stop = new AbortController();
process.once("SIGINT", () => stop.abort(new Error("interrupted")));

// A script has time, so it waits up to a minute if the server asks it to.
const client = createClient({ baseUrl, token, retries: 5, maxWait: 60_000 });
const count = { added: 0, "there already": 0, refused: 0 };
let number = 0;
for await (const line of createInterface({ input: createReadStream(file) })) {
  number += 1;
  if (!line.trim()) continue;
  try {
    // Not `movies.add`: it sends an idempotency key, and an account may use only 10,000 of them a day. Without a key,
    // an unnecessary retry fails as a duplicate, which does no harm.
    const body = JSON.parse(line);
    await client.request("POST", "/api/movies", { body, repeat: true, signal: stop.signal });
    count.added += 1;
  } catch (error) {
    if (isProblem(error, "duplicate-movie")) {
      count["there already"] += 1;
    } else if (isProblem(error, "validation-failed") || error instanceof SyntaxError) {
      count.refused += 1;
      const fields = error.errors?.map(({ field, message }) => `${field} ${message}`) ?? [error.message];
      console.error(`line ${number}: ${fields.join("; ")}`);
    } else {
      throw error;
    }
  }
}
console.log(Object.entries(count).map(([what, many]) => `${many} ${what}`).join(", "));
