//! Ends a process that a test has started when the test has ended, in whatever way, even if it was killed.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

/// The guard waits for a line. If its input ends without one, the test has ended.
const SCRIPT: &str =
    r#"read -r line || { kill -9 "$1" 2>/dev/null; [ -z "$2" ] || { sleep 1; rm -rf -- "$2"; }; }"#;

/// A process that watches another one. Wait for that process before you drop this.
pub struct Guard(Child);

impl Guard {
    /// Watches a child, and removes its folder with it.
    pub fn of(child: &Child, folder: Option<&Path>) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "guard", &child.id().to_string()]).arg(folder.unwrap_or(Path::new("")));
        // Use a separate process group: a signal from the terminal to the test must not end its guard first.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Self(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        use std::io::Write;
        // The process has ended, and another one may have its id now.
        if let Some(input) = &mut self.0.stdin {
            let _ = input.write_all(b"done\n");
        }
        let _ = self.0.wait();
    }
}
