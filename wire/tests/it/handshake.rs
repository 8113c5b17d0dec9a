//! Who becomes a peer, and why others do not.

use primitives::{B256, Domain};
use wire::{Codec, HandshakeError, Limits, Role};

use crate::support::{DOMAIN, identity, identity_on, limits, meet, sockets, soon};

#[tokio::test]
async fn both_sides_know_whom_they_talk_to() {
    let (one, two) = (identity(1), identity(2));
    let (near, far) = meet(&one, &two, &limits(), &limits()).await;
    let (near, far) = (near.unwrap(), far.unwrap());
    assert_eq!((near.peer, far.peer), (two.node(), one.node()));
    assert_eq!((near.role, far.role), (Role::Dialler, Role::Acceptor));
}

#[tokio::test]
async fn another_chain_is_refused_on_both_sides_with_both_ids() {
    let elsewhere = identity_on(2, Domain { chain_id: 5, ..DOMAIN });
    let (near, far) = meet(&identity(1), &elsewhere, &limits(), &limits()).await;
    assert!(matches!(near, Err(HandshakeError::WrongChain { ours: 1337, theirs: 5 })));
    assert!(matches!(far, Err(HandshakeError::WrongChain { ours: 5, theirs: 1337 })));
}

#[tokio::test]
async fn another_genesis_is_refused_on_both_sides_with_both_hashes() {
    let elsewhere = identity_on(2, Domain { genesis_hash: B256::ZERO, ..DOMAIN });
    let (near, far) = meet(&identity(1), &elsewhere, &limits(), &limits()).await;
    assert!(matches!(near, Err(HandshakeError::WrongGenesis { theirs: B256::ZERO, .. })));
    assert!(matches!(far, Err(HandshakeError::WrongGenesis { ours: B256::ZERO, .. })));
}

#[tokio::test]
async fn another_node_than_the_expected_one_is_refused_with_both_names() {
    let (one, two, three) = (identity(1), identity(2), identity(3));
    let (near, far) = sockets().await;
    let (one_s, two_s) = (limits(), limits());
    let (near, far) = soon(async { tokio::join!(wire::dial(near, &one, Some(three.node()), &one_s), wire::accept(far, &two, &two_s)) }).await;
    let Err(HandshakeError::WrongPeer { expected, got }) = near else { panic!("{near:?}") };
    assert_eq!((expected, got), (three.node(), two.node()));
    assert!(matches!(far, Err(HandshakeError::Closed { .. })), "{far:?}");
}

#[tokio::test]
async fn a_node_that_dials_itself_finds_out_on_both_sides() {
    let (near, far) = meet(&identity(1), &identity(1), &limits(), &limits()).await;
    assert!(matches!(near, Err(HandshakeError::SelfConnection { .. })));
    assert!(matches!(far, Err(HandshakeError::SelfConnection { .. })));
}

#[tokio::test]
async fn without_a_common_codec_both_sides_name_theirs() {
    let json = Limits::standard(vec![Codec::Json]);
    let (near, far) = meet(&identity(1), &identity(2), &json, &limits()).await;
    for refused in [near, far] {
        let Err(HandshakeError::NoCodec { ours, theirs }) = refused else { panic!("{refused:?}") };
        let mut names = [ours, theirs];
        names.sort();
        assert_eq!(names, ["axolotl.v1.json", "axolotl.v1.msgpack"]);
    }
}
