//! Blobs (EIP-4844).
//!
//! The trusted setup is embedded in the binary. Loading it takes seconds, so it is loaded when it is first needed, or
//! earlier by [`warm`].

use c_kzg::KzgSettings;

/// Width of the precomputed tables. The EVM's point evaluation asks for the same, so both share one copy.
const PRECOMPUTE: u64 = 8;

/// The setup that blobs are verified with. The first call takes some 2 s of CPU.
pub fn settings() -> &'static KzgSettings {
    c_kzg::ethereum_kzg_settings(PRECOMPUTE)
}

/// Loads the setup. Call it on a thread that may be busy, before the first blob comes: whoever needs it meanwhile waits.
pub fn warm() {
    settings();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use alloy_eips::eip4844::env_settings::EnvKzgSettings;
    use c_kzg::{BYTES_PER_BLOB, Blob};

    use super::*;

    #[test]
    fn a_proof_holds_for_its_own_blob_only() {
        warm();
        let blob = |byte: u8| Blob::new(std::array::from_fn::<u8, BYTES_PER_BLOB, _>(|i| if i % 32 == 31 { byte } else { 0 }));
        let commitment = settings().blob_to_kzg_commitment(&blob(1)).unwrap().to_bytes();
        let proof = settings().compute_blob_kzg_proof(&blob(1), &commitment).unwrap().to_bytes();
        assert!(settings().verify_blob_kzg_proof(&blob(1), &commitment, &proof).unwrap());
        assert!(!settings().verify_blob_kzg_proof(&blob(2), &commitment, &proof).unwrap());
    }

    #[test]
    fn the_evm_shares_the_setup() {
        assert!(std::ptr::eq(settings(), EnvKzgSettings::Default.get()));
    }
}
