//! Wrong usage and wrong settings: one line that names the mistake, and exit code 2.

use crate::support::{Folder, end};

#[test]
fn wrong_usage_prints_one_line_and_exits_with_2() {
    let folder = Folder::new();
    folder.run(&["impor"]).assert_failed(2, "unrecognized subcommand 'impor': did you mean 'import'?");
    folder
        .run(&["import"])
        .assert_failed(2, "the following required arguments were not provided: --as <EMAIL>");
    folder.run(&["import", "x"]).assert_failed(2, "the following required arguments");
    folder.run(&["admin"]).assert_failed(2, "a subcommand is missing");
    folder.run(&["admin", "crown", "x"]).assert_failed(2, "unrecognized subcommand 'crown'");
    folder.run(&["--nonsense"]).assert_failed(2, "unexpected argument '--nonsense'");
    assert!(!folder.path().join("data").exists(), "nothing was begun");
}

#[test]
fn a_wrong_setting_names_its_key_and_stops_every_command() {
    let folder = Folder::new();
    for arguments in [&["serve"][..], &["import", "x", "--as", "y"], &["admin", "grant", "y"]] {
        for (name, value, says) in [
            ("MOVIE_BAG_PASSWORD__BCRYPT_COST", "4", "password.bcrypt_cost: "),
            ("MOVIE_BAG_JWT__SECRET", "short", "jwt.secret: "),
            ("MOVIE_BAG_JWT__LIFETIME", "soon", "jwt.lifetime: "),
            ("MOVIE_BAG_LOG__FORMAT", "xml", "log.format: "),
            ("MOVIE_BAG_MAIL__FROM", "a@example.com", "mail.smtp_url: "),
            ("MOVIE_BAG_JWT__SECRETT", "x", "MOVIE_BAG_JWT__SECRETT: "),
            ("ROCKET_PORT", "many", "port: must be a number from 1 to 65535"),
        ] {
            let mut command = folder.command(arguments);
            command.env(name, value);
            let ended = end(command);
            ended.assert_failed(2, says);
            assert!(!ended.err.contains("short"), "{ended:?}");
        }
    }
}

#[test]
fn an_unreadable_file_is_named_and_not_ignored() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let folder = Folder::new();
    let mut command = folder.command(&[]);
    command.env("MOVIE_BAG_JWT__SECRET", OsStr::from_bytes(b"\xff\xfe"));
    end(command).assert_failed(2, "MOVIE_BAG_JWT__SECRET: is not UTF-8");
    let mut command = folder.command(&[]);
    command.env("ROCKET_CONFIG", "/no/such.toml");
    end(command).assert_failed(2, "ROCKET_CONFIG: there is no such file");
    for uri in ["mongodb://", "mongodb://127.0.0.1:99999", "mongodb://127.0.0.1/?tls=maybe"] {
        let mut command = folder.command(&[]);
        command.env("MOVIE_BAG_MONGODB__URI", uri);
        command.env("MOVIE_BAG_JWT__SECRET", "12345678901234567890123456789012");
        end(command).assert_failed(2, "mongodb.uri: ");
    }
    folder.write("Rocket.toml", "[default.jwt]\nsecret = \"topsecret\n");
    let ended = folder.run(&[]);
    assert!(ended.code == Some(2) && !ended.err.contains("topsecret"), "{ended:?}");
}

#[test]
fn a_configured_database_needs_a_secret() {
    let folder = Folder::new();
    let mut command = folder.command(&[]);
    command.env("MOVIE_BAG_MONGODB__URI", "mongodb://127.0.0.1:1");
    end(command).assert_failed(2, "jwt.secret: is required");
}

#[test]
fn the_environment_overrides_dotenv_and_dotenv_overrides_the_file() {
    let folder = Folder::new();
    folder.write("Rocket.toml", "[default]\njwt.lifetime = \"wrong in the file\"\n");
    folder.run(&["serve"]).assert_failed(2, "jwt.lifetime: ");
    folder.write(".env", "# a comment\nMOVIE_BAG_JWT__LIFETIME=1d\nMOVIE_BAG_LOG__FORMAT=wrong-in-dotenv\n");
    folder.run(&["serve"]).assert_failed(2, "log.format: ");
    let mut command = folder.command(&["serve"]);
    command.env("MOVIE_BAG_LOG__FORMAT", "wrong-in-the-environment");
    let ended = end(command);
    ended.assert_failed(2, "log.format: ");
    assert!(!ended.err.contains("dotenv"), "{ended:?}");
    folder.write(".env", "MOVIE_BAG_TYPO=1\n");
    folder.run(&["serve"]).assert_failed(2, "MOVIE_BAG_TYPO: ");
    folder.write(".env", "this is no dotenv file\n");
    folder.run(&["serve"]).assert_failed(2, ".env: ");
}

#[test]
fn a_rocket_variable_that_names_no_setting_of_rocket_gets_a_warning_at_the_start() {
    let folder = Folder::new();
    let mut command = folder.command(&["admin", "list"]);
    command.env("ROCKET_PROT", "80").env("ROCKET_DATA_DIR", "elsewhere");
    // These are all Rocket's.
    command.env("ROCKET_PROFILE", "release").env("ROCKET_CLI_COLORS", "false").env("ROCKET_KEEP_ALIVE", "5");
    command.env("ROCKET_LIMITS", "{json=\"1MiB\"}").env("ROCKET_SHUTDOWN", "{grace=5}");
    let ended = end(command);
    ended.assert_succeeded();
    let lines: Vec<&str> = ended.err.lines().collect();
    let warned = |name: &str| lines.iter().any(|line| line.contains("WARN") && line.contains(name));
    assert!(warned("ROCKET_PROT") && warned("ROCKET_DATA_DIR") && lines.len() == 2, "{ended:?}");
    assert!(!folder.path().join("elsewhere").exists());
}
