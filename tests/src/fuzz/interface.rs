//! Which methods there are, and what their parameters are called, as the node says it.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{SocketLine, Told, valid};

/// What a method says to parameters that are no list.
const LIST_OF: &str = "params must be a list of ";
const NOTHING: &str = "nothing";
/// What a public listener says to methods that are for the operator.
const WITHHELD: &str = "is not available on a public listener";

/// A method and its parameters.
#[derive(Clone, Debug)]
pub struct Method {
    pub name: &'static str,
    pub parameters: Vec<String>,
    pub is_withheld: bool,
}

/// Everything that can be called.
#[derive(Clone, Debug)]
pub struct Interface {
    pub methods: Vec<Method>,
}

impl Interface {
    /// Asks for the parameters of each method in the registry. Over a WebSocket, where all of them are served.
    pub async fn ask(port: u16) -> Result<Self> {
        let mut line = SocketLine::to(port);
        let mut methods = Vec::new();
        for &name in api::METHODS {
            let call = json!({ "jsonrpc": "2.0", "id": 1, "method": name, "params": {} });
            let reply = line.ask(&call.to_string(), false).await.context(name)?;
            let answer: Value = serde_json::from_slice(&reply.body).context(name)?;
            let message = answer["error"]["message"].as_str().unwrap_or_default();
            if message.ends_with(WITHHELD) {
                let parameters = withheld_parameters(name).iter().map(|&parameter| parameter.to_owned()).collect();
                methods.push(Method { name, parameters, is_withheld: true });
                continue;
            }
            let listed = message.strip_prefix(LIST_OF).with_context(|| format!("{name} does not name its parameters: {answer}"))?;
            let parameters = if listed == NOTHING { Vec::new() } else { listed.split(", ").map(str::to_owned).collect() };
            methods.push(Method { name, parameters, is_withheld: false });
        }
        Ok(Self { methods })
    }

    /// Names of parameters for which nobody knows a valid value.
    pub fn unknown(&self) -> BTreeSet<&str> {
        let names = self.methods.iter().flat_map(|method| &method.parameters);
        names.filter(|name| !valid::is_known(name)).map(String::as_str).collect()
    }

    /// What an answer to `method` has to say.
    pub fn told(&self, method: &str, id: Value) -> Told {
        if self.withheld().any(|name| name == method) { Told::Withheld(id) } else { Told::Id(id) }
    }

    /// Methods that this listener keeps to the operator.
    pub fn withheld(&self) -> impl Iterator<Item = &'static str> {
        self.methods.iter().filter(|method| method.is_withheld).map(|method| method.name)
    }
}

/// A method that is withheld does not name its parameters; it is asked for well nevertheless.
fn withheld_parameters(method: &str) -> &'static [&'static str] {
    match method {
        "debug_traceCall" => &["transaction", "block", "config"],
        "debug_traceTransaction" => &["transactionHash", "config"],
        "debug_traceBlockByHash" => &["blockHash", "config"],
        "debug_traceBlockByNumber" => &["newestBlock", "config"],
        "debug_getRawTransaction" => &["transactionHash"],
        "txpool_contentFrom" => &["address"],
        _ if method.starts_with("debug_") => &["block"],
        _ => &[],
    }
}
