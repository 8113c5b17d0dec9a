//! A state reader as the EVM wants to see it.

use std::{fmt, sync::OnceLock};

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use revm::{
    DatabaseRef,
    state::{AccountInfo, Bytecode},
};

use crate::{ReadError, StateReader};

/// Remembers the first read that failed, because an error that passes through a system call comes out as a broken rule.
pub(crate) struct Database<'a> {
    reader: &'a dyn StateReader,
    failure: &'a OnceLock<ReadError>,
}

impl<'a> Database<'a> {
    pub fn new(reader: &'a dyn StateReader, failure: &'a OnceLock<ReadError>) -> Self {
        Self { reader, failure }
    }

    fn noted<T>(&self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        result.inspect_err(|error| {
            let _ = self.failure.set(error.clone());
        })
    }

    fn code(&self, hash: B256) -> Result<Bytecode, ReadError> {
        if hash == KECCAK256_EMPTY || hash.is_zero() {
            return Ok(Bytecode::default());
        }
        let code = self.reader.code(&hash)?.ok_or_else(|| ReadError::Missing(format!("code {hash}")))?;
        bytecode(code).map_err(ReadError::Corrupt)
    }
}

fn bytecode(code: Bytes) -> Result<Bytecode, String> {
    Bytecode::new_raw_checked(code).map_err(|error| error.to_string())
}

impl fmt::Debug for Database<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("height", &self.reader.height()).finish_non_exhaustive()
    }
}

impl DatabaseRef for Database<'_> {
    type Error = ReadError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, ReadError> {
        let account = self.noted(self.reader.account(&address))?;
        Ok(account.map(|account| AccountInfo {
            nonce: account.nonce,
            balance: account.balance,
            code_hash: account.code_hash,
            code: None,
            ..AccountInfo::default()
        }))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, ReadError> {
        self.noted(self.code(hash))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, ReadError> {
        self.noted(self.reader.slot(&address, &B256::from(slot)))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, ReadError> {
        let hash = self.reader.block_hash(number).and_then(|hash| hash.ok_or_else(|| ReadError::Missing(format!("hash of block {number}"))));
        self.noted(hash)
    }
}
