//! The last state of each server that the driver's monitors have seen. It tells an operator why no server is usable;
//! the driver's own error is a dump of everything it knows.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use mongodb::event::{EventHandler, sdam::SdamEvent};

use super::error::reason;

#[derive(Clone, Default)]
pub(super) struct Sightings(Arc<Mutex<BTreeMap<String, String>>>);

impl Sightings {
    pub fn handler(&self) -> EventHandler<SdamEvent> {
        let own = self.clone();
        EventHandler::callback(move |event| own.note(event))
    }

    fn note(&self, event: SdamEvent) {
        let (server, seen) = match event {
            SdamEvent::ServerHeartbeatFailed(event) => (event.server_address, reason(&event.failure)),
            SdamEvent::ServerHeartbeatSucceeded(event) => {
                let is_primary = event.reply.get_bool("isWritablePrimary").unwrap_or(false);
                let role = if is_primary { "is a primary" } else { "is not a primary" };
                let set = match event.reply.get_str("setName") {
                    Ok(name) => format!("of the replica set {name}"),
                    Err(_) => "and not in a replica set".to_owned(),
                };
                (event.server_address, format!("{role} {set}"))
            }
            _ => return,
        };
        let mut seen_by_server = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen_by_server.insert(server.to_string(), seen.split_whitespace().collect::<Vec<_>>().join(" "));
    }

    /// `None` until a monitor has seen a server.
    pub fn describe(&self) -> Option<String> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each: Vec<String> = seen.iter().map(|(server, seen)| format!("{server}: {seen}")).collect();
        (!each.is_empty()).then(|| each.join("; "))
    }
}
