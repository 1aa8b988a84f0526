//! The hub: all domains behind one address, and a page that lists them.

use crate::info;
use crate::problem::Problem;
use crate::state::DomainState;
use axum::Router;
use axum::extract::State;
use axum::response::{Html, Response};
use axum::routing::get;
use std::fmt::Write as _;
use std::sync::Arc;

/// All domains under their names, and a page that lists them.
pub fn hub(states: &[Arc<DomainState>]) -> Router {
    let domains = states.iter().fold(Router::new(), |router, state| {
        let name = state.service.domain().name().to_owned();
        router.nest_service(&format!("/{name}"), crate::routes::domain(state.clone()))
    });
    let listed: Arc<Vec<Arc<DomainState>>> = Arc::new(states.to_vec());
    let first = states.first().map_or("", |state| state.service.domain().name());
    let hint = format!("the hub has one address a domain, such as /{first}/docs/");
    let own = Router::new()
        .route("/", get(index))
        .route("/livez", get(info::livez))
        .route("/metrics", get(metrics))
        .route("/problems/{code}", get(crate::problems::page))
        .fallback(move || async move { Problem::new("not_found", hint) })
        .with_state(listed);
    domains.merge(own)
}

/// The metrics of all domains: one address to scrape.
async fn metrics(State(states): State<Arc<Vec<Arc<DomainState>>>>) -> Response {
    states.iter().for_each(|state| info::show_metrics(state));
    info::metrics_page(crate::metrics::render())
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
