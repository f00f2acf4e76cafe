// A program on a client that is generated from docs/openapi.json. CI type-checks and runs it (.ci/openapi), so it is
// also the place to see how such a client is used: node catalogue.js http://127.0.0.1:8000

import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Problem = components["schemas"]["Problem"];

declare const process: { argv: string[] };

const baseUrl = process.argv[2] ?? "http://127.0.0.1:8000";
const client = createClient<paths>({ baseUrl });

/** The data of an answer, or its problem as an error. */
function data<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.error) {
    const fields = answer.error.errors?.map((error) => `${error.field} ${error.message}`) ?? [];
    throw new Error([answer.error.code, answer.error.detail, ...fields].join("\n"));
  }
  return answer.data as T;
}

const credentials = { email: `reader-${Date.now()}@example.com`, password: "plum-cake-at-noon" };
const user = data(await client.POST("/api/auth/signup", { body: credentials }));
const { token } = data(await client.POST("/api/auth/login", { body: credentials }));
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${token}`);
    return request;
  },
});

const name = `Perfect Days ${Date.now()}`;
const body = { name, year: 2023, casts: ["Koji Yakusho"], genres: ["Drama"] };
const added = await client.POST("/api/movies", { body });
const movie = data(added);

const query = { cast: ["Koji Yakusho"], added_by: user.id, fields: "name,year", limit: 10 };
const page = data(await client.GET("/api/movies", { params: { query } }));
if (page.items.length !== 1 || page.items[0]?.name !== name || page.next !== null) {
  throw new Error(`the list is another one: ${JSON.stringify(page)}`);
}

// The same name in the same year: a program looks at the code.
const again = await client.POST("/api/movies", { body });
if (again.error?.code !== "duplicate-movie") {
  throw new Error("the second one was not refused");
}

const path = { id: movie.id };
const etag = added.response.headers.get("ETag") ?? undefined;
data(await client.DELETE("/api/movies/{id}", { params: { path, header: { "If-Match": etag } } }));
const gone = await client.GET("/api/movies/{id}", { params: { path } });
if (gone.error?.code !== "movie-not-found") {
  throw new Error("the movie is still there");
}
data(await client.DELETE("/api/users/me"));
console.log("signed up, added, listed and deleted");

// @ts-expect-error: what the document does not allow does not compile.
void (() => client.POST("/api/movies", { body: { ...body, year: "2023" } }));
// @ts-expect-error: nor does a sort that there is none of.
void (() => client.GET("/api/movies", { params: { query: { sort: "rating" } } }));
