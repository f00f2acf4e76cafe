//! Who may wait to have a password hashed. The queue takes about five seconds of work, at most a quarter of it from one
//! network. One account may have four passwords at a time.
//!
//! Logins that succeed are not throttled. So without these two shares, somebody with a few accounts could keep the
//! queue full for everybody else.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout_at};

use super::meter::Meter;
use crate::{
    accounts::{EmailAddress, network::Network},
    http::problem::Problem,
};

/// How long the last one in the queue should wait for its turn.
pub(super) const LONGEST_QUEUE: Duration = Duration::from_secs(5);
/// A job that has waited this long is refused when its turn comes. The machine has become slower since, and the later
/// callers must not wait for work that nobody waits for any more.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// One network may take one of this many shares of the queue.
const NETWORKS: u64 = 4;
/// How many passwords of one account may be hashed or wait at a time.
pub(super) const OF_ONE_ACCOUNT: usize = 4;
/// How long a caller waits outside the queue until there is a place for its account.
const PATIENCE: Duration = Duration::from_secs(5);

/// The account and the network that a password is hashed for.
#[derive(Debug, Clone)]
pub struct Requester {
    network: Network,
    account: String,
}

impl Requester {
    #[must_use]
    pub fn new(address: Option<IpAddr>, account: &EmailAddress) -> Self {
        Self { network: Network::of(address), account: account.to_string() }
    }

    /// Only the network, so that the job takes none of the places of the account that the caller names.
    #[must_use]
    pub fn network_alone(self) -> Self {
        Self { account: self.network.as_str().to_owned(), ..self }
    }
}

/// The bounds, and what is taken.
pub(super) struct Places {
    threads: u64,
    pub meter: Meter,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Default)]
struct Taken {
    /// The waiting work of each network that has some.
    by_network: HashMap<Network, u64>,
    /// The jobs of each account that wait or run.
    by_account: HashMap<String, usize>,
}

/// A place. It counts in the queue until [`Place::begin`], and for the account until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    requester: Requester,
    /// The work that waits in the queue.
    work: u64,
}

/// Why there is no place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Full {
    Queue,
    Account,
}

impl Places {
    pub fn new(threads: usize, meter: Meter) -> Self {
        let threads = u64::try_from(threads).unwrap_or(u64::MAX);
        Self { threads, meter, taken: Mutex::default(), freed: Notify::new() }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for some work. If the account already has its share, the caller waits outside for a while.
    ///
    /// # Errors
    /// 503 if the queue is full, or the network's share of it.
    pub async fn take(self: &Arc<Self>, requester: &Requester, work: u64) -> Result<Place, Problem> {
        let limit = tokio::time::Instant::now() + PATIENCE;
        loop {
            // Listens before it looks, so that it does not miss a place that is freed in between.
            let freed = self.freed.notified();
            match self.try_take(requester, work) {
                Ok(place) => return Ok(place),
                Err(Full::Queue) => return Err(Problem::Overloaded),
                Err(Full::Account) => timeout_at(limit, freed).await.map_err(|_| Problem::Overloaded)?,
            }
        }
    }

    pub fn try_take(self: &Arc<Self>, requester: &Requester, work: u64) -> Result<Place, Full> {
        let queue = self.meter.work_in(LONGEST_QUEUE).saturating_mul(self.threads);
        let share = (queue / NETWORKS).max(work);
        let mut taken = self.taken();
        // If hashes have become slower, a network can have more than its share. The excess takes nothing from others.
        let waiting: u64 = taken.by_network.values().map(|waiting| share.min(*waiting)).sum();
        let of_network = taken.by_network.get(&requester.network).copied().unwrap_or_default();
        let of_account = taken.by_account.get(&requester.account).copied().unwrap_or_default();
        // One job may always wait, however long a hash takes on this machine.
        let fits = |waiting: u64, bound: u64| waiting == 0 || waiting + work <= bound;
        if of_account >= OF_ONE_ACCOUNT {
            return Err(Full::Account);
        }
        if !fits(waiting, queue) || !fits(of_network, share) {
            return Err(Full::Queue);
        }
        taken.by_network.insert(requester.network.clone(), of_network + work);
        taken.by_account.insert(requester.account.clone(), of_account + 1);
        Ok(Place { places: Arc::clone(self), requester: requester.clone(), work })
    }
}

impl Place {
    /// The work no longer waits, because it begins now.
    pub fn begin(&mut self) {
        let work = std::mem::take(&mut self.work);
        let mut taken = self.places.taken();
        if let Some(of_network) = taken.by_network.get_mut(&self.requester.network) {
            *of_network -= work;
            if *of_network == 0 {
                taken.by_network.remove(&self.requester.network);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // This also runs if the job has never begun.
        self.begin();
        let mut taken = self.places.taken();
        if let Some(of_account) = taken.by_account.get_mut(&self.requester.account) {
            *of_account -= 1;
            if *of_account == 0 {
                taken.by_account.remove(&self.requester.account);
            }
        }
        drop(taken);
        self.places.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::password::hasher::meter::work;

    fn requester(network: u8, account: usize) -> Requester {
        let address = IpAddr::from([192, 0, 2, network]);
        Requester::new(Some(address), &EmailAddress::claimed(&format!("{account}@example.com")))
    }

    /// How many such hashes may wait, each from another network and account.
    fn room(cost: u32, seconds: f64, threads: usize) -> usize {
        let meter = Meter::fixed(cost, Duration::from_secs_f64(seconds));
        let places = Arc::new(Places::new(threads, meter));
        let take = |number: u8| places.try_take(&requester(number, number.into()), work(cost)).ok();
        (0..=u8::MAX).map_while(take).collect::<Vec<_>>().len()
    }

    #[test]
    fn the_queue_is_as_long_as_five_seconds_of_work() {
        assert_eq!(room(12, 0.25, 2), 40);
        assert_eq!(room(12, 0.25, 8), 160);
        assert_eq!(room(14, 1.0, 2), 10);
        assert_eq!(room(16, 4.0, 2), 2);
        // One may wait even if a single hash takes longer than that.
        assert_eq!(room(16, 20.0, 2), 1);
    }

    #[test]
    fn a_job_that_begins_frees_its_place_in_the_queue() {
        let places = Arc::new(Places::new(1, Meter::fixed(14, Duration::from_secs(1))));
        let take = |number: u8| places.try_take(&requester(number, number.into()), work(14));
        let mut waiting: Vec<Place> = (0..5).map(|number| take(number).unwrap()).collect();
        assert_eq!(take(5).err(), Some(Full::Queue));
        waiting[0].begin();
        let last = take(5).unwrap();
        assert_eq!(take(6).err(), Some(Full::Queue));
        drop((waiting, last));
        let taken = places.taken();
        assert_eq!((taken.by_network.len(), taken.by_account.len()), (0, 0));
    }

    #[test]
    fn one_network_takes_a_quarter_of_the_queue_at_most() {
        let places = Arc::new(Places::new(2, Meter::fixed(12, Duration::from_millis(250))));
        let take = |network: u8, account| places.try_take(&requester(network, account), work(12));
        let own: Vec<Place> = (0..10).map(|account| take(1, account).unwrap()).collect();
        assert_eq!(take(1, 99).err(), Some(Full::Queue));
        assert!(take(2, 99).is_ok());
        // When each hash takes four times as long, ten may wait. The network's own jobs count as a quarter of them.
        places.meter.set(12, Duration::from_secs(1));
        let others: Vec<Place> =
            (2..9).map(|network| take(network, 99 + usize::from(network)).unwrap()).collect();
        assert_eq!(take(1, 99).err(), Some(Full::Queue));
        assert_eq!(take(9, 99).err(), Some(Full::Queue));
        drop((own, others));
        assert!(take(1, 99).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_fifth_password_of_one_account_waits_outside_the_queue() {
        let places = Arc::new(Places::new(2, Meter::fixed(4, Duration::from_millis(1))));
        // It does not matter which networks they come from.
        let take = |network: u8| places.try_take(&requester(network, 1), work(4));
        let mut four: Vec<Place> = (0..4).map(|network| take(network).unwrap()).collect();
        assert_eq!(take(9).err(), Some(Full::Account));
        assert!(places.try_take(&requester(9, 2), work(4)).is_ok());
        // It does not wait forever.
        assert!(matches!(places.take(&requester(9, 1), work(4)).await, Err(Problem::Overloaded)));
        // A job frees its account's place when it ends, not when it begins.
        four[0].begin();
        assert_eq!(take(9).err(), Some(Full::Account));
        let fifth = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take(&requester(9, 1), work(4)).await.is_ok() }
        });
        tokio::task::yield_now().await;
        four.pop();
        assert!(fifth.await.unwrap());
    }
}
