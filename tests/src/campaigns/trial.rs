//! A network of processes under load and under observation: what the campaigns that kill have in common.

use std::time::Duration;

use anyhow::Result;
use rand::{SeedableRng, rngs::StdRng};

use super::{SETTLE_LIMIT, START_LIMIT, Settings, check, check_load, observe};
use crate::{load::Load, network::Network, observer::Observer, report::Report};

/// The network, who watches it and what it carries.
pub(super) struct Trial {
    pub network: Network,
    pub observer: Observer,
    pub load: Load,
    pub random: StdRng,
}

impl Trial {
    /// Starts it, with `rate` transfers a second for so long.
    pub async fn start(settings: &Settings, rate: u64, length: Duration) -> Result<Self> {
        let mut random = StdRng::seed_from_u64(settings.seed);
        let mut network = settings.plan().make(&mut random)?;
        network.start_all()?;
        network.reach(1, START_LIMIT).await?;
        let observer = observe(&network, settings.seed).await?;
        observer.hears(network.validators.len(), START_LIMIT).await?;
        let load = Load::start(&network, rate, rate * length.as_secs()).await?;
        Ok(Self { network, observer, load, random })
    }

    /// Waits until the load is final, and holds everything against what must be.
    pub async fn end(mut self, settings: &Settings, report: &mut Report) -> Result<()> {
        let load = self.load.settle(SETTLE_LIMIT).await;
        check_load(&load, report);
        check(&mut self.network, &self.observer, report).await?;
        self.observer.stop().await;
        settings.finish(&mut self.network, report);
        Ok(())
    }
}
