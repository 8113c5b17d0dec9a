//! Who gets ether from whom before a load begins.

use primitives::U256;

use super::{
    accounts::{Account, Accounts},
    chain::Chain,
    errands::{Errand, carry_out},
    fees::Fees,
    signing::{Deed, TRANSFER_GAS},
};
use crate::exit::Failure;

/// Payer number `payer` gives sender number `sender` so much.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Payment {
    payer: usize,
    sender: usize,
    value: U256,
}

/// What the payers lack, in wei.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shortage {
    have: U256,
    want: U256,
}

/// Sees to it that every sender has `need` wei; answers how many had too little.
pub async fn fund(chain: &Chain, accounts: &Accounts, need: U256, fees: &Fees) -> Result<usize, Failure> {
    let balances = chain.balances(&accounts.addresses()).await?;
    let purses = purses(accounts, chain.balances(&addresses(&accounts.payers)).await?, need);
    let target = target(&purses, accounts, need);
    let wants: Vec<_> =
        balances.iter().enumerate().filter(|(_, balance)| **balance < need).map(|(sender, balance)| (sender, target - *balance)).collect();
    let fee = U256::from(TRANSFER_GAS) * U256::from(fees.cap());
    let payments = payments(purses, &wants, fee).map_err(|shortage| poor(chain, accounts, shortage, need))?;
    let errands: Vec<_> = payments.iter().map(|payment| errand(payment, accounts)).collect();
    carry_out(chain, &accounts.payers, &errands, fees).await?;
    Ok(errands.len())
}

fn addresses(accounts: &[Account]) -> Vec<primitives::Address> {
    accounts.iter().map(|account| account.address).collect()
}

fn errand(payment: &Payment, accounts: &Accounts) -> Errand {
    let to = Some(accounts.senders[payment.sender].address);
    Errand { payer: payment.payer, deed: Deed { to, value: payment.value, input: Default::default(), gas: TRANSFER_GAS } }
}

/// What each payer can give away: one that sends too keeps what it needs itself.
fn purses(accounts: &Accounts, balances: Vec<U256>, need: U256) -> Vec<U256> {
    let is_sender = |payer: &Account| accounts.senders.iter().any(|sender| sender.address == payer.address);
    let keeps = |payer| if is_sender(payer) { need } else { U256::ZERO };
    accounts.payers.iter().zip(balances).map(|(payer, balance)| balance.saturating_sub(keeps(payer))).collect()
}

/// What a sender with too little has afterwards. Ether of a development network is worth nothing, so there it is half of
/// what there is, in equal shares: the next runs find enough.
fn target(purses: &[U256], accounts: &Accounts, need: U256) -> U256 {
    let wealth: U256 = purses.iter().copied().fold(U256::ZERO, U256::saturating_add);
    let share = wealth / U256::from(2 * accounts.senders.len());
    if accounts.is_development { need.max(share) } else { need }
}

/// Divides `wants` among the payers, who take turns; each payment costs `fee` besides.
fn payments(mut purses: Vec<U256>, wants: &[(usize, U256)], fee: U256) -> Result<Vec<Payment>, Shortage> {
    let total = |values: &mut dyn Iterator<Item = U256>| values.fold(U256::ZERO, U256::saturating_add);
    let have = total(&mut purses.iter().copied());
    let mut made = Vec::new();
    for (turn, (sender, value)) in wants.iter().enumerate() {
        let cost = value.saturating_add(fee);
        let Some(payer) = (0..purses.len()).map(|step| (turn + step) % purses.len()).find(|payer| cost <= purses[*payer]) else {
            return Err(Shortage { have, want: total(&mut wants.iter().map(|(_, value)| value.saturating_add(fee))) });
        };
        purses[payer] -= cost;
        made.push(Payment { payer, sender: *sender, value: *value });
    }
    Ok(made)
}

fn poor(chain: &Chain, accounts: &Accounts, shortage: Shortage, need: U256) -> Failure {
    let what =
        format!("no funds: {} ether are wanted for {} accounts, {} are there", ether(shortage.want), accounts.senders.len(), ether(shortage.have));
    let failure = Failure::runtime(what).at(format!("chain {}: {} ether for each account at the fee cap", chain.id, ether(need)));
    match accounts.is_development {
        true => {
            let failure = failure.at(format!("the payers are the development accounts, as {}", accounts.payers[0].address));
            failure.remedy("name the key file of a funded account with --key, or ask for less: --duration, --tx-rate, --fee-cap")
        }
        false => failure.remedy(format!("fund {}, or ask for less: --duration, --tx-rate, --fee-cap", accounts.payers[0].address)),
    }
}

/// Wei as ether with up to six digits behind the point.
fn ether(wei: U256) -> String {
    let micro = wei / U256::from(10).pow(U256::from(12));
    let million = U256::from(1_000_000);
    let text = format!("{}.{:0>6}", micro / million, (micro % million).to_string());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wei(values: &[u64]) -> Vec<U256> {
        values.iter().map(|value| U256::from(*value)).collect()
    }

    fn payment(payer: usize, sender: usize, value: u64) -> Payment {
        Payment { payer, sender, value: U256::from(value) }
    }

    #[test]
    fn payers_take_turns_and_one_that_has_too_little_is_passed_over() {
        let wants: Vec<_> = [(3, 10), (4, 10), (5, 10)].map(|(sender, value)| (sender, U256::from(value))).to_vec();
        let made = payments(wei(&[100, 5, 100]), &wants, U256::from(1)).unwrap_or_default();
        assert_eq!(made, [payment(0, 3, 10), payment(2, 4, 10), payment(2, 5, 10)]);
    }

    #[test]
    fn what_is_lacking_is_said_with_fees() {
        let wants = [(0, U256::from(10)), (1, U256::from(10))];
        assert_eq!(payments(wei(&[15]), &wants, U256::from(1)), Err(Shortage { have: U256::from(15), want: U256::from(22) }));
        assert_eq!(payments(wei(&[0]), &[], U256::from(1)), Ok(Vec::new()), "nothing wanted costs nothing");
    }

    #[test]
    fn a_payer_who_sends_keeps_what_it_needs_and_development_ether_is_spread() {
        let accounts = Accounts::development(20);
        let purses = purses(&accounts, wei(&[100; 10]), U256::from(30));
        assert_eq!(purses, wei(&[70; 10]));
        assert_eq!(target(&purses, &accounts, U256::from(7)), U256::from(17), "700 in halves among 20");
        assert_eq!(target(&purses, &accounts, U256::from(50)), U256::from(50), "but never less than is needed");
        let own = Accounts::of(crate::development::account_key(0), 20);
        assert_eq!(target(&wei(&[700]), &own, U256::from(7)), U256::from(7), "other ether is worth something");
    }

    #[test]
    fn wei_are_shown_as_ether() {
        for (wei, text) in [(0, "0"), (1, "0"), (2_100_000_000_000_000, "0.0021"), (1_500_000_000_000_000_000, "1.5"), (10u64.pow(19), "10")] {
            assert_eq!(ether(U256::from(wei)), text);
        }
    }
}
