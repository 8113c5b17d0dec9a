//! A server for one test.

use std::{net::SocketAddr, time::Duration};

use api::{Config, Door, Drained, Offer, serve};
use opentelemetry::metrics::MeterProvider;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::node::Node;

pub struct Server {
    pub address: SocketAddr,
    pub node: Node,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Drained>,
}

pub fn config() -> Config {
    Config {
        hosts: vec!["node.example".into()],
        origins: vec!["https://app.example".into()],
        max_connections: 64,
        max_calls: 64,
        limits: None,
        offer: Offer::ALL,
        call_limit: Duration::from_secs(20),
        drain_limit: Duration::from_secs(20),
        addresses: vec![("metrics".into(), "http://127.0.0.1:9090/metrics".into())],
        meter: opentelemetry_sdk::metrics::SdkMeterProvider::default().meter("test"),
    }
}

impl Server {
    pub async fn start() -> Self {
        Self::with(config()).await
    }

    pub async fn with(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let node = Node::new().await;
        let (stop, stopped) = oneshot::channel();
        let serving = serve(Door::new(listener, &config), node.clone(), config, async { drop(stopped.await) });
        Self { address, node, stop, task: tokio::spawn(serving) }
    }

    /// Tells it to stop; `ended` waits for the end.
    pub fn stop(self) -> Stopping {
        self.stop.send(()).unwrap();
        Stopping(self.task)
    }
}

pub struct Stopping(JoinHandle<Drained>);

impl Stopping {
    pub async fn ended(self) -> Drained {
        tokio::time::timeout(Duration::from_secs(60), self.0).await.unwrap().unwrap()
    }
}
