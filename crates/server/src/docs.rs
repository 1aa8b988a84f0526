//! `/docs`: the API to read and to try in a browser, from the binary, without a network.

use crate::problem::Problem;
use axum::extract::{OriginalUri, Path};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use utoipa_swagger_ui::Config;

/// Addresses are relative, so that the same page works behind the hub and behind a proxy.
fn redirect(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/docs/"));
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response()
}

pub async fn to_folder(OriginalUri(uri): OriginalUri) -> Response {
    redirect(&format!("{}/", uri.path()))
}

pub async fn to_docs(OriginalUri(uri): OriginalUri) -> Response {
    redirect(&format!("{}/docs/", uri.path().trim_end_matches('/')))
}

pub async fn index() -> Result<Response, Problem> {
    asset("index.html")
}

pub async fn file(Path(file): Path<String>) -> Result<Response, Problem> {
    asset(&file)
}

fn asset(path: &str) -> Result<Response, Problem> {
    let config = Arc::new(Config::from("../openapi.json").try_it_out_enabled(true).validator_url("none"));
    let found = utoipa_swagger_ui::serve(path, config).map_err(|error| Problem::new("internal", error.to_string()))?;
    let found = found.ok_or_else(|| Problem::new("not_found", "no such page; begin at /docs/"))?;
    let kind =
        HeaderValue::from_str(&found.content_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    Ok(([(header::CONTENT_TYPE, kind)], found.bytes.to_vec()).into_response())
}
