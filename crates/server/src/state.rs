//! What all requests of a domain's address share.

use crate::metrics::DomainMetrics;
use septet_platform::serve::Service;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Limits and keys of the HTTP side.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Body of a single request, in bytes.
    pub body_bytes_max: usize,
    /// Body of a batch that is read whole (a JSON list, CSV), in bytes.
    pub batch_bytes_max: usize,
    /// Rows of a batch that is read whole.
    pub rows_max: usize,
    /// Requests at work at once.
    pub concurrency_max: usize,
    /// A single request's time.
    pub request_timeout: Duration,
    /// Any of these opens the door; empty: it is open.
    pub api_keys: Vec<String>,
}

pub struct DomainState {
    pub service: Arc<Service>,
    pub limits: Limits,
    pub metrics: DomainMetrics,
    pub at_work: Arc<Semaphore>,
    pub draining: Arc<AtomicBool>,
}

impl DomainState {
    pub fn new(service: Arc<Service>, limits: Limits, draining: Arc<AtomicBool>) -> Arc<DomainState> {
        let metrics = DomainMetrics::new(service.domain().name());
        let at_work = Arc::new(Semaphore::new(limits.concurrency_max));
        Arc::new(DomainState { service, limits, metrics, at_work, draining })
    }

    pub fn ready(&self) -> bool {
        self.service.ready() && !self.draining.load(Ordering::Acquire)
    }
}
