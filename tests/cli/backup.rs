//! Backups as `docs/operate/backup.md` describes them.
//!
//! The driver stands in for `mongodump --oplog` and `mongorestore --drop`: it copies all collections as they were at
//! one moment, with their indexes, and puts the copy in place of the existing ones.

use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use bson::{Document, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::options::ReadConcern;
use serde_json::{Value, json};

use crate::movie::movie;
use crate::support::{Folder, Server, eventually, in_database};

const SECRET: &str = "12345678901234567890123456789012";

struct Copied {
    name: String,
    indexes: Vec<Document>,
    documents: Vec<RawDocumentBuf>,
}

/// Copies a whole database as it is at one moment, while others write.
fn dump(uri: &str) -> Vec<Copied> {
    in_database(uri, "movie_bag", async |database| {
        let mut session = database.client().start_session().snapshot(true).await.unwrap();
        let mut copied = Vec::new();
        for name in database.list_collection_names().await.unwrap() {
            let collection = database.collection::<RawDocumentBuf>(&name);
            let found = database.run_command(doc! { "listIndexes": &name }).await.unwrap();
            let indexes = found.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
            let indexes = indexes.iter().map(|index| index.as_document().unwrap().clone()).collect();
            let mut cursor = collection.find(doc! {}).session(&mut session).await.unwrap();
            let documents = cursor.stream(&mut session).try_collect().await.unwrap();
            copied.push(Copied { name, indexes, documents });
        }
        copied
    })
}

fn restore(uri: &str, name: &str, copied: &[Copied]) {
    in_database(uri, name, async |database| {
        for Copied { name, indexes, documents } in copied {
            let collection = database.collection::<RawDocumentBuf>(name);
            collection.drop().await.unwrap();
            database.run_command(doc! { "createIndexes": name, "indexes": indexes.clone() }).await.unwrap();
            if !documents.is_empty() {
                collection.insert_many(documents).await.unwrap();
            }
        }
    });
}

fn indexes(uri: &str, name: &str) -> Vec<(String, Vec<String>)> {
    in_database(uri, name, async |database| {
        let mut all = Vec::new();
        for name in database.list_collection_names().await.unwrap() {
            let mut names = database.collection::<Document>(&name).list_index_names().await.unwrap();
            names.sort();
            all.push((name, names));
        }
        all.sort();
        all
    })
}

/// The data that the restored server must have.
struct Known {
    ann: String,
    logged_out: String,
    movies: Vec<Value>,
}

fn fill(server: &Server, folder: &Folder) -> Known {
    let ann = server.sign_up("ann");
    let logged_out = server.log_in("ann");
    assert_eq!(server.call("POST", "/api/auth/logout", Some(&logged_out), None).0, 204);
    folder.run(&["admin", "grant", "ann@example.com"]).assert_succeeded();
    let mut movies = Vec::new();
    for name in ["Heat", "Amélie", "映画"] {
        let (status, added) = server.call("POST", "/api/movies", Some(&ann), Some(movie(name)));
        assert_eq!(status, 201);
        let change = json!({ "year": 1995 });
        let path = format!("/api/movies/{}", added["id"].as_str().unwrap());
        let (status, changed) = patch(server, &path, &ann, &change);
        assert_eq!((status, &changed["version"]), (200, &json!(2)), "{changed}");
        movies.push(changed);
    }
    Known { ann, logged_out, movies }
}

fn patch(server: &Server, path: &str, token: &str, change: &Value) -> (u16, Value) {
    let request = server.http.patch(format!("{}{path}", server.base)).bearer_auth(token).json(change);
    let response = request.send().unwrap();
    (response.status().as_u16(), response.json().unwrap())
}

fn assert_all_is_there(server: &Server, known: &Known) {
    for movie in &known.movies {
        let path = format!("/api/movies/{}", movie["id"].as_str().unwrap());
        // This compares ids, owners, versions and times.
        assert_eq!(server.get(&path, None), (200, movie.clone()));
        let again = json!({ "name": movie["name"], "year": 1995, "casts": [], "genres": ["Drama"] });
        assert_eq!(server.call("POST", "/api/movies", Some(&known.ann), Some(again)).0, 409);
    }
    // The secret and the sessions are the same.
    assert_eq!(server.get("/api/users/me", Some(&known.ann)).1["role"], "admin");
    assert_eq!(server.get("/api/users/me", Some(&known.logged_out)).0, 401);
    server.log_in("ann");
}

fn assert_no_orphan(uri: &str, name: &str) {
    let orphans: Vec<Document> = in_database(uri, name, async |database| {
        let owners = doc! { "from": "users", "localField": "added_by", "foreignField": "_id", "as": "owner" };
        let stages = [doc! { "$lookup": owners }, doc! { "$match": { "owner": [] } }];
        let movies = database.collection::<Document>("movies");
        let read = movies.aggregate(stages).read_concern(ReadConcern::majority());
        read.await.unwrap().try_collect().await.unwrap()
    });
    assert_eq!(orphans, []);
}

/// While `copy` runs, new users sign up and add a movie, one after the other.
fn while_others_write<T>(server: &Server, copy: impl FnOnce() -> T) -> T {
    let (written, done) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (written, done) = (&written, &done);
        scope.spawn(move || {
            for number in 0.. {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                let token = server.sign_up(&format!("newcomer{number}"));
                let movie = json!({ "name": format!("Movie {number}"), "casts": [], "genres": ["Drama"] });
                assert_eq!(server.call("POST", "/api/movies", Some(&token), Some(movie)).0, 201);
                written.store(number > 2, Ordering::Relaxed);
            }
        });
        eventually("the writers write", || written.load(Ordering::Relaxed));
        let copied = copy();
        done.store(true, Ordering::Relaxed);
        copied
    })
}

fn serve_unthrottled(folder: &Folder) -> Server {
    let mut command = folder.command(&["serve"]);
    command.env("MOVIE_BAG_THROTTLE__ENABLED", "false");
    Server::start(command)
}

#[test]
fn a_copy_of_a_serving_database_is_complete_wherever_it_is_restored() {
    let first = Folder::new();
    let server = serve_unthrottled(&first);
    let known = fill(&server, &first);
    let copied = while_others_write(&server, || dump(&first.mongod_uri()));
    let expected = indexes(&first.mongod_uri(), "movie_bag");
    server.stop();

    // An empty embedded database, with the old secret.
    let second = Folder::new();
    std::fs::create_dir(second.path().join("data")).unwrap();
    std::fs::copy(first.path().join("data/jwt-secret"), second.path().join("data/jwt-secret")).unwrap();
    let server = second.serve();
    restore(&second.mongod_uri(), "movie_bag", &copied);
    server.stop();
    let server = serve_unthrottled(&second);
    assert_all_is_there(&server, &known);
    assert_no_orphan(&second.mongod_uri(), "movie_bag");
    assert_eq!(indexes(&second.mongod_uri(), "movie_bag"), expected);

    // A separate MongoDB. With another secret, the tokens become invalid, and nothing else changes.
    restore(&second.mongod_uri(), "elsewhere", &copied);
    let third = Folder::new();
    let mut command = third.command(&["serve"]);
    command
        .env("MOVIE_BAG_MONGODB__URI", second.mongod_uri())
        .env("MOVIE_BAG_MONGODB__DATABASE", "elsewhere");
    command.env("MOVIE_BAG_JWT__SECRET", SECRET).env("MOVIE_BAG_THROTTLE__ENABLED", "false");
    let configured = Server::start(command);
    assert_eq!(configured.get("/api/users/me", Some(&known.ann)).0, 401);
    assert_all_is_there(&configured, &Known { ann: configured.log_in("ann"), ..known });
    assert_no_orphan(&second.mongod_uri(), "elsewhere");
    assert_eq!(indexes(&second.mongod_uri(), "elsewhere"), expected);
    configured.stop();
    server.stop();
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("--archive").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

#[test]
fn a_copy_of_the_folder_of_a_stopped_server_is_a_backup() {
    let (first, second) = (Folder::new(), Folder::new());
    let server = serve_unthrottled(&first);
    let known = fill(&server, &first);
    server.stop();
    copy(&first.path().join("data"), &second.path().join("data"));
    // The copy runs beside the original: each has its own socket, and does not find the other's.
    let (original, server) = (serve_unthrottled(&first), serve_unthrottled(&second));
    assert_ne!(first.mongod_uri(), second.mongod_uri());
    assert_all_is_there(&server, &known);
    assert_all_is_there(&original, &known);
    assert_no_orphan(&second.mongod_uri(), "movie_bag");
    assert_eq!(indexes(&second.mongod_uri(), "movie_bag"), indexes(&first.mongod_uri(), "movie_bag"));
    server.stop();
    original.stop();
}
