//! Ends a process that a test has started when the test is gone, however it went: killed, too.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

/// The guard waits for a line. At the end of its input without one, the test is gone.
const SCRIPT: &str =
    r#"read -r line || { kill -9 "$1" 2>/dev/null; [ -z "$2" ] || { sleep 1; rm -rf -- "$2"; }; }"#;

/// A process that watches another one. The other has to be waited for before this is dropped.
pub struct Guard(Child);

impl Guard {
    /// Watches a child, and removes its folder with it.
    pub fn of(child: &Child, folder: Option<&Path>) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "guard", &child.id().to_string()]).arg(folder.unwrap_or(Path::new("")));
        // A group of its own: what a terminal sends to the test must not end its guard first.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Self(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        use std::io::Write;
        // The process is gone, and another one may have its id by now.
        if let Some(input) = &mut self.0.stdin {
            let _ = input.write_all(b"done\n");
        }
        let _ = self.0.wait();
    }
}
