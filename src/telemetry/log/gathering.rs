//! Gathers log lines for a moment before writing them.
//!
//! Waking a thread for each line costs more than the line itself. So the writing thread sleeps a little after the
//! first line has arrived, and then writes all waiting lines.

use std::{
    io::{self, Write},
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::Duration,
};

/// How long lines gather.
const PAUSE: Duration = Duration::from_millis(10);
/// How many bytes may wait. Lines beyond that are dropped and counted.
const WAITING: usize = 8 << 20;
/// How much memory is kept for the next lines.
const KEPT: usize = 256 << 10;
/// How much is written at once. A pipe takes this much atomically (`PIPE_BUF`), and another writer to standard error
/// waits for no more than this.
const PIECE: usize = 4_096;
/// How long the shutdown waits for the last lines, because nobody may be reading.
const FAREWELL: Duration = Duration::from_secs(1);

/// A writer that gathers lines. Clones share it.
#[derive(Clone, Default)]
pub struct Gathering(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    news: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    has_ended: bool,
}

/// The writing thread. When this is dropped, it writes the waiting lines.
pub struct Writer {
    gathering: Gathering,
    end: Receiver<()>,
}

impl Gathering {
    /// Starts a thread that writes to `out`.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<(Self, Writer)> {
        let gathering = Self::default();
        let own = gathering.clone();
        let (ended, end) = mpsc::channel();
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            own.write_to(out);
            drop(ended);
        })?;
        Ok((gathering.clone(), Writer { gathering, end }))
    }

    /// How many lines were dropped.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // No code that holds this lock panics half-way through a change.
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        let mut has_ended = false;
        while !has_ended {
            let nothing = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.has_ended;
            drop(self.0.news.wait_while(self.waiting(), nothing));
            thread::sleep(PAUSE);
            {
                let mut waiting = self.waiting();
                mem::swap(&mut waiting.lines, &mut lines);
                has_ended = waiting.has_ended;
            }
            self.write_pieces(&lines, &mut out);
            lines.clear();
            lines.shrink_to(KEPT);
        }
    }
}

impl Gathering {
    fn write_pieces(&self, lines: &[u8], out: &mut impl Write) {
        let mut is_torn = false;
        for piece in pieces(lines) {
            let end = if is_torn { out.write_all(b"\n") } else { Ok(()) };
            is_torn = end.and_then(|()| out.write_all(piece)).and_then(|()| out.flush()).is_err();
            if is_torn {
                // For example, the disk is full. There is nowhere else to report it.
                self.0.dropped.fetch_add(count(piece), Ordering::Relaxed);
            }
        }
    }
}

/// Splits into pieces of whole lines: as many as fit in [`PIECE`] bytes, but at least one.
fn pieces(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = lines;
    std::iter::from_fn(move || {
        let fits = rest.len().min(PIECE);
        let last_end = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        let first_end = || rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (piece, after) = rest.split_at(last_end(&rest[..fits]).unwrap_or_else(first_end));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn count(lines: &[u8]) -> u64 {
    lines.split_inclusive(|byte| *byte == b'\n').count() as u64
}

/// Each write gets a whole line.
impl Write for Gathering {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.waiting();
        if waiting.lines.len() + line.len() > WAITING {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            let is_first = waiting.lines.is_empty();
            waiting.lines.extend_from_slice(line);
            drop(waiting);
            if is_first {
                self.0.news.notify_one();
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.gathering.waiting().has_ended = true;
        self.gathering.0.news.notify_one();
        // The other side never sends; it is dropped when it ends.
        let _ = self.end.recv_timeout(FAREWELL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer that accepts nothing until it is opened. The test can read what it accepted.
    #[derive(Clone, Default)]
    struct Out(Arc<(Mutex<bool>, Condvar, Mutex<Vec<u8>>)>);

    impl Out {
        fn open(&self) {
            *self.0.0.lock().unwrap() = true;
            self.0.1.notify_all();
        }

        fn taken(&self) -> String {
            String::from_utf8(self.0.2.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |open| !*open).unwrap());
            self.0.2.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_lines_are_written_in_order_before_the_shutdown() {
        let out = Out::default();
        out.open();
        let (mut gathering, writer) = Gathering::start(out.clone()).unwrap();
        let lines: Vec<String> = (0..1_000).map(|number| format!("line {number}\n")).collect();
        for line in &lines {
            gathering.write_all(line.as_bytes()).unwrap();
        }
        drop(writer);
        assert_eq!(out.taken(), lines.concat());
        assert_eq!(gathering.dropped(), 0);
    }

    #[test]
    fn lines_that_nobody_reads_are_dropped_whole_and_counted() {
        let out = Out::default();
        let (mut gathering, writer) = Gathering::start(out.clone()).unwrap();
        let line = format!("{}\n", "x".repeat(1 << 20));
        let written = 40_u64;
        for _ in 0..written {
            gathering.write_all(line.as_bytes()).unwrap();
        }
        let dropped = gathering.dropped();
        // The lines that wait, and at most as many again that the thread has already taken.
        assert!((written - 14..=written - 7).contains(&dropped), "{dropped}");
        out.open();
        drop(writer);
        let taken = out.taken();
        assert_eq!(taken.lines().count() as u64, written - dropped);
        assert!(taken.lines().all(|taken| taken.len() == 1 << 20));
    }

    #[test]
    fn each_write_consists_of_whole_lines() {
        let (short, long) = (format!("{}\n", "s".repeat(999)), format!("{}\n", "l".repeat(PIECE)));
        let lines = [&*short, &short, &short, &short, &short, &long, &short, "the end"].concat();
        let written: Vec<&[u8]> = pieces(lines.as_bytes()).collect();
        assert_eq!(written.concat(), lines.as_bytes());
        assert_eq!(
            written.iter().map(|piece| piece.len()).collect::<Vec<_>>(),
            [4_000, 1_000, PIECE + 1, 1_000, 7]
        );
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut gathering, writer) = Gathering::start(Full).unwrap();
        for _ in 0..3 {
            gathering.write_all(b"line\n").unwrap();
        }
        drop(writer);
        assert_eq!(gathering.dropped(), 3);
    }

    #[test]
    fn the_shutdown_does_not_wait_for_a_reader_that_never_comes() {
        let (mut gathering, writer) = Gathering::start(Out::default()).unwrap();
        gathering.write_all(b"line\n").unwrap();
        let began = std::time::Instant::now();
        drop(writer);
        assert!(began.elapsed() < FAREWELL * 5, "{:?}", began.elapsed());
    }
}
