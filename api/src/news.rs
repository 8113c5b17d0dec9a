//! The newest blocks as subscribers hear of them: read and written once, for all connections.

use std::{collections::VecDeque, sync::Arc};

use alloy_rpc_types_eth::Log;
use primitives::Height;
use serde_json::value::RawValue;
use tokio::sync::Mutex;

use crate::{Backend, BackendError, eth};

/// Blocks that are kept for those who are a little late.
const KEPT_BLOCKS: usize = 8;

/// A block as it is told.
#[derive(Debug)]
pub(crate) struct NewBlock {
    /// The header as JSON.
    pub head: Box<RawValue>,
    pub logs: Vec<Log>,
}

type Recent = VecDeque<(Height, Arc<NewBlock>)>;

/// Reads new blocks. Clones read the same ones.
#[derive(Clone)]
pub(crate) struct News<B> {
    backend: B,
    recent: Arc<Mutex<Recent>>,
}

impl<B: Backend> News<B> {
    pub fn new(backend: B) -> Self {
        Self { backend, recent: Arc::default() }
    }

    /// The block at `height`, which must have been decided. All connections ask at once when a block comes: the first reads, the others
    /// wait for it.
    pub async fn block(&self, height: Height) -> Result<Arc<NewBlock>, BackendError> {
        let mut recent = self.recent.lock().await;
        if let Some((_, block)) = recent.iter().find(|(kept, _)| *kept == height) {
            return Ok(block.clone());
        }
        // A straggler must not make the others read again.
        if recent.back().is_some_and(|(newest, _)| height < *newest) {
            drop(recent);
            return Ok(Arc::new(eth::new_block(&self.backend, height).await?));
        }
        let block = Arc::new(eth::new_block(&self.backend, height).await?);
        recent.push_back((height, block.clone()));
        if KEPT_BLOCKS < recent.len() {
            recent.pop_front();
        }
        Ok(block)
    }
}
