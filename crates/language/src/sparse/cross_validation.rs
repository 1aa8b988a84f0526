//! Chooses the strength of the penalty on rows that were not learned from.

use serde::{Deserialize, Serialize};

use super::SparseRows;
use super::logistic::{LogisticError, LogisticModel, LogisticSettings, check};
use super::search::search;

/// A value of `c` with its mean log-loss on rows not learned from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateLoss {
    pub c: f64,
    /// Mean over all rows, each judged by the model of the other folds; in nats.
    pub log_loss: f64,
}

/// The mean log-loss of each candidate `c` in cross-validation, in the order given; the caller takes the least, see
/// [`best`]. folds: each row's fold, as [`stratified_folds`] makes them; without one fold every class must remain.
/// O(candidates * folds * fit), and each fit begins where the last ended.
pub fn cross_validate(
    rows: &SparseRows,
    labels: &[u32],
    classes: usize,
    folds: &[u32],
    candidates: &[f64],
    settings: &LogisticSettings,
) -> Result<Vec<CandidateLoss>, LogisticError> {
    check(rows, labels, classes, settings)?;
    if folds.len() != rows.len() {
        return Err(LogisticError::Lengths { rows: rows.len(), labels: folds.len() });
    }
    let mut losses: Vec<CandidateLoss> = candidates.iter().map(|&c| CandidateLoss { c, log_loss: 0.0 }).collect();
    for fold in 0..=folds.iter().copied().max().unwrap_or(0) {
        let (judged, learned): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|&row| folds[row] == fold);
        if judged.is_empty() {
            continue;
        }
        let part = |part: &[usize]| (rows.select(part), part.iter().map(|&row| labels[row]).collect::<Vec<u32>>());
        let ((learned, its_labels), (judged, judged_labels)) = (part(&learned), part(&judged));
        let mut model = LogisticModel::zeros(rows.width, classes);
        for candidate in &mut losses {
            let settings = LogisticSettings { c: candidate.c, ..*settings };
            check(&learned, &its_labels, classes, &settings)?;
            model = search(&learned, &its_labels, &settings, model).model;
            let share = judged.len() as f64 / rows.len() as f64;
            candidate.log_loss += share * model.log_loss(&judged, &judged_labels);
        }
    }
    Ok(losses)
}

/// The candidate of least loss; of equal ones the smallest `c`, the stronger penalty. `None` if there is none.
pub fn best(losses: &[CandidateLoss]) -> Option<CandidateLoss> {
    let order = |a: &&CandidateLoss, b: &&CandidateLoss| a.log_loss.total_cmp(&b.log_loss).then(a.c.total_cmp(&b.c));
    losses.iter().min_by(order).copied()
}

/// Deals the rows of each class out to `folds` folds by turns, in an order drawn with the seed, so that every fold has
/// its share of each class. Returns each row's fold. Panics if `folds` is 0. O(rows log rows).
pub fn stratified_folds(labels: &[u32], folds: u32, seed: u64) -> Vec<u32> {
    assert!(folds > 0, "rows need a fold to go to");
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|&row| (labels[row], mix(seed ^ mix(row as u64))));
    let mut fold_of = vec![0; labels.len()];
    // The turn goes on from class to class, so that folds differ by one row at most.
    order.iter().zip((0..folds).cycle()).for_each(|(&row, fold)| fold_of[row] = fold);
    fold_of
}

/// Scatters numbers that follow each other. Source: Steele, Lea & Flood 2014 (SplitMix64).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_share_out_every_class_and_hang_on_the_seed_alone() {
        let labels: Vec<u32> = (0..103).map(|row| u32::from(row % 4 == 0)).collect();
        let folds = stratified_folds(&labels, 5, 1);
        for fold in 0..5 {
            let positives = (0..103).filter(|&row| folds[row] == fold && labels[row] == 1).count();
            assert!((5..=6).contains(&positives), "{positives}");
        }
        assert_eq!(folds, stratified_folds(&labels, 5, 1));
        assert_ne!(folds, stratified_folds(&labels, 5, 2));
    }

    #[test]
    fn pure_noise_is_given_the_strongest_penalty() {
        let mut rows = SparseRows::new(40);
        let noise = |row: u64, column: u64| mix(row * 40 + column) as f64 / u64::MAX as f64 - 0.5;
        (0..80).for_each(|row| rows.push(&(0..40).map(|c| (c as u32, noise(row, c))).collect::<Vec<_>>()));
        let labels: Vec<u32> = (0..80).map(|row| (mix(row + 9_999) % 2) as u32).collect();
        let folds = stratified_folds(&labels, 4, 3);
        let losses = cross_validate(&rows, &labels, 2, &folds, &[10.0, 0.001, 0.1], &LogisticSettings::default());
        assert_eq!(best(&losses.unwrap()).unwrap().c, 0.001);
        assert_eq!(best(&[]), None);
    }
}
