//! The few numbers that are enough for these models, checked once: nothing behind this file sees an impossible customer.

use std::cmp::Ordering;

use super::compressed::Customer;
use super::error::ClvError;

/// A customer's purchases up to now. Purchases on one day (or whatever the shop counts as one visit) are one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct History {
    frequency: u32,
    recency: f64,
    age: f64,
}

impl History {
    /// frequency: repeat purchases, so all but the first (the papers' x). recency: from the first purchase to the last
    /// (t_x), 0 if and only if there is no repeat purchase. age: from the first purchase to now (T). Times are finite
    /// and in one unit, 0 <= recency <= age.
    pub fn new(frequency: u32, recency: f64, age: f64) -> Result<History, ClvError> {
        let refuse = |what, found, expected| Err(ClvError::Customer { what, found, expected });
        if !(age.is_finite() && age >= 0.0) {
            return refuse("age", age, "a finite time of 0 or more");
        }
        if !(0.0..=age).contains(&recency) {
            return refuse("recency", recency, "a time from 0 to the age");
        }
        if (frequency == 0) != (recency == 0.0) {
            return refuse("recency", recency, "0 without a repeat purchase and more than 0 with one");
        }
        // Adding 0 turns -0 into 0: both are one time.
        Ok(History { frequency, recency: recency + 0.0, age: age + 0.0 })
    }

    /// A customer who bought for the first time just now.
    pub fn new_customer() -> History {
        History { frequency: 0, recency: 0.0, age: 0.0 }
    }

    pub fn frequency(&self) -> u32 {
        self.frequency
    }

    pub fn recency(&self) -> f64 {
        self.recency
    }

    pub fn age(&self) -> f64 {
        self.age
    }
}

impl Customer for History {
    fn frequency(&self) -> u32 {
        self.frequency
    }

    fn order(&self, other: &History) -> Ordering {
        let by_frequency = self.frequency.cmp(&other.frequency);
        by_frequency.then(self.recency.total_cmp(&other.recency)).then(self.age.total_cmp(&other.age))
    }
}

/// What a customer spent on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spend {
    frequency: u32,
    mean_value: f64,
}

impl Spend {
    /// frequency: how many purchases the mean is over, at least 1 (the papers take the repeat purchases).
    /// mean_value: their mean value in any one currency, finite and above 0.
    pub fn new(frequency: u32, mean_value: f64) -> Result<Spend, ClvError> {
        let refuse = |what, found, expected| Err(ClvError::Customer { what, found, expected });
        if frequency == 0 {
            return refuse("number of purchases with a value", 0.0, "1 or more");
        }
        if !(mean_value.is_finite() && mean_value > 0.0) {
            return refuse("mean value", mean_value, "a finite amount above 0");
        }
        Ok(Spend { frequency, mean_value })
    }

    pub fn frequency(&self) -> u32 {
        self.frequency
    }

    pub fn mean_value(&self) -> f64 {
        self.mean_value
    }
}

impl Customer for Spend {
    fn frequency(&self) -> u32 {
        self.frequency
    }

    fn order(&self, other: &Spend) -> Ordering {
        self.frequency.cmp(&other.frequency).then(self.mean_value.total_cmp(&other.mean_value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_that_nobody_can_have_is_refused_in_words() {
        for (frequency, recency, age) in [
            (1, 5.0, 4.0),
            (1, 0.0, 4.0),
            (0, 1.0, 4.0),
            (1, -1.0, 4.0),
            (1, f64::NAN, 4.0),
            (1, 1.0, f64::INFINITY),
            (0, 0.0, -1.0),
        ] {
            let refused = History::new(frequency, recency, age).unwrap_err().to_string();
            assert!(refused.starts_with("a customer's "), "{refused}");
        }
        assert_eq!(
            History::new(1, 5.0, 4.0).unwrap_err().to_string(),
            "a customer's recency is `5`, expected a time from 0 to the age"
        );
        assert_eq!(History::new(0, 0.0, 0.0), Ok(History::new_customer()));
    }

    #[test]
    fn a_spend_of_nothing_is_refused() {
        assert!(Spend::new(0, 1.0).is_err());
        assert!(Spend::new(1, 0.0).is_err());
        assert!(Spend::new(1, f64::NAN).is_err());
        assert_eq!(Spend::new(2, 9.5).unwrap().mean_value(), 9.5);
    }
}
