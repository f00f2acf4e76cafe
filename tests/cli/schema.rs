//! The schema version: which databases a binary accepts.

use bson::{Bson, Document, doc};

use crate::support::{Folder, eventually, in_database, processes_of};

fn set_version(uri: &str, version: impl Into<Bson> + Send + 'static) {
    let version = version.into();
    in_database(uri, "movie_bag", async |database| {
        let schema = database.collection::<Document>("schema");
        let set = schema.update_one(doc! { "_id": "schema" }, doc! { "$set": { "version": version } });
        assert_eq!(set.upsert(true).await.unwrap().matched_count, 1);
        database.collection::<Document>("movies").drop_index("newest_first").await.unwrap();
    });
}

fn indexes(uri: &str) -> Vec<String> {
    in_database(uri, "movie_bag", async |database| {
        database.collection::<Document>("movies").list_index_names().await.unwrap()
    })
}

#[test]
fn every_command_refuses_a_newer_database_and_leaves_it_unchanged() {
    let folder = Folder::new();
    // The running server keeps mongod up, whatever the database contains now.
    let server = folder.serve();
    server.sign_up("ann");
    let uri = folder.mongod_uri();
    set_version(&uri, 2);
    let before = indexes(&uri);
    folder.write("one.ndjson", r#"{"name":"Heat","casts":[],"genres":["Drama"]}"#);
    let other = |arguments: &[&str]| {
        let mut command = folder.command(arguments);
        command
            .env("MOVIE_BAG_MONGODB__URI", &uri)
            .env("MOVIE_BAG_JWT__SECRET", "12345678901234567890123456789012");
        crate::support::end(command)
    };
    for arguments in [
        &["serve"][..],
        &["import", "one.ndjson", "--as", "ann@example.com"],
        &["export"],
        &["admin", "grant", "ann@example.com"],
    ] {
        other(arguments)
            .assert_failed(1, "the database movie_bag has schema version 2, but this movie-bag (");
    }
    set_version_text(&uri);
    other(&["export"]).assert_failed(1, "the database movie_bag has an invalid schema version (\"two\")");
    assert_eq!(indexes(&uri), before);
    assert_eq!(server.get("/api/movies", None).1["items"], serde_json::json!([]));
    server.stop();
    folder.run(&["export"]).assert_failed(1, "the database movie_bag has an invalid schema version");
    eventually("mongod is gone", || processes_of(&folder).is_empty());
}

fn set_version_text(uri: &str) {
    in_database(uri, "movie_bag", async |database| {
        let schema = database.collection::<Document>("schema");
        schema.update_one(doc! { "_id": "schema" }, doc! { "$set": { "version": "two" } }).await.unwrap();
    });
}

#[test]
fn a_database_from_before_there_was_a_version_has_version_1() {
    let folder = Folder::new();
    let server = folder.serve();
    let token = server.sign_up("ann");
    let uri = folder.mongod_uri();
    in_database(&uri, "movie_bag", async |database| {
        database.collection::<Document>("schema").drop().await.unwrap();
    });
    server.stop();
    let server = folder.serve();
    assert_eq!(server.get("/api/users/me", Some(&token)).0, 200);
    let found = in_database(&folder.mongod_uri(), "movie_bag", async |database| {
        database.collection::<Document>("schema").find_one(doc! {}).await.unwrap().unwrap()
    });
    assert_eq!(found, doc! { "_id": "schema", "version": 1_i64 });
}

#[test]
fn several_servers_start_on_an_empty_database_at_once() {
    let folder = Folder::new();
    let _keeps_mongod = folder.serve();
    let uri = folder.mongod_uri();
    for round in 0..3 {
        let servers: Vec<_> = std::thread::scope(|scope| {
            let starting: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut command = folder.command(&["serve"]);
                        command
                            .env("MOVIE_BAG_MONGODB__URI", &uri)
                            .env("MOVIE_BAG_MONGODB__DATABASE", format!("empty_{round}"))
                            .env("MOVIE_BAG_JWT__SECRET", "12345678901234567890123456789012");
                        crate::support::Server::start(command)
                    })
                })
                .collect();
            starting.into_iter().map(|server| server.join().unwrap()).collect()
        });
        let token = servers[0].sign_up("ann");
        for server in servers {
            assert_eq!(server.get("/api/users/me", Some(&token)).0, 200);
            server.stop();
        }
    }
}
