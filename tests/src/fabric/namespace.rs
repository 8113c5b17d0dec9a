//! A network namespace for one validator, and a door into it.

use std::{
    env,
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, anyhow, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::LocalSet,
};

/// Where `ip` keeps the names.
const NAMES: &str = "/run/netns";

/// Gone with this value, when nobody runs in it any more.
pub(super) struct Namespace {
    name: String,
}

impl Namespace {
    /// With a loopback of its own, and nothing else.
    pub fn make(index: usize) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("axolotl-{}-{}-{index}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        ip(&["netns", "add", &name]).context("a network namespace needs root and iproute2; without them, use the proxies")?;
        let space = Self { name };
        ip(&["-n", &space.name, "link", "set", "lo", "up"])?;
        Ok(space)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `work` gives, done inside.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let file = self.file()?;
        let done = thread::scope(|scope| {
            let inside = scope.spawn(move || {
                enter(&file)?;
                anyhow::Ok(work())
            });
            inside.join()
        });
        done.map_err(|_| anyhow!("work in the namespace {} panicked", self.name))?
    }

    /// From ports of the machine's own loopback to addresses inside.
    pub fn door(&self, ways_in: &[(u16, SocketAddr)]) -> Result<Door> {
        let file = self.file()?;
        let listen = |(port, inside): &(u16, SocketAddr)| {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, *port))?;
            listener.set_nonblocking(true)?;
            anyhow::Ok((listener, *inside))
        };
        let listeners: Vec<_> = ways_in.iter().map(listen).collect::<Result<_>>()?;
        let (open, shut) = oneshot::channel();
        let run = move || {
            // Sockets made outside stay outside; those made from here on are inside.
            enter(&file)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            LocalSet::new().block_on(&runtime, async {
                for (listener, inside) in listeners {
                    tokio::task::spawn_local(let_in(TcpListener::from_std(listener)?, inside));
                }
                // It ends when the door is dropped.
                let _ = shut.await;
                Ok(())
            })
        };
        Ok(Door { open: Some(open), thread: Some(thread::Builder::new().name(self.name.clone()).spawn(run)?) })
    }

    fn file(&self) -> Result<File> {
        let path = Path::new(NAMES).join(&self.name);
        File::open(&path).with_context(|| path.display().to_string())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What is left is an empty namespace; its name says whose it was.
        let _ = ip(&["netns", "del", &self.name]);
    }
}

/// Lets the machine's own loopback in. Shut when dropped.
pub(super) struct Door {
    open: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.open.take();
        if let Some(thread) = self.thread.take() {
            // Whoever needed it has noticed.
            let _ = thread.join();
        }
    }
}

async fn let_in(listener: TcpListener, inside: SocketAddr) {
    loop {
        // Out of descriptors, say; the next one comes after this one has been turned away.
        let Ok((mut outside, _)) = listener.accept().await else { continue };
        tokio::task::spawn_local(async move {
            if let Ok(mut inside) = TcpStream::connect(inside).await {
                // Either side may end as it likes.
                let _ = copy_bidirectional(&mut outside, &mut inside).await;
            }
        });
    }
}

fn enter(file: &File) -> Result<()> {
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).context("cannot enter a network namespace")
}

/// The program, by its whole path, for children whose environment is empty.
pub(super) fn program() -> Result<PathBuf> {
    let directories = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&directories).chain(["/usr/sbin".into(), "/sbin".into()]);
    places.map(|place| place.join("ip")).find(|path| path.is_file()).context("there is no `ip`: install iproute2")
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new(program()?).args(arguments).output()?;
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
