//! A real SMTP server (aiosmtpd), which pip downloads once.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use serde_json::Value;

const PACKAGE: &str = "aiosmtpd==1.4.6";
const LONG: Duration = Duration::from_mins(1);

/// The SMTP server of one test. It ends with the test.
pub struct SmtpServer {
    child: Child,
    letters: Receiver<Value>,
    confirmations: Receiver<Value>,
    pub port: u16,
}

/// The folder of the package.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let library = folder.join(PACKAGE);
        if !library.is_dir() {
            let new = folder.join(format!("{PACKAGE}.{}", std::process::id()));
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"];
            let installed = Command::new("python3").args(pip).arg(&new).arg(PACKAGE).status().unwrap();
            assert!(installed.success(), "pip could not install {PACKAGE}");
            // Another test binary may have been faster.
            let _ = std::fs::rename(&new, &library);
        }
        library
    })
}

impl SmtpServer {
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/smtp.py"))
            .args(arguments)
            .env("PYTHONPATH", library())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().expect("the port").unwrap().parse().unwrap();
        let ((others, letters), (confirming, confirmations)) = (channel(), channel());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let letter: Value = serde_json::from_str(&line).unwrap();
                let is_confirmation = letter["headers"]["Subject"] == "Confirm your address";
                let _ = if is_confirmation { confirming.send(letter) } else { others.send(letter) };
            }
        });
        Self { child, letters, confirmations, port }
    }

    /// Waits for the next letter that asks to confirm an address. Each sign-up sends one.
    pub fn confirmation(&self) -> Value {
        self.confirmations.recv_timeout(LONG).expect("a letter within a minute")
    }

    /// Waits for the next other letter.
    pub fn letter(&self) -> Value {
        self.letters.recv_timeout(LONG).expect("a letter within a minute")
    }

    /// Whether there is no other letter now.
    pub fn is_empty(&self) -> bool {
        self.letters.try_recv().is_err()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The token of the reset link in a letter.
pub fn reset_token(letter: &Value) -> String {
    link_token(letter, "reset")
}

/// The token of the link that confirms an address.
pub fn verify_token(letter: &Value) -> String {
    link_token(letter, "verify")
}

/// The token of the link to this page in a letter.
pub fn link_token(letter: &Value, page: &str) -> String {
    let text = letter["text"].as_str().unwrap();
    let link = format!("/#/{page}?token=");
    let (_, rest) = text.split_once(&link).unwrap_or_else(|| panic!("no link: {text}"));
    rest.split_whitespace().next().unwrap().to_owned()
}
