//! Who decides, how it was decided, and who contradicted himself.

use alloy_primitives::{Address, B256};
use axum::{extract::State as Extract, response::Response};
use primitives::{CommitSignature, Height, PublicKey, Round};
use serde::Serialize;

use super::{Found, Refusal, Segment, answer, asked};
use crate::{Backend, Contradiction, config::MAX_CONTRADICTIONS, http::State};

#[derive(Debug, Serialize)]
struct ValidatorsPage {
    /// The height that is decided next, by these.
    height: Height,
    /// The hash that blocks name in their metadata.
    hash: B256,
    total_power: u64,
    /// More than 2/3 of all.
    power_needed: u64,
    power_online: u64,
    /// Who proposes first at this height.
    proposer: Address,
    validators: Vec<ValidatorFields>,
}

#[derive(Debug, Serialize)]
struct ValidatorFields {
    address: Address,
    public_key: PublicKey,
    power: u64,
    /// Whether a live session speaks for it, or it is this node.
    is_online: bool,
    is_this_node: bool,
}

#[derive(Debug, Serialize)]
struct CertificatePage {
    height: Height,
    round: Round,
    block_hash: B256,
    signatures: Vec<CommitSignature>,
}

#[derive(Debug, Serialize)]
struct EvidencePage {
    evidence: Vec<Piece>,
    /// Whether this is all of it.
    is_complete: bool,
}

#[derive(Debug, Serialize)]
struct Piece {
    validator: Address,
    height: Height,
    round: Round,
    #[serde(flatten)]
    contradiction: Contradiction,
}

/// `GET /v1/validators`
pub(crate) async fn validators<B: Backend>(Extract(state): Extract<State<B>>) -> Response {
    answer(&state, "v1_validators", current(&state.backend)).await
}

/// `GET /v1/certificates/{height}`
pub(crate) async fn certificate<B: Backend>(Extract(state): Extract<State<B>>, Segment(text): Segment) -> Response {
    answer(&state, "v1_certificate", proof(&state.backend, &text)).await
}

/// `GET /v1/evidence`
pub(crate) async fn evidence<B: Backend>(Extract(state): Extract<State<B>>) -> Response {
    answer(&state, "v1_evidence", kept(&state.backend)).await
}

async fn current<B: Backend>(backend: &B) -> Found<ValidatorsPage> {
    let height = Height(backend.head().await?.inner().number).next();
    let validators = backend.validators(height).await?;
    let set = &validators.set;
    let shown = set.iter().map(|validator| ValidatorFields {
        address: validator.address,
        public_key: validator.public_key,
        power: validator.power,
        is_online: validators.online.contains(&validator.address),
        is_this_node: validators.own == Some(validator.address),
    });
    Ok(ValidatorsPage {
        height,
        hash: set.hash(),
        total_power: set.total_power(),
        power_needed: set.quorum(),
        power_online: validators.online.iter().map(|address| set.power_of(address)).sum(),
        proposer: set.proposer(height, Round::ZERO).address,
        validators: shown.collect(),
    })
}

async fn proof<B: Backend>(backend: &B, text: &str) -> Found<CertificatePage> {
    let height = asked::height(text)?;
    let certificate = backend.certificate(height).await?;
    let certificate =
        certificate.ok_or_else(|| Refusal::not_found(format!("height {height} is not decided, or nobody voted on it as on block 0")))?;
    Ok(CertificatePage { height, round: certificate.round, block_hash: certificate.value, signatures: certificate.signatures })
}

async fn kept<B: Backend>(backend: &B) -> Found<EvidencePage> {
    let mut evidence = backend.contradictions(MAX_CONTRADICTIONS + 1).await?;
    let is_complete = evidence.len() <= MAX_CONTRADICTIONS;
    evidence.truncate(MAX_CONTRADICTIONS);
    Ok(EvidencePage { evidence: evidence.into_iter().map(piece).collect(), is_complete })
}

fn piece(contradiction: Contradiction) -> Piece {
    let (validator, height, round) = contradiction.about();
    Piece { validator, height, round, contradiction }
}
