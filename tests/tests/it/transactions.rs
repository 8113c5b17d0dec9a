//! Transactions: sent to one validator, seen on all.

use crate::testnet::{CHAIN_ID, Testnet, Transfer, account, ether, secs};
use primitives::{Address, U256};
use serde_json::json;

#[tokio::test]
async fn a_transfer_sent_to_one_validator_is_finalised_on_every_other() {
    let mut net = Testnet::of(4).start().await;
    let to = Address::repeat_byte(0x11);
    let transfer = Transfer { to, value: ether(3), ..Transfer::new(0, 0) };
    let hash = net.validator(0).submit(&transfer).await.unwrap();
    for index in [2, 1, 3, 0] {
        let validator = net.validator(index);
        let receipt = validator.receipt(hash, secs(10)).await;
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        assert_eq!(validator.balance(to).await, ether(3));
        let transaction = validator.call("eth_getTransactionByHash", json!([hash])).await.unwrap();
        assert_eq!(transaction["blockHash"], receipt["blockHash"]);
        assert_eq!(validator.call("eth_chainId", json!([])).await.unwrap(), json!(format!("{CHAIN_ID:#x}")));
    }
    assert!(net.validator(3).balance(account(0)).await < ether(10_000) - ether(3));
    net.agree().await;
    net.is_honest().await;
}

#[tokio::test]
async fn every_refusal_of_a_transaction_says_why_and_the_node_goes_on() {
    let mut net = Testnet::of(1).start().await;
    let node = net.validator(0);
    let first = node.submit(&Transfer::new(0, 0)).await.unwrap();
    node.receipt(first, secs(10)).await;
    let poor = Transfer { value: ether(1_000_000), ..Transfer::new(1, 0) };
    // Waits for an earlier nonce, so that it can be contradicted.
    node.submit(&Transfer::new(1, 5)).await.unwrap();
    let cases = [
        (Transfer { value: U256::from(2), ..Transfer::new(0, 0) }, "nonce too low: next nonce 1, tx nonce 0"),
        (Transfer { chain_id: 1, ..Transfer::new(1, 0) }, "invalid chain id for signer: have 1 want 1337"),
        (poor, "insufficient funds for gas * price + value: have 10000000000000000000000 want "),
        (Transfer { gas_limit: 20_999, ..Transfer::new(1, 0) }, "intrinsic gas too low: have 20999, want 21000"),
        (Transfer { input: vec![0; 140 << 10], gas_limit: 25_000_000, ..Transfer::new(1, 0) }, "oversized data: transaction size "),
        (Transfer { gas_limit: 1 << 40, ..Transfer::new(1, 0) }, "exceeds block gas limit"),
        (Transfer { nonce: 1 << 40, ..Transfer::new(1, 0) }, "nonce too high: next nonce 0, tx nonce "),
        (Transfer::new(1, 5), "already known"),
        (Transfer { value: U256::from(2), ..Transfer::new(1, 5) }, "replacement transaction underpriced"),
    ];
    for (transfer, expected) in cases {
        let refused = node.submit(&transfer).await.unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused:?} does not say {expected:?}");
    }
    let forge = |raw: String| [&raw[..raw.len() - 8], "ffffffff"].concat();
    let flip = |raw: String| [&raw[..raw.len() - 64], &"f".repeat(64)].concat();
    let raw = [
        (flip(Transfer::new(1, 0).sign().1), "invalid sender"),
        (Transfer::new(1, 0).sign_unprotected().1, "only replay-protected (EIP-155) transactions allowed over RPC"),
        ("0x03c0".to_owned(), "transaction type not supported"),
        ("0x05c0".to_owned(), "malformed transaction: unexpected tx type"),
        ("0x".to_owned(), "malformed"),
        ("0x02f8".to_owned(), "malformed"),
        ("0xzz".to_owned(), ""),
        ("02".to_owned(), ""),
    ];
    for (raw, expected) in raw {
        let refused = node.call("eth_sendRawTransaction", json!([raw])).await.unwrap_err().to_string();
        assert!(refused.contains(expected) && refused.contains("refused"), "{refused:?} does not say {expected:?}");
    }
    // Another signer's signature is a valid one, of somebody who has no money.
    let forged = node.call("eth_sendRawTransaction", json!([forge(Transfer::new(1, 0).sign().1)])).await.unwrap_err().to_string();
    assert!(forged.contains("insufficient funds") || forged.contains("invalid sender"), "{forged}");
    assert_eq!(node.balance(account(1)).await, ether(10_000));
    let last = node.submit(&Transfer { value: U256::ZERO, ..Transfer::new(0, 1) }).await.unwrap();
    node.receipt(last, secs(10)).await;
}
