//! Shows the progress of a long command: a bar on a terminal, and otherwise a line every ten seconds.

use std::{
    io::{self, Write},
    time::Duration,
};

use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

/// The time between two lines.
const PAUSE: Duration = Duration::from_secs(10);

/// Shows a command's progress on standard error, until this is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    lines: Option<JoinHandle<()>>,
}

impl Progress {
    /// `template` is the template of the bar. If there is no terminal for the bar, lines show its message, and how many
    /// bytes have been read if it counts them.
    #[must_use]
    pub fn begin(template: &str) -> Self {
        let bar = ProgressBar::new(0);
        // The template is a constant.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let lines = bar.is_hidden().then(|| tokio::spawn(write_lines(bar.clone())));
        Self { bar, lines }
    }

    #[must_use]
    pub fn bar(&self) -> &ProgressBar {
        &self.bar
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if let Some(lines) = &self.lines {
            lines.abort();
        }
    }
}

async fn write_lines(bar: ProgressBar) {
    loop {
        tokio::time::sleep(PAUSE).await;
        // The command continues even if nobody reads its progress.
        let _ = writeln!(io::stderr(), "{}", line(&bar));
    }
}

fn line(bar: &ProgressBar) -> String {
    let (message, read) = (bar.message(), bar.position());
    match bar.length() {
        Some(length) if length > 0 => {
            format!("{message}, {} of {} read", BinaryBytes(read), BinaryBytes(length))
        }
        // A pipe has no length.
        _ if read > 0 => format!("{message}, {} read", BinaryBytes(read)),
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_done_and_how_much_is_left() {
        let bar = ProgressBar::hidden();
        bar.set_message("12500 imported");
        assert_eq!(line(&bar), "12500 imported");
        bar.set_position(3 << 20);
        assert_eq!(line(&bar), "12500 imported, 3.00 MiB read");
        bar.set_length(4 << 20);
        assert_eq!(line(&bar), "12500 imported, 3.00 MiB of 4.00 MiB read");
    }
}
