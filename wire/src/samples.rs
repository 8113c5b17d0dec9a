//! The sample frames of `docs/wire.md`: what the page shows is decoded and encoded again here, so that page and code cannot
//! differ.
//!
//! A new kind of message needs one line in [`messages`] and a new page, which the test writes when it is asked to.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use primitives::{
    Address, B256, Bytes, Certificate, CommitSignature, ConsensusMessage, Domain, Evidence, Height, PolkaCertificate, Proposal, Round,
    RoundCertificate, RoundCertificateKind, RoundVote, SecretKey, Signed, Standing, Vote, VoteKind,
};

use crate::{
    Codec, Decoded, Envelope, Identity, Outline, Role, Services, ValidatorProof, Whereabouts,
    hello::{HELLO_BYTES, Hello, PROOF_BYTES},
    message::*,
};

/// Asks for a page with new samples.
const WRITE: &str = "WRITE_SAMPLES";
const HOW: &str = "give the new kind a line in wire/src/samples.rs, and run `WRITE_SAMPLES=1 cargo test -p wire the_page_shows`";
const BEGIN: &str = "<!-- samples begin -->\n";
const END: &str = "<!-- samples end -->\n";

const DOMAIN: Domain = Domain { chain_id: 1337, genesis_hash: B256::repeat_byte(9) };
const EXPORTER: [u8; 32] = [0xee; 32];
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const HEIGHT: Height = Height(7);
const ROUND: Round = Round(1);
const VALUE: B256 = B256::repeat_byte(0xab);

/// At least one message of each kind.
fn messages() -> Vec<Message> {
    let key = key(1);
    let vote = Vote { kind: VoteKind::Prevote, height: HEIGHT, round: ROUND, value: Some(VALUE), validator: key.address() };
    let nil = Vote { kind: VoteKind::Precommit, value: None, ..vote.clone() };
    let proposal = Proposal { height: HEIGHT, round: ROUND, value: VALUE, pol_round: Some(Round(0)), proposer: key.address() };
    let other = sign(Vote { value: None, ..vote.clone() });
    let (vote, nil, proposal) = (sign(vote), sign(nil), sign(proposal));
    let (validator, signature) = (key.address(), vote.signature);
    let signatures = vec![CommitSignature { validator, signature }];
    let polka = PolkaCertificate { height: HEIGHT, round: ROUND, value: VALUE, signatures: signatures.clone() };
    let round_votes = vec![RoundVote { kind: VoteKind::Precommit, value: None, validator, signature }];
    let round = RoundCertificate { height: HEIGHT, round: ROUND, kind: RoundCertificateKind::Skip, votes: round_votes };
    let tip = Some(Certificate { height: Height(6), round: Round(0), value: VALUE, signatures });
    let whereabouts = Whereabouts { address: "203.0.113.7:4130".parse().unwrap(), issued_ms: 1_700_000_000_000, services: Services::BLOCKS };
    let record = identity(2).record(whereabouts);
    let outline = Outline { total_bytes: 3, hash: crate::chunks::hash(&[1, 10, 255]) };
    let bytes = Bytes::from_static(&[1, 10, 255]);
    vec![
        Message::Consensus(ConsensusMessage::Vote(vote.clone())),
        Message::Consensus(ConsensusMessage::Vote(nil)),
        Message::Consensus(ConsensusMessage::Proposal(proposal.clone())),
        Message::Consensus(ConsensusMessage::Polka(polka)),
        Message::Consensus(ConsensusMessage::Round(round)),
        Message::StandingRequest(StandingRequest { nonce: 5, validator }),
        Message::Standing(StandingAnswer { nonce: 5, standing: Standing { tip, votes: vec![vote.clone()], proposals: vec![proposal.clone()] } }),
        Message::Status(Status { height: HEIGHT, hash: VALUE }),
        Message::CurrentRequest(CurrentRequest { height: HEIGHT }),
        Message::Ping(Ping { nonce: 1, sent_ms: 1_700_000_000_000 }),
        Message::Pong(Pong { nonce: 1, received_ms: 1_700_000_000_010 }),
        Message::ValidatorProof(ValidatorProof::new(&key, &DOMAIN, identity(2).node())),
        Message::Goodbye(Goodbye { reason: Farewell::Stopping }),
        Message::PartsStart(PartsStart { proposal, outline }),
        Message::Part(Part { height: HEIGHT, round: ROUND, value: VALUE, index: 0, bytes: bytes.clone() }),
        Message::GetParts(GetParts { height: HEIGHT, round: ROUND, value: VALUE, have: vec![0, 300] }),
        Message::Transactions(Transactions { transactions: vec![bytes.clone(), Bytes::from_static(&[2])] }),
        Message::HaveTransactions(HaveTransactions { hashes: vec![VALUE] }),
        Message::GetTransactions(GetTransactions { hashes: vec![VALUE] }),
        Message::GetBlocks(GetBlocks { from: HEIGHT, count: 16 }),
        Message::BlockChunk(BlockChunk { height: HEIGHT, outline, index: 0, bytes }),
        Message::GetAddrs(GetAddrs { count: 16 }),
        Message::Addrs(Addrs { records: vec![record] }),
        Message::Evidence(Box::new(Evidence::Votes(vote, other))),
    ]
}

fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes([byte; 32]).unwrap()
}

fn identity(byte: u8) -> Identity {
    Identity::new(key(byte), DOMAIN).unwrap()
}

fn sign<T: primitives::Signable>(message: T) -> Signed<T> {
    Signed::new(message, &key(1), &DOMAIN)
}

fn hellos() -> [Hello; 2] {
    [Hello::of(&identity(2), Role::Dialler, [10; 32]), Hello::of(&identity(3), Role::Acceptor, [11; 32])]
}

fn envelope(message: Message, is_traced: bool) -> Envelope {
    Envelope { chain_id: DOMAIN.chain_id, traceparent: is_traced.then(|| TRACE.parse().unwrap()), message }
}

fn page() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/wire.md"))
}

/// What stands between the marks of the page.
fn shown(page: &str) -> &str {
    let (_, after) = page.split_once(BEGIN).unwrap();
    after.split_once(END).unwrap().0
}

/// The samples as the page shows them.
fn written() -> String {
    let [dialler, acceptor] = hellos();
    let proof = dialler.prove(&acceptor, &EXPORTER, &identity(2), 5);
    let mut text = format!("```\nhello    {}\nproof    {}\n```\n", hex(&dialler.encode()), hex(&proof));
    for (number, message) in messages().into_iter().enumerate() {
        // The first with a trace, to show where it stands.
        let envelope = envelope(message, number == 0);
        let json = String::from_utf8(envelope.encode(Codec::Json).unwrap()).unwrap();
        text.push_str(&format!("\n```\nkind     {}\n", envelope.message.kind()));
        text.push_str(&format!("msgpack  {}\njson     {json}```\n", hex(&envelope.encode(Codec::Msgpack).unwrap())));
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    alloy_primitives::hex::encode(bytes)
}

/// The values of the lines that begin with `name`.
fn lines<'a>(shown: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    shown.lines().filter_map(move |line| line.strip_prefix(name)).filter(|rest| rest.starts_with(' ')).map(str::trim)
}

fn frames(shown: &str, name: &str) -> Vec<Vec<u8>> {
    lines(shown, name).map(|text| alloy_primitives::hex::decode(text).unwrap()).collect()
}

#[test]
fn the_page_shows_the_samples_of_the_code() {
    let page_text = std::fs::read_to_string(page()).unwrap();
    let (shown, written) = (shown(&page_text), written());
    if shown != written && std::env::var_os(WRITE).is_some() {
        std::fs::write(page(), page_text.replacen(&format!("{BEGIN}{shown}"), &format!("{BEGIN}{written}"), 1)).unwrap();
        return;
    }
    for (shown, written) in shown.lines().zip(written.lines()) {
        assert_eq!(shown, written, "docs/wire.md and the code differ; {HOW}");
    }
    assert_eq!(shown.lines().count(), written.lines().count(), "docs/wire.md lacks samples, or has too many; {HOW}");
}

#[test]
fn every_kind_has_a_sample_that_both_codecs_decode_and_encode_to_the_same_bytes() {
    let page = std::fs::read_to_string(page()).unwrap();
    let shown = shown(&page);
    let kinds: Vec<_> = lines(shown, "kind").collect();
    let binary = frames(shown, "msgpack");
    let text: Vec<_> = lines(shown, "json").map(|line| format!("{line}\n").into_bytes()).collect();
    assert!(kinds.len() == binary.len() && kinds.len() == text.len());
    for ((kind, binary), text) in kinds.iter().zip(binary).zip(text) {
        let [by_msgpack, by_json] = [(Codec::Msgpack, binary), (Codec::Json, text)].map(|(codec, frame)| {
            let line = frame.strip_suffix(b"\n").unwrap();
            let Ok(Decoded::Known(envelope)) = Envelope::decode(codec, line, DOMAIN.chain_id) else { panic!("{kind} as {codec} is refused") };
            assert_eq!(envelope.encode(codec).unwrap(), frame, "{kind} as {codec}");
            envelope
        });
        assert_eq!(by_msgpack, by_json);
        assert_eq!(by_msgpack.message.kind(), *kind);
    }
    for kind in Message::KINDS {
        assert!(kinds.contains(kind), "docs/wire.md shows no sample of {kind}; {HOW}");
    }
}

#[test]
fn the_hello_and_the_proof_of_the_page_hold() {
    let page = std::fs::read_to_string(page()).unwrap();
    let hello: [u8; HELLO_BYTES] = frames(shown(&page), "hello")[0].clone().try_into().unwrap();
    let proof: [u8; PROOF_BYTES] = frames(shown(&page), "proof")[0].clone().try_into().unwrap();
    let [dialler, acceptor] = hellos();
    let decoded = Hello::decode(&hello).unwrap();
    assert_eq!(decoded, dialler);
    assert_eq!(decoded.encode(), hello);
    decoded.check_proof(&acceptor, &EXPORTER, &proof).unwrap();
}

/// The largest set of a genesis decides what a frame must hold: nobody could say what does not fit.
#[test]
fn what_the_largest_validator_set_says_fits_a_frame() {
    use primitives::limits::MAX_VALIDATORS;
    let signature = key(1).sign(B256::ZERO);
    let validators = |count: usize| (0..count).map(|number| Address::left_padding_from(&number.to_be_bytes()));
    let signatures: Vec<_> = validators(MAX_VALIDATORS).map(|validator| CommitSignature { validator, signature }).collect();
    let certificate = Certificate { height: Height(u64::MAX), round: Round(u32::MAX), value: VALUE, signatures: signatures.clone() };
    let standing = Standing { tip: Some(certificate), votes: Vec::new(), proposals: Vec::new() };
    let polka = PolkaCertificate { height: Height(u64::MAX), round: Round(u32::MAX), value: VALUE, signatures };
    let quorum = validators(MAX_VALIDATORS * 2 / 3 + 1);
    let votes = quorum.map(|validator| RoundVote { kind: VoteKind::Precommit, value: Some(VALUE), validator, signature }).collect();
    let round = RoundCertificate { height: Height(u64::MAX), round: Round(u32::MAX), kind: RoundCertificateKind::Precommit, votes };
    for message in [
        Message::Standing(StandingAnswer { nonce: u64::MAX, standing }),
        Message::Consensus(ConsensusMessage::Polka(polka)),
        Message::Consensus(ConsensusMessage::Round(round)),
    ] {
        envelope(message, true).encode(Codec::Msgpack).unwrap();
    }
}
