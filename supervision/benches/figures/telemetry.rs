//! Metrics and spans as a node has them, which can be switched on for a while.

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;

/// A meter whose figures Prometheus could read. The provider has to be kept alive.
pub fn metered() -> anyhow::Result<(SdkMeterProvider, Meter)> {
    let reader = opentelemetry_prometheus::exporter().with_registry(prometheus::Registry::new()).build()?;
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let meter = provider.meter("figures");
    Ok((provider, meter))
}

/// The switch of the process' spans. While it is off, a span costs what it costs where nobody listens.
#[derive(Clone)]
pub struct Spans(reload::Handle<Targets, Registry>);

impl Spans {
    /// Every span is sampled and then dropped: what an exporter makes of it is the exporter's cost.
    pub fn install() -> anyhow::Result<Self> {
        let (filter, handle) = reload::Layer::new(off());
        let tracer = SdkTracerProvider::builder().build().tracer("figures");
        let subscriber = tracing_subscriber::registry().with(filter).with(tracing_opentelemetry::layer().with_tracer(tracer));
        tracing::subscriber::set_global_default(subscriber)?;
        Ok(Spans(handle))
    }

    pub fn switch(&self, on: bool) -> anyhow::Result<()> {
        // ractor's span of an actor lives as long as the actor; its target is to be filtered.
        let filter = if on { Targets::new().with_default(LevelFilter::INFO).with_target("ractor", LevelFilter::OFF) } else { off() };
        Ok(self.0.reload(filter)?)
    }
}

fn off() -> Targets {
    Targets::new().with_default(LevelFilter::OFF)
}
