//! What one node hears, all know.

use primitives::{B256, ConsensusMessage, Domain, Evidence, Height, Round, Signed, Vote, VoteKind};
use serde_json::{Value, json};
use wire::{
    Message,
    message::{HaveTransactions, Transactions},
};

use crate::testnet::{Stranger, Testnet, Transfer, Validator, eventually, secs};

/// Above the rounds of these tests, and not so far that nobody would listen.
const ROUND: Round = Round(3);

fn prevote(domain: &Domain, validator: u32, height: u64, value: u8) -> Signed<Vote> {
    let key = node::development::validator_key(validator);
    let (height, value, validator) = (Height(height), Some(B256::repeat_byte(value)), key.address());
    Signed::new(Vote { kind: VoteKind::Prevote, height, round: ROUND, value, validator }, &key, domain)
}

/// Who contradicted himself where, as the validator lists it.
async fn offences(validator: &Validator) -> Vec<[Value; 3]> {
    let page: Value = serde_json::from_str(&validator.get("/v1/evidence").await.unwrap().1).unwrap();
    let pieces = page["evidence"].as_array().unwrap();
    pieces.iter().map(|piece| ["validator", "height", "round"].map(|field| piece[field].clone())).collect()
}

/// Waits until every validator lists these.
async fn everybody_lists(net: &Testnet, expected: &[[Value; 3]]) {
    for validator in net.running() {
        let what = format!("{expected:?} at {}", validator.name);
        eventually(&what, secs(60), async || (offences(validator).await == *expected).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contradiction_that_one_validator_hears_of_is_listed_by_all_and_a_forged_one_by_nobody() {
    let mut net = Testnet::of(4).start().await;

    // Proved by a peer.
    let teller = Stranger::at(&net, 0).await;
    let pair = |height, values: [u8; 2]| values.map(|value| prevote(&teller.domain, 3, height, value));
    let told = |[first, second]: [Signed<Vote>; 2]| Message::Evidence(Box::new(Evidence::Votes(first, second)));
    teller.say(told(pair(1, [1, 2])));
    let proved = [json!(node::development::validator_key(3).address()), json!(1), json!(ROUND)];
    everybody_lists(&net, std::slice::from_ref(&proved)).await;

    // Another pair for the same offence is nothing new; a signature that does not hold ends the session.
    teller.say(told(pair(1, [1, 3])));
    let [first, mut forged] = pair(2, [1, 2]);
    forged.signature = first.signature;
    teller.say(told([first, forged]));
    teller.is_left().await;

    // Found by consensus itself, which is told both votes by somebody who relays them.
    let relay = Stranger::at(&net, 1).await;
    let validator = net.validator(1);
    eventually("evidence found by consensus", secs(60), async || {
        let height = validator.height().await? + 1;
        for value in [1, 2] {
            relay.say(Message::Consensus(ConsensusMessage::Vote(prevote(&relay.domain, 2, height, value))));
        }
        (1.0 <= validator.metric("consensus_evidence_total").await).then_some(())
    })
    .await;
    // What was said of the height at hand is found when that ends.
    let height = net.height().await;
    net.reach(height + 3).within(secs(30)).await;
    let found = offences(net.validator(1)).await;
    assert!(2 <= found.len() && found.contains(&proved), "{found:?}");
    everybody_lists(&net, &found).await;

    // Whoever comes is told.
    let late = Stranger::at(&net, 2).await;
    eventually("what a newcomer hears", secs(30), async || (found.len() <= late.evidence().len()).then_some(())).await;
}

/// How many messages of `kind` a node has sent so far.
async fn said(node: &Validator, kind: &str) -> f64 {
    let sent = format!("direction=\"outbound\",kind=\"{kind}\"");
    node.metric_of("p2p_messages_total", &sent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn block_gossip_is_imported_and_regossiped() {
    // A chain of nodes: validator, follower, follower of the follower.
    let mut net = Testnet::of(1).start().await;
    let near = net.follower(0);
    let far = net.follower(near);
    net.reach(5).within(secs(60)).await;
    net.agree().await;

    // A block travels both ways: what is submitted at the far end is decided at the other and comes back.
    let hash = net.validator(far).submit(&Transfer::new(0, 0)).await.unwrap();
    let receipt = net.validator(far).receipt(hash, secs(60)).await;
    assert_eq!(net.validator(0).receipt(hash, secs(30)).await, receipt);
    // The one in between had it from a peer, so it announced it and was asked.
    let between = net.validator(near);
    assert!(1.0 <= said(between, "have_transactions").await && 1.0 <= said(between, "transactions").await);

    // All of it was fetched as decided, announced once each, and nobody was told how it was decided.
    let validator = net.validator(0);
    let told = said(validator, "consensus").await + said(validator, "part").await;
    let near = net.validator(near);
    let (earliest, first, begun) = (near.height().await.unwrap(), said(near, "status").await, near.height().await.unwrap());
    near.reach(begun + 20, secs(60)).await;
    let (ended, last, latest) = (near.height().await.unwrap(), said(near, "status").await, near.height().await.unwrap());
    // It says each height to both of its neighbours, and its tip to one that has to come back.
    let (at_least, at_most) = (2 * (ended - begun - 1), 2 * (latest - earliest) + 10);
    let announced = last - first;
    assert!((at_least as f64..=at_most as f64).contains(&announced), "{announced} announcements, not {at_least} to {at_most}");
    assert!(ended as f64 - 1.0 <= near.metric_of("consensus_decisions_total", "origin=\"synced\"").await);
    let validator = net.validator(0);
    let told = said(validator, "consensus").await + said(validator, "part").await - told;
    assert!(told < 20.0, "{told} messages about how 20 heights were decided");
}

#[tokio::test(flavor = "multi_thread")]
async fn gossip_crosses_tcp_boundary() {
    // Two processes and one socket between them: transactions go one way, blocks the other.
    let mut net = Testnet::of(1).start().await;
    let follower = net.follower(0);
    net.reach(3).within(secs(60)).await;
    for nonce in 0..5 {
        let hash = net.validator(follower).submit(&Transfer::new(0, nonce)).await.unwrap();
        let receipt = net.validator(follower).receipt(hash, secs(60)).await;
        assert_eq!(net.validator(0).receipt(hash, secs(30)).await, receipt);
    }
    // What came as transactions came once, and nothing of it came back.
    let (back, there) = (said(net.validator(0), "transactions").await, said(net.validator(follower), "transactions").await);
    assert!(back == 0.0 && 5.0 <= there, "{there} messages there, {back} back");
    net.agree().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_one_peer_announces_and_keeps_to_itself_is_asked_of_another() {
    let mut net = Testnet::of(1).start().await;
    let (liar, holder) = (Stranger::at(&net, 0).await, Stranger::at(&net, 0).await);
    let (hash, raw) = Transfer::new(0, 0).sign();
    let announced = || Message::HaveTransactions(HaveTransactions { hashes: vec![hash] });
    liar.say(announced());
    liar.is_asked_for(hash).await;
    holder.say(announced());
    holder.is_asked_for(hash).await;
    holder.say(Message::Transactions(Transactions { transactions: vec![raw.parse().unwrap()] }));
    net.validator(0).receipt(hash, secs(30)).await;
}
