//! What all requests of a domain's address share.

use crate::metrics::DomainMetrics;
use septet_platform::monitor::SystemWatch;
use septet_platform::serve::Service;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
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
    /// Concurrent requests.
    pub concurrency_max: usize,
    /// A single request's time.
    pub request_timeout: Duration,
    /// Accepted API keys; empty: no authentication.
    pub api_keys: Vec<String>,
}

/// What watching found last, put here by whoever looks.
pub struct Watched {
    pub system: Arc<SystemWatch>,
    /// The newest look as JSON, or why there is none.
    newest: RwLock<(Option<Arc<Value>>, Option<String>)>,
}

impl Watched {
    pub fn new(system: Arc<SystemWatch>) -> Watched {
        Watched { system, newest: RwLock::default() }
    }

    /// A look, or why it could not be made; the last look stays then.
    pub fn put(&self, look: Result<Value, String>) {
        let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        match look {
            Ok(look) => *newest = (Some(Arc::new(look)), None),
            Err(trouble) => newest.1 = Some(trouble),
        }
    }

    pub fn look(&self) -> Option<Arc<Value>> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    pub fn trouble(&self) -> Option<String> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

pub struct DomainState {
    pub service: Arc<Service>,
    pub limits: Limits,
    pub metrics: DomainMetrics,
    pub at_work: Arc<Semaphore>,
    pub draining: Arc<AtomicBool>,
    pub watched: Arc<Watched>,
}

impl DomainState {
    pub fn new(
        service: Arc<Service>,
        limits: Limits,
        draining: Arc<AtomicBool>,
        watched: Arc<Watched>,
    ) -> Arc<DomainState> {
        let metrics = DomainMetrics::new(service.domain().name());
        let at_work = Arc::new(Semaphore::new(limits.concurrency_max));
        Arc::new(DomainState { service, limits, metrics, at_work, draining, watched })
    }

    pub fn ready(&self) -> bool {
        self.service.ready() && !self.draining.load(Ordering::Acquire)
    }
}
