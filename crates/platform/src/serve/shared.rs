//! What the parts of a service share: what it was started with, and what it is at now.

use crate::serve::answerer::Answerer;
use crate::serve::keys::Keys;
use crate::serve::log::LogPlace;
use crate::{Home, Store};
use septet_domain::Domain;
use std::sync::{Arc, RwLock};

/// What a service is started with.
#[derive(Clone)]
pub struct ServiceOptions {
    pub home: Home,
    pub store: Arc<Store>,
    pub domain: Arc<Domain>,
    pub memory_max: usize,
    pub log: LogPlace,
    pub clock_skew_max_micros: i64,
    /// Reply before the answer is on disk.
    pub log_after: bool,
    /// Requests that may wait for the engine.
    pub queue_max: usize,
}

/// What the rest of the service sees of the engine.
#[derive(Default)]
pub struct Current {
    pub answerer: RwLock<Option<Arc<Answerer>>>,
    pub history_keys: RwLock<Arc<Keys>>,
    pub gauges: Gauges,
}

/// Numbers that are only watched.
#[derive(Default)]
pub struct Gauges {
    pub entities: std::sync::atomic::AtomicUsize,
    pub newest_event: std::sync::atomic::AtomicI64,
    pub batches: std::sync::atomic::AtomicU64,
    pub events: std::sync::atomic::AtomicU64,
    /// The latest commit of the log, microseconds.
    pub commit_micros: std::sync::atomic::AtomicU64,
    pub broken: std::sync::atomic::AtomicBool,
}

pub struct EngineSettings {
    pub clock_skew_max_micros: i64,
    /// Reply before the answer is on disk.
    pub log_after: bool,
}
