//! Log lines on their way to stderr: a full pipe never stops the node.
//!
//! Lines go through a bounded queue to one thread that writes them. When nobody reads, lines are dropped and counted, and
//! the count is the first line written afterwards.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait for stderr.
const MAX_LINES: usize = 8_192;
/// How often the thread looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// Where the log layer puts its lines; each write is one line.
#[derive(Clone, Debug)]
pub(super) struct LineQueue {
    lines: SyncSender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

/// The writing thread; ended by [`Writing::finish`]. Clones are the same thread.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    ending: SyncSender<()>,
    thread: Arc<JoinHandle<()>>,
}

/// Lines that reach `out` in order.
pub(super) fn start(mut out: impl Write + Send + 'static) -> io::Result<(LineQueue, Writing)> {
    let (lines, waiting) = sync_channel(MAX_LINES);
    let (ending, ended) = sync_channel(1);
    let dropped = Arc::new(AtomicU64::new(0));
    let count = dropped.clone();
    let thread = std::thread::Builder::new().name("log".into()).spawn(move || write_all(&mut out, &waiting, &ended, &count))?;
    Ok((LineQueue { lines, dropped }, Writing { ending, thread: Arc::new(thread) }))
}

fn write_all(out: &mut impl Write, waiting: &Receiver<Vec<u8>>, ended: &Receiver<()>, dropped: &AtomicU64) {
    loop {
        let line = waiting.recv_timeout(LOOK);
        let lost = dropped.swap(0, Ordering::Relaxed);
        // Nobody can be told that stderr is gone.
        if lost > 0 {
            let _ = writeln!(out, "{lost} log lines were dropped because nobody read them");
        }
        match line {
            Ok(line) => drop(out.write_all(&line)),
            Err(RecvTimeoutError::Timeout) if ended.try_recv().is_err() => {}
            Err(_) => return,
        }
    }
}

impl Writing {
    /// Waits until the waiting lines are written, at most `limit`.
    pub fn finish(&self, limit: Duration) {
        let _ = self.ending.try_send(());
        let began = Instant::now();
        while !self.thread.is_finished() && began.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Write for LineQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(line.to_vec()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LineQueue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::{Condvar, Mutex};

    /// Blocks until it is opened, as a pipe does that nobody reads.
    #[derive(Clone, Default)]
    struct Pipe(Arc<Inner>);

    #[derive(Default)]
    struct Inner {
        is_open: Mutex<bool>,
        opened: Condvar,
        bytes: Mutex<Vec<u8>>,
    }

    impl Pipe {
        fn open(&self) {
            *self.0.is_open.lock().unwrap() = true;
            self.0.opened.notify_all();
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.bytes.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.0.opened.wait_while(self.0.is_open.lock().unwrap(), |is_open| !*is_open).unwrap());
            self.0.bytes.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_pipe_that_nobody_reads_stops_nobody_and_the_loss_is_counted() {
        let pipe = Pipe::default();
        let (mut queue, writing) = start(pipe.clone()).unwrap();
        for number in 0..MAX_LINES + 100 {
            queue.write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        pipe.open();
        writing.finish(Duration::from_secs(60));
        let text = pipe.text();
        assert!(text.contains("log lines were dropped") && text.contains("line 0\n"), "{}", text.len());
    }

    #[test]
    fn what_waits_is_written_before_the_end() {
        let pipe = Pipe::default();
        pipe.open();
        let (mut queue, writing) = start(pipe.clone()).unwrap();
        (0..100).for_each(|number| queue.write_all(format!("{number}\n").as_bytes()).unwrap());
        writing.finish(Duration::from_secs(60));
        assert_eq!(pipe.text().lines().count(), 100);
    }
}
