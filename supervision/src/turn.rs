//! Giving others a turn.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// Lets the tasks that wait on this thread run once before this one goes on. Unlike tokio's `yield_now` it does not make
/// the runtime look for I/O first, which costs more than a message.
pub(crate) async fn pass() {
    let mut passed = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut passed, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What `future` says after the others on this thread have had a turn.
pub(crate) async fn answer_of<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    pass().await;
    poll_fn(|cx| match Pin::new(&mut *future).poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
