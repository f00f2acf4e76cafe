// Each of these lines is a mistake that the compiler finds. Where one compiles, its @ts-expect-error does not.

import { createClient, createMovies, isProblem } from "movie-bag";
import type { Movie, User } from "movie-bag";

const client = createClient();
const movies = createMovies(client);
const movie = { name: "Heat", casts: [], genres: ["Drama"] };

export async function refused(error: unknown) {
  // @ts-expect-error: no such code
  isProblem(error, "duplicate-film");
  // @ts-expect-error: no such sort
  movies.list({ sort: "rating" });
  // @ts-expect-error: no such filter
  movies.list({ genres: ["Drama"] });
  // @ts-expect-error: no such field
  movies.page({ fields: ["title"] });
  // @ts-expect-error: a year is a number
  movies.add({ ...movie, year: "1995" });
  // @ts-expect-error: a movie has genres
  movies.add({ name: "Heat", casts: [] });
  // @ts-expect-error: no such route
  client.request("GET", "/api/films");
  // @ts-expect-error: no such method of this route
  client.request("POST", "/api/users/me");
  // @ts-expect-error: the id is missing
  client.request("GET", "/api/movies/{id}");
  // @ts-expect-error: the body is missing
  client.request("POST", "/api/auth/login");
  // @ts-expect-error: this is no list of pages
  client.walk("/api/users/me");

  const chosen = await movies.page({ fields: ["name"] });
  // @ts-expect-error: not among the fields that were asked for
  chosen.items[0]?.year;
  // @ts-expect-error: a movie may have no year
  const year: number = (await movies.get("6561f0c2a3b4d5e6f7081920")).year;

  // These compile.
  const name: string | undefined = chosen.items[0]?.name;
  const whole: Movie | undefined = (await movies.page()).items[0];
  const user: User = await client.request("GET", "/api/users/me");
  const nothing: undefined = await client.request("POST", "/api/auth/logout");
  await movies.patch(whole ?? "", { year: null });
  await movies.replace("", user.role === "admin" ? movie : await movies.get(""));
  if (isProblem(error, "not-owner", "movie-not-found")) {
    const code: "not-owner" | "movie-not-found" = error.code;
    return [code, name, year, nothing];
  }
  return [];
}
