//! The one registry, which a scrape reads.

use prometheus::{Registry, core::Collector, proto::MetricFamily};
use rocket::{Build, Rocket, fairing::AdHoc};

/// The registry, and whether other machines may read it. Managed by Rocket.
pub struct Metrics {
    registry: Registry,
    is_public: bool,
}

impl Metrics {
    /// An empty registry. If `is_public` is set, other machines may read it too.
    #[must_use]
    pub fn new(is_public: bool) -> Self {
        Self { registry: Registry::new(), is_public }
    }

    #[must_use]
    pub fn is_public(&self) -> bool {
        self.is_public
    }

    /// All metrics, with their current values.
    #[must_use]
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// # Panics
    /// If a name is already registered.
    fn register(&self, collectors: Vec<Box<dyn Collector>>) {
        for collector in collectors {
            self.registry.register(collector).expect("BUG: two metrics have one name");
        }
    }
}

/// Registers the metrics of a feature. Without a registry (a stage alone, in a test), nobody reads them.
///
/// # Panics
/// If a name is already registered.
pub fn register(rocket: &Rocket<Build>, collectors: Vec<Box<dyn Collector>>) {
    if let Some(metrics) = rocket.state::<Metrics>() {
        metrics.register(collectors);
    }
}

/// [`register`] as a stage, for code that is not a feature.
#[must_use]
pub fn registering(name: &'static str, collectors: Vec<Box<dyn Collector>>) -> AdHoc {
    AdHoc::on_ignite(name, |rocket| async move {
        register(&rocket, collectors);
        rocket
    })
}
