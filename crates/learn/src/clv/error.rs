//! What can be wrong with customers, settings and fits, in the words of the one who has to mend it.

use std::fmt;

/// Why there is no history, no horizon or no fit.
#[derive(Clone, Debug, PartialEq)]
pub enum ClvError {
    /// A history or a spend that no customer can have.
    Customer {
        what: &'static str,
        found: f64,
        expected: &'static str,
    },
    /// A setting out of its range.
    Setting {
        name: &'static str,
        found: f64,
        expected: &'static str,
    },
    NoCustomers,
    /// Nobody bought a second time, so neither a rate nor an end can be learned.
    NoRepeatPurchase {
        customers: u64,
    },
    /// The likelihood rises without end along this parameter.
    Unbounded {
        parameter: &'static str,
        reached: f64,
    },
    /// The likelihood is flat in some direction: many parameters fit equally well.
    NotIdentified {
        log_likelihood: f64,
    },
    /// newton_decrement: twice the log-likelihood that is still to be gained.
    NotConverged {
        evaluations: usize,
        newton_decrement: f64,
    },
    NotFinite {
        log_likelihood: f64,
    },
}

impl fmt::Display for ClvError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClvError::Customer { what, found, expected } => {
                write!(to, "a customer's {what} is `{found}`, expected {expected}")
            }
            ClvError::Setting { name, found, expected } => write!(to, "`{name}` is `{found}`, expected {expected}"),
            ClvError::NoCustomers => write!(to, "there are no customers to learn from"),
            ClvError::NoRepeatPurchase { customers } => {
                write!(to, "none of {customers} customers bought a second time: learn from a longer period")
            }
            ClvError::Unbounded { parameter, reached } => write!(
                to,
                "the likelihood still rises at {parameter} = `{reached:e}`: the customers do not differ in the way \
                 that {parameter} describes, take more of them, a longer period or another model"
            ),
            ClvError::NotIdentified { log_likelihood } => write!(
                to,
                "many parameters reach the log-likelihood `{log_likelihood}`: take more customers or a longer period"
            ),
            ClvError::NotConverged { evaluations, newton_decrement } => write!(
                to,
                "after {evaluations} evaluations the likelihood could still rise (Newton decrement \
                 `{newton_decrement:e}`): take more customers or a longer period"
            ),
            ClvError::NotFinite { log_likelihood } => {
                write!(to, "the log-likelihood is `{log_likelihood}` where the search starts: look for extreme times")
            }
        }
    }
}

impl std::error::Error for ClvError {}
