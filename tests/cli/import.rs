//! `movie-bag import`.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::{
    movie::movie,
    support::{Folder, answering, eventually},
};

fn demo() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/films.ndjson.gz");
    std::fs::read(path).unwrap()
}

fn text_of_demo() -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&demo()[..]).read_to_string(&mut text).unwrap();
    text
}

fn report(folder: &Folder) -> Vec<Value> {
    folder.read("report.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn all_films_are_imported_and_exported() {
    let folder = Folder::new();
    let server = folder.serve();
    let token = server.sign_up("ann");
    folder.write("films.ndjson.gz", demo());
    let import = ["import", "films.ndjson.gz", "--as", "ann@example.com", "--report", "report.ndjson"];
    let dry = folder.run(&[&import[..], &["--dry-run"]].concat()).without_progress();
    let counts = "17025 {}, 447 refused (duplicate-movie 4, validation-failed 443)\n";
    assert_eq!(dry.assert_succeeded().err, counts.replace("{}", "would be imported"));
    assert_eq!(server.get("/api/users/me", Some(&token)).1["movie_count"], 0);
    let dry_report = report(&folder);
    let real = folder.run(&import).without_progress();
    assert_eq!(real.assert_succeeded().err, counts.replace("{}", "imported"));
    let refused = report(&folder);
    assert_eq!(refused, dry_report);
    assert!(refused.is_sorted_by_key(|refusal| refusal["line"].as_u64()));
    let genres = json!([{ "field": "genres", "code": "too-few", "message": "must not be empty" }]);
    assert_eq!(refused[0], json!({ "line": 119, "code": "validation-failed", "errors": genres }));
    let repeats: Vec<&Value> =
        refused.iter().filter(|refusal| refusal["code"] == "duplicate-movie").collect();
    assert_eq!(*repeats[0], json!({ "line": 6383, "code": "duplicate-movie" }));

    // Every film that was not rejected is there, unchanged.
    let text = text_of_demo();
    let lines: std::collections::HashSet<u64> =
        refused.iter().map(|refusal| refusal["line"].as_u64().unwrap()).collect();
    let mut films: std::collections::HashMap<(String, Value), Value> = text
        .lines()
        .zip(1..)
        .filter(|(_, line)| !lines.contains(line))
        .map(|(film, _)| serde_json::from_str(film).unwrap())
        .map(|film: Value| ((film["name"].as_str().unwrap().to_owned(), film["year"].clone()), film))
        .collect();
    let mut exported = films.clone();
    let mut path = "/api/movies?limit=100".to_owned();
    loop {
        let (status, page) = server.get(&path, None);
        assert_eq!(status, 200);
        for item in page["items"].as_array().unwrap() {
            let key = (item["name"].as_str().unwrap().to_owned(), item["year"].clone());
            let film = films.remove(&key).unwrap_or_else(|| panic!("{item} was not in the file"));
            for (field, value) in film.as_object().unwrap() {
                assert_eq!(&item[field], value, "{field} of {film}");
            }
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/movies?limit=100&after={next}");
    }
    assert_eq!(films.len(), 0);

    // An export has each of them as it was in the file, so an import of it makes the same catalogue.
    folder.run(&["export", "films.ndjson"]).assert_succeeded();
    let text = folder.read("films.ndjson");
    assert_eq!(text.lines().count(), 17_025);
    for line in text.lines() {
        let item: Value = serde_json::from_str(line).unwrap();
        let key = (item["name"].as_str().unwrap().to_owned(), item["year"].clone());
        let film = exported.remove(&key).unwrap_or_else(|| panic!("{item} was not in the file"));
        for (field, value) in film.as_object().unwrap() {
            assert_eq!(&item[field], value, "{field} of {film}");
        }
    }
}

#[test]
fn an_import_can_be_repeated_and_an_export_makes_the_same_catalogue_again() {
    let folder = Folder::new();
    let server = folder.serve();
    let token = server.sign_up("ann");
    let some: Vec<String> = text_of_demo().lines().take(1_000).map(ToOwned::to_owned).collect();
    folder.write("films.ndjson", some.join("\n"));
    let import = ["import", "films.ndjson", "--as", "ann@example.com"];
    let first = folder.run(&import).without_progress();
    assert_eq!(first.assert_succeeded().err, "998 imported, 2 refused (validation-failed 2)\n");

    // Importing it again changes nothing; the lines that were never movies are an error now.
    folder.run(&import).without_progress().assert_failed(
        1,
        "nothing was imported: 0 imported, 1000 refused (duplicate-movie 998, validation-failed 2)",
    );

    folder.run(&["export", "first.ndjson"]).assert_succeeded();
    let first = folder.read("first.ndjson");
    assert_eq!(first.lines().count(), 998);
    assert_eq!(folder.run(&["export"]).assert_succeeded().out, first);
    let film: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert!(film.get("id").is_none() && film.get("added_by").is_none(), "{film}");
    assert!([202, 204].contains(&server.call("DELETE", "/api/users/me", Some(&token), None).0));
    eventually("the catalogue is empty", || server.get("/api/movies", None).1["items"] == json!([]));
    server.sign_up("bob");
    let again = folder.run(&["import", "first.ndjson", "--as", "bob@example.com"]).without_progress();
    assert_eq!(again.assert_succeeded().err, "998 imported, 0 refused\n");
    folder.run(&["export", "second.ndjson"]).assert_succeeded();
    assert!(folder.read("second.ndjson") == first, "the two exports differ");
    folder.run(&["export", "no/such/folder/x"]).assert_failed(1, "no/such/folder/x: ");
}

#[test]
fn rejected_lines_are_reported_and_the_rest_is_imported() {
    let folder = Folder::new();
    let server = folder.serve();
    let token = server.sign_up("ann");
    let text = "{\"name\":\"One\",\"casts\":[],\"genres\":[\"Drama\"]}\n\n{broken\n\
                {\"name\":\"One\",\"casts\":[],\"genres\":[\"Comedy\"]}\n\
                {\"name\":\" \",\"casts\":[\"\"],\"genres\":[\"Drama\"],\"extra\":1}\n\
                {\"name\":\"Two\",\"casts\":[],\"genres\":[\"Drama\"],\"id\":\"ignored\"}";
    folder.write("some.ndjson", text);
    let ended =
        folder.run(&["import", "some.ndjson", "--as", "ann@example.com", "--report", "report.ndjson"]);
    let counts = "2 imported, 3 refused (duplicate-movie 1, invalid-json 1, validation-failed 1)\n";
    assert_eq!(ended.assert_succeeded().err, counts);
    let refused = report(&folder);
    assert_eq!(refused[0], json!({ "line": 3, "code": "invalid-json" }));
    assert_eq!(refused[1], json!({ "line": 4, "code": "duplicate-movie" }));
    let fields: Vec<&str> = refused[2]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!((&refused[2]["line"], fields), (&json!(5), vec!["name", "casts[0]", "extra"]));
    let (_, mine) = server.get("/api/users/me/movies", Some(&token));
    assert_eq!(mine["items"].as_array().unwrap().len(), 2);
    // Of two equal movies, the first wins.
    assert_eq!(mine["items"][1]["genres"], json!(["Drama"]));
}

#[test]
fn csv_is_imported_too() {
    let folder = Folder::new();
    let server = folder.serve();
    server.sign_up("ann");
    let text = "name,year,casts,genres\nHeat,1995,Al Pacino|Robert De Niro,Crime|Drama\nNone,,,\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    folder.write("films.csv.gz", packed.finish().unwrap());
    let ended = folder.run(&["import", "films.csv.gz", "--as", "ann@example.com"]);
    assert_eq!(ended.assert_succeeded().err, "1 imported, 1 refused (validation-failed 1)\n");
    let (_, page) = server.get("/api/movies", None);
    assert_eq!(page["items"][0]["casts"], json!(["Al Pacino", "Robert De Niro"]));
    folder.write("wrong.csv", "name,kasts\nHeat,x\n");
    folder
        .run(&["import", "wrong.csv", "--as", "ann@example.com"])
        .assert_failed(1, "wrong.csv: the header has the column 'kasts', which is not a field");
}

#[test]
fn an_import_that_fails_as_a_whole_prints_one_line_and_exits_with_1() {
    let folder = Folder::new();
    let server = folder.serve();
    server.sign_up("ann");
    let import = |file: &str, email: &str| folder.run(&["import", file, "--as", email]).without_progress();
    import("missing", "ann@example.com").assert_failed(1, "missing: ");
    folder.write("own.ndjson", "{}");
    let own = folder.run(&["import", "own.ndjson", "--as", "ann@example.com", "--report", "./own.ndjson"]);
    own.assert_failed(1, "./own.ndjson: the report would overwrite the file that is imported");
    // Through a hard link, another name of the same file that no path reveals.
    std::fs::hard_link(folder.path().join("own.ndjson"), folder.path().join("other")).unwrap();
    let own = folder.run(&["import", "own.ndjson", "--as", "ann@example.com", "--report", "other"]);
    own.assert_failed(1, "other: the report would overwrite the file that is imported");
    assert_eq!(folder.read("own.ndjson"), "{}");
    folder.write("twice.csv", "name,name\nHeat,x\n");
    import("twice.csv", "ann@example.com")
        .assert_failed(1, "twice.csv: the header has the column 'name' twice");
    folder.write("empty", "");
    import("empty", "nobody@example.com").assert_failed(1, "nobody@example.com has no account");
    assert_eq!(import("empty", "ann@example.com").assert_succeeded().err, "0 imported, 0 refused\n");
    // The lines before the damage are imported.
    let mut cut = demo();
    cut.truncate(cut.len() / 20);
    folder.write("cut.gz", cut);
    let ended = import("cut.gz", "ann@example.com");
    ended.assert_failed(1, "cut.gz: ");
    assert!(server.get("/api/movies", None).1["next"].is_string(), "{ended:?}");
}

#[test]
fn an_import_whose_account_is_deleted_is_taken_back() {
    let folder = Folder::new();
    let server = folder.serve();
    let token = server.sign_up("ann");
    // The import reads from a pipe, so it is slow enough for the deletion to come in between.
    let fifo = folder.path().join("movies");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let import = folder
        .command(&["import", "movies", "--as", "ann@example.com"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = std::fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    let line =
        |number: usize| format!("{{\"name\":\"Movie {number}\",\"casts\":[],\"genres\":[\"Drama\"]}}\n");
    pipe.write_all((0..1_200).map(line).collect::<String>().as_bytes()).unwrap();
    eventually("some movies are imported", || {
        server.get("/api/users/me", Some(&token)).1["movie_count"].as_u64() >= Some(1_000)
    });
    assert_eq!(server.call("DELETE", "/api/users/me", Some(&token), None).0, 204);
    // The import may end before it reads this.
    let _ = pipe.write_all((1_200..3_000).map(line).collect::<String>().as_bytes());
    drop(pipe);
    let output = import.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the account was deleted during the import"), "{said}");
    assert_eq!(server.get("/api/movies", None).1["items"], json!([]));
}

#[test]
fn a_server_may_start_while_an_import_runs_alone() {
    let folder = Folder::new();
    let server = folder.serve();
    server.sign_up("ann");
    server.stop();
    let fifo = folder.path().join("movies");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut import = folder.command(&["import", "movies", "--as", "ann@example.com"]).spawn().unwrap();
    let mut pipe = std::fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    let server = folder.serve();
    pipe.write_all(b"{\"name\":\"Heat\",\"casts\":[],\"genres\":[\"Crime\"]}\n").unwrap();
    drop(pipe);
    assert_eq!(import.wait().unwrap().code(), Some(0));
    assert_eq!(server.get("/api/movies", None).1["items"][0]["name"], "Heat");
    server.stop();
    assert_eq!(crate::support::processes_of(&folder), [""; 0]);
}

#[test]
fn an_import_fails_if_it_added_nothing_and_refused_more_than_duplicates() {
    let folder = Folder::new();
    let server = folder.serve();
    server.sign_up("ann");
    let import = |text: &str, more: &[&str]| {
        folder.write("movies", text);
        folder.run(&[&["import", "movies", "--as", "ann@example.com"], more].concat())
    };
    let (heat, ronin) = (movie("Heat").to_string(), movie("Ronin").to_string());
    let nothing = "nothing was imported: 0 imported, 1 refused (invalid-json 1)";
    import("{broken", &[]).assert_failed(1, nothing);
    let dry = "nothing was imported: 0 would be imported, 1 refused (invalid-json 1)";
    import("{broken", &["--dry-run"]).assert_failed(1, dry);
    // It has added something.
    import(&format!("{heat}\n{{broken"), &[]).assert_succeeded();
    // It has refused only duplicates.
    let repeats = import(&format!("{heat}\n{heat}"), &[]);
    assert_eq!(repeats.assert_succeeded().err, "0 imported, 2 refused (duplicate-movie 2)\n");
    import(&format!("{heat}\n{{broken"), &[]).assert_failed(1, "nothing was imported: ");
    assert_eq!(import(&ronin, &[]).assert_succeeded().err, "1 imported, 0 refused\n");
}

#[test]
fn a_dash_is_standard_input_and_output() {
    let folder = Folder::new();
    let server = folder.serve();
    server.sign_up("ann");
    let text = format!("{}\n{{broken\n", movie("Heat"));
    let import = ["import", "-", "--as", "ann@example.com"];
    let ended = answering(&folder, &[&import[..], &["--report", "-"]].concat(), &text);
    assert_eq!(ended.assert_succeeded().err, "1 imported, 1 refused (invalid-json 1)\n");
    assert_eq!(ended.out, "{\"line\":2,\"code\":\"invalid-json\"}\n");
    let exported = folder.run(&["export", "-"]);
    assert_eq!(&exported.assert_succeeded().out, &folder.run(&["export"]).out);
    assert_eq!(exported.out.lines().count(), 1);
    // A file that is given as standard input is recognized too.
    folder.write("movies", &text);
    let mut command = folder.command(&[&import[..], &["--report", "movies"]].concat());
    command.stdin(std::fs::File::open(folder.path().join("movies")).unwrap());
    crate::support::end(command).assert_failed(1, "movies: the report would overwrite the file");
    assert_eq!(folder.read("movies"), text);
    // Gzip, cut off.
    let mut command = folder.command(&import);
    folder.write("cut", &demo()[..10_000]);
    command.stdin(std::fs::File::open(folder.path().join("cut")).unwrap());
    crate::support::end(command).assert_failed(1, "standard input: ");
    assert!(!folder.path().join("-").exists());
}
