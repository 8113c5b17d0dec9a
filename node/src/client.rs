//! Questions to a running node over HTTP.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use primitives::light::Bundle;
use serde_json::{Value, json};

use crate::exit::{ExitCode, Failure};

/// How long one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// A raw block in hex is twice the largest body.
const MAX_ANSWER_BYTES: usize = 80 << 20;

/// A node's HTTP face.
#[derive(Clone, Debug)]
pub struct Client {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    authority: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("nobody answers at {authority}: {reason}")]
    Unreachable { authority: String, reason: String },
    #[error("{authority} did not answer within {} s", ANSWER_LIMIT.as_secs())]
    Deadline { authority: String },
    #[error("{authority} answers {what} with something else than expected: {found}")]
    Unexpected { authority: String, what: String, found: String },
    #[error("{authority} answers {what} with HTTP {status}")]
    Status { authority: String, what: String, status: StatusCode },
    #[error("{method} was refused: {message} (code {code})")]
    Refused { method: String, code: i64, message: String },
}

impl Client {
    /// A client of the node at `url`, as in `http://127.0.0.1:3030`.
    pub fn new(url: &str) -> Result<Self, Failure> {
        let authority =
            url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')).filter(|rest| rest.parse::<http::uri::Authority>().is_ok());
        let Some(authority) = authority else {
            let failure = Failure::new(ExitCode::Usage, format!("{url:?} is no address of a node"));
            return Err(failure.remedy("write http://host:port, as in http://127.0.0.1:3030"));
        };
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self { http: HttpClient::builder(TokioExecutor::new()).build(connector), authority: authority.to_owned() })
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// What `GET path` answers.
    pub async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), ClientError> {
        let request = Request::get(format!("http://{}{path}", self.authority)).body(Full::default());
        self.send(path, request).await
    }

    /// The JSON that `GET path` answers, whatever the status.
    pub async fn get_json(&self, path: &str) -> Result<Value, ClientError> {
        let (_, body) = self.get(path).await?;
        serde_json::from_slice(&body).map_err(|error| self.unexpected(path, error))
    }

    /// The result of a JSON-RPC call.
    pub async fn call(&self, method: &str, parameters: Value) -> Result<Value, ClientError> {
        let answer = self.ask(method, &request(method, 1, parameters)).await?;
        self.result(method, answer)
    }

    /// The results of one method called with each of `parameters`, in one request; an error of its own when the whole batch fails.
    pub async fn call_all(&self, method: &str, parameters: Vec<Value>) -> Result<Vec<Result<Value, ClientError>>, ClientError> {
        let count = parameters.len();
        let calls: Vec<_> = parameters.into_iter().enumerate().map(|(id, parameters)| request(method, id, parameters)).collect();
        let Value::Array(answers) = self.ask(method, &Value::Array(calls)).await? else {
            return Err(self.unexpected(method, "no batch"));
        };
        // The answers of a batch come in any order.
        let mut results: Vec<_> = (0..count).map(|_| Err(self.unexpected(method, "no answer to this call of a batch"))).collect();
        for answer in answers {
            let id = answer["id"].as_u64().and_then(|id| usize::try_from(id).ok());
            if let Some(place) = id.and_then(|id| results.get_mut(id)) {
                *place = self.result(method, answer);
            }
        }
        Ok(results)
    }

    /// Number of the latest block.
    pub async fn height(&self) -> Result<u64, ClientError> {
        let answer = self.call("eth_blockNumber", json!([])).await?;
        let number = answer.as_str().and_then(|text| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok());
        number.ok_or_else(|| self.unexpected("eth_blockNumber", answer))
    }

    /// The block at `height` as RLP.
    pub async fn raw_block(&self, height: u64) -> Result<Vec<u8>, ClientError> {
        let answer = self.call("debug_getRawBlock", json!([format!("{height:#x}")])).await?;
        let bytes = answer.as_str().and_then(|text| hex::decode(text.strip_prefix("0x")?).ok());
        bytes.ok_or_else(|| self.unexpected("debug_getRawBlock", "no 0x hex"))
    }

    /// Proof that `block`, a number or a tag, was decided; not yet verified.
    pub async fn light_proof(&self, block: &str) -> Result<Bundle, ClientError> {
        let answer = self.call("axolotl_getLightProof", json!([block])).await?;
        serde_json::from_value(answer).map_err(|error| self.unexpected("axolotl_getLightProof", error))
    }

    /// Posts `body`; answers what is a JSON-RPC response or a batch of them.
    async fn ask(&self, method: &str, body: &Value) -> Result<Value, ClientError> {
        let request = Request::post(format!("http://{}/", self.authority)).header(header::CONTENT_TYPE, "application/json");
        let (status, bytes) = self.send(method, request.body(Full::from(body.to_string()))).await?;
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(answer) if answer.is_array() => Ok(answer),
            // One answer to a whole batch is its refusal.
            Ok(answer) if body.is_array() && answer.get("error").is_some() => self.result(method, answer),
            Ok(answer) if answer.get("result").or(answer.get("error")).is_some() => Ok(answer),
            _ if !status.is_success() => Err(ClientError::Status { authority: self.authority.clone(), what: method.to_owned(), status }),
            Ok(_) => Err(self.unexpected(method, "neither result nor error")),
            Err(error) => Err(self.unexpected(method, error)),
        }
    }

    fn result(&self, method: &str, mut answer: Value) -> Result<Value, ClientError> {
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            let code = error["code"].as_i64().unwrap_or_default();
            let message = error["message"].as_str().unwrap_or_default().to_owned();
            return Err(ClientError::Refused { method: method.to_owned(), code, message });
        }
        answer.get_mut("result").map(Value::take).ok_or_else(|| self.unexpected(method, "neither result nor error"))
    }

    pub(crate) async fn send(&self, what: &str, request: http::Result<Request<Full<Bytes>>>) -> Result<(StatusCode, Bytes), ClientError> {
        let request = request.map_err(|error| self.unexpected(what, error))?;
        let exchange = async {
            let response = self.http.request(request).await.map_err(|error| self.unreachable(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await.map_err(|error| self.unexpected(what, error))?;
            Ok((status, body.to_bytes()))
        };
        let late = || ClientError::Deadline { authority: self.authority.clone() };
        tokio::time::timeout(ANSWER_LIMIT, exchange).await.unwrap_or_else(|_| Err(late()))
    }

    fn unreachable(&self, error: &dyn std::error::Error) -> ClientError {
        let root = std::iter::successors(Some(error), |error| error.source()).last().map_or(String::new(), ToString::to_string);
        ClientError::Unreachable { authority: self.authority.clone(), reason: root }
    }

    pub(crate) fn unexpected(&self, what: &str, found: impl fmt::Display) -> ClientError {
        ClientError::Unexpected { authority: self.authority.clone(), what: what.to_owned(), found: found.to_string() }
    }
}

fn request(method: &str, id: usize, parameters: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters })
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let failure = Failure::runtime(error.to_string());
        match error {
            ClientError::Unreachable { .. } | ClientError::Deadline { .. } => {
                failure.remedy("start the node, or name another with --rpc http://host:port")
            }
            ClientError::Unexpected { .. } | ClientError::Status { .. } => {
                failure.remedy("check that --rpc names the RPC port of an Axolotl node (the first of a localnet: http://127.0.0.1:3030)")
            }
            ClientError::Refused { .. } => failure,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A node that answers each request with what `answer` makes of its text; one request for each connection.
    pub(crate) async fn node(answer: impl Fn(&str) -> String + Send + 'static) -> (String, tokio::task::JoinHandle<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                let mut buffer = [0; 4_096];
                loop {
                    let count = stream.read(&mut buffer).await.unwrap();
                    request.extend_from_slice(&buffer[..count]);
                    let text = String::from_utf8_lossy(&request);
                    let is_whole = text.starts_with("GET") && text.ends_with("\r\n\r\n") || text.ends_with(['}', ']']);
                    if count == 0 || is_whole {
                        break;
                    }
                }
                let body = answer(&String::from_utf8_lossy(&request));
                let response = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                stream.write_all(response.as_bytes()).await.unwrap();
            }
        });
        (url, task)
    }

    #[tokio::test]
    async fn a_result_is_read_and_a_refusal_keeps_its_code() {
        let (url, _task) = node(|request| {
            let is_height = request.contains("eth_blockNumber");
            if is_height { json!({"result": "0x1f"}) } else { json!({"error": {"code": -32601, "message": "unknown"}}) }.to_string()
        })
        .await;
        let client = Client::new(&url).unwrap();
        assert_eq!(client.height().await.unwrap(), 31);
        assert!(matches!(client.raw_block(1).await, Err(ClientError::Refused { code: -32601, .. })));
    }

    #[tokio::test]
    async fn a_batch_is_answered_in_the_order_of_its_calls_whatever_the_order_of_the_answers() {
        let (url, _task) =
            node(|_| json!([{ "id": 2, "result": "c" }, { "id": 0, "error": { "code": -32000, "message": "txpool is full" } }]).to_string()).await;
        let answers = Client::new(&url).unwrap().call_all("eth_x", vec![json!([]); 3]).await.unwrap();
        assert!(matches!(answers[0], Err(ClientError::Refused { code: -32_000, .. })));
        assert!(matches!(answers[1], Err(ClientError::Unexpected { .. })), "this call has no answer");
        assert_eq!(*answers[2].as_ref().unwrap(), json!("c"));
    }

    #[tokio::test]
    async fn a_batch_can_be_refused_as_a_whole() {
        let (url, _task) = node(|_| json!({ "id": null, "error": { "code": -32_600, "message": "batch too large" } }).to_string()).await;
        let refused = Client::new(&url).unwrap().call_all("eth_x", vec![json!([]); 3]).await.unwrap_err();
        assert!(matches!(refused, ClientError::Refused { code: -32_600, .. }), "{refused}");
    }

    #[tokio::test]
    async fn an_answer_from_something_else_is_named_with_the_remedy() {
        let (url, _task) = node(|_| "<html>".into()).await;
        let failure = Failure::from(Client::new(&url).unwrap().height().await.unwrap_err());
        assert!(failure.what.contains("something else") && failure.remedy.contains("--rpc"), "{failure}");
    }

    #[tokio::test]
    async fn nobody_there_is_said_with_the_address() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let failure = Failure::from(Client::new(&format!("http://{free}")).unwrap().height().await.unwrap_err());
        assert!(failure.what.contains(&free.to_string()) && failure.what.contains("refused"), "{failure}");
    }

    #[test]
    fn an_address_without_http_is_a_usage_error() {
        for url in ["127.0.0.1:3030", "https://x", "http://", "http://a b"] {
            assert_eq!(Client::new(url).unwrap_err().code, ExitCode::Usage, "{url}");
        }
    }
}
