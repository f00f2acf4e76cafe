//! How far this process has come in the change stream.

use tokio::time::Instant;

use super::{entry::Entry, token::Token};

/// What this process knows about the stream.
#[derive(Debug, Clone)]
pub(in crate::movies) enum Progress {
    /// The stream has not begun, or it broke off.
    Waiting,
    Live(Position),
    /// A standalone MongoDB has no change streams.
    Unsupported,
}

/// A place in the stream.
#[derive(Debug, Clone)]
pub(in crate::movies) struct Position {
    /// This process has seen every change up to this place.
    pub at: Token,
    /// This process has seen every change up to and including this cluster time. Several changes may share one time.
    pub(in crate::movies) complete: u64,
    /// The last change that this process has seen.
    pub(super) last: Option<Token>,
    /// Whether this process has written that change into the log.
    pub(super) is_written: bool,
    /// This process has seen every change that there was at this time, by its own clock. `None` until this is known.
    pub heard: Option<Instant>,
    /// Raised with the changes that this process passes on, and whenever it may have missed some.
    pub(super) generation: u64,
}

/// What this process has seen, in all its readings of the stream.
#[derive(Default)]
pub(super) struct Seen {
    /// Everything up to here has been passed on here.
    pub at: Option<Token>,
    pub last: Option<Token>,
    /// See [`Position::generation`].
    pub generation: u64,
}

impl Seen {
    /// Forgets the place in the stream. The generation stays, because no generation may occur twice.
    pub fn begin_anew(&mut self) {
        (self.at, self.last) = (None, None);
    }
}

/// One run over the stream, as the log's writer or as a reader.
pub(super) struct Run {
    pub writes: bool,
    pub group: Vec<Entry>,
    bytes: usize,
    pub at: Token,
    complete: u64,
    pub last: Option<Token>,
    heard: Option<Instant>,
}

/// How many entries are written in one step.
const GROUP: usize = 500;
const GROUP_BYTES: usize = 1 << 20;

impl Run {
    pub fn new(at: Token, writes: bool) -> Self {
        let complete = at.instant();
        Self { writes, group: Vec::new(), bytes: 0, at, complete, last: None, heard: None }
    }

    pub fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes();
        self.at = entry.token.clone();
        // The next change may have the same time, so only the time before it is complete.
        self.complete = self.complete.max(self.at.instant().saturating_sub(1));
        self.last = Some(entry.token.clone());
        self.group.push(entry);
    }

    /// There was no further change up to this place.
    pub fn advance(&mut self, at: Token) {
        if at > self.at {
            self.at = at;
        }
    }

    /// The database has sent every change that it had when it was asked.
    pub fn complete(&mut self, asked: Instant) {
        self.complete = self.complete.max(self.at.instant());
        self.heard = Some(asked);
    }

    pub fn is_full(&self) -> bool {
        self.group.len() >= GROUP || self.bytes >= GROUP_BYTES
    }

    pub fn take_group(&mut self) -> Vec<Entry> {
        self.bytes = 0;
        std::mem::take(&mut self.group)
    }

    /// `seen` covers this run and earlier ones. A run that has just begun to write may not have written the last change
    /// again yet.
    pub fn position(&self, seen: &Seen) -> Position {
        Position {
            at: self.at.clone(),
            complete: self.complete,
            is_written: self.writes && seen.last.as_ref().is_none_or(|last| *last <= self.at),
            last: seen.last.clone(),
            heard: self.heard,
            generation: seen.generation,
        }
    }
}

#[cfg(test)]
mod tests {
    use bson::{DateTime, oid::ObjectId};

    use super::*;
    use crate::movies::changes::entry::Kind;

    fn token(increment: u32, rest: &str) -> Token {
        Token::stored(&format!("8200000001{increment:08X}2B{rest}"))
    }

    fn entry(token: Token) -> Entry {
        Entry {
            token,
            kind: Kind::Deleted,
            movie: ObjectId::new(),
            owner: None,
            version: None,
            by: None,
            at: DateTime::now(),
            former: None,
            document: None,
        }
    }

    #[test]
    fn a_change_seen_by_an_earlier_run_counts_as_written_only_when_this_run_reaches_it() {
        let mut run = Run::new(token(1, ""), true);
        let seen = Seen { last: Some(token(5, "AA")), ..Seen::default() };
        assert!(!run.position(&seen).is_written);
        run.push(entry(token(5, "AA")));
        assert!(run.position(&seen).is_written);
        assert!(!Run::new(token(9, ""), false).position(&seen).is_written);
    }

    #[test]
    fn a_time_is_complete_when_no_more_changes_can_have_it() {
        let mut run = Run::new(token(1, ""), true);
        let time = |increment| token(increment, "").instant();
        assert_eq!(run.complete, time(1));
        run.push(entry(token(5, "AA")));
        run.push(entry(token(5, "BB")));
        assert_eq!(run.complete, time(4));
        run.complete(Instant::now());
        assert_eq!(run.complete, time(5));
        // A read that found no change may report only the time, which sorts before the change.
        run.advance(token(5, ""));
        assert_eq!(run.at, token(5, "BB"));
        run.advance(token(9, ""));
        run.complete(Instant::now());
        assert_eq!((run.at.clone(), run.complete), (token(9, ""), time(9)));
    }
}
