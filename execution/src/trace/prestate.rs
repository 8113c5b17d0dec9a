//! What a transaction touched, as it was before, and what it changed: geth's `prestateTracer`.

use std::{collections::BTreeMap, fmt};

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use revm::{
    Database,
    state::{Account as Loaded, AccountInfo, EvmState},
};
use serde::Serialize;

use super::{PrestateOptions, TraceError, text::Text};

type Accounts = BTreeMap<Address, Account>;

/// An account, or what changed of it; what is empty is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<U256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_hash: Option<B256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    storage: BTreeMap<B256, B256>,
}

/// Before and after.
#[derive(Debug, Default, Serialize)]
struct Difference {
    post: Accounts,
    pre: Accounts,
}

/// Everything a transaction loaded.
pub(super) struct Touched<'a> {
    pub state: &'a EvmState,
    /// Geth counts it in, whether it was paid or not.
    pub beneficiary: Address,
}

impl Touched<'_> {
    /// `database` is the state before the transaction.
    pub fn write<D: Database<Error: fmt::Display>>(&self, options: &PrestateOptions, database: &mut D, room: usize) -> Result<String, TraceError> {
        let failed = |error: D::Error| TraceError::Failed(error.to_string());
        if options.diff {
            let difference = self.difference(options, database).map_err(failed)?;
            return Ok(Text::of(&difference, room)?);
        }
        Ok(Text::of(&self.before(options, database).map_err(failed)?, room)?)
    }

    fn before<D: Database>(&self, options: &PrestateOptions, database: &mut D) -> Result<Accounts, D::Error> {
        let mut accounts = Accounts::new();
        let unpaid = (!self.state.contains_key(&self.beneficiary)).then_some((&self.beneficiary, None));
        for (address, loaded) in self.state.iter().map(|(address, loaded)| (address, Some(loaded))).chain(unpaid) {
            let info = database.basic(*address)?.unwrap_or_default();
            if info.is_empty() && !options.include_empty {
                continue;
            }
            let mut account = describe(&info, options, database)?;
            if let Some(loaded) = loaded.filter(|_| !options.without_storage) {
                account.storage = loaded.storage.iter().map(|(slot, value)| ((*slot).into(), value.original_value.into())).collect();
            }
            accounts.insert(*address, account);
        }
        Ok(accounts)
    }

    fn difference<D: Database>(&self, options: &PrestateOptions, database: &mut D) -> Result<Difference, D::Error> {
        let mut difference = Difference::default();
        for (address, loaded) in self.state {
            let info = database.basic(*address)?.unwrap_or_default();
            let is_destroyed = loaded.is_created() && loaded.is_selfdestructed();
            let mut before = describe(&info, options, database)?;
            let mut after = changes(&info, loaded, options);
            if !options.without_storage {
                (before.storage, after.storage) = changed_slots(loaded);
            }
            let is_changed = after != Account::default() || !before.storage.is_empty();
            if !is_changed && !is_destroyed {
                continue;
            }
            if !is_destroyed {
                difference.post.insert(*address, after);
            }
            if !info.is_empty() {
                difference.pre.insert(*address, before);
            }
        }
        Ok(difference)
    }
}

/// The whole account without its storage.
fn describe<D: Database>(info: &AccountInfo, options: &PrestateOptions, database: &mut D) -> Result<Account, D::Error> {
    let code_hash = (!info.is_empty_code_hash() && !info.code_hash.is_zero()).then_some(info.code_hash);
    let code = match (&info.code, code_hash) {
        (_, None) => None,
        _ if options.without_code => None,
        (Some(code), _) => Some(code.original_bytes()),
        (None, Some(hash)) => Some(database.code_by_hash(hash)?.original_bytes()),
    };
    Ok(Account { balance: Some(info.balance), code, code_hash, nonce: nonzero(info.nonce), storage: BTreeMap::new() })
}

/// What of `before` is different now.
fn changes(before: &AccountInfo, loaded: &Loaded, options: &PrestateOptions) -> Account {
    let after = &loaded.info;
    let hash = |info: &AccountInfo| if info.code_hash.is_zero() { KECCAK256_EMPTY } else { info.code_hash };
    let has_new_code = hash(before) != hash(after);
    Account {
        balance: (before.balance != after.balance).then_some(after.balance),
        // Code that was taken away is shown as `0x`.
        code: (has_new_code && !options.without_code).then(|| after.code.as_ref().map(|code| code.original_bytes()).unwrap_or_default()),
        code_hash: has_new_code.then(|| hash(after)),
        nonce: (before.nonce != after.nonce).then(|| nonzero(after.nonce)).flatten(),
        storage: BTreeMap::new(),
    }
}

/// Slots that changed, before and after; zeros are left out.
fn changed_slots(loaded: &Loaded) -> (BTreeMap<B256, B256>, BTreeMap<B256, B256>) {
    let changed = || loaded.storage.iter().filter(|(_, value)| value.is_changed());
    let before = changed().filter(|(_, value)| !value.original_value.is_zero());
    let after = changed().filter(|(_, value)| !value.present_value.is_zero());
    (
        before.map(|(slot, value)| ((*slot).into(), value.original_value.into())).collect(),
        after.map(|(slot, value)| ((*slot).into(), value.present_value.into())).collect(),
    )
}

fn nonzero(nonce: u64) -> Option<u64> {
    (nonce != 0).then_some(nonce)
}
