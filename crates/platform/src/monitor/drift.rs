//! Which of the model's inputs, and whether its score, look other than when it was learned: every window is counted into
//! the bins of the reference, and what counts as far is learned from what the reference's own windows do.

use crate::monitor::episodes::Episode;
use crate::monitor::gathering::{Gathering, merged, season_of};
use crate::monitor::grid::Grid;
use crate::monitor::observed::ObservedRows;
use crate::version::watched::View;
use rayon::prelude::*;
use septet_domain::{DriftLines, Monitor};
use septet_learn::drift::evidently;
use septet_learn::drift::profile::{NumberProfile, Profile, WORDS_MAX, WordProfile};
use septet_learn::drift::statistics::{Statistic, jensen_shannon, ks, psi, wasserstein};
use septet_learn::drift::tally::Tally;
use septet_learn::drift::thresholds::{
    AlarmRule, Quiet, QuietSettings, Streak, Verdict, WINDOWS_MIN, benjamini_hochberg, learn_quiet,
    learn_quiet_of_slots,
};
use septet_learn::frame::{Column, MISSING};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Bins of a number: pages show them.
const BINS: usize = 32;
/// Resamples of quiet time for each column and size of window.
const REPLICATES: usize = 400;
/// Windows whose rows differ by less than this share one set of lines.
const SIZE_STEP: f64 = 1.25;

/// A column in one window.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    pub window: i64,
    /// Those of the windows before it among them, where one has too few.
    pub rows: u64,
    pub missing_share: f64,
    pub psi: Option<f64>,
    pub jensen_shannon: Option<f64>,
    pub ks: Option<f64>,
    /// In standard deviations of the reference.
    pub wasserstein: Option<f64>,
    /// Chance of a window without drift looking like this, all statistics taken together.
    pub p_value: Option<f64>,
    /// After correction over the columns.
    pub q_value: Option<f64>,
    pub verdict: Verdict,
}

/// A feature, or the probability, over the windows watched.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnSeen {
    pub name: String,
    /// `number` or `category`.
    pub kind: &'static str,
    pub points: Vec<Point>,
    /// `reference`, or `same_slots`: the reference's windows of the same weekdays (or hours of the week).
    pub compared_with: &'static str,
    /// The statistic that says most about the newest window that was judged, and where its line is.
    pub statistic: Option<Statistic>,
    pub line: Option<f64>,
    /// The reference's distribution and the newest window's, share by bin; what a picture is drawn from.
    pub reference_shares: Vec<f64>,
    pub newest_shares: Vec<f64>,
    /// Lower cuts of a number's bins, words of a category.
    pub bins: Vec<String>,
    /// Mean of the reference and of the newest window; numbers only.
    pub means: Option<(f64, f64)>,
}

#[derive(Clone, Debug, Default)]
pub struct DriftSeen {
    pub columns: Vec<ColumnSeen>,
    pub episodes: Vec<Episode>,
    /// Windows judged together, where single ones have too few rows; else 1.
    pub together: u32,
    /// Why windows are judged together.
    pub note: Option<String>,
    pub unable: Option<String>,
}

/// What is compared: all values of one column, part by part.
enum Values<'a> {
    Numbers(Vec<&'a [f64]>),
    Categories(Vec<(&'a [u32], &'a [String])>),
}

/// A column of every part, as it is counted.
type Counted<'a> = Vec<Cow<'a, Column>>;

/// Rows of a part that a window holds.
type Rows = std::ops::Range<usize>;

struct Windows {
    /// By window, then part.
    rows: BTreeMap<i64, Vec<Rows>>,
}

impl Windows {
    fn of(parts: &[ObservedRows], grid: &Grid, wanted: std::ops::Range<i64>) -> Windows {
        let mut rows = BTreeMap::new();
        for window in wanted {
            let (start, end) = (window * grid.window, (window + 1) * grid.window);
            let range = |part: &ObservedRows| {
                part.times.partition_point(|&time| time < start)..part.times.partition_point(|&time| time < end)
            };
            let ranges: Vec<Rows> = parts.iter().map(range).collect();
            if ranges.iter().any(|range| !range.is_empty()) {
                rows.insert(window, ranges);
            }
        }
        Windows { rows }
    }

    /// Rows of each window.
    fn counts(&self) -> Vec<u64> {
        self.rows.values().map(|parts| parts.iter().map(|rows| rows.len() as u64).sum()).collect()
    }
}

/// `personal`: of each input, whether its values point at a person: then they are counted without being kept.
/// `fitted_on`: windows that the champion learned from, whose scores are surer than those of new rows.
/// `q_max`: chance of a false alarm in one window over all columns together, from the alarm budget.
pub fn drift(
    parts: &[ObservedRows],
    grid: &Grid,
    monitor: &Monitor,
    personal: &[bool],
    q_max: f64,
    seed: u64,
    fitted_on: &(dyn Fn(i64) -> bool + Sync),
) -> DriftSeen {
    let reference = Windows::of(parts, grid, grid.learned.clone());
    let live = Windows::of(parts, grid, grid.learned.end..grid.watched.end);
    let mut new = Windows::of(parts, grid, grid.learned.clone());
    new.rows.retain(|&window, _| !fitted_on(window));
    if monitor.drift == DriftLines::Learned && reference.rows.len() < WINDOWS_MIN {
        let unable = format!("needs {WINDOWS_MIN} windows of reference, has {}", reference.rows.len());
        return DriftSeen { unable: Some(unable), ..DriftSeen::default() };
    }
    let Some(first) = parts.first() else { return DriftSeen::default() };
    let counted: Vec<(String, Counted)> = (0..first.frame.names.len())
        .flat_map(|at| counted(parts, grid, at, personal.get(at).copied().unwrap_or(false)))
        .collect();
    let mut columns: Vec<(String, Values)> =
        counted.iter().map(|(name, columns)| (name.clone(), Values::of(columns))).collect();
    let probability = parts.iter().map(|part| part.probability.as_slice()).collect();
    columns.push(("probability".to_owned(), Values::Numbers(probability)));
    let rule = AlarmRule { q_max, windows: monitor.persistence.max(1), ..AlarmRule::default() };
    let gathering = match monitor.drift {
        DriftLines::Learned => Gathering::of(reference.counts(), rule.rows_min),
        DriftLines::Evidently => Gathering::none(),
    };
    // Windows that share rows are one sign only: the first and the last of a streak share none.
    let rule = AlarmRule { windows: gathering.together * (rule.windows - 1) + 1, ..rule };
    let mut seen: Vec<ColumnSeen> = columns
        .par_iter()
        .enumerate()
        .filter_map(|(at, (name, values))| match monitor.drift {
            DriftLines::Learned if at + 1 == columns.len() && new.rows.len() >= WINDOWS_MIN => {
                learned_column(name, values, &new, &live, grid, &gathering, seed.wrapping_add(at as u64))
            }
            DriftLines::Learned => {
                learned_column(name, values, &reference, &live, grid, &gathering, seed.wrapping_add(at as u64))
            }
            DriftLines::Evidently => fixed_column(name, values, &reference, &live),
        })
        .collect();
    let episodes = match monitor.drift {
        DriftLines::Learned => judge_together(&mut seen, &rule),
        DriftLines::Evidently => judge_fixed(&mut seen, &rule),
    };
    let note = gathering.note();
    DriftSeen { columns: seen, episodes, together: gathering.together, note, unable: None }
}

/// What is counted of an input, by name. The view is learned from the reference's rows.
fn counted<'a>(parts: &'a [ObservedRows], grid: &Grid, at: usize, personal: bool) -> Vec<(String, Counted<'a>)> {
    let is_number = |part: &ObservedRows| matches!(part.frame.columns[at], Column::Number(_));
    let learned = |part: &ObservedRows, row: usize| grid.learned.contains(&grid.number(part.times[row]));
    let words = parts.iter().flat_map(|part| {
        let (codes, words) = match &part.frame.columns[at] {
            Column::Category { codes, words } => (codes.as_slice(), words.as_slice()),
            Column::Number(_) => (&[][..], &[][..]),
        };
        let rows = codes.iter().enumerate().filter(move |(row, _)| learned(part, *row));
        rows.map(|(_, &code)| (code != MISSING).then(|| words[code as usize].as_str()))
    });
    let view = View::learn(parts.iter().all(is_number), words, personal);
    let names = view.names(&parts[0].frame.names[at]);
    let mut all: Vec<(String, Counted)> = names.into_iter().map(|name| (name, Vec::new())).collect();
    for part in parts {
        let column = &part.frame.columns[at];
        let made = view.columns(column, |row| learned(part, row));
        let made = made.map_or_else(|| vec![Cow::Borrowed(column)], |made| made.into_iter().map(Cow::Owned).collect());
        all.iter_mut().zip(made).for_each(|((_, columns), column)| columns.push(column));
    }
    all
}

impl<'a> Values<'a> {
    fn of(parts: &'a [Cow<'a, Column>]) -> Values<'a> {
        let numbers: Vec<&[f64]> = parts
            .iter()
            .filter_map(|column| match column.as_ref() {
                Column::Number(values) => Some(values.as_slice()),
                Column::Category { .. } => None,
            })
            .collect();
        if numbers.len() == parts.len() {
            return Values::Numbers(numbers);
        }
        let categories = parts.iter().map(|column| match column.as_ref() {
            Column::Category { codes, words } => (codes.as_slice(), words.as_slice()),
            Column::Number(_) => (&[][..], &[][..]),
        });
        Values::Categories(categories.collect())
    }

    fn numbers(&self, rows: &[Rows]) -> Vec<f64> {
        let Values::Numbers(parts) = self else { return Vec::new() };
        parts.iter().zip(rows).flat_map(|(values, rows)| values[rows.clone()].iter().copied()).collect()
    }

    fn words(&self, rows: &[Rows]) -> Vec<Option<&'a str>> {
        let Values::Categories(parts) = self else { return Vec::new() };
        let of = |((codes, words), rows): (&(&'a [u32], &'a [String]), &Rows)| {
            let word = |&code: &u32| (code != MISSING).then(|| words[code as usize].as_str());
            codes.get(rows.clone()).unwrap_or(&[]).iter().map(word).collect::<Vec<_>>()
        };
        parts.iter().zip(rows).flat_map(of).collect()
    }

    fn profile(&self, windows: &Windows) -> Option<Profile> {
        match self {
            Values::Numbers(_) => {
                let all: Vec<f64> = windows.rows.values().flat_map(|rows| self.numbers(rows)).collect();
                NumberProfile::learn(&all, BINS).map(Profile::Numbers)
            }
            Values::Categories(_) => {
                let all: Vec<Option<&str>> = windows.rows.values().flat_map(|rows| self.words(rows)).collect();
                Some(Profile::Words(WordProfile::learn(&all, WORDS_MAX)))
            }
        }
    }

    fn tally(&self, profile: &Profile, rows: &[Rows]) -> Tally {
        match profile {
            Profile::Numbers(numbers) => {
                let mut tally = numbers.tally();
                self.numbers(rows).iter().for_each(|&value| numbers.add(&mut tally, value));
                tally
            }
            Profile::Words(words) => {
                let mut tally = words.tally();
                self.words(rows).iter().for_each(|word| words.add(&mut tally, *word));
                tally
            }
        }
    }
}

fn learned_column(
    name: &str,
    values: &Values,
    reference: &Windows,
    live: &Windows,
    grid: &Grid,
    gathering: &Gathering,
    seed: u64,
) -> Option<ColumnSeen> {
    let profile = values.profile(reference)?;
    let quiet_windows: Vec<Tally> = reference.rows.values().map(|rows| values.tally(&profile, rows)).collect();
    let slots: Vec<usize> = reference.rows.keys().map(|&window| grid.slot(window)).collect();
    let season = season_of(&quiet_windows, &slots);
    // The first windows since the reference are gathered with its last ones, which make them look more alike, not less.
    let mut tallies: BTreeMap<i64, Tally> = reference.rows.keys().copied().zip(quiet_windows.iter().cloned()).collect();
    tallies.extend(live.rows.iter().map(|(&window, rows)| (window, values.tally(&profile, rows))));
    let mut lines: BTreeMap<i32, Vec<Quiet>> = BTreeMap::new();
    let mut points = Vec::new();
    let (mut chosen, mut newest) = (None, None);
    for &window in live.rows.keys() {
        let gathered = gathering.gathered(&tallies, window);
        let Some(tally) = merged(gathered.iter().map(|(_, tally)| *tally)) else { continue };
        let alike = |season: &BTreeMap<usize, Tally>| {
            let slots: BTreeSet<usize> = gathered.iter().map(|(window, _)| grid.slot(*window)).collect();
            merged(slots.iter().filter_map(|slot| season.get(slot)))
        };
        // A weekday that the reference lacks can be compared with nothing like it.
        let against = season.as_ref().and_then(alike).unwrap_or_else(|| profile.training().clone());
        let size = (tally.rows().max(1) as f64).ln() / SIZE_STEP.ln();
        let size = size.round() as i32;
        let lines = lines.entry(size).or_insert_with(|| {
            let settings = QuietSettings { rows: SIZE_STEP.powi(size).round() as u64, replicates: REPLICATES, seed };
            match season {
                Some(_) => learn_quiet_of_slots(&profile, &quiet_windows, &slots, &settings),
                None => learn_quiet(&profile, &quiet_windows, &settings),
            }
        });
        let told = lines.iter().filter_map(|quiet| {
            let value = quiet.statistic.value(&profile, &against, &tally)?;
            Some((quiet.p_value(value), quiet))
        });
        let least = told.min_by(|a, b| a.0.total_cmp(&b.0));
        // Bonferroni over the statistics: they mostly say the same, so the true chance is smaller still.
        let p_value = least.map(|(p, _)| (p * lines.len() as f64).min(1.0));
        if let Some((_, quiet)) = least {
            chosen = Some((quiet.statistic, quiet.value_at(0.001)));
        }
        points.push(point(&profile, &against, window, &tally, p_value));
        newest = Some((against, tally));
    }
    let compared_with = if season.is_some() { "same_slots" } else { "reference" };
    Some(ColumnSeen { compared_with, ..column(name, &profile, points, chosen, newest) })
}

/// `training`: the rows that the window is compared with.
fn point(profile: &Profile, training: &Tally, window: i64, tally: &Tally, p_value: Option<f64>) -> Point {
    let numbers = if let Profile::Numbers(numbers) = profile { Some(numbers) } else { None };
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    Point {
        window,
        rows: tally.rows(),
        missing_share: if tally.rows() == 0 { 0.0 } else { tally.missing as f64 / tally.rows() as f64 },
        psi: finite(psi(training, tally)),
        jensen_shannon: finite(jensen_shannon(training, tally)),
        ks: finite(numbers.and_then(|_| ks(training, tally))),
        wasserstein: finite(numbers.and_then(|numbers| wasserstein(numbers, training, tally))),
        p_value,
        q_value: None,
        verdict: Verdict::Quiet,
    }
}

fn column(
    name: &str,
    profile: &Profile,
    points: Vec<Point>,
    chosen: Option<(Statistic, Option<f64>)>,
    newest: Option<(Tally, Tally)>,
) -> ColumnSeen {
    let (against, newest) = newest.unzip();
    let against = against.as_ref().unwrap_or(profile.training());
    let shares = |tally: &Tally| {
        let rows = tally.present().max(1) as f64;
        tally.counts.iter().map(|&count| count as f64 / rows).collect::<Vec<f64>>()
    };
    let (kind, bins) = match profile {
        Profile::Numbers(numbers) => ("number", numbers.cuts.iter().map(f64::to_string).collect()),
        Profile::Words(words) => ("category", words.words.clone()),
    };
    let means = match (profile, &newest) {
        (Profile::Numbers(numbers), Some(newest)) => numbers.mean_of(against).zip(numbers.mean_of(newest)),
        _ => None,
    };
    ColumnSeen {
        name: name.to_owned(),
        kind,
        compared_with: "reference",
        points,
        statistic: chosen.map(|(statistic, _)| statistic),
        line: chosen.and_then(|(_, line)| line),
        reference_shares: shares(against),
        newest_shares: newest.as_ref().map(shares).unwrap_or_default(),
        bins,
        means,
    }
}

/// Corrects over the columns in each window, follows each column's streak, and says when the whole is an alarm: as long as
/// any column is drifting.
fn judge_together(seen: &mut [ColumnSeen], rule: &AlarmRule) -> Vec<Episode> {
    let windows: Vec<i64> = seen.iter().flat_map(|column| column.points.iter().map(|point| point.window)).collect();
    let windows: std::collections::BTreeSet<i64> = windows.into_iter().collect();
    let mut streaks = vec![Streak::default(); seen.len()];
    let mut days = Vec::new();
    for window in windows {
        let at = |column: &ColumnSeen| column.points.iter().position(|point| point.window == window);
        let places: Vec<Option<usize>> = seen.iter().map(at).collect();
        let p_values: Vec<f64> = seen
            .iter()
            .zip(&places)
            .map(|(column, place)| place.and_then(|at| column.points[at].p_value).unwrap_or(f64::NAN))
            .collect();
        let q_values = benjamini_hochberg(&p_values);
        let mut drifting = false;
        for (((column, place), streak), q_value) in seen.iter_mut().zip(places).zip(&mut streaks).zip(q_values) {
            let Some(point) = place.map(|at| &mut column.points[at]) else { continue };
            point.q_value = point.p_value.map(|_| q_value);
            point.verdict = streak.see(rule, point.rows, q_value);
            drifting |= point.verdict == Verdict::Drifting;
        }
        days.push((window, drifting));
    }
    episodes(&days, rule.windows)
}

/// A run of windows in which the whole drifts, as one alarm that began so many windows before it was certain.
fn episodes(days: &[(i64, bool)], persistence: u32) -> Vec<Episode> {
    let mut episodes: Vec<Episode> = Vec::new();
    for &(window, drifting) in days {
        match episodes.last_mut().filter(|episode| episode.active) {
            Some(episode) if drifting => episode.last = window,
            Some(episode) => episode.active = false,
            None if drifting => {
                let since = window - i64::from(persistence.saturating_sub(1));
                episodes.push(Episode { since, found: window, last: window, active: true });
            }
            None => {}
        }
    }
    episodes
}

/// A column by Evidently's defaults; its score stands as the p-value or the distance that the tool would show.
fn fixed_column(name: &str, values: &Values, reference: &Windows, live: &Windows) -> Option<ColumnSeen> {
    let profile = values.profile(reference)?;
    let all: Vec<f64> = reference.rows.values().flat_map(|rows| values.numbers(rows)).collect();
    let all_words: Vec<Option<&str>> = reference.rows.values().flat_map(|rows| values.words(rows)).collect();
    let (mut points, mut newest) = (Vec::new(), None);
    for (&window, rows) in &live.rows {
        let tally = values.tally(&profile, rows);
        let (numbers, words) = (values.numbers(rows), values.words(rows));
        let found = match values {
            Values::Numbers(_) => {
                evidently::column_drift(evidently::Column::Numbers(&all), evidently::Column::Numbers(&numbers))
            }
            Values::Categories(_) => {
                evidently::column_drift(evidently::Column::Words(&all_words), evidently::Column::Words(&words))
            }
        };
        let mut point = point(&profile, profile.training(), window, &tally, None);
        if let Some(found) = found {
            point.p_value = Some(found.score);
            point.verdict = if found.drifted { Verdict::Suspicious } else { Verdict::Quiet };
        }
        points.push(point);
        newest = Some((profile.training().clone(), tally));
    }
    Some(column(name, &profile, points, None, newest))
}

/// The data set drifts in a window if half of the columns do; it is an alarm after so many windows in a row.
fn judge_fixed(seen: &mut [ColumnSeen], rule: &AlarmRule) -> Vec<Episode> {
    let windows: std::collections::BTreeSet<i64> =
        seen.iter().flat_map(|column| column.points.iter().map(|point| point.window)).collect();
    let (mut days, mut streak) = (Vec::new(), 0);
    for window in windows {
        let drifted = seen.iter().flat_map(|column| &column.points).filter(|point| point.window == window);
        let (all, drifted) = drifted.fold((0, 0), |(all, drifted), point| {
            (all + 1, drifted + usize::from(point.verdict == Verdict::Suspicious))
        });
        streak = if drifted as f64 >= evidently::DATASET_SHARE * f64::from(all) { streak + 1 } else { 0 };
        let alarm = streak >= rule.windows;
        for point in seen.iter_mut().flat_map(|column| &mut column.points).filter(|point| point.window == window) {
            if alarm && point.verdict == Verdict::Suspicious {
                point.verdict = Verdict::Drifting;
            }
        }
        days.push((window, alarm));
    }
    episodes(&days, rule.windows)
}
