//! The OpenAPI document of a server, to hold its answers against.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::client::{Answer, exchange, get};

pub struct Schemas {
    server: SocketAddr,
    document: Value,
}

impl Schemas {
    pub async fn of(server: SocketAddr) -> Self {
        Self { server, document: get(server, "/v1/openapi.json").await.json() }
    }

    /// The answer to `GET address`, which must look as the document says for `path`.
    pub async fn get(&self, path: &str, address: &str) -> Answer {
        let answer = get(self.server, address).await;
        self.check("get", path, &answer);
        answer
    }

    /// The same for a body that is sent.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let answer = exchange(self.server, "POST", path, headers, body).await;
        self.check("post", path, &answer);
        answer
    }

    pub fn check(&self, method: &str, path: &str, answer: &Answer) {
        let response = &self.document["paths"][path][method]["responses"][answer.status.to_string()];
        assert!(response.is_object(), "{method} {path} answers {}, which is not described: {}", answer.status, answer.body);
        let kind = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().to_owned();
        let content = &response["content"][&kind];
        assert!(content.is_object(), "{method} {path} answers {} as {kind}, which is not described", answer.status);
        if kind.ends_with("json") {
            self.validate(&content["schema"], &answer.json(), &format!("{method} {path} {}", answer.status));
        }
    }

    fn validate(&self, schema: &Value, value: &Value, what: &str) {
        let schema = json!({ "allOf": [schema], "components": self.document["components"] });
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let mistakes: Vec<String> = validator.iter_errors(value).map(|mistake| format!("{}: {mistake}", mistake.instance_path())).collect();
        assert!(mistakes.is_empty(), "{what}: {mistakes:?} in {value}");
    }
}
