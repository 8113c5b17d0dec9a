//! What flags take: each value is parsed once, or refused with how it is written.

use std::time::Duration;

use primitives::{Address, PublicKey, U256, genesis::NetworkKind};

use crate::config::Override;

pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "write a duration with its unit, as in 250ms or 2s".to_owned())
}

pub fn network_kind(text: &str) -> Result<NetworkKind, String> {
    serde_json::from_value(text.into()).map_err(|_| "write dev, testnet or mainnet".to_owned())
}

pub fn setting(text: &str) -> Result<Override, String> {
    let (path, value) = text.split_once('=').ok_or("write section.key=value, as in rpc.listen=127.0.0.1:3030")?;
    Ok(Override { path: path.trim().to_owned(), value: value.to_owned(), flag: format!("--set {}", path.trim()) })
}

pub fn funded(text: &str) -> Result<(Address, U256), String> {
    let advice = "write ADDRESS=ETHER, as in 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266=1000, whole ether";
    let (address, ether) = text.split_once('=').ok_or(advice)?;
    let address = address.parse().map_err(|_| advice.to_owned())?;
    let ether: u64 = ether.parse().map_err(|_| advice.to_owned())?;
    Ok((address, U256::from(ether) * U256::from(10).pow(U256::from(18))))
}

pub fn validator(text: &str) -> Result<(PublicKey, u64), String> {
    let (key, power) = text.split_once(':').unwrap_or((text, "1"));
    let key = key.parse().map_err(|error: primitives::MalformedKey| error.to_string())?;
    let power = power.parse().map_err(|_| "power is a whole number".to_owned())?;
    Ok((key, power))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_value_is_read_or_refused_with_how_it_is_written() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("5").unwrap_err().contains("unit"));
        assert_eq!(setting("a.b=c=d").unwrap().value, "c=d");
        assert!(setting("a.b").unwrap_err().contains("section.key=value"));
        assert_eq!(funded("0x00000000000000000000000000000000000000aa=2").unwrap().1, U256::from(2_000_000_000_000_000_000u64));
        assert!(funded("0xaa=2").is_err() && funded("0x00000000000000000000000000000000000000aa=1.5").is_err());
        let key = crate::development::validator_key(0).public_key();
        assert_eq!(validator(&format!("{key}:7")), Ok((key, 7)));
        assert_eq!(validator(&key.to_string()), Ok((key, 1)));
        assert!(validator("0x02").is_err() && validator(&format!("{key}:x")).is_err());
        assert!(network_kind("moon").is_err());
    }
}
