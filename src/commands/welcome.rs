//! What a person reads once the server listens: where it listens, what it uses, and three things to try.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use super::arguments::VERSION;

/// The demo films. They are there if the server runs in the folder of the source code.
const DEMO: &str = "demo/films.ndjson.gz";

pub struct Welcome {
    pub listens: SocketAddr,
    pub public_url: Option<String>,
    pub database: String,
    pub search: String,
    pub mail: &'static str,
}

impl Welcome {
    /// Prints it to standard output. The log is on standard error, and keeps its format.
    pub fn print(&self) {
        // The reader may have closed standard output.
        let _ = std::io::stdout().write_all(self.text(&program(), Path::new(DEMO).is_file()).as_bytes());
    }

    fn text(&self, program: &str, has_demo: bool) -> String {
        let Self { listens, database, search, mail, .. } = self;
        let address = self.address();
        let third = if has_demo {
            format!("Import 17,000 films:   {program} import {DEMO} --as YOUR_EMAIL")
        } else {
            format!("List the movies:       curl {address}/api/movies")
        };
        format!(
            "Movie Bag {VERSION} listens on http://{listens}\n\
             Database: {database}\nSearch: {search}\nMail: {mail}\n\n\
             Three things to try:\n  \
             Sign up in a browser:  {address}/\n  \
             Try out the API:       {address}/api/docs\n  \
             {third}\n"
        )
    }

    /// An address that a browser on this machine can open.
    fn address(&self) -> String {
        if let Some(url) = &self.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let mut address = self.listens;
        if address.ip().is_unspecified() {
            address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        format!("http://{address}")
    }
}

/// The program's name as the person typed it: with a path, if it is not on `PATH`.
fn program() -> String {
    std::env::args_os()
        .next()
        .map_or_else(|| "movie-bag".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcome(listens: &str, public_url: Option<&str>) -> Welcome {
        Welcome {
            listens: listens.parse().unwrap(),
            public_url: public_url.map(str::to_owned),
            database: "the embedded mongod".to_owned(),
            search: "the search index".to_owned(),
            mail: "not sent",
        }
    }

    #[test]
    fn the_last_lines_are_three_things_to_try() {
        let text = welcome("127.0.0.1:8000", None).text("target/debug/movie-bag", true);
        let expected = "\n\
            Three things to try:\n  \
            Sign up in a browser:  http://127.0.0.1:8000/\n  \
            Try out the API:       http://127.0.0.1:8000/api/docs\n  \
            Import 17,000 films:   target/debug/movie-bag import demo/films.ndjson.gz --as YOUR_EMAIL\n";
        assert!(text.ends_with(expected), "{text}");
        let text = welcome("127.0.0.1:8000", None).text("movie-bag", false);
        assert!(text.ends_with("  List the movies:       curl http://127.0.0.1:8000/api/movies\n"), "{text}");
    }

    #[test]
    fn every_address_can_be_opened() {
        for (listens, public_url, opens) in [
            ("0.0.0.0:8000", None, "http://127.0.0.1:8000"),
            ("[::]:8000", None, "http://127.0.0.1:8000"),
            ("192.0.2.7:80", None, "http://192.0.2.7:80"),
            ("0.0.0.0:8000", Some("https://movies.example.com/"), "https://movies.example.com"),
        ] {
            assert_eq!(welcome(listens, public_url).address(), opens);
        }
    }
}
