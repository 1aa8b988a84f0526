//! Every address of a domain, and the hub that has all domains behind it.

use crate::body::{CHUNKS_WAITING_MAX, body_of};
use crate::problem::Problem;
use crate::state::DomainState;
use crate::{batch, docs, feedback, info, monitoring, openapi, predict, trace};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use futures::{FutureExt, StreamExt};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tower::Service;
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
    Addresses { predict: packed(Predict(state.clone())), rest: packed(router), state, workers: Handle::current() }
}

type Packed<S> = Compression<S, And<SizeAbove, NotForContentType>>;
type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

fn packed<S>(service: S) -> Packed<S> {
    let packed = SizeAbove::new(GZIP_BYTES_MIN).and(NotForContentType::const_new("application/x-ndjson"));
    Compression::new(service).gzip(true).compress_when(packed)
}

/// One event is answered on the thread that its bytes came in on. All else may take long: it is left to `workers`.
/// What goes around every request is outside of the router, which clones and boxes each layer for each request.
#[derive(Clone)]
pub struct Addresses {
    state: Arc<DomainState>,
    predict: Packed<Predict>,
    rest: Packed<Router>,
    workers: Handle,
}

impl Service<Request> for Addresses {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Answering {
        let state = self.state.clone();
        if request.method() == Method::POST && request.uri().path() == PREDICT {
            let mut predict = self.predict.clone();
            let answer = move |request| predict.call(request).map(|answered| whole(answered).map(Body::new));
            return Box::pin(async move { Ok(trace::around(&state, request, answer).await) });
        }
        let (rest, workers) = (self.rest.clone(), self.workers.clone());
        Box::pin(async move { Ok(trace::around(&state, request, |request| beside(rest, workers, request)).await) })
    }
}

fn whole<T>(answered: Result<T, Infallible>) -> T {
    match answered {
        Ok(answered) => answered,
        Err(never) => match never {},
    }
}

/// Answers on another runtime, and packs the body there if it is to be packed.
async fn beside(mut router: Packed<Router>, workers: Handle, request: Request) -> Response {
    let work = async move {
        let response = whole(router.call(request).await).map(Body::new);
        match response.headers().contains_key(header::CONTENT_ENCODING) {
            true => response.map(made_here),
            false => response,
        }
    };
    // Whoever asked may go away: then the work ends too.
    let answered = AbortOnDropHandle::new(workers.spawn(work)).await;
    // What a panic says may be personal.
    answered.unwrap_or_else(|_| Problem::new("internal", "the answer could not be made").into_response())
}

/// A body that is made on the runtime that this is called on, wherever it is read.
fn made_here(body: Body) -> Body {
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
    tokio::spawn(async move {
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            if sender.send(chunk).await.is_err() {
                return;
            }
        }
    });
    body_of(receiver)
}

/// `POST /predict` without the router, which knows it too, to say what may be asked of it.
#[derive(Clone)]
struct Predict(Arc<DomainState>);

impl Service<Request> for Predict {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Answering {
        Box::pin(predict::predict(State(self.0.clone()), request).map(|answered| Ok(answered.into_response())))
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
    use axum::http::StatusCode;
    use std::time::Duration;
    use tokio::runtime::{Builder, Runtime};

    fn runtime(name: &str) -> Runtime {
        Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build().unwrap()
    }

    fn ask(address: &str) -> Request {
        Request::get(address).header(header::ACCEPT_ENCODING, "gzip").body(Body::empty()).unwrap()
    }

    async fn breaks() -> String {
        panic!("a name that is personal")
    }

    #[test]
    fn what_may_take_long_is_made_beside_and_what_breaks_there_is_a_problem() {
        let own_name = || std::thread::current().name().unwrap_or_default().to_owned();
        let long = format!("{:>5000}", "x");
        let text = long.clone();
        let router = Router::new()
            .route("/thread", get(move || async move { own_name() }))
            .route("/long", get(move || async move { text }))
            .route("/breaks", get(breaks));
        let (site, workers) = (runtime("site"), runtime("workers"));
        let reply = |address: &str| {
            let answer = beside(packed(router.clone()), workers.handle().clone(), ask(address));
            site.block_on(async {
                let (head, body) = answer.await.into_parts();
                (head, axum::body::to_bytes(body, 1 << 20).await.unwrap())
            })
        };
        assert_eq!(&*reply("/thread").1, b"workers");
        let (head, packed) = reply("/long");
        let mut unpacked = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*packed), &mut unpacked).unwrap();
        assert_eq!((head.headers[header::CONTENT_ENCODING].to_str().unwrap(), unpacked), ("gzip", long));
        let (head, said) = reply("/breaks");
        let said = String::from_utf8_lossy(&said);
        assert!(head.status == StatusCode::INTERNAL_SERVER_ERROR && !said.contains("personal"), "{said}");
    }

    #[test]
    fn work_ends_when_whoever_asked_goes_away() {
        struct Told(std::sync::mpsc::Sender<()>);
        impl Drop for Told {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let (begun, begins) = std::sync::mpsc::channel();
        let (ended, ends) = std::sync::mpsc::channel();
        let endless = move || {
            let (begun, told) = (begun.clone(), Told(ended.clone()));
            async move {
                let _told = told;
                let _ = begun.send(());
                std::future::pending::<()>().await;
            }
        };
        let router = Router::new().route("/endless", get(endless));
        let workers = runtime("workers");
        let answer = beside(packed(router), workers.handle().clone(), ask("/endless"));
        let asked = workers.spawn(answer);
        begins.recv_timeout(Duration::from_secs(10)).unwrap();
        asked.abort();
        ends.recv_timeout(Duration::from_secs(10)).unwrap();
    }

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
