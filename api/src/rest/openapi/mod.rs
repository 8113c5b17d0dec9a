//! The OpenAPI document: one value, beside the handlers it describes.
//!
//! Tests hold it against the router, and real answers against its schemas.

mod operator;
mod paths;
mod schemas;

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::{Value, json};

/// Written once; it is the same on every node of this version.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| value().to_string());

/// `GET /v1/openapi.json`
#[expect(clippy::extra_unused_type_parameters, reason = "all handlers of the table of routes have this form")]
pub(crate) async fn document<B>() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

fn value() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Axolotl",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "One node of an Axolotl chain. Heights, gas and times are numbers, wei are decimal strings, hashes and bytes are 0x-strings. A decided block is final.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths::all(),
        "components": { "schemas": schemas::all() },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::ROUTES;

    #[test]
    fn the_document_and_the_router_name_the_same_routes() {
        let document = value();
        let documented: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| (method.clone(), path.clone())))
            .collect();
        // The document knows no parameter that may hold a slash: there it is %2F.
        let documented_as = |path: &str| path.replace("{*", "{");
        let routed: BTreeSet<(String, String)> = ROUTES.iter().map(|(method, path)| (method.to_string(), documented_as(path))).collect();
        assert_eq!(documented, routed);
    }

    #[test]
    fn every_reference_leads_to_a_schema_and_every_schema_is_used() {
        let document = value();
        let mut used = BTreeSet::new();
        references(&document, &mut used);
        let defined: BTreeSet<String> = document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(used, defined);
    }

    #[test]
    fn every_parameter_of_a_path_is_described() {
        for (path, item) in value()["paths"].as_object().unwrap() {
            let named: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
            for operation in item.as_object().unwrap().values() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let described: BTreeSet<&str> =
                    parameters.filter(|parameter| parameter["in"] == "path").map(|parameter| parameter["name"].as_str().unwrap()).collect();
                assert_eq!(described, named, "{path}");
            }
        }
    }

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                if let Some(name) = object.get("$ref").and_then(Value::as_str) {
                    found.insert(name.strip_prefix("#/components/schemas/").unwrap().to_owned());
                }
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
}
