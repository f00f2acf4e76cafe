//! Records what the servers acknowledged. Each writer repeats a request until it is answered, so at the end there is
//! one correct state.

use std::{collections::BTreeMap, sync::Mutex};

use bson::Document;

#[derive(Debug, Clone)]
pub struct Promise {
    pub name: String,
    pub version: i64,
    pub plot: String,
    pub is_deleted: bool,
}

/// The acknowledged state, by the movie's id.
#[derive(Default)]
pub struct Ledger(Mutex<BTreeMap<String, Promise>>);

impl Ledger {
    pub fn write(&self, id: &str, promise: Promise) {
        self.0.lock().unwrap().insert(id.to_owned(), promise);
    }

    pub fn of(&self, id: &str) -> Promise {
        self.0.lock().unwrap()[id].clone()
    }

    pub fn all(&self) -> BTreeMap<String, Promise> {
        self.0.lock().unwrap().clone()
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// How many changes were acknowledged in total.
    pub fn changes(&self) -> usize {
        let of =
            |promise: &Promise| usize::try_from(promise.version).unwrap() + usize::from(promise.is_deleted);
        self.0.lock().unwrap().values().map(of).sum()
    }

    /// The ids and versions of the movies that must exist.
    pub fn standing(&self) -> Vec<(String, i64)> {
        let all = self.all().into_iter().filter(|(_, promise)| !promise.is_deleted);
        all.map(|(id, promise)| (id, promise.version)).collect()
    }

    pub fn assert_equals(&self, found: &[Document]) {
        let mut standing = self.all();
        standing.retain(|_, promise| !promise.is_deleted);
        for movie in found {
            let id = movie.get_object_id("_id").unwrap().to_hex();
            let promise = standing.remove(&id).unwrap_or_else(|| panic!("{movie} was never acknowledged"));
            let is = (movie.get_str("name").ok(), movie.get_i64("version").ok(), movie.get_str("plot").ok());
            assert_eq!(is, (Some(&*promise.name), Some(promise.version), Some(&*promise.plot)), "{id}");
        }
        assert!(standing.is_empty(), "lost: {standing:#?}");
    }
}
