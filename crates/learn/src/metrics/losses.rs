//! What probabilities cost, and what a threshold gets right and wrong.

use serde::{Deserialize, Serialize};

/// What each row's probability cost: made once, then averaged under any weights (a logarithm costs more than all else).
#[derive(Clone, Debug)]
pub struct Losses {
    by_row: Vec<f64>,
}

impl Losses {
    /// Surprise in nats: 0 for certainty that came true. probability: 0..=1, drawn to 2^-52 from either end so that one
    /// certain error costs 36, not infinity. truth: as many. O(n). Source: scikit-learn, `log_loss`.
    pub fn log(probability: &[f64], truth: &[bool]) -> Losses {
        Losses::new(probability, truth, |probability, truth| {
            let probability = probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            if truth { -probability.ln() } else { -(-probability).ln_1p() }
        })
    }

    /// Squared distance of a probability (0..=1) from the truth. 0..=1, 0 is best. O(n). Source: Brier 1950.
    pub fn squared(probability: &[f64], truth: &[bool]) -> Losses {
        Losses::new(probability, truth, |probability, truth| (probability - f64::from(truth)).powi(2))
    }

    fn new(probability: &[f64], truth: &[bool], loss: impl Fn(f64, bool) -> f64) -> Losses {
        assert_eq!(probability.len(), truth.len(), "a truth for each row");
        Losses {
            by_row: probability.iter().zip(truth).map(|(&probability, &truth)| loss(probability, truth)).collect(),
        }
    }

    /// weight: how many times each row counts. `None` without rows. O(n).
    pub fn mean(&self, weight: &[u32]) -> Option<f64> {
        assert_eq!(self.by_row.len(), weight.len(), "a weight for each row");
        let (mut sum, mut rows) = (0.0, 0u64);
        for (loss, &weight) in self.by_row.iter().zip(weight) {
            sum += loss * f64::from(weight);
            rows += u64::from(weight);
        }
        (rows > 0).then(|| sum / rows as f64)
    }
}

/// Mean of [`Losses::log`].
pub fn log_loss(probability: &[f64], truth: &[bool], weight: &[u32]) -> Option<f64> {
    Losses::log(probability, truth).mean(weight)
}

/// Mean of [`Losses::squared`].
pub fn brier(probability: &[f64], truth: &[bool], weight: &[u32]) -> Option<f64> {
    Losses::squared(probability, truth).mean(weight)
}

/// What a threshold gets right and wrong, in rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    pub true_positive: u64,
    pub false_positive: u64,
    pub true_negative: u64,
    pub false_negative: u64,
}

impl Confusion {
    /// A row is flagged if its score is at least the threshold. O(n).
    pub fn at_threshold(score: &[f64], truth: &[bool], weight: &[u32], threshold: f64) -> Confusion {
        assert!(score.len() == truth.len() && score.len() == weight.len(), "a truth and a weight for each row");
        let mut counts = Confusion::default();
        for ((&score, &truth), &weight) in score.iter().zip(truth).zip(weight) {
            let cell = match (score >= threshold, truth) {
                (true, true) => &mut counts.true_positive,
                (true, false) => &mut counts.false_positive,
                (false, false) => &mut counts.true_negative,
                (false, true) => &mut counts.false_negative,
            };
            *cell += u64::from(weight);
        }
        counts
    }

    /// The share of flagged rows that are positive. 0..=1; `None` if nothing is flagged.
    pub fn precision(&self) -> Option<f64> {
        share(self.true_positive, self.true_positive + self.false_positive)
    }

    /// The share of positives that are flagged. 0..=1; `None` without a positive.
    pub fn recall(&self) -> Option<f64> {
        share(self.true_positive, self.true_positive + self.false_negative)
    }
}

pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
