//! Which methods there are, and what their parameters are called, as the node says it.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{SocketLine, valid};

/// What a method says to parameters that are no list.
const LIST_OF: &str = "params must be a list of ";
const NOTHING: &str = "nothing";

/// A method and its parameters.
#[derive(Clone, Debug)]
pub struct Method {
    pub name: &'static str,
    pub parameters: Vec<String>,
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
            let listed = message.strip_prefix(LIST_OF).with_context(|| format!("{name} does not name its parameters: {answer}"))?;
            let parameters = if listed == NOTHING { Vec::new() } else { listed.split(", ").map(str::to_owned).collect() };
            methods.push(Method { name, parameters });
        }
        Ok(Self { methods })
    }

    /// Names of parameters for which nobody knows a valid value.
    pub fn unknown(&self) -> BTreeSet<&str> {
        let names = self.methods.iter().flat_map(|method| &method.parameters);
        names.filter(|name| !valid::is_known(name)).map(String::as_str).collect()
    }
}
