#![allow(clippy::unwrap_used)]
use primitives::{
    Address, B256, Bytes, Certificate, CommitSignature, ConsensusMessage, Domain, Evidence, Height, PolkaCertificate, Proposal, Round,
    RoundCertificate, RoundCertificateKind, RoundVote, SecretKey, Signed, Vote, VoteKind,
};
use proptest::prelude::*;

use super::*;
use crate::{AddressRecord, Encoded, Outline, Services, ValidatorProof, Whereabouts, message::*};

const CHAIN: u64 = 1337;

fn key() -> SecretKey {
    SecretKey::from_bytes([7; 32]).unwrap()
}

fn hash() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::new)
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::new)
}

fn signed<T: primitives::Signable>(message: T) -> Signed<T> {
    Signed::new(message, &key(), &Domain { chain_id: CHAIN, genesis_hash: B256::ZERO })
}

fn place() -> impl Strategy<Value = (Height, Round)> {
    (any::<u64>(), any::<u32>()).prop_map(|(height, round)| (Height(height), Round(round)))
}

fn kind() -> impl Strategy<Value = VoteKind> {
    prop_oneof![Just(VoteKind::Prevote), Just(VoteKind::Precommit)]
}

fn vote() -> impl Strategy<Value = Signed<Vote>> {
    (place(), kind(), proptest::option::of(hash()), address())
        .prop_map(|((height, round), kind, value, validator)| signed(Vote { kind, height, round, value, validator }))
}

fn proposal() -> impl Strategy<Value = Signed<Proposal>> {
    (place(), hash(), proptest::option::of(any::<u32>()), address()).prop_map(|((height, round), value, pol_round, proposer)| {
        signed(Proposal { height, round, value, pol_round: pol_round.map(Round), proposer })
    })
}

fn signatures() -> impl Strategy<Value = Vec<CommitSignature>> {
    prop::collection::vec(address(), 0..5)
        .prop_map(|list| list.into_iter().map(|validator| CommitSignature { validator, signature: key().sign(B256::ZERO) }).collect())
}

fn certificate() -> impl Strategy<Value = Certificate> {
    (place(), hash(), signatures()).prop_map(|((height, round), value, signatures)| Certificate { height, round, value, signatures })
}

fn round_certificate() -> impl Strategy<Value = RoundCertificate> {
    let votes = prop::collection::vec((kind(), proptest::option::of(hash()), address()), 0..4);
    (place(), prop_oneof![Just(RoundCertificateKind::Skip), Just(RoundCertificateKind::Precommit)], votes).prop_map(
        |((height, round), kind, votes)| {
            let signature = key().sign(B256::ZERO);
            let votes = votes.into_iter().map(|(kind, value, validator)| RoundVote { kind, value, validator, signature }).collect();
            RoundCertificate { height, round, kind, votes }
        },
    )
}

fn consensus() -> impl Strategy<Value = ConsensusMessage> {
    let polka = certificate()
        .prop_map(|Certificate { height, round, value, signatures }| ConsensusMessage::Polka(PolkaCertificate { height, round, value, signatures }));
    prop_oneof![
        vote().prop_map(ConsensusMessage::Vote),
        proposal().prop_map(ConsensusMessage::Proposal),
        polka,
        round_certificate().prop_map(ConsensusMessage::Round)
    ]
}

fn octets() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..700).prop_map(Bytes::from)
}

fn outline() -> impl Strategy<Value = Outline> {
    (any::<u64>(), hash()).prop_map(|(total_bytes, hash)| Outline { total_bytes, hash })
}

fn standing() -> impl Strategy<Value = primitives::Standing> {
    (proptest::option::of(certificate()), prop::collection::vec(vote(), 0..3), prop::collection::vec(proposal(), 0..3))
        .prop_map(|(tip, votes, proposals)| primitives::Standing { tip, votes, proposals })
}

fn record() -> impl Strategy<Value = AddressRecord> {
    (any::<std::net::IpAddr>(), any::<u16>(), any::<u64>(), any::<u32>()).prop_map(|(ip, port, issued_ms, services)| {
        let at = Whereabouts { address: (ip, port).into(), issued_ms, services: Services(services) };
        AddressRecord::new(&key(), &Domain { chain_id: CHAIN, genesis_hash: B256::ZERO }, at)
    })
}

fn small() -> impl Strategy<Value = Message> {
    prop_oneof![
        (any::<u64>(), address()).prop_map(|(nonce, validator)| Message::StandingRequest(StandingRequest { nonce, validator })),
        (any::<u64>(), standing()).prop_map(|(nonce, standing)| Message::Standing(StandingAnswer { nonce, standing })),
        (place(), hash()).prop_map(|((height, _), hash)| Message::Status(Status { height, hash })),
        place().prop_map(|(height, _)| Message::CurrentRequest(CurrentRequest { height })),
        any::<(u64, u64)>().prop_map(|(nonce, sent_ms)| Message::Ping(Ping { nonce, sent_ms })),
        any::<(u64, u64)>().prop_map(|(nonce, received_ms)| Message::Pong(Pong { nonce, received_ms })),
        Just(Message::ValidatorProof(ValidatorProof { validator: key().public_key(), signature: key().sign(B256::ZERO) })),
        any::<u32>().prop_map(|count| Message::GetAddrs(GetAddrs { count })),
        prop_oneof![Just(Farewell::Stopping), Just(Farewell::Duplicate), Just(Farewell::Other)]
            .prop_map(|reason| Message::Goodbye(Goodbye { reason })),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let have = prop::collection::vec(any::<u32>(), 0..9);
    prop_oneof![
        consensus().prop_map(Message::Consensus),
        small(),
        (proposal(), outline()).prop_map(|(proposal, outline)| Message::PartsStart(PartsStart { proposal, outline })),
        (place(), hash(), any::<u32>(), octets()).prop_map(|((height, round), value, index, bytes)| Message::Part(Part {
            height,
            round,
            value,
            index,
            bytes
        })),
        (place(), hash(), have).prop_map(|((height, round), value, have)| Message::GetParts(GetParts { height, round, value, have })),
        prop::collection::vec(record(), 0..4).prop_map(|records| Message::Addrs(Addrs { records })),
        prop::collection::vec(octets(), 0..4).prop_map(|transactions| Message::Transactions(Transactions { transactions })),
        prop::collection::vec(hash(), 0..9).prop_map(|hashes| Message::HaveTransactions(HaveTransactions { hashes })),
        prop::collection::vec(hash(), 0..9).prop_map(|hashes| Message::GetTransactions(GetTransactions { hashes })),
        evidence().prop_map(|piece| Message::Evidence(Box::new(piece))),
        (place(), any::<u32>()).prop_map(|((from, _), count)| Message::GetBlocks(GetBlocks { from, count })),
        (place(), outline(), any::<u32>(), octets()).prop_map(|((height, _), outline, index, bytes)| Message::BlockChunk(BlockChunk {
            height,
            outline,
            index,
            bytes
        })),
    ]
}

fn evidence() -> impl Strategy<Value = Evidence> {
    prop_oneof![
        (vote(), vote()).prop_map(|(first, second)| Evidence::Votes(first, second)),
        (proposal(), proposal()).prop_map(|(first, second)| Evidence::Proposals(first, second)),
    ]
}

fn decode(codec: Codec, frame: &[u8]) -> Result<Decoded, DecodeError> {
    Envelope::decode(codec, &frame[..frame.len() - 1], CHAIN)
}

fn stuffed(value: &impl Serialize) -> Vec<u8> {
    let mut frame = Vec::new();
    cobs::encode(&rmp_serde::to_vec(value).unwrap(), &mut frame);
    frame
}

proptest! {
    #[test]
    fn every_message_round_trips_in_both_codecs(message in message(), traced: bool) {
        let traceparent = traced.then(|| "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap());
        let envelope = Envelope { chain_id: CHAIN, traceparent: traceparent.clone(), message: message.clone() };
        let encoded = Encoded::new(CHAIN, message, traceparent).unwrap();
        for codec in [Codec::Msgpack, Codec::Json] {
            let frame = encoded.frame(codec).unwrap();
            prop_assert_eq!(frame.iter().filter(|byte| **byte == b'\n').count(), 1);
            prop_assert_eq!(decode(codec, &frame), Ok(Decoded::Known(envelope.clone())));
        }
        prop_assert!(encoded.frame(Codec::Json).unwrap().is_ascii());
    }

    #[test]
    fn rubbish_and_damage_are_errors_and_never_panics(message in message(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        for codec in [Codec::Msgpack, Codec::Json] {
            let mut frame = Encoded::new(CHAIN, message.clone(), None).unwrap().frame(codec).unwrap().to_vec();
            let at = at.index(frame.len());
            frame[at] = byte;
            frame.truncate(cut.index(frame.len()) + 1);
            let _ = decode(codec, &frame);
        }
    }
}

#[test]
fn an_unknown_kind_is_no_error() {
    let json = br#"{"v":1,"kind":"haiku","chain":1337,"payload":{"lines":[1,2,3]}}"#;
    assert_eq!(Envelope::decode(Codec::Json, json, CHAIN), Ok(Decoded::Unknown));
    let mut plain = rmp_serde::to_vec(&(1u8, "haiku", CHAIN, None::<&str>)).unwrap();
    plain.extend_from_slice(&[1, 2, 3]);
    let mut frame = Vec::new();
    cobs::encode(&plain, &mut frame);
    assert_eq!(Envelope::decode(Codec::Msgpack, &frame, CHAIN), Ok(Decoded::Unknown));
}

#[test]
fn another_version_or_chain_is_refused_with_both_values() {
    let json = br#"{"v":2,"kind":"ping","chain":1337,"payload":{"nonce":1,"sent_ms":2}}"#;
    assert_eq!(Envelope::decode(Codec::Json, json, CHAIN), Err(DecodeError::WrongVersion { theirs: 2 }));
    let ping = Message::Ping(Ping { nonce: 1, sent_ms: 2 });
    for codec in [Codec::Msgpack, Codec::Json] {
        let frame = Encoded::new(5, ping.clone(), None).unwrap().frame(codec).unwrap();
        assert_eq!(decode(codec, &frame), Err(DecodeError::WrongChain { ours: CHAIN, theirs: 5 }));
    }
}

#[test]
fn bad_utf8_is_an_error_of_that_frame() {
    let bad = b"{\"v\":1,\"kind\":\"\xff\",\"chain\":1337,\"payload\":{}}";
    assert!(matches!(Envelope::decode(Codec::Json, bad, CHAIN), Err(DecodeError::Envelope(_))));
    let frame = stuffed(&(1u8, serde_bytes_like(b"\xff"), CHAIN, None::<&str>));
    assert!(matches!(Envelope::decode(Codec::Msgpack, &frame, CHAIN), Err(DecodeError::Envelope(_))));
}

/// Bytes where text belongs.
fn serde_bytes_like(bytes: &'static [u8]) -> Bytes {
    Bytes::from_static(bytes)
}

#[test]
fn bytes_after_the_payload_are_refused() {
    let ping = Envelope { chain_id: CHAIN, traceparent: None, message: Message::Ping(Ping { nonce: 1, sent_ms: 2 }) };
    let frame = ping.encode(Codec::Msgpack).unwrap();
    let mut plain = cobs::decode(&frame[..frame.len() - 1]).unwrap();
    plain.push(0);
    let mut longer = Vec::new();
    cobs::encode(&plain, &mut longer);
    let expected = DecodeError::Payload { kind: "ping", error: "bytes after it".into() };
    assert_eq!(Envelope::decode(Codec::Msgpack, &longer, CHAIN), Err(expected));
}

#[test]
fn a_bad_trace_does_not_cost_the_message() {
    let json = br#"{"v":1,"kind":"ping","chain":1337,"traceparent":"nonsense","payload":{"nonce":1,"sent_ms":2}}"#;
    let decoded = Envelope::decode(Codec::Json, json, CHAIN).unwrap();
    assert!(matches!(decoded, Decoded::Known(Envelope { traceparent: None, .. })));
}

#[test]
fn a_full_chunk_fits_a_frame_in_both_codecs_and_more_is_refused_with_its_size() {
    let part = |length: usize| {
        let bytes = Bytes::from(vec![b'\n'; length]);
        Message::Part(Part { height: Height(u64::MAX), round: Round(u32::MAX), value: B256::ZERO, index: u32::MAX, bytes })
    };
    let encoded = Encoded::new(u64::MAX, part(primitives::limits::MAX_CHUNK_BYTES), None).unwrap();
    assert!(encoded.frame(Codec::Json).is_ok());
    let TooLarge { kind, bytes, max, .. } = Encoded::new(1, part(MAX_FRAME_BYTES), None).unwrap_err();
    assert!(kind == "part" && max == MAX_FRAME_BYTES && max < bytes);
}

#[test]
fn a_vote_takes_less_than_200_bytes() {
    let vote = Vote { kind: VoteKind::Prevote, height: Height(1 << 20), round: Round(0), value: Some(B256::ZERO), validator: Address::ZERO };
    let frame = Encoded::new(CHAIN, Message::Consensus(ConsensusMessage::Vote(signed(vote))), None).unwrap().frame(Codec::Msgpack).unwrap();
    assert!(frame.len() < 200, "{} bytes", frame.len());
}

#[test]
fn words_of_a_later_version_are_taken_as_other() {
    let json = br#"{"v":1,"kind":"goodbye","chain":1337,"payload":{"reason":"full_moon"}}"#;
    let Ok(Decoded::Known(envelope)) = Envelope::decode(Codec::Json, json, CHAIN) else { panic!("refused") };
    assert_eq!(envelope.message, Message::Goodbye(Goodbye { reason: Farewell::Other }));
}
