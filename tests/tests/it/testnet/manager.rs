//! A service manager that listens and does nothing else.

use std::{
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::eventually;

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where a process may say how it is, and what it said.
pub struct Manager {
    /// As `NOTIFY_SOCKET` has it.
    pub address: String,
    heard: Arc<Mutex<Vec<Word>>>,
    is_over: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

/// One `KEY=VALUE` of the protocol.
#[derive(Clone, Debug)]
pub struct Word {
    pub at: Instant,
    pub text: String,
}

impl Manager {
    /// One whose socket is a file.
    pub fn in_directory(directory: &Path) -> Self {
        let path = directory.join("notify");
        Self::on(UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap().to_owned())
    }

    /// One whose socket has a name and no file.
    pub fn abstract_named(name: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        Self::on(UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}"))
    }

    fn on(socket: UnixDatagram, address: String) -> Self {
        let (heard, is_over) = (Arc::<Mutex<Vec<Word>>>::default(), Arc::new(AtomicBool::new(false)));
        socket.set_read_timeout(Some(LOOK_EVERY)).unwrap();
        let (words, over) = (heard.clone(), is_over.clone());
        let listen = move || {
            let mut bytes = [0; 4_096];
            while !over.load(Relaxed) {
                let Ok(length) = socket.recv(&mut bytes) else { continue };
                let (at, text) = (Instant::now(), String::from_utf8(bytes[..length].to_vec()).unwrap());
                words.lock().unwrap().extend(text.lines().map(|line| Word { at, text: line.to_owned() }));
            }
        };
        Self { address, heard, is_over, listener: Some(std::thread::spawn(listen)) }
    }

    /// All that was said so far and begins with `start`, in order.
    pub fn heard(&self, start: &str) -> Vec<Word> {
        self.heard.lock().unwrap().iter().filter(|word| word.text.starts_with(start)).cloned().collect()
    }

    /// Waits until something that begins with `start` was said after `since`.
    pub async fn hears(&self, start: &str, since: Instant, limit: Duration) -> Word {
        let find = async || self.heard(start).into_iter().find(|word| since < word.at);
        eventually(&format!("the service manager hears {start}, after {:?}", self.heard("")), limit, find).await
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        if let Some(listener) = self.listener.take() {
            // Its panic has been told.
            let _ = listener.join();
        }
    }
}
