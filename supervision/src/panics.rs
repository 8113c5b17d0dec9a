//! Catching a panic in a future, with its message and, where known, its place.

use std::any::Any;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use crate::backtrace::Backtrace;
use crate::exit::ExitReason;

thread_local! {
    static NOTED: RefCell<Noted> = const { RefCell::new(Noted { place: None, backtrace: None }) };
}

/// What a panic hook knows and an unwound stack does not.
#[derive(Debug, Default)]
struct Noted {
    place: Option<String>,
    backtrace: Option<Backtrace>,
}

/// Remembers where this thread panics, with a backtrace if `RUST_BACKTRACE` asks for one. To be called by the
/// process' panic hook, which is not ours to install:
///
/// ```
/// std::panic::set_hook(Box::new(|info| supervision::note_panic(info)));
/// ```
pub fn note_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map(|at| format!("{}:{}:{}", at.file(), at.line(), at.column()));
    NOTED.with(|noted| *noted.borrow_mut() = Noted { place, backtrace: Backtrace::capture() });
}

/// A panic that was caught.
#[derive(Debug)]
pub(crate) struct Caught {
    pub message: String,
    pub place: Option<String>,
    pub backtrace: Option<Backtrace>,
}

impl Caught {
    /// This panic as the end of an incarnation that had the message `during` in hand.
    pub fn reason(self, during: &str) -> ExitReason {
        let Caught { message, place, backtrace } = self;
        ExitReason::Panic { message, place, backtrace, during: during.to_owned(), times_in_a_row: 1 }
    }

    fn from_payload(payload: Box<dyn Any + Send>) -> Self {
        let message = payload
            .downcast_ref::<&'static str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without words".to_owned());
        // A payload may panic when dropped; that one is not worth anybody's life.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
        let Noted { place, backtrace } = NOTED.with(RefCell::take);
        Caught { message, place, backtrace }
    }
}

/// Runs `work`, turning a panic into a value.
pub(crate) fn caught<R>(work: impl FnOnce() -> R) -> Result<R, Caught> {
    catch_unwind(AssertUnwindSafe(work)).map_err(Caught::from_payload)
}

/// Runs `future`, turning a panic into a value. The broken future is never polled again. It is pinned where it is,
/// because what an async function is handed takes its room twice.
pub(crate) async fn caught_async<F: Future>(mut future: Pin<&mut F>) -> Result<F::Output, Caught> {
    poll_fn(|cx| match caught(|| future.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(caught) => Poll::Ready(Err(caught)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[test]
    fn a_panic_keeps_its_words() {
        assert_eq!(caught(|| panic!("boom {}", 1)).expect_err("panics").message, "boom 1");
        assert_eq!(caught(|| panic!("boom")).expect_err("panics").message, "boom");
    }

    #[tokio::test]
    async fn a_panic_after_an_await_is_caught() {
        let later = pin!(async {
            tokio::task::yield_now().await;
            panic!("later")
        });
        assert_eq!(caught_async(later).await.expect_err("panics").message, "later");
    }
}
