//! Every address of a domain, and the hub that has all domains behind it.

use crate::problem::Problem;
use crate::state::DomainState;
use crate::{batch, docs, feedback, info, monitoring, openapi, predict, trace};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{Html, Response};
use axum::routing::{get, post};
use futures::FutureExt;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::{Service, ServiceExt};
use tower_http::compression::Compression;
use tower_http::compression::predicate::{And, NotForContentType, Predicate, SizeAbove};

const PREDICT: &str = "/predict";

/// The patterns that metrics and logs know.
const PATHS: [&str; 21] = [
    PREDICT,
    "/predict/batch",
    "/feedback",
    "/health",
    "/livez",
    "/readyz",
    "/model/info",
    "/model/features",
    "/monitoring/quality",
    "/monitoring/drift",
    "/monitoring/performance",
    "/monitoring/alerts/{alert_id}/acknowledge",
    "/monitoring/alerts/{alert_id}/resolve",
    "/monitoring/alerts",
    "/monitoring/system",
    "/metrics",
    "/openapi.json",
    "/docs/{*file}",
    "/docs/",
    "/docs",
    "/",
];

/// Replies below this are sent as they are: packing them costs more than it saves.
const GZIP_BYTES_MIN: u16 = 1_400;

/// One domain's addresses.
pub fn domain(state: Arc<DomainState>) -> Addresses {
    let router = Router::new()
        .route(PREDICT, post(predict::predict))
        .route("/predict/batch", post(batch::predict_batch))
        .route("/feedback", post(feedback::feedback))
        .route("/health", get(info::health))
        .route("/livez", get(info::livez))
        .route("/readyz", get(info::readyz))
        .route("/model/info", get(info::model_info))
        .route("/model/features", get(info::model_features))
        .route("/monitoring/quality", get(info::quality))
        .route("/monitoring/drift", get(monitoring::drift))
        .route("/monitoring/performance", get(monitoring::performance))
        .route("/monitoring/alerts", get(monitoring::alerts))
        .route("/monitoring/alerts/{alert_id}/acknowledge", post(monitoring::acknowledge))
        .route("/monitoring/alerts/{alert_id}/resolve", post(monitoring::resolve))
        .route("/monitoring/system", get(monitoring::system))
        .route("/metrics", get(info::metrics))
        .route("/openapi.json", get(openapi::openapi))
        .route("/docs", get(docs::to_folder))
        .route("/docs/", get(docs::index))
        .route("/docs/{*file}", get(docs::file))
        .route("/", get(docs::to_docs))
        .fallback(|| async { Problem::new("not_found", "see /openapi.json for what there is") })
        .with_state(state.clone());
    let packed = SizeAbove::new(GZIP_BYTES_MIN).and(NotForContentType::const_new("application/x-ndjson"));
    Addresses { state, packing: Compression::new(router).gzip(true).compress_when(packed) }
}

/// What goes around every request, then the router. Outside of it: a router clones and boxes each layer for each request.
#[derive(Clone)]
pub struct Addresses {
    state: Arc<DomainState>,
    packing: Compression<Router, And<SizeAbove, NotForContentType>>,
}

impl Service<Request> for Addresses {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Addresses { state, packing } = self.clone();
        let answer = |request| {
            packing.oneshot(request).map(|answered| match answered {
                Ok(response) => response.map(Body::new),
                Err(never) => match never {},
            })
        };
        Box::pin(async move { Ok(trace::around(&state, request, answer).await) })
    }
}

/// The pattern of a known address; all others are one: metrics must not grow with what strangers try.
pub fn pattern_of(path: &str) -> &'static str {
    let fits = |pattern: &str| match pattern.split_once('{') {
        None => pattern == path,
        Some((before, after)) => {
            let (name, rest) = after.split_once('}').unwrap_or_default();
            let found = path.strip_prefix(before).and_then(|part| part.strip_suffix(rest)).unwrap_or_default();
            !found.is_empty() && (name.starts_with('*') || !found.contains('/'))
        }
    };
    PATHS.into_iter().find(|pattern| fits(pattern)).unwrap_or("other")
}

/// All domains under their names, and a page that lists them.
pub fn hub(states: &[Arc<DomainState>]) -> Router {
    let domains = states.iter().fold(Router::new(), |router, state| {
        let name = state.service.domain().name().to_owned();
        router.nest_service(&format!("/{name}"), domain(state.clone()))
    });
    let listed: Arc<Vec<Arc<DomainState>>> = Arc::new(states.to_vec());
    let own = Router::new()
        .route("/", get(index))
        .route("/livez", get(info::livez))
        .fallback(|| async { Problem::new("not_found", "the hub has one address a domain, such as /fraud/docs/") })
        .with_state(listed);
    domains.merge(own)
}

/// A small page with the way to everything.
async fn index(State(states): State<Arc<Vec<Arc<DomainState>>>>) -> Html<String> {
    let mut rows = String::new();
    for state in states.iter() {
        let spec = &state.service.domain().spec;
        let name = spec.name.get_ref();
        let version = state.service.answerer().map_or_else(|| "-".to_owned(), |a| a.manifest().version.clone());
        let _ = write!(
            rows,
            "<tr><td><b>{}</b><br>{}</td><td>{}</td><td><code>{version}</code></td><td><a href=\"/{name}/docs/\">docs</a> \
             <a href=\"/{name}/model/info\">model</a> <a href=\"/{name}/health\">health</a> \
             <a href=\"/{name}/monitoring/quality\">quality</a> <a href=\"/{name}/monitoring/alerts\">alerts</a> <a href=\"/{name}/metrics\">metrics</a></td></tr>",
            escape(&spec.title),
            escape(&spec.question),
            if state.ready() { "answering" } else { "not ready: see its /health" },
        );
    }
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Septet</title><style>body{{font:16px/1.5 system-ui;\
         margin:3rem auto;max-width:60rem;padding:0 1rem}}table{{border-collapse:collapse;width:100%}}td{{border-top:1px solid \
         #ccc;padding:.7rem .5rem;vertical-align:top}}a{{margin-right:.6rem}}</style><h1>Septet</h1><table>{rows}</table></html>"
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_pattern_that_metrics_know() {
        for (path, pattern) in [
            ("/predict", "/predict"),
            ("/predict/batch", "/predict/batch"),
            ("/monitoring/alerts/7/resolve", "/monitoring/alerts/{alert_id}/resolve"),
            ("/monitoring/alerts/7/8/resolve", "other"),
            ("/monitoring/alerts//resolve", "other"),
            ("/docs/a/b.js", "/docs/{*file}"),
            ("/docs/", "/docs/"),
            ("/", "/"),
            ("/predict/", "other"),
            ("/elsewhere/predict", "other"),
        ] {
            assert_eq!(pattern_of(path), pattern, "{path}");
        }
    }
}
