//! HTTP only: routes, problem answers, OpenAPI, documentation. A handler turns a request into a call of the platform and its
//! answer into a reply; what is answered is not decided here.
#![deny(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod batch;
mod body;
mod docs;
mod feedback;
mod hub;
mod info;
mod metrics;
mod monitoring;
pub mod openapi;
mod pages;
mod predict;
pub mod problem;
mod problems;
mod routes;
mod state;
mod trace;

pub use hub::hub;
pub use routes::{Addresses, domain};
pub use state::{DomainState, Limits, Watched};

use axum::extract::Request;
use axum::serve::ListenerExt;
use axum::{Router, ServiceExt};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// Answers that are on their way when the listeners close get this long.
const FINISH: Duration = Duration::from_secs(20);
const UPKEEP: Duration = Duration::from_secs(5);
/// Two bring in more than an engine can answer.
const SITE_THREADS_MAX: usize = 2;

/// An address and what answers there.
pub struct Site {
    pub name: String,
    pub listener: TcpListener,
    pub answers: Answers,
}

/// Who answers at an address.
pub enum Answers {
    Domain(Addresses),
    Hub(Router),
}

#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("`{address}` cannot be listened on: {reason}")]
    Listen { address: SocketAddr, reason: io::Error },
    #[error("metrics: {0}")]
    Metrics(String),
}

/// Starts counting metrics; before the first [`DomainState`] is made.
pub fn start_metrics() -> Result<(), ServerError> {
    metrics::install().map_err(|error| ServerError::Metrics(error.to_string()))
}

pub async fn listen(address: SocketAddr) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address).await.map_err(|reason| ServerError::Listen { address, reason })
}

/// Serves until `stop` ends; then, in this order: `/readyz` says no for `drain`, the listeners close, what is in flight
/// finishes, and each domain's log is brought to disk.
pub async fn serve(
    sites: Vec<Site>,
    states: Vec<Arc<DomainState>>,
    draining: Arc<AtomicBool>,
    drain: Duration,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let (close, closed) = watch::channel(false);
    let (mut threads, mut servers) = (Vec::new(), tokio::task::JoinSet::new());
    for site in sites {
        let own = own_threads(&site.name)?;
        let serving = own.spawn(answer(site.listener.into_std()?, site.answers, closed.clone()));
        servers.spawn(serving);
        threads.push(own);
    }
    let upkeep = tokio::spawn(async {
        loop {
            tokio::time::sleep(UPKEEP).await;
            metrics::upkeep();
        }
    });
    stop.await;
    draining.store(true, Ordering::Release);
    tokio::time::sleep(drain).await;
    let _ = close.send(true);
    let finished = async { while servers.join_next().await.is_some() {} };
    // A connection that never ends must not hold up the rest.
    let _ = tokio::time::timeout(FINISH, finished).await;
    for state in &states {
        state.service.stop().await;
    }
    upkeep.abort();
    threads.into_iter().for_each(Runtime::shutdown_background);
    Ok(())
}

/// Threads for the connections of one site, beside the one of its engine: as many as there are cores stand in each other's
/// way.
fn own_threads(name: &str) -> io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = (cores / 2).clamp(1, SITE_THREADS_MAX);
    Builder::new_multi_thread().worker_threads(threads).thread_name(format!("{name}-http")).enable_all().build()
}

async fn answer(
    listener: std::net::TcpListener,
    answers: Answers,
    mut closed: watch::Receiver<bool>,
) -> io::Result<()> {
    // An answer is small and must not wait for a full packet.
    let listener = TcpListener::from_std(listener)?.tap_io(|stream| drop(stream.set_nodelay(true)));
    let until_closed = async move { drop(closed.wait_for(|closed| *closed).await) };
    match answers {
        Answers::Domain(addresses) => {
            let addresses = ServiceExt::<Request>::into_make_service(addresses);
            axum::serve(listener, addresses).with_graceful_shutdown(until_closed).await
        }
        Answers::Hub(router) => axum::serve(listener, router).with_graceful_shutdown(until_closed).await,
    }
}
