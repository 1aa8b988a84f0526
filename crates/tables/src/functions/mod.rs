//! SQL functions of ours: what SQL cannot say and any domain may need. One file a topic, one line a function in [`FUNCTIONS`].

mod baskets;
mod checked_sum;
mod overflow;
mod text;

pub(crate) use overflow::checked;

use datafusion::prelude::SessionContext;

/// A function as the reference tells of it, and how a session takes it.
pub struct Function {
    pub name: &'static str,
    pub arguments: &'static str,
    pub over: Over,
    pub meaning: &'static str,
    /// A query that runs as it stands.
    pub example: &'static str,
    register: fn(&SessionContext),
}

/// What a function makes its value of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Row,
    /// An aggregate.
    Rows,
}

/// All of them; the page `docs/reference/sql.md` is made from this list.
pub const FUNCTIONS: [Function; 4] = [text::PLAIN_QUOTES, text::VADER, text::ASPECTS, baskets::ASSOCIATION_RULES];

/// Makes them known to a session.
pub fn register(context: &SessionContext) {
    FUNCTIONS.iter().for_each(|function| (function.register)(context));
    overflow::register(context);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, EngineSettings};

    #[tokio::test]
    async fn every_example_runs_and_uses_its_function() {
        let folder = tempfile::tempdir().unwrap();
        let settings = EngineSettings { memory_max: 1 << 28, spill_folder: folder.path().to_owned(), partitions: 1 };
        let engine = Engine::new(&settings).unwrap();
        for function in &FUNCTIONS {
            assert!(function.example.contains(function.name), "{}", function.example);
            let (_, batches) = engine.query(function.example).await.unwrap();
            let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
            assert!(rows > 0, "{}", function.example);
        }
    }
}
