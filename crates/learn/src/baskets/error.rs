//! What can be wrong with baskets and settings, in the words of the one who has to mend it.

use std::fmt;

/// Why there are no itemsets and no rules.
#[derive(Clone, Debug, PartialEq)]
pub enum BasketError {
    /// A setting out of its range.
    Setting {
        name: &'static str,
        found: f64,
        expected: &'static str,
    },
    NoBaskets,
    /// More of `what` than can be counted.
    TooMany {
        what: &'static str,
        found: usize,
        max: usize,
    },
    /// count_min: the baskets that an itemset had to be in. support_min: the share that led there.
    TooManyItemsets {
        itemsets_max: usize,
        count_min: u32,
        support_min: f64,
    },
}

impl fmt::Display for BasketError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BasketError::Setting { name, found, expected } => write!(to, "`{name}` is `{found}`, expected {expected}"),
            BasketError::NoBaskets => write!(to, "there are no baskets to learn from"),
            BasketError::TooMany { what, found, max } => {
                write!(
                    to,
                    "there are `{found}` {what}, at most `{max}` can be counted: take a sample or a shorter time"
                )
            }
            BasketError::TooManyItemsets { itemsets_max, count_min, support_min } => write!(
                to,
                "more than `{itemsets_max}` itemsets are in `{count_min}` baskets or more: raise support_min (now \
                 `{support_min}`), or raise itemsets_max if there is the memory"
            ),
        }
    }
}

impl std::error::Error for BasketError {}
