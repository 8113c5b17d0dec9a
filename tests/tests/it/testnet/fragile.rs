//! A network whose nodes live in the process of a test, where faults can be injected.

use std::{path::Path, time::Duration};

use node::{
    config::Override,
    localnet::{Localnet, Request, prepare},
    ports::PortOffset,
};

/// Four new homes below `directory` whose nodes decide a block every 50 ms and let faults be injected.
pub fn fragile(directory: &Path) -> Localnet {
    let chaos = Override { path: "chaos.enabled".into(), value: "true".into(), flag: "--set chaos.enabled=true".into() };
    prepare(&Request {
        directory: directory.join("net"),
        validators: Some(4),
        block_interval: Some(Duration::from_millis(50)),
        empty_block_interval: Some(Duration::from_millis(50)),
        port_offset: Some(PortOffset::Any),
        fresh_start: false,
        environment: Vec::new(),
        flags: vec![chaos],
    })
    .unwrap()
}
