//! Which letters may wait for another try: a few for each domain, and a bounded number in all.
//!
//! A stranger can cause letters that are never accepted, for example by signing up with addresses of their own domain.
//! These must not take the second try away from other people's letters. So a new letter always gets a place. If its
//! domain has its share of places, the domain's oldest letter loses its place. Otherwise, if all places are taken, the
//! oldest letter of the domain with the most letters loses its place.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

/// How many letters may wait, besides those that are being sent for the first time.
pub const ALL: usize = 64;
/// How many letters to one domain may wait.
const OF_ONE_DOMAIN: usize = 4;

/// Why a letter no longer waits.
pub const DISPLACED: &str = "a newer letter took its place in the queue";
pub const STOPPED: &str = "the server stops";

/// The letters that wait. Clones share them.
#[derive(Clone, Default)]
pub struct Delayed(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    /// The oldest first.
    letters: VecDeque<Letter>,
    next: u64,
    is_closed: bool,
}

struct Letter {
    number: u64,
    domain: String,
    /// Tells the letter why it has lost its place.
    lost: oneshot::Sender<&'static str>,
}

/// The place of a letter. Dropping it frees the place.
pub struct Place {
    delayed: Delayed,
    number: u64,
    lost: oneshot::Receiver<&'static str>,
}

impl Delayed {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // No code that holds this lock panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a letter to this domain.
    pub fn enter(&self, domain: &str) -> Place {
        let mut waiting = self.waiting();
        if let Some(displaced) = waiting.displaced_by(domain)
            && let Some(letter) = waiting.letters.remove(displaced)
        {
            let _ = letter.lost.send(DISPLACED);
        }
        let (sender, lost) = oneshot::channel();
        let number = waiting.next;
        waiting.next += 1;
        if waiting.is_closed {
            let _ = sender.send(STOPPED);
        } else {
            waiting.letters.push_back(Letter { number, domain: domain.to_owned(), lost: sender });
        }
        Place { delayed: self.clone(), number, lost }
    }

    pub fn len(&self) -> usize {
        self.waiting().letters.len()
    }

    /// From now on, no letter may wait.
    pub fn close(&self) {
        let mut waiting = self.waiting();
        waiting.is_closed = true;
        for letter in waiting.letters.drain(..) {
            let _ = letter.lost.send(STOPPED);
        }
    }
}

impl Waiting {
    /// Which letter loses its place to a new one.
    fn displaced_by(&self, domain: &str) -> Option<usize> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for letter in &self.letters {
            *counts.entry(&letter.domain).or_default() += 1;
        }
        if counts.get(domain).is_some_and(|count| *count >= OF_ONE_DOMAIN) {
            return self.letters.iter().position(|letter| letter.domain == domain);
        }
        if self.letters.len() < ALL {
            return None;
        }
        let most = counts.values().max()?;
        self.letters.iter().position(|letter| counts.get(&*letter.domain) == Some(most))
    }
}

impl Place {
    /// Waits for the next try.
    ///
    /// # Errors
    /// The reason, as soon as the place is lost.
    pub async fn pause(&mut self, pause: Duration) -> Result<(), &'static str> {
        match timeout(pause, &mut self.lost).await {
            Err(_) => Ok(()),
            Ok(reason) => Err(reason.unwrap_or(DISPLACED)),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.delayed.waiting().letters.retain(|letter| letter.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Why the letter has lost its place, if it has.
    fn lost(place: &mut Place) -> Option<&'static str> {
        place.lost.try_recv().ok()
    }

    #[test]
    fn a_stranger_with_many_letters_takes_no_place_from_others() {
        let delayed = Delayed::default();
        let mut ann = delayed.enter("example.com");
        let mut strangers: Vec<Place> = (0..200).map(|_| delayed.enter("stranger.example")).collect();
        assert_eq!(delayed.len(), 1 + OF_ONE_DOMAIN);
        assert_eq!(lost(&mut ann), None);
        let lost: Vec<_> = strangers.iter_mut().map(lost).collect();
        let (older, newest) = lost.split_at(200 - OF_ONE_DOMAIN);
        assert!(older.iter().all(|lost| *lost == Some(DISPLACED)));
        assert!(newest.iter().all(Option::is_none));
    }

    #[test]
    fn when_all_places_are_taken_the_oldest_letter_of_the_fullest_domain_makes_room() {
        let delayed = Delayed::default();
        let mut ann = delayed.enter("example.com");
        let mut strangers: Vec<Place> =
            (1..ALL).map(|number| delayed.enter(&format!("{}.stranger.example", number / 3))).collect();
        let mut bob = delayed.enter("example.org");
        assert_eq!(delayed.len(), ALL);
        assert_eq!((lost(&mut ann), lost(&mut bob)), (None, None));
        // Domain 0 has two letters, domain 1 is the first that has three.
        let lost: Vec<_> = strangers.iter_mut().map(|place| lost(place).is_some()).collect();
        assert_eq!(lost.iter().position(|lost| *lost), Some(2));
        assert_eq!(lost.iter().filter(|lost| **lost).count(), 1);
    }

    #[test]
    fn a_dropped_place_is_free_and_after_the_end_there_are_no_places() {
        let delayed = Delayed::default();
        let mut ann = delayed.enter("example.com");
        drop(delayed.enter("example.com"));
        assert_eq!(delayed.len(), 1);
        delayed.close();
        assert_eq!(lost(&mut ann), Some(STOPPED));
        assert_eq!(lost(&mut delayed.enter("example.com")), Some(STOPPED));
        assert_eq!(delayed.len(), 0);
    }
}
