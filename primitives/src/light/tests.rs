#![allow(clippy::unwrap_used)]
use super::{testing::*, *};
use crate::{B256, Bytes, Domain, Height, Round};

/// Which set decides which height: two changes.
const CHANGING: [&[u8]; 8] = [FIRST, FIRST, &[3, 4, 5, 6], &[3, 4, 5, 6], &[3, 4, 5, 6], &[7, 8, 9], &[7, 8, 9], &[7, 8, 9]];

#[track_caller]
fn refused(trust: &Trust, bundles: &[Bundle], step: Step) -> Refused {
    let refused = trust.follow_all(bundles).unwrap_err();
    assert_eq!(refused.step, step, "{refused}");
    refused
}

fn one(change: impl FnOnce(&mut Bundle)) -> [Bundle; 1] {
    let mut bundle = chain(&[FIRST; 3]).pop().unwrap();
    change(&mut bundle);
    [bundle]
}

fn heights(bundles: &[Bundle], heights: &[usize]) -> Vec<Bundle> {
    heights.iter().map(|height| bundles[height - 1].clone()).collect()
}

#[test]
fn every_block_of_an_unchanged_set_is_proved_from_the_genesis_directly_or_one_by_one() {
    let bundles = chain(&[FIRST; 5]);
    for bundle in &bundles {
        let decided = trust().follow(bundle).unwrap();
        assert_eq!((decided.trust.height.0, decided.trust.block), (bundle.header.number, bundle.header.hash_slow()));
        let signed = decided.signed.unwrap();
        assert_eq!((signed.round, signed.signers, signed.power, signed.quorum, signed.total_power), (Round(1), 4, 4, 3, 4));
    }
    let decided = trust().follow_all(&bundles).unwrap();
    assert_eq!(decided.last().unwrap().trust, trust().follow(&bundles[4]).unwrap().trust);
}

#[test]
fn the_set_may_be_left_out_where_it_is_the_trusted_one() {
    assert!(trust().follow_all(&one(|bundle| bundle.validators = None)).is_ok());
}

#[test]
fn three_of_four_are_enough_and_two_are_not() {
    let by = |keys: &'static [u8]| one(|bundle| bundle.certificate = certify(&bundle.header, keys, &domain()));
    assert_eq!(trust().follow_all(&by(&[1, 3, 4])).unwrap()[0].signed.unwrap().signers, 3);
    let refused = refused(&trust(), &by(&[1, 3]), Step::Signatures);
    assert_eq!(
        (refused.expected.as_str(), refused.found.as_str()),
        ("valid precommits with power 3 of 4", "the signatures carry power 2, but 3 is needed")
    );
}

#[test]
fn signatures_that_are_wrong_doubled_strange_or_of_another_chain_prove_nothing() {
    let with = |change: &dyn Fn(&mut Bundle)| refused(&trust(), &one(change), Step::Signatures);
    with(&|bundle| bundle.certificate.signatures[0].signature = bundle.certificate.signatures[1].signature);
    with(&|bundle| bundle.certificate.round = Round(0));
    with(&|bundle| bundle.certificate.signatures[1] = bundle.certificate.signatures[0].clone());
    with(&|bundle| bundle.certificate.signatures.reverse());
    with(&|bundle| bundle.certificate.signatures.clear());
    with(&|bundle| bundle.certificate = certify(&bundle.header, &[1, 2, 3, 9], &domain()));
    for elsewhere in [Domain { chain_id: 1, ..domain() }, Domain { genesis_hash: B256::ZERO, ..domain() }] {
        with(&|bundle| bundle.certificate = certify(&bundle.header, FIRST, &elsewhere));
    }
}

#[test]
fn the_parts_of_another_block_are_refused_by_what_they_are() {
    let other = chain(&[FIRST; 2]).pop().unwrap();
    let metadata = refused(&trust(), &one(|bundle| bundle.metadata = other.metadata.clone()), Step::Metadata);
    assert_eq!(metadata.found, other.metadata.hash().to_string());
    refused(&trust(), &one(|bundle| bundle.certificate = other.certificate.clone()), Step::CertificateBlock);
    refused(&trust(), &one(|bundle| bundle.certificate.height = Height(4)), Step::CertificateBlock);
    refused(&trust(), &one(|bundle| bundle.header.state_root = B256::repeat_byte(1)), Step::CertificateBlock);
    refused(&trust(), &one(|bundle| bundle.header = other.header.clone()), Step::Metadata);
    refused(&trust(), &one(|bundle| bundle.header.parent_beacon_block_root = None), Step::Metadata);
}

#[test]
fn a_set_in_the_place_of_another_is_refused() {
    refused(&trust(), &one(|bundle| bundle.validators = Some(set(&[5, 6, 7, 8]))), Step::Validators);
    refused(&trust(), &one(|bundle| bundle.next_validators = Some(set(&[5, 6, 7, 8]))), Step::NextValidators);
    // All of it is consistent, but it is somebody else's network.
    refused(&trust(), &chain(&[&[5, 6, 7, 8]]), Step::TrustedValidators);
}

#[test]
fn a_change_of_validators_is_followed_over_the_heights_at_which_it_is_decided() {
    let bundles = chain(&CHANGING);
    for path in [&[1, 2, 3, 4, 5, 6, 7, 8][..], &[2, 5, 8], &[2, 4, 5, 7], &[1, 2, 5, 6]] {
        let decided = trust().follow_all(&heights(&bundles, path)).unwrap();
        let last = &decided.last().unwrap().trust;
        assert_eq!((last.height.0, &last.validators), (*path.last().unwrap() as u64, &set(&[7, 8, 9])), "{path:?}");
    }
    let at_two = trust().follow_all(&heights(&bundles, &[2])).unwrap().remove(0).trust;
    assert_eq!(at_two.validators, set(&[3, 4, 5, 6]), "the set that decides height 3");
    assert!(at_two.follow_all(&heights(&bundles, &[5, 8])).is_ok(), "a checkpoint is as good as the way to it");
}

#[test]
fn a_change_that_was_not_shown_is_missed() {
    let bundles = chain(&CHANGING);
    for path in [&[3][..], &[1, 3], &[2, 6], &[5], &[2, 4, 8]] {
        refused(&trust(), &heights(&bundles, path), Step::TrustedValidators);
    }
    for path in [&[2, 1][..], &[2, 5, 3], &[5, 2]] {
        let step = if path[0] == 5 { Step::TrustedValidators } else { Step::Height };
        refused(&trust(), &heights(&bundles, path), step);
    }
}

#[test]
fn validators_that_were_replaced_decide_nothing_any_more() {
    let bundles = chain(&CHANGING);
    let at_two = trust().follow(&bundles[0]).unwrap().trust.follow(&bundles[1]).unwrap().trust;
    // What the old set signs for height 3 after all.
    let forged = block(Some(&bundles[1]), FIRST, FIRST);
    refused(&at_two, std::slice::from_ref(&forged), Step::TrustedValidators);
    // And with the new set put beside it.
    let beside = Bundle { validators: Some(set(&[3, 4, 5, 6])), ..forged };
    refused(&at_two, &[beside], Step::TrustedValidators);
}

#[test]
fn the_next_set_must_be_given_where_it_is_another_one_and_be_what_the_metadata_names() {
    let change = chain(&CHANGING).remove(1);
    let with = |next| Bundle { next_validators: next, ..change.clone() };
    let before = trust().follow(&chain(&CHANGING)[0]).unwrap().trust;
    refused(&before, &[with(None)], Step::NextValidators);
    refused(&before, &[with(Some(set(&[7, 8, 9])))], Step::NextValidators);
    refused(&before, &[with(Some(set(FIRST)))], Step::NextValidators);
}

#[test]
fn the_trusted_block_needs_no_certificate_and_no_other_block_takes_its_place() {
    let bundles = chain(&[FIRST; 3]);
    let trust = trust().follow(&bundles[1]).unwrap().trust;
    assert_eq!(trust.recognise(&bundles[1].header).unwrap().signed, None);
    assert_eq!(trust.follow(&bundles[1]).unwrap().trust, trust);
    let mut other = bundles[1].clone();
    other.header.gas_used = 1;
    other.certificate = certify(&other.header, FIRST, &domain());
    refused(&trust, &[other], Step::TrustedBlock);
    refused(&trust, &bundles[..1], Step::Height);
    assert_eq!(trust.recognise(&bundles[2].header).unwrap_err().step, Step::TrustedBlock);
}

#[test]
fn one_bit_anywhere_in_header_metadata_or_certificate_is_found() {
    let bundle = chain(&[FIRST; 2]).pop().unwrap();
    let honest = serde_json::to_value(&bundle).unwrap();
    let certificate = alloy_rlp::encode(crate::certificate::Encoded::from(&bundle.certificate));
    for (part, bytes) in [("header", alloy_rlp::encode(&bundle.header)), ("metadata", bundle.metadata.encode()), ("certificate", certificate)] {
        for place in 0..bytes.len() {
            let mut tampered = honest.clone();
            let mut bytes = bytes.clone();
            bytes[place] ^= 1;
            tampered[part] = serde_json::json!(Bytes::from(bytes));
            let is_believed = serde_json::from_value::<Bundle>(tampered).is_ok_and(|bundle| trust().follow(&bundle).is_ok());
            assert!(!is_believed, "{part}, byte {place}");
        }
    }
}
