//! Mail as an operator sets it up: with TLS and a login, or not at all.

use std::path::PathBuf;

use serde_json::json;

use crate::{
    smtp::{SmtpServer, reset_token, verify_token},
    support::{Folder, PASSWORD, Server, eventually},
};

/// A self-signed certificate for `localhost`. Returns the certificate and the key.
fn certificate(folder: &Folder) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (folder.write("cert.pem", made.cert.pem()), folder.write("key.pem", made.signing_key.serialize_pem()))
}

/// A server that sends mail through this URL, and trusts the certificates in this file.
fn serve(folder: &Folder, url: &str, trusted: Option<&PathBuf>) -> Server {
    let mut command = folder.command(&["serve"]);
    command
        .env("MOVIE_BAG_MAIL__SMTP_URL", url)
        .env("MOVIE_BAG_MAIL__FROM", "Movie Bag <noreply@example.com>")
        .env("MOVIE_BAG_MAIL__LINK_BASE", "https://movies.example.com");
    if let Some(trusted) = trusted {
        command.env("SSL_CERT_FILE", trusted);
    }
    Server::start(command)
}

fn forget(server: &Server) {
    let body = json!({ "email": "ann@example.com" });
    assert_eq!(server.call("POST", "/api/auth/forgot", None, Some(body)).0, 202);
}

#[test]
fn mail_is_sent_over_tls_with_a_login() {
    let folder = Folder::new();
    let (certificate, key) = certificate(&folder);
    let mut arguments = vec!["--certificate", certificate.to_str().unwrap(), "--key", key.to_str().unwrap()];
    arguments.extend(["--login", "ann:pass word"]);
    for smtps in [false, true] {
        if smtps {
            arguments.push("--smtps");
        }
        let smtp = SmtpServer::start(&arguments);
        let (scheme, tls) = if smtps { ("smtps", "") } else { ("smtp", "?tls=required") };
        let url = format!("{scheme}://ann:pass%20word@localhost:{}{tls}", smtp.port);
        let server = serve(&folder, &url, Some(&certificate));
        assert!(server.said.contains("Mail: sent through"), "{}", server.said);
        if !smtps {
            server.sign_up("ann");
            assert!(!server.log().contains(&verify_token(&smtp.confirmation())));
        }
        forget(&server);
        let letter = smtp.letter();
        assert_eq!((&letter["tls"], &letter["login"]), (&json!(true), &json!(true)), "{}", server.log());
        assert!(!server.log().contains("pass word") && !server.log().contains(&reset_token(&letter)));
        server.stop();
    }
}

#[test]
fn a_mail_server_with_an_untrusted_certificate_gets_no_letter() {
    let folder = Folder::new();
    let (certificate, key) = certificate(&folder);
    let smtp =
        SmtpServer::start(&["--certificate", certificate.to_str().unwrap(), "--key", key.to_str().unwrap()]);
    // The server trusts another certificate, and not this one.
    let elsewhere = Folder::new();
    let (other, _) = self::certificate(&elsewhere);
    let url = format!("smtp://localhost:{}?tls=required", smtp.port);
    let server = serve(&folder, &url, Some(&other));
    server.sign_up("ann");
    forget(&server);
    eventually("the log reports it", || server.log().contains("a letter did not go out"));
    assert!(smtp.is_empty());
}

#[test]
fn a_mail_server_that_refuses_is_given_up_and_its_text_is_not_logged() {
    let folder = Folder::new();
    let smtp = SmtpServer::start(&["--never"]);
    let server = serve(&folder, &format!("smtp://127.0.0.1:{}", smtp.port), None);
    server.sign_up("ann");
    forget(&server);
    eventually("the log reports it", || server.log().contains("a letter is given up"));
    let log = server.log();
    assert!(log.contains("550") && !log.contains("ann@example.com"), "{log}");
}

#[test]
fn a_stop_logs_the_letters_that_it_gives_up() {
    let folder = Folder::new();
    // Nobody listens at this address any more.
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = serve(&folder, &format!("smtp://{away}"), None);
    server.sign_up("ann");
    forget(&server);
    eventually("a retry is scheduled", || server.log().contains("a letter did not go out"));
    let log = server.log_to_the_end();
    let line = log.lines().find(|line| line.contains("a letter is given up"));
    assert!(line.is_some_and(|line| line.contains("the server stops")), "{log}");
}

#[test]
fn without_a_mail_server_the_letter_is_in_the_log_and_its_link_works() {
    let folder = Folder::new();
    let server = folder.serve();
    assert!(server.said.contains("Mail: not sent; written to this log"), "{}", server.said);
    let token = server.sign_up("ann");
    forget(&server);
    eventually("the letter is in the log", || server.log().contains("/#/reset?token="));
    let log = server.log();
    let (_, rest) = log.split_once("/#/reset?token=").unwrap();
    let reset_token: String =
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    let body = json!({ "reset_token": reset_token, "password": "emu yak gnu" });
    assert_eq!(server.call("POST", "/api/auth/reset", None, Some(body)).0, 204);
    assert_eq!(server.get("/api/users/me", Some(&token)).0, 401);
    let old = json!({ "email": "ann@example.com", "password": PASSWORD });
    assert_eq!(server.call("POST", "/api/auth/login", None, Some(old)).0, 401);
}

#[test]
fn with_a_configured_database_and_no_mail_server_no_letter_is_logged() {
    let folder = Folder::new();
    let first = folder.serve();
    first.sign_up("ann");
    // A second server that uses the first one's mongod as a configured database.
    let other = Folder::new();
    let mut command = other.command(&["serve"]);
    command
        .env("MOVIE_BAG_MONGODB__URI", folder.mongod_uri())
        .env("MOVIE_BAG_JWT__SECRET", "a secret of the tests, 32 bytes and more");
    let server = Server::start(command);
    assert!(server.said.contains("Mail: not sent (mail.smtp_url is unset)"), "{}", server.said);
    forget(&server);
    eventually("the log reports it", || server.log().contains("no mail was sent"));
    assert!(
        !server.log().contains("token=") && !server.log().contains("ann@example.com"),
        "{}",
        server.log()
    );
}
