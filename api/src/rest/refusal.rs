//! Why a page is not answered: a status, a word for programs, a sentence for people.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::json;

use crate::{BackendError, Rejection};

/// An error of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// What was sent has the wrong form.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub fn no_such_method(message: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    pub fn too_slow(message: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message)
    }

    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    pub fn no_json(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no_json", message)
    }

    pub fn too_many(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", message)
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    fn of_transaction(rejection: &Rejection) -> Self {
        let (status, code) = match rejection {
            Rejection::Malformed { .. } => (StatusCode::BAD_REQUEST, "malformed"),
            Rejection::Oversized { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Rejection::AlreadyKnown => (StatusCode::CONFLICT, "already_known"),
            Rejection::PoolFull => (StatusCode::SERVICE_UNAVAILABLE, "pool_full"),
            _ => (StatusCode::UNPROCESSABLE_ENTITY, "rejected"),
        };
        Self::new(status, code, rejection.to_string())
    }
}

impl From<BackendError> for Refusal {
    fn from(error: BackendError) -> Self {
        let message = error.to_string();
        match error {
            BackendError::Unavailable(_) => Self::unavailable(message),
            BackendError::Timeout => Self::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", message),
            BackendError::UnknownBlock => Self::not_found("there is no such block"),
            BackendError::NotKept { .. } => Self::new(StatusCode::NOT_FOUND, "not_kept", message),
            BackendError::InvalidParams(_) | BackendError::LimitExceeded(_) => Self::malformed(message),
            BackendError::Rejected(rejection) => Self::of_transaction(&rejection),
            BackendError::Reverted { .. } | BackendError::Halted(_) | BackendError::NotExecutable(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "rejected", message)
            }
            BackendError::Internal(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": { "code": self.code, "message": self.message } }))).into_response()
    }
}
