// The same routes with Express and the driver, in as many processes as there are cores.
//
//   node server.js PORT MONGODB_URI DATABASE SECRET
import cluster from "node:cluster";
import { availableParallelism } from "node:os";
import express from "express";
import jwt from "jsonwebtoken";
import { MongoClient, ObjectId } from "mongodb";

const [port, uri, name, secret] = process.argv.slice(2);

const view = ({ _id, ...movie }) => ({
  id: _id, name: movie.name, year: movie.year, runtime: movie.runtime, casts: movie.casts, genres: movie.genres,
  directors: movie.directors ?? [], countries: movie.countries ?? [], languages: movie.languages ?? [],
  plot: movie.plot, poster_url: movie.poster_url, added_by: movie.added_by,
  created_at: movie.created_at, updated_at: movie.updated_at, version: movie.version,
});

const clientFields = ({ name, year, runtime, casts, genres, directors = [], countries = [], languages = [], plot, poster_url }) =>
  ({ name, year, runtime, casts, genres, directors, countries, languages, plot, poster_url });

// The movies that come after this one, newest first. A place is `<milliseconds>-<id>`.
const olderThan = (place) => {
  const [time, id] = place.split("-");
  const created_at = new Date(Number(time));
  return { $or: [{ created_at: { $lt: created_at } }, { created_at, _id: { $lt: new ObjectId(id) } }] };
};

async function serve() {
  const client = new MongoClient(uri, { writeConcern: { w: "majority", j: true }, maxPoolSize: 32, ignoreUndefined: true });
  await client.connect();
  const database = client.db(name);
  const [movies, users, sessions] = ["movies", "users", "sessions"].map((each) => database.collection(each));
  const projection = { typeahead: 0 };

  const signedIn = async (request, response, next) => {
    try {
      const token = (request.headers.authorization ?? "").replace(/^Bearer /, "");
      const claims = jwt.verify(token, secret, { algorithms: ["HS256"], issuer: "movie-bag", audience: "access" });
      const [user, session] = await Promise.all([
        users.findOne({ _id: new ObjectId(claims.sub), deleted_at: { $exists: false } }, { projection: { email: 1, gen: 1 } }),
        sessions.findOne({ _id: new ObjectId(claims.sid) }),
      ]);
      if (!user || !session?.user.equals(user._id) || user.gen !== claims.gen) return response.status(401).end();
      request.user = user;
    } catch {
      return response.status(401).end();
    }
    next();
  };

  const app = express();
  app.disable("x-powered-by");
  app.set("etag", false);
  app.get("/api/movies/:id", async (request, response) => {
    if (!ObjectId.isValid(request.params.id)) return response.status(404).end();
    const movie = await movies.findOne({ _id: new ObjectId(request.params.id) }, { projection });
    if (!movie) return response.status(404).end();
    response.set("ETag", `"${movie.version}"`).json(view(movie));
  });
  app.get("/api/movies", async (request, response) => {
    const limit = Number(request.query.limit ?? 20);
    const { genre, year, after } = request.query;
    const filter = { ...(genre && { genres: genre }), ...(year && { year: Number(year) }), ...(after && olderThan(after)) };
    const found = await movies.find(filter, { projection }).sort({ created_at: -1, _id: -1 }).limit(limit + 1).toArray();
    const last = found[limit - 1];
    const next = found.length > limit ? `${last.created_at.getTime()}-${last._id}` : null;
    response.json({ items: found.slice(0, limit).map(view), next });
  });
  app.post("/api/movies", signedIn, express.json(), async (request, response) => {
    const now = new Date();
    const movie = { _id: new ObjectId(), ...clientFields(request.body), added_by: request.user._id, created_at: now, updated_at: now, version: 1 };
    try {
      await movies.insertOne(movie);
    } catch (error) {
      return response.status(error.code === 11000 ? 409 : 503).end();
    }
    response.status(201).set({ ETag: '"1"', Location: `/api/movies/${movie._id}` }).json(view(movie));
  });
  app.put("/api/movies/:id", signedIn, express.json(), async (request, response) => {
    const fields = clientFields(request.body);
    const missing = Object.keys(fields).filter((key) => fields[key] === undefined);
    const update = { $set: { ...fields, updated_at: new Date() }, $inc: { version: 1 } };
    if (missing.length) update.$unset = Object.fromEntries(missing.map((key) => [key, true]));
    const filter = { _id: new ObjectId(request.params.id), added_by: request.user._id };
    const movie = await movies.findOneAndUpdate(filter, update, { returnDocument: "after", projection });
    if (!movie) return response.status(404).end();
    response.set("ETag", `"${movie.version}"`).json(view(movie));
  });
  app.listen(Number(port), "127.0.0.1");
}

if (cluster.isPrimary) {
  for (let worker = 0; worker < availableParallelism(); worker += 1) cluster.fork();
} else {
  await serve();
}
