//! The one registry: what a scrape reads.

use prometheus::{Registry, core::Collector, proto::MetricFamily};
use rocket::{Build, Rocket, fairing::AdHoc};

/// The registry, and who may read it. Managed by Rocket.
pub struct Metrics {
    registry: Registry,
    is_public: bool,
}

impl Metrics {
    /// With nothing in it yet. `is_public`: other machines may read it too.
    #[must_use]
    pub fn new(is_public: bool) -> Self {
        Self { registry: Registry::new(), is_public }
    }

    #[must_use]
    pub fn is_public(&self) -> bool {
        self.is_public
    }

    /// Everything, as it is now.
    #[must_use]
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// # Panics
    /// If a name is taken.
    fn register(&self, collectors: Vec<Box<dyn Collector>>) {
        for collector in collectors {
            self.registry.register(collector).expect("BUG: two metrics have one name");
        }
    }
}

/// Hands over what a feature counts. Where there is no registry (a stage alone, in a test) nobody reads it.
///
/// # Panics
/// If a name is taken.
pub fn register(rocket: &Rocket<Build>, collectors: Vec<Box<dyn Collector>>) {
    if let Some(metrics) = rocket.state::<Metrics>() {
        metrics.register(collectors);
    }
}

/// [`register`] as a stage, for what is no feature.
#[must_use]
pub fn registering(name: &'static str, collectors: Vec<Box<dyn Collector>>) -> AdHoc {
    AdHoc::on_ignite(name, |rocket| async move {
        register(&rocket, collectors);
        rocket
    })
}
