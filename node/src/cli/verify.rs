//! `verify`: whether a block was decided and what its state holds, by no word of any node.

use primitives::{
    B256,
    light::{Decided, ProvedAccount, Refused, Step, Trust},
};
use serde_json::{Value, json};

use super::{arguments::Verify, evidence, printer::Printer};
use crate::{exit::Failure, home};

/// What was proved.
struct Proved {
    trusted: Trust,
    /// The blocks, in ascending order; the last is the newest.
    decided: Vec<Decided>,
    /// The block whose state is asked about.
    block: Decided,
    accounts: Vec<ProvedAccount>,
}

pub fn run(arguments: &Verify, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let proved = prove(arguments)?;
    if let Some(path) = &arguments.write_checkpoint {
        home::write(path, &proved.newest().trust.to_json())?;
    }
    printer.print(&proved.to_json(), || proved.to_text())?;
    if let Some(path) = &arguments.write_checkpoint {
        printer.note(&format!("\nwrote the checkpoint of block {} to {}", proved.newest().trust.height, path.display()));
    }
    Ok(())
}

fn prove(arguments: &Verify) -> Result<Proved, Failure> {
    let trusted = evidence::trust(&arguments.trusted)?;
    let mut bundles = Vec::new();
    for path in &arguments.bundle {
        bundles.extend(evidence::bundles(path)?);
    }
    let decided = trusted.follow_all(&bundles).map_err(refusal)?;
    let block = match &arguments.header {
        Some(path) => block_of(&trusted, &decided, &evidence::header_of(path)?).map_err(refusal)?,
        None => decided.last().cloned().ok_or_else(|| Failure::new(crate::exit::ExitCode::Usage, "nothing to verify: give --bundle or --header"))?,
    };
    let mut accounts = Vec::new();
    for path in &arguments.proof {
        let proof = evidence::account_proof(path)?;
        accounts.push(proof.verify(block.header.state_root).map_err(|error| refusal(error).at(path.display().to_string()))?);
    }
    Ok(Proved { trusted, decided, block, accounts })
}

/// The proved block with this header: one that was followed, or the trusted one.
fn block_of(trusted: &Trust, decided: &[Decided], header: &primitives::Header) -> Result<Decided, Refused> {
    let found = header.hash_slow();
    if let Some(block) = decided.iter().find(|block| block.trust.block == found) {
        return Ok(block.clone());
    }
    trusted.recognise(header).map_err(|refused| {
        let same = decided.iter().find(|block| block.header.number == header.number);
        let heights: Vec<_> = decided.iter().map(|block| block.trust.height.to_string()).collect();
        let expected = match same {
            Some(block) => block.trust.block.to_string(),
            None if decided.is_empty() => format!("the trusted block {} ({})", trusted.height, trusted.block),
            None => format!("one of the heights {}", heights.join(", ")),
        };
        Refused { step: Step::Header, expected, found: found.to_string(), ..refused }
    })
}

fn refusal(refused: Refused) -> Failure {
    let Refused { step, subject, expected, found } = refused;
    let failure = Failure::runtime(format!("{subject} does not verify: {step}"));
    let failure = failure.at(format!("step      {}", step.name())).at(format!("expected  {expected}")).at(format!("found     {found}"));
    failure.remedy(step.remedy())
}

impl Proved {
    fn newest(&self) -> &Decided {
        self.decided.last().unwrap_or(&self.block)
    }

    fn to_json(&self) -> Value {
        json!({
            "verified": true,
            "chain_id": self.trusted.domain.chain_id,
            "genesis_hash": self.trusted.domain.genesis_hash,
            "trusted": { "height": self.trusted.height, "block_hash": self.trusted.block },
            "blocks": self.decided.iter().map(block_json).collect::<Vec<_>>(),
            "block": block_json(&self.block),
            "accounts": self.accounts.iter().map(account_json).collect::<Vec<_>>(),
        })
    }

    fn to_text(&self) -> String {
        let Trust { domain, height, block, .. } = &self.trusted;
        let mut lines =
            vec![format!("chain     {}, genesis {}", domain.chain_id, domain.genesis_hash), format!("trusted   block {height} ({block})")];
        lines.extend(self.decided.iter().map(|block| format!("decided   {}", block_text(block))));
        let header = &self.block.header;
        lines.push(format!("\nblock     {} ({})", header.number, self.block.trust.block));
        lines.push(format!("state     {}", header.state_root));
        lines.extend(self.accounts.iter().map(account_text));
        lines.join("\n")
    }
}

fn block_json(block: &Decided) -> Value {
    let signed = block.signed.map(|signed| {
        json!({
            "round": signed.round, "signers": signed.signers, "validators": signed.validators,
            "power": signed.power, "quorum": signed.quorum, "total_power": signed.total_power,
        })
    });
    json!({
        "height": block.header.number,
        "hash": block.trust.block,
        "state_root": block.header.state_root,
        "timestamp": block.header.timestamp,
        "signed": signed,
        "next_validators_hash": block.trust.validators.hash(),
    })
}

fn block_text(block: &Decided) -> String {
    let name = format!("block {} ({})", block.header.number, block.trust.block);
    match block.signed {
        Some(signed) => format!(
            "{name}, round {}, by {} of {} validators, power {} of {}, {} needed",
            signed.round, signed.signers, signed.validators, signed.power, signed.total_power, signed.quorum
        ),
        None => format!("{name}, which is trusted"),
    }
}

fn account_json(proved: &ProvedAccount) -> Value {
    let account = proved.account.as_ref().map(|account| {
        json!({
            "nonce": account.nonce, "balance": account.balance.to_string(), "code_hash": account.code_hash, "storage_root": account.storage_root,
        })
    });
    let slot = |slot: &primitives::light::ProvedSlot| json!({ "key": slot.key, "present": slot.value.is_some(), "value": B256::from(slot.value.unwrap_or_default()) });
    json!({ "address": proved.address, "present": account.is_some(), "account": account, "slots": proved.slots.iter().map(slot).collect::<Vec<_>>() })
}

fn account_text(proved: &ProvedAccount) -> String {
    let mut lines = vec![format!("\naccount   {}", proved.address)];
    match &proved.account {
        None => lines.push("          there is no such account".to_owned()),
        Some(account) => lines.extend([
            format!("nonce     {}", account.nonce),
            format!("balance   {} wei", account.balance),
            format!("code      {}", account.code_hash),
            format!("storage   {}", account.storage_root),
        ]),
    }
    for slot in &proved.slots {
        let value = slot.value.map_or("there is no such slot, which reads as 0".to_owned(), |value| B256::from(value).to_string());
        lines.push(format!("slot      {}  {value}", slot.key));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
