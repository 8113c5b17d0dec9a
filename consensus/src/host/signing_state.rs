//! Whether our key signs, and why not.

use primitives::{Certificate, Height, Round};
use serde::Serialize;

use super::breaker::Breaker;
use crate::signer::{Action as Permission, Verdict};

/// What our key does at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SigningState {
    /// It signs.
    Enabled,
    /// It signs nothing for now; the chain is followed until it may.
    SyncOnly,
    /// It has no record of what it signed and waits until the chain has moved on.
    Observing,
    /// It signs nothing until the operator has decided.
    Refused,
    /// Safety is in doubt: it signs nothing any more.
    Halted,
    /// There is no key, or it belongs to no validator.
    #[default]
    None,
}

/// A state with its reason, for health, logs and `why`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Signing {
    pub state: SigningState,
    /// For alerts and manuals; none when all is well.
    pub code: Option<&'static str>,
    pub text: String,
}

/// Why safety is in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub code: &'static str,
    pub text: String,
}

/// What outlives an incarnation of consensus within one process. Hand it to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    pub(super) verdict: Option<Verdict>,
    pub(super) trouble: Option<Trouble>,
    pub(super) breaker: Breaker,
    /// Where our key signed without this disk knowing of it, as the gate saw.
    pub(super) signed_elsewhere: Option<Height>,
    /// The last block that was handed to storage. It may be durable only after its successor has looked.
    pub(super) handed_over: Option<Certificate>,
    /// Nothing of ours leaves at this height for this round or an earlier one.
    pub(super) mute_through: Option<(Height, Round)>,
}

impl Remembered {
    /// Whether our key is kept from voting whatever the signer says: a signer that was restarted alone has forgotten the
    /// verdict, which rests on what others hold and not on its disk.
    pub(super) fn is_silenced(&self, height: Height) -> bool {
        let is_forbidden = self.verdict.as_ref().is_some_and(|verdict| forbids(verdict.action, height));
        is_forbidden || self.trouble.is_some() || self.breaker.is_open(height)
    }

    /// Nothing of ours leaves at `height` for this round or an earlier one.
    pub(super) fn mute_through(&self, height: Height) -> Option<Round> {
        self.mute_through.filter(|(at, _)| *at == height).map(|(_, through)| through)
    }

    /// Whether the gate was passed in this process.
    pub(super) fn is_judged(&self) -> bool {
        self.verdict.is_some()
    }

    /// The state at `height`. `speaks`: what the signer says of this height, once it was asked.
    pub(super) fn signing(&self, is_validator: bool, height: Height, speaks: Option<bool>) -> Signing {
        let says = |state, code, text: &str| Signing { state, code, text: text.to_owned() };
        if !is_validator {
            return says(SigningState::None, None, "this node is no validator");
        }
        if let Some(Trouble { code, text }) = &self.trouble {
            return says(SigningState::Halted, Some(code), text);
        }
        let Some(Verdict { action, code, text, .. }) = &self.verdict else {
            return match self.signed_elsewhere {
                Some(at) => {
                    let text = format!(
                        "this key signed at height {at}, of which this disk knows nothing: an older copy was put back, or a second process runs with this key; nothing is signed until the ledger has caught up"
                    );
                    says(SigningState::SyncOnly, Some("E-SIGN-RESTORED"), &text)
                }
                None => says(SigningState::SyncOnly, None, "waiting until more than 2/3 of the power has answered"),
            };
        };
        match action {
            Permission::Refuse => says(SigningState::Refused, *code, text),
            Permission::Observe { from } if height < *from => says(SigningState::Observing, *code, text),
            Permission::Recover { .. } if speaks != Some(true) => says(SigningState::Observing, *code, text),
            _ if self.breaker.is_open(height) => {
                says(SigningState::SyncOnly, Some("E-CONSENSUS-CRASH-LOOP"), "the core failed three times on the same input of this height")
            }
            _ if speaks == Some(false) => says(SigningState::SyncOnly, *code, text),
            _ => says(SigningState::Enabled, None, ""),
        }
    }
}

fn forbids(action: Permission, height: Height) -> bool {
    match action {
        Permission::AskNetwork | Permission::Refuse => true,
        Permission::Abstain { through } => height <= through,
        Permission::Observe { from } => height < from,
        Permission::Begin | Permission::Sign { .. } | Permission::SyncFirst { .. } | Permission::Recover { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use primitives::B256;

    fn judged(action: Permission) -> Remembered {
        let verdict = Verdict { action, code: Some("E-SOMETHING"), text: String::new(), commands: vec![] };
        Remembered { verdict: Some(verdict), ..Remembered::default() }
    }

    #[test]
    fn every_reason_not_to_sign_has_its_state() {
        let state = |remembered: &Remembered, speaks| remembered.signing(true, Height(5), speaks).state;
        let enabled = judged(Permission::Begin);
        assert_eq!(enabled.signing(false, Height(5), Some(true)).state, SigningState::None);
        assert_eq!(state(&Remembered::default(), None), SigningState::SyncOnly);
        assert_eq!(state(&enabled, Some(true)), SigningState::Enabled);
        assert_eq!(state(&enabled, Some(false)), SigningState::SyncOnly);
        assert_eq!(state(&judged(Permission::Refuse), Some(true)), SigningState::Refused);
        assert_eq!(state(&judged(Permission::Observe { from: Height(6) }), Some(false)), SigningState::Observing);
        assert_eq!(state(&judged(Permission::Observe { from: Height(5) }), Some(true)), SigningState::Enabled);
        assert_eq!(state(&judged(Permission::Recover { from: Height(20) }), Some(false)), SigningState::Observing);
        let trouble = Some(Trouble { code: "E-DOPPELGANGER", text: String::new() });
        assert_eq!(state(&Remembered { trouble, ..enabled.clone() }, Some(true)), SigningState::Halted);
        let mut looping = enabled;
        (0..3).for_each(|_| looping.breaker.failed(Height(5), B256::ZERO));
        assert_eq!(looping.signing(true, Height(5), Some(true)).code, Some("E-CONSENSUS-CRASH-LOOP"));
    }
}
