//! Every address of a domain.

use crate::body::{CHUNKS_WAITING_MAX, body_of};
use crate::openapi::page;
use crate::problem::Problem;
use crate::state::DomainState;
use crate::{batch, docs, feedback, info, monitoring, openapi, predict, problems, trace};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use futures::{FutureExt, StreamExt};
use septet_platform::serve::Answerer;
use serde_json::Value;
use std::convert::Infallible;
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

/// One address of a domain: what answers it, and how `/openapi.json` tells of it.
pub struct Route {
    pub path: &'static str,
    answered_by: fn() -> MethodRouter<Arc<DomainState>>,
    /// None for what is no part of the interface.
    pub operation: Option<fn(&Answerer) -> Value>,
}

/// Every address of a domain. The router, the patterns of metrics and logs, and `/openapi.json` are made from this list.
pub const ROUTES: &[Route] = &[
    Route { path: PREDICT, answered_by: || post(predict::predict), operation: Some(openapi::predict) },
    Route {
        path: "/predict/batch",
        answered_by: || post(batch::predict_batch),
        operation: Some(openapi::predict_batch),
    },
    Route { path: "/feedback", answered_by: || post(feedback::feedback), operation: Some(openapi::feedback) },
    Route {
        path: "/health",
        answered_by: || get(info::health),
        operation: Some(|_| page("health", "How the service is", &[401, 503])),
    },
    Route {
        path: "/livez",
        answered_by: || get(info::livez),
        operation: Some(|_| page("livez", "200 while the process lives", &[503])),
    },
    Route { path: "/readyz", answered_by: || get(info::readyz), operation: Some(|_| openapi::readyz()) },
    Route {
        path: "/model/info",
        answered_by: || get(info::model_info),
        operation: Some(|_| page("modelInfo", "The version that answers, and what it reached", &[401, 500, 503])),
    },
    Route {
        path: "/model/features",
        answered_by: || get(info::model_features),
        operation: Some(|_| page("modelFeatures", "The model's inputs", &[401, 500, 503])),
    },
    Route {
        path: "/monitoring/quality",
        answered_by: || get(info::quality),
        operation: Some(|_| page("quality", "Quality of the last run and of the last requests", &[401, 500, 503])),
    },
    Route {
        path: "/monitoring/drift",
        answered_by: || get(monitoring::drift),
        operation: Some(|_| {
            page("drift", "How far the last answers' features are from those of training", &[401, 500, 503])
        }),
    },
    Route {
        path: "/monitoring/performance",
        answered_by: || get(monitoring::performance),
        operation: Some(|_| {
            let summary = "The model on labels that are known, what it promises for the rest, and every watched number";
            page("performance", summary, &[401, 503])
        }),
    },
    Route {
        path: "/monitoring/alerts",
        answered_by: || get(monitoring::alerts),
        operation: Some(|_| page("alerts", "Alerts, newest first, and what was sent of them", &[401, 500, 503])),
    },
    Route {
        path: "/monitoring/alerts/{alert_id}/acknowledge",
        answered_by: || post(monitoring::acknowledge),
        operation: Some(|_| openapi::alert_action("acknowledgeAlert", "Say that somebody looks after it")),
    },
    Route {
        path: "/monitoring/alerts/{alert_id}/resolve",
        answered_by: || post(monitoring::resolve),
        operation: Some(|_| openapi::alert_action("resolveAlert", "Close it; the same episode does not open again")),
    },
    Route {
        path: "/monitoring/system",
        answered_by: || get(monitoring::system),
        operation: Some(|_| page("system", "The machine and the process, with their levels", &[401, 503])),
    },
    Route { path: "/metrics", answered_by: || get(info::metrics), operation: Some(|_| openapi::metrics()) },
    Route { path: "/openapi.json", answered_by: || get(openapi::openapi), operation: None },
    Route { path: "/problems/{code}", answered_by: || get(problems::page), operation: None },
    Route { path: "/docs", answered_by: || get(docs::to_folder), operation: None },
    Route { path: "/docs/", answered_by: || get(docs::index), operation: None },
    Route { path: "/docs/{*file}", answered_by: || get(docs::file), operation: None },
    Route { path: "/", answered_by: || get(docs::to_docs), operation: None },
];

/// Replies below this are sent as they are: packing them costs more than it saves.
const GZIP_BYTES_MIN: u16 = 1_400;

/// One domain's addresses.
pub fn domain(state: Arc<DomainState>) -> Addresses {
    let router = ROUTES
        .iter()
        .fold(Router::new(), |router, route| router.route(route.path, (route.answered_by)()))
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
    ROUTES.iter().map(|route| route.path).find(|pattern| fits(pattern)).unwrap_or("other")
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
        struct Ended(std::sync::mpsc::Sender<()>);
        impl Drop for Ended {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let (begun, begins) = std::sync::mpsc::channel();
        let (ended, ends) = std::sync::mpsc::channel();
        let endless = move || {
            let (begun, told) = (begun.clone(), Ended(ended.clone()));
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
