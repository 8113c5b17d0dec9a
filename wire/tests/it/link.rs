//! What two proved peers can rely on.

use primitives::limits::MAX_CHUNK_BYTES;
use wire::{Codec, Full, InboundError, Lane, Limits, Message, QueueLimits, SendError};

use crate::support::{encoded, link, part, ping, soon};

#[tokio::test]
async fn what_one_says_the_other_hears_in_both_codecs() {
    for codec in [Codec::Msgpack, Codec::Json] {
        let (near, mut far) = link(&Limits::standard(vec![codec])).await;
        assert_eq!((near.codec, far.codec), (codec, codec));
        let sent = [ping(1), part(0, MAX_CHUNK_BYTES), ping(2)];
        sent.iter().for_each(|message| near.outbound.try_send(message).unwrap());
        let writing = tokio::spawn(near.writer.run());
        let mut kinds = Vec::new();
        for _ in &sent {
            kinds.push(soon(far.inbound.next()).await.unwrap().message.kind());
        }
        assert_eq!(kinds, ["ping", "ping", "part"]);
        near.outbound.close();
        assert!(matches!(soon(far.inbound.next()).await, Err(InboundError::Closed)));
        soon(writing).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_vote_overtakes_ten_megabytes_of_parts() {
    let (near, mut far) = link(&crate::support::limits()).await;
    let parts = (10 << 20) / MAX_CHUNK_BYTES as u32;
    (0..parts).for_each(|index| near.outbound.try_send(&part(index, MAX_CHUNK_BYTES)).unwrap());
    let outbound = near.outbound.clone();
    let writing = tokio::spawn(near.writer.run());
    let first = soon(far.inbound.next()).await.unwrap();
    assert_eq!(first.message.kind(), "part");
    outbound.try_send(&ping(7)).unwrap();
    let waiting = outbound.queued_bytes(Lane::Proposals);
    let mut before = 0;
    while soon(far.inbound.next()).await.unwrap().message.kind() != "ping" {
        before += 1;
    }
    let behind = waiting / MAX_CHUNK_BYTES;
    assert!(before + behind / 2 < parts as usize, "{before} of {parts} parts came first, {behind} were still queued");
    writing.abort();
}

#[tokio::test]
async fn a_peer_that_never_reads_fills_its_queue_and_nobody_waits() {
    let queues = QueueLimits { votes: 1 << 20, proposals: 4 << 20, transactions: 1 << 20, bulk: 1 << 20 };
    let (near, _far) = link(&Limits { queues, ..crate::support::limits() }).await;
    let outbound = near.outbound.clone();
    let writing = tokio::spawn(near.writer.run());
    let full = loop {
        match outbound.try_send(&part(0, MAX_CHUNK_BYTES)) {
            Ok(()) => tokio::task::yield_now().await,
            Err(SendError::Full(full)) => break full,
            Err(error) => panic!("{error}"),
        }
    };
    let Full { lane, max_bytes, .. } = full;
    assert_eq!((lane, max_bytes), (Lane::Proposals, 4 << 20));
    assert_eq!(outbound.try_send(&ping(1)), Ok(()));
    writing.abort();
    assert!(writing.await.is_err());
    assert_eq!(outbound.try_send(&ping(2)), Err(SendError::Closed));
}

#[tokio::test]
async fn a_writer_gives_up_on_a_peer_that_never_reads() {
    let limits = Limits { flush: std::time::Duration::from_millis(50), ..crate::support::limits() };
    let (near, _far) = link(&limits).await;
    (0..1_000).for_each(|index| near.outbound.try_send(&part(index, MAX_CHUNK_BYTES)).unwrap());
    let error = soon(near.writer.run()).await.unwrap_err();
    assert!(matches!(error, wire::WriteError::Stalled { .. }), "{error}");
}

#[tokio::test]
async fn a_goodbye_leaves_before_the_link_closes_and_megabytes_do_not() {
    let (near, mut far) = link(&crate::support::limits()).await;
    (0..100).for_each(|index| near.outbound.try_send(&part(index, MAX_CHUNK_BYTES)).unwrap());
    let goodbye = Message::Goodbye(wire::message::Goodbye { reason: wire::message::Farewell::Stopping });
    near.outbound.try_send(&encoded(goodbye.clone())).unwrap();
    near.outbound.close();
    assert_eq!(near.outbound.try_send(&ping(1)), Err(SendError::Closed));
    let writing = tokio::spawn(near.writer.run());
    assert_eq!(soon(far.inbound.next()).await.unwrap().message, goodbye);
    assert!(matches!(soon(far.inbound.next()).await, Err(InboundError::Closed)));
    soon(writing).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_pipe_may_be_anything_that_reads_and_writes() {
    let (near, far) = tokio::io::duplex(1 << 10);
    let (one, two) = (crate::support::identity(1), crate::support::identity(2));
    let limits = crate::support::limits();
    let (near, far) = soon(async { tokio::join!(wire::dial(near, &one, Some(two.node()), &limits), wire::accept(far, &two, &limits)) }).await;
    let (near, mut far) = (near.unwrap(), far.unwrap());
    assert_eq!((near.peer, far.peer), (two.node(), one.node()));
    near.outbound.try_send(&part(3, MAX_CHUNK_BYTES)).unwrap();
    let writing = tokio::spawn(near.writer.run());
    assert_eq!(soon(far.inbound.next()).await.unwrap().message.kind(), "part");
    writing.abort();
}
