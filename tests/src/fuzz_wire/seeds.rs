//! Where cases begin: the frames that the page on the wire shows.

use anyhow::{Context, Result, ensure};
use wire::Codec;

const PAGE: &str = include_str!("../../../docs/wire.md");

/// Frames with their closing newline.
#[derive(Debug)]
pub struct Seeds {
    pub msgpack: Vec<Vec<u8>>,
    pub json: Vec<Vec<u8>>,
    pub hello: Vec<u8>,
    pub proof: Vec<u8>,
}

impl Seeds {
    pub fn of_the_page() -> Result<Self> {
        let values =
            |name: &'static str| PAGE.lines().filter_map(move |line| line.strip_prefix(name)).filter(|rest| rest.starts_with("  ")).map(str::trim);
        let frames = |name| values(name).map(|text| hex::decode(text).context("a sample in docs/wire.md is no hex")).collect::<Result<Vec<_>>>();
        let json: Vec<_> = values("json").filter(|text| text.starts_with("{\"v\":1,\"kind\"") && !text.contains("..")).collect();
        let [hello, proof] = [frames("hello")?, frames("proof")?].map(|mut found| found.pop().unwrap_or_default());
        let json = json.into_iter().map(|text| format!("{text}\n").into_bytes()).collect();
        let msgpack = values("msgpack").filter(|text| !text.contains('['));
        let msgpack = msgpack.map(|text| hex::decode(text).context("a sample in docs/wire.md is no hex")).collect::<Result<_>>()?;
        let seeds = Self { msgpack, json, hello, proof };
        ensure!(wire::Message::KINDS.len() <= seeds.msgpack.len().min(seeds.json.len()), "docs/wire.md lacks samples");
        ensure!(!seeds.hello.is_empty() && !seeds.proof.is_empty(), "docs/wire.md shows no hello and proof");
        Ok(seeds)
    }

    pub fn of(&self, codec: Codec) -> &[Vec<u8>] {
        match codec {
            Codec::Msgpack => &self.msgpack,
            Codec::Json => &self.json,
        }
    }
}
