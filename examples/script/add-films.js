// Adds the movies of a file, one JSON object a line: node add-films.js FILE
//
// MOVIE_BAG_URL and MOVIE_BAG_TOKEN (a personal access token with the scope movies:write) say where and as whom.
// It can be run again on the same file: what is there already is left alone.

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

// A script has time: it waits a minute where the server asks it to.
const client = createClient({ baseUrl, token, retries: 5, maxWait: 60_000 });
const count = { added: 0, "there already": 0, refused: 0 };
let number = 0;
for await (const line of createInterface({ input: createReadStream(file) })) {
  number += 1;
  if (!line.trim()) continue;
  try {
    // `movies.add` would send a key, and an account has 10,000 of them a day. Here a repetition that was not needed meets
    // its own name, which does no harm.
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
