//! Progress of long work, reported to whatever displays it.

/// Told by the pipeline; drawn by the binary. Calls come from several threads.
pub trait Progress: Sync {
    /// A piece of work begins. `total` in `unit`, if it is known.
    fn begin(&self, what: &str, total: Option<u64>, unit: &'static str);
    /// So much of the current piece is done.
    fn done(&self, amount: u64);
    /// The current piece is over.
    fn end(&self);
    /// A sentence for the person who watches.
    fn say(&self, text: &str);
}

/// For tests and programs that do not look.
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _: &str, _: Option<u64>, _: &'static str) {}
    fn done(&self, _: u64) {}
    fn end(&self) {}
    fn say(&self, _: &str) {}
}
