//! What is found by a team that checks so many a day: rows, or cards that are blocked once they are found.

use super::losses::share;
use super::ranking::descending;

/// Each day's rows from the highest score; equal scores in row order, so earlier rows are checked first.
/// Made once, then asked for any budget and weights. score: any real. day: any number of the day.
#[derive(Clone, Debug)]
pub struct DailyRanking {
    order: Vec<u32>,
    /// The position in `order` after the last row of each day.
    day_ends: Vec<u32>,
}

/// One day under a budget, in rows.
struct DayCounts {
    alerts: u64,
    found: u64,
}

impl DailyRanking {
    /// O(n log n).
    pub fn new(score: &[f64], day: &[i32]) -> DailyRanking {
        assert_eq!(score.len(), day.len(), "a day for each row");
        let mut order: Vec<u32> = (0..score.len() as u32).collect();
        order.sort_by(|&left, &right| {
            let (left, right) = (left as usize, right as usize);
            day[left].cmp(&day[right]).then_with(|| descending(score[left], score[right]))
        });
        let days = order.chunk_by(|&left, &right| day[left as usize] == day[right as usize]);
        let end_of_day = |end: &mut u32, rows: &[u32]| {
            *end += rows.len() as u32;
            Some(*end)
        };
        let day_ends = days.scan(0, end_of_day).collect();
        DailyRanking { order, day_ends }
    }

    /// The share of positives among a day's `per_day` highest rows, averaged over the days with rows. A day with
    /// fewer rows raises fewer alerts and is divided by those. 0..=1; `None` without rows or budget. O(n).
    pub fn precision_at_budget(&self, truth: &[bool], weight: &[u32], per_day: usize) -> Option<f64> {
        mean(self.days(truth, weight, per_day).filter_map(|day| share(day.found, day.alerts)))
    }

    fn days(&self, truth: &[bool], weight: &[u32], per_day: usize) -> impl Iterator<Item = DayCounts> {
        assert_eq!(truth.len(), self.order.len(), "a truth for each ranked row");
        assert_eq!(weight.len(), self.order.len(), "a weight for each ranked row");
        (0..self.day_ends.len()).map(move |day| {
            let start = if day == 0 { 0 } else { self.day_ends[day - 1] };
            let mut counts = DayCounts { alerts: 0, found: 0 };
            for &row in &self.order[start as usize..self.day_ends[day] as usize] {
                let (times, positive) = (u64::from(weight[row as usize]), u64::from(truth[row as usize]));
                let checked = times.min(per_day as u64 - counts.alerts);
                counts.alerts += checked;
                counts.found += checked * positive;
            }
            counts
        })
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0u64, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / count as f64)
}

/// Card precision@k: of the k most suspicious cards (or other entities) of each day, the share that really were
/// victims that day, where a card that was found once is blocked and never asked about again.
///
/// A card's score and truth of a day are the highest of its rows. Equal scores: the card whose first row that day
/// comes first (the book leaves them to its sort). Made once, then asked for any k and weights.
/// Source: Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, `card_precision_top_k`.
#[derive(Clone, Debug)]
pub struct EntityPrecisionAtK {
    /// By day, then from the highest score.
    entity_days: Vec<EntityDay>,
}

#[derive(Clone, Debug)]
struct EntityDay {
    day: i32,
    entity: u32,
    first_row: u32,
    score: f64,
    truth: bool,
}

impl EntityPrecisionAtK {
    /// entity: each row's entity, an index into the weights of [`EntityPrecisionAtK::mean`]. O(n log n).
    pub fn new(score: &[f64], truth: &[bool], entity: &[u32], day: &[i32]) -> EntityPrecisionAtK {
        let lengths = [truth.len(), entity.len(), day.len()];
        assert_eq!(lengths, [score.len(); 3], "a truth, an entity and a day for each row");
        let mut rows: Vec<u32> = (0..score.len() as u32).collect();
        let key = |row: u32| (day[row as usize], entity[row as usize]);
        rows.sort_by_key(|&row| key(row));
        let runs = rows.chunk_by(|&left, &right| key(left) == key(right));
        let mut entity_days: Vec<EntityDay> = runs
            .map(|run| EntityDay {
                day: day[run[0] as usize],
                entity: entity[run[0] as usize],
                first_row: run[0],
                score: run.iter().map(|&row| score[row as usize]).fold(f64::NEG_INFINITY, f64::max),
                truth: run.iter().any(|&row| truth[row as usize]),
            })
            .collect();
        entity_days.sort_by(|left, right| {
            let by_score = || descending(left.score, right.score);
            left.day.cmp(&right.day).then_with(by_score).then(left.first_row.cmp(&right.first_row))
        });
        EntityPrecisionAtK { entity_days }
    }

    /// Victims found among the first k of a day, divided by k (also where fewer than k are left, as in the book),
    /// averaged over the days on which any entity of positive weight has a row. An entity of weight m counts as m
    /// cards: where k cuts through them, only those above are found and blocked, the others come back the next day.
    /// 0..=1; `None` without days or if k is 0. Panics if an entity has no weight. O(entities + entity-days).
    pub fn mean(&self, entity_weight: &[u32], k: usize) -> Option<f64> {
        let mut cards_left = entity_weight.to_vec();
        let (mut days, mut found) = (0, 0);
        for day in self.entity_days.chunk_by(|left, right| left.day == right.day) {
            if day.iter().any(|card| entity_weight[card.entity as usize] > 0) {
                days += 1;
                found += find_and_block(day, &mut cards_left, k);
            }
        }
        share(found, days * k as u64)
    }
}

/// How many victims are among the first k cards of a day; they are taken out of `cards_left`.
fn find_and_block(day: &[EntityDay], cards_left: &mut [u32], k: usize) -> u64 {
    let (mut unchecked, mut found) = (k as u64, 0);
    for card in day {
        let left = &mut cards_left[card.entity as usize];
        let checked = u64::from(*left).min(unchecked);
        unchecked -= checked;
        if card.truth {
            *left -= checked as u32;
            found += checked;
        }
        if unchecked == 0 {
            break;
        }
    }
    found
}
