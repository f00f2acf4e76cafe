//! The last changes, in order, as they are written to every listener.

use std::{collections::VecDeque, sync::Arc};

use super::{change::Change, event_id::EventId};

/// What the journal may hold: older changes are asked of the database again.
const MAX_CHANGES: usize = 10_000;
pub const MAX_BYTES: usize = 16 << 20;

/// Everything that has changed after `from`, up to `position`.
#[derive(Debug)]
pub struct Journal {
    from: EventId,
    position: EventId,
    changes: VecDeque<Arc<Change>>,
    bytes: usize,
}

impl Journal {
    pub fn new(position: EventId) -> Self {
        Self { from: position.clone(), position, changes: VecDeque::new(), bytes: 0 }
    }

    /// Before this it knows nothing.
    pub fn from(&self) -> &EventId {
        &self.from
    }

    pub fn position(&self) -> &EventId {
        &self.position
    }

    /// Nothing has changed since the last change and up to here.
    pub fn advance(&mut self, position: EventId) {
        self.position = self.position.clone().max(position);
    }

    pub fn push(&mut self, change: Arc<Change>) {
        self.advance(change.id.clone());
        self.bytes += change.data.len();
        self.changes.push_back(change);
        while (self.changes.len() > MAX_CHANGES || self.bytes > MAX_BYTES)
            && let Some(oldest) = self.changes.pop_front()
        {
            self.bytes -= oldest.data.len();
            self.from = oldest.id.clone();
        }
    }

    /// What came after this; `None` if that begins before the journal does.
    pub fn after(&self, id: &EventId) -> Option<Vec<Arc<Change>>> {
        let is_later = |change: &&Arc<Change>| change.id > *id;
        (*id >= self.from).then(|| self.changes.iter().filter(is_later).cloned().collect())
    }

    /// Puts in front what came between `id` and the journal's beginning, as far as there is room.
    pub fn extend_back(&mut self, id: EventId, earlier: &[Arc<Change>]) {
        let bytes: usize = earlier.iter().map(|change| change.data.len()).sum();
        if self.bytes + bytes <= MAX_BYTES && self.changes.len() + earlier.len() <= MAX_CHANGES {
            self.bytes += bytes;
            for change in earlier.iter().rev() {
                self.changes.push_front(Arc::clone(change));
            }
            self.from = id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> EventId {
        EventId::parse(&format!("8200000000{number:08X}2B")).unwrap()
    }

    fn change(number: u32, bytes: usize) -> Arc<Change> {
        Arc::new(Change { id: id(number), kind: "created", data: "x".repeat(bytes) })
    }

    fn numbers(changes: Option<Vec<Arc<Change>>>) -> Option<Vec<EventId>> {
        changes.map(|changes| changes.iter().map(|change| change.id.clone()).collect())
    }

    #[test]
    fn it_knows_what_came_after_a_place_unless_that_is_too_old() {
        let mut journal = Journal::new(id(10));
        journal.push(change(11, 1));
        journal.advance(id(15));
        journal.push(change(20, 1));
        assert_eq!(numbers(journal.after(&id(10))), Some(vec![id(11), id(20)]));
        assert_eq!(numbers(journal.after(&id(15))), Some(vec![id(20)]));
        assert_eq!(numbers(journal.after(&id(99))), Some(vec![]));
        assert_eq!(numbers(journal.after(&id(9))), None);
        journal.extend_back(id(5), &[change(6, 1)]);
        assert_eq!(numbers(journal.after(&id(5))), Some(vec![id(6), id(11), id(20)]));
        assert_eq!(numbers(journal.after(&id(4))), None);
    }

    #[test]
    fn what_was_forgotten_meanwhile_is_not_taken_for_nothing() {
        let mut journal = Journal::new(id(10));
        let end = journal.from().clone();
        for number in 11..20 {
            journal.push(change(number, MAX_BYTES / 4));
        }
        // Somebody looked back up to `end`; what came next is no longer here.
        assert_eq!(numbers(journal.after(&end)), None);
    }

    #[test]
    fn what_is_too_much_is_forgotten_from_the_old_end() {
        let mut journal = Journal::new(id(1));
        for number in 2..12 {
            journal.push(change(number, MAX_BYTES / 4));
        }
        assert_eq!(numbers(journal.after(&id(7))), Some((8..12).map(id).collect()));
        assert_eq!(numbers(journal.after(&id(6))), None);
        journal.extend_back(id(2), &[change(3, MAX_BYTES)]);
        assert_eq!(numbers(journal.after(&id(6))), None);
    }
}
