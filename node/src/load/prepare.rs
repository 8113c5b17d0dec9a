//! From a chain as it is to one on which the load can begin: funds, and a token if there is to be one.

use std::sync::Arc;

use primitives::{Address, U256};
use serde_json::json;

use super::{
    accounts::Accounts,
    chain::{Chain, quantity},
    errands::{Errand, carry_out},
    fees::Fees,
    funding::fund,
    plan::{Kind, Order, Plan},
    signing::{Deed, Recipe, TRANSFER_GAS, deed, recipient},
    token,
};
use crate::exit::Failure;

/// For how much gas a transfer of the token is funded; what it uses is estimated once the token is there.
const FUNDED_TOKEN_GAS: u64 = 60_000;
/// Who deploys the token and hands it out, among the payers.
const DEPLOYER: usize = 0;

/// Funds the accounts and says how to sign; `say` tells the user what is going on.
pub async fn prepare(chain: &Chain, accounts: &Accounts, plan: &Plan, say: &mut dyn FnMut(&str)) -> Result<Recipe, Failure> {
    let fees = Arc::new(Fees::new(plan.fee_cap, chain.base_fee().await?));
    let gas = if plan.kind == Kind::Erc20 { FUNDED_TOKEN_GAS } else { TRANSFER_GAS };
    let each = U256::from(gas) * U256::from(fees.start_cap()) + U256::from(1);
    let funded = fund(chain, accounts, each * U256::from(plan.transactions_per_account()), &fees).await?;
    if 0 < funded {
        say(&format!("funded {funded} accounts"));
    }
    let token = match plan.kind {
        Kind::Transfer => None,
        Kind::Erc20 => Some(hand_out(chain, accounts, &fees, say).await?),
    };
    let addresses = accounts.addresses();
    let gas = match token {
        None => TRANSFER_GAS,
        Some(token) => {
            // The first unit that an account gets takes the most gas.
            let to = plan.recipients.map_or(addresses[1 % addresses.len()], recipient);
            estimate(chain, addresses[0], &deed(plan.kind, Some(token), to, 0)).await?
        }
    };
    chain.level(0).await?;
    Ok(Recipe {
        chain_id: chain.id,
        order: Order { nodes: chain.nodes(), accounts: addresses.len(), batch: plan.batch },
        nonces: chain.nonces(&addresses, "pending").await?,
        senders: Arc::new(accounts.senders.clone()),
        recipients: plan.recipients,
        kind: plan.kind,
        token,
        gas,
        fees,
    })
}

/// Deploys the token and gives every sender a share.
async fn hand_out(chain: &Chain, accounts: &Accounts, fees: &Fees, say: &mut dyn FnMut(&str)) -> Result<Address, Failure> {
    let addresses = accounts.addresses();
    let deployer = accounts.payers[DEPLOYER].address;
    let supply = U256::from(token::SHARE) * U256::from(addresses.len());
    let nonce = chain.nonces_at(0, &[deployer], "pending").await?[0];
    let mut deployment = Deed { to: None, value: U256::ZERO, input: token::deployment(supply), gas: 0 };
    deployment.gas = estimate(chain, deployer, &deployment).await?;
    carry_out(chain, &accounts.payers, &[Errand { payer: DEPLOYER, deed: deployment }], fees).await?;
    let token = deployer.create(nonce);
    let share = |to: &Address| Deed { to: Some(token), value: U256::ZERO, input: token::transfer(*to, U256::from(token::SHARE)), gas: 0 };
    let gas = estimate(chain, deployer, &share(&Address::repeat_byte(1))).await?;
    let errands: Vec<_> = addresses.iter().map(|to| Errand { payer: DEPLOYER, deed: Deed { gas, ..share(to) } }).collect();
    carry_out(chain, &accounts.payers, &errands, fees).await?;
    check_shares(chain, token, &addresses).await?;
    say(&format!("deployed the token {token} and gave {} accounts their share", addresses.len()));
    Ok(token)
}

async fn check_shares(chain: &Chain, token: Address, addresses: &[Address]) -> Result<(), Failure> {
    let calls = addresses.iter().map(|account| json!([{ "to": token, "data": token::balance_of(*account) }, "latest"])).collect();
    for (account, answer) in addresses.iter().zip(chain.ask(0, "eth_call", calls).await?) {
        if quantity(&answer, "balanceOf")? < U256::from(token::SHARE) {
            let failure = Failure::runtime("an account did not get its share of the token").at(format!("token {token}, account {account}"));
            return Err(failure.remedy("see that nobody else uses these accounts, and run it again"));
        }
    }
    Ok(())
}

async fn estimate(chain: &Chain, from: Address, deed: &Deed) -> Result<u64, Failure> {
    let mut call = json!({ "from": from, "data": deed.input });
    if let Some(to) = deed.to {
        call["to"] = json!(to);
    }
    chain.gas(call).await
}
