//! Where clients come in: the socket, and how many may be inside.

use std::sync::Arc;

use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::Config;

/// An open door for [`serve`](crate::serve).
#[derive(Debug)]
pub struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) room: Room,
}

/// Places for open connections. Clones share them.
#[derive(Clone, Debug)]
pub struct Room(Arc<Semaphore>);

impl Door {
    /// A door with room for [`Config::max_connections`].
    pub fn new(listener: TcpListener, config: &Config) -> Self {
        Self { listener, room: Room(Arc::new(Semaphore::new(config.max_connections))) }
    }

    pub fn room(&self) -> Room {
        self.room.clone()
    }
}

impl Room {
    /// Whoever comes now waits until somebody leaves.
    pub fn is_full(&self) -> bool {
        self.0.available_permits() == 0
    }

    /// A place, as soon as there is one.
    pub(crate) async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        self.0.clone().acquire_owned().await.ok()
    }
}
