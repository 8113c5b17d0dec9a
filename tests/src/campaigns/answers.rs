//! A user of RPC who asks again and again, and when there was an answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use node::client::Client;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

/// Between two questions.
const ASK_EVERY: Duration = Duration::from_millis(5);

pub(super) struct Answers {
    moments: Arc<Mutex<Vec<Instant>>>,
    asking: JoinHandle<()>,
}

impl Answers {
    pub fn watch(client: Client) -> Self {
        let moments = Arc::new(Mutex::new(Vec::new()));
        let noted = moments.clone();
        let asking = tokio::spawn(async move {
            loop {
                if client.height().await.is_ok() {
                    noted.lock().push(Instant::now());
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        });
        Self { moments, asking }
    }

    pub fn moments(&self) -> Vec<Instant> {
        self.moments.lock().clone()
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.asking.abort();
    }
}
