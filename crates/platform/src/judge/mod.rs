//! From rows to a judged model: which rows are learned from, which candidates are tried, what is decided, and how good it all is
//! beside naive lines. Names no kind and no way that features are had.

pub mod alone;
pub mod baselines;
pub mod choose;
pub mod decide;
pub mod estimate;
pub mod evaluation;
