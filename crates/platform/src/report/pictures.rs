//! The report's pictures, one function each: what is plotted against what, and what is written beside it.

use crate::report::charts::{Charts, Curves, DayPoint, IntervalsHeld};
use crate::report::numbers::{count, figure, figure_like, percent, short_count};
use crate::report::svg::{Anchor, Axis, LETTER, Plot, drawing, escape, stroke, text};
use crate::version::{DecisionRule, FoldSummary, Manifest, MetricValue};
use chrono::NaiveDate;
use septet_learn::metrics::{CurvePoint, ReliabilityBin};
use serde::Serialize;

/// Units, about pixels on a phone; two beside each other on a desk.
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 330.0;
/// Points of a curve that answer a pointer.
const HOVER_POINTS: usize = 24;
/// Inputs with a bar; the table of features has them all.
const IMPORTANCES_MAX: usize = 20;
/// Letters of a name in a picture; longer ones are cut and whole in the tooltip.
const NAME_LETTERS_MAX: usize = 30;
/// From this ratio of largest to smallest probability, calibration is drawn on scales of powers of ten.
const LOG_SCALE_RATIO: f64 = 20.0;
/// Two-sided 95 %.
const Z: f64 = 1.96;

/// A figure of the page; `svg` is empty if there is nothing to draw, and the caption says why.
#[derive(Debug, Serialize)]
pub struct Picture {
    pub title: &'static str,
    pub svg: String,
    pub caption: String,
}

impl Picture {
    fn empty(title: &'static str, reason: &str) -> Picture {
        Picture { title, svg: String::new(), caption: format!("Nothing to draw: {reason}.") }
    }
}

/// In the order they are read.
pub fn pictures(manifest: &Manifest, charts: &Charts) -> Vec<Picture> {
    if !charts.numbers.is_empty() {
        return vec![predicted_and_true(manifest, charts), importances(manifest)];
    }
    let mut pictures = vec![
        precision_recall(charts, manifest.decision.as_ref()),
        roc(charts, manifest.decision.as_ref()),
        calibration(charts),
        distribution(charts, manifest.decision.as_ref()),
    ];
    if !manifest.importances.is_empty() {
        pictures.push(importances(manifest));
    }
    // Rows of one moment have no days.
    if charts.by_day.len() > 1 {
        pictures.push(by_day(charts));
    }
    pictures
}

fn predicted_and_true(manifest: &Manifest, charts: &Charts) -> Picture {
    let ends = charts.numbers.iter().flat_map(|bin| [bin.predicted, bin.low, bin.high]);
    let (low, high) =
        ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let (low, high) = if high > low { (low, high) } else { (low - 0.5, high + 0.5) };
    let across = Axis::linear("predicted", low, high);
    let mut plot = Plot::new(WIDTH, HEIGHT, across, Axis::linear(&manifest.target, low, high));
    plot.line(&[(low, low), (high, high)], "chance");
    for bin in &charts.numbers {
        plot.line(&[(bin.predicted, bin.low), (bin.predicted, bin.high)], "other");
        let words = format!(
            "predicted {}, true {}, nine of ten from {} to {}; {} rows",
            figure(bin.predicted),
            figure(bin.truth),
            figure(bin.low),
            figure(bin.high),
            count(bin.rows)
        );
        plot.dot(bin.predicted, bin.truth, 3.6, "dot-ours", &words);
    }
    let caption = "Each dot is a twentieth of the newest test fold's rows, by prediction; its line holds nine of ten of them. On the \
                   diagonal the mean is right."
        .to_owned();
    Picture { title: "Predicted and true", svg: plot.finish("Mean true number by predicted number"), caption }
}

fn precision_recall(charts: &Charts, decision: Option<&DecisionRule>) -> Picture {
    let title = "Precision and recall";
    if charts.model.pr.is_empty() {
        return Picture::empty(title, "the newest test fold holds no positive");
    }
    let axes =
        (Axis::share("recall: share of positives found"), Axis::share("precision: share of alerts that are right"));
    let mut plot = Plot::new(WIDTH, HEIGHT, axes.0, axes.1);
    let prevalence = charts.prevalence().unwrap_or(0.0);
    plot.line(&[(0.0, prevalence), (1.0, prevalence)], "chance");
    let below = if prevalence > 0.1 { 14.0 } else { -5.0 };
    let by_chance = format!("flagging at random: {}", percent(prevalence));
    plot.label(0.02, prevalence, (0.0, below), Anchor::Start, "note", &by_chance);
    let names = ("recall", "precision");
    draw_curves(&mut plot, charts, |curves| &curves.pr, |curves| curves.average_precision, names);
    if let Some((rule, precision, recall)) = decision.and_then(|rule| Some((rule, precision(rule)?, recall(rule)?))) {
        operating_point(&mut plot, rule, (recall, precision));
    }
    let svg = plot.finish(&described(title, charts, |curves| curves.average_precision));
    Picture { title, svg, caption: curve_caption("average precision", decision) }
}

fn roc(charts: &Charts, decision: Option<&DecisionRule>) -> Picture {
    let title = "ROC curve";
    if charts.model.roc.is_empty() {
        return Picture::empty(title, "the newest test fold holds only one class");
    }
    let axes = (Axis::share("share of negatives flagged"), Axis::share("recall: share of positives found"));
    let mut plot = Plot::new(WIDTH, HEIGHT, axes.0, axes.1);
    plot.line(&[(0.0, 0.0), (1.0, 1.0)], "chance");
    plot.label(0.7, 0.7, (6.0, 12.0), Anchor::Start, "note", "by chance");
    let names = ("negatives flagged", "recall");
    draw_curves(&mut plot, charts, |curves| &curves.roc, |curves| curves.roc_auc, names);
    let negatives_flagged = |rule: &DecisionRule| share(rule.false_positive, rule.false_positive + rule.true_negative);
    if let Some((rule, x, y)) = decision.and_then(|rule| Some((rule, negatives_flagged(rule)?, recall(rule)?))) {
        operating_point(&mut plot, rule, (x, y));
    }
    let svg = plot.finish(&described(title, charts, |curves| curves.roc_auc));
    Picture { title, svg, caption: curve_caption("area under the curve; by chance it is .5", decision) }
}

/// The baseline first, so that the model lies on top.
fn draw_curves(
    plot: &mut Plot,
    charts: &Charts,
    points: fn(&Curves) -> &Vec<CurvePoint>,
    area: fn(&Curves) -> Option<f64>,
    names: (&str, &str),
) {
    let line = |curves: &Curves| points(curves).iter().map(|point| (point.x, point.y)).collect::<Vec<(f64, f64)>>();
    let words =
        |name: &str, curves: &Curves| area(curves).map_or(name.to_owned(), |area| format!("{name} {}", figure(area)));
    let mut key = vec![("ours", "ours-text", words("this version", &charts.model))];
    if let Some((name, curves)) = &charts.baseline {
        plot.line(&line(curves), "other");
        hover(plot, points(curves), name, names);
        key.push(("other", "other-text", words(&cut(name), curves)));
    }
    plot.line(&line(&charts.model), "ours");
    hover(plot, points(&charts.model), "this version", names);
    plot.key(&key);
}

fn hover(plot: &mut Plot, points: &[CurvePoint], who: &str, names: (&str, &str)) {
    for point in points.iter().step_by(points.len().div_ceil(HOVER_POINTS).max(1)) {
        let words = format!("{who}: {} {}, {} {}", names.0, percent(point.x), names.1, percent(point.y));
        plot.dot(point.x, point.y, 7.0, "hit", &words);
    }
}

fn operating_point(plot: &mut Plot, rule: &DecisionRule, at: (f64, f64)) {
    plot.dot(at.0, at.1, 4.5, "operating", &format!("threshold {}", figure(rule.threshold)));
}

fn described(title: &str, charts: &Charts, area: fn(&Curves) -> Option<f64>) -> String {
    let shown = |curves: &Curves| area(curves).map_or("–".to_owned(), figure);
    let baseline = charts.baseline.as_ref().map(|(name, curves)| format!("; {name}, area {}", shown(curves)));
    format!("{title}: this version, area {}{}", shown(&charts.model), baseline.unwrap_or_default())
}

fn curve_caption(area: &str, decision: Option<&DecisionRule>) -> String {
    let ring = if decision.is_some() { " The ring is the threshold in use." } else { "" };
    format!("Beside the names: {area}.{ring}")
}

fn calibration(charts: &Charts) -> Picture {
    let title = "Calibration";
    let bins = &charts.reliability;
    if bins.is_empty() {
        return Picture::empty(title, "the newest test fold holds no row");
    }
    let (axes, diagonal, logarithmic) = calibration_axes(bins);
    let mut plot = Plot::new(WIDTH, HEIGHT, axes.0, axes.1);
    plot.line(&diagonal, "chance");
    let mut labelled = f64::NEG_INFINITY;
    for bin in bins {
        let (low, high) = wilson(bin);
        let words = format!(
            "promised {}, came true {} (95 % interval {} to {}), {} rows",
            percent(bin.mean_score),
            percent(bin.share_positive),
            percent(low),
            percent(high),
            count(bin.rows)
        );
        plot.line(&[(bin.mean_score, low), (bin.mean_score, high)], "whisker");
        let class = if bin.share_positive > 0.0 { "point" } else { "point-empty" };
        plot.dot(bin.mean_score, bin.share_positive, 4.0, class, &words);
        // Rows of the bin, above the frame; where two would touch, the tooltip and the table have them.
        let place = plot.across_of(bin.mean_score);
        if place - labelled > 34.0 {
            plot.label(bin.mean_score, f64::MAX, (0.0, -5.0), Anchor::Middle, "small", &short_count(bin.rows));
            labelled = place;
        }
    }
    let (fewest, most) = (bins.iter().map(|bin| bin.rows).min(), bins.iter().map(|bin| bin.rows).max());
    let rows = match (fewest.unwrap_or(0), most.unwrap_or(0)) {
        (fewest, most) if fewest == most => count(most),
        (fewest, most) => format!("{} to {}", count(fewest), count(most)),
    };
    let hollow = if logarithmic { " A hollow point is a bin without a positive." } else { "" };
    let caption = format!(
        "{} bins of {rows} rows (figures at the top), with 95 % intervals of what came true.{hollow} On the dotted diagonal a probability keeps its word.{}",
        bins.len(),
        charts.intervals.as_ref().map(intervals_in_words).unwrap_or_default()
    );
    Picture { title, svg: plot.finish("Calibration: promised probability against the share that came true"), caption }
}

fn intervals_in_words(held: &IntervalsHeld) -> String {
    format!(
        " Each probability is served with a 90 % interval, half of them narrower than {}; in {} of {} bins what came true lies \
         between the mean ends.",
        percent(held.width_median),
        held.bins_inside,
        held.bins
    )
}

/// Rare positives crowd into a corner of linear axes.
fn calibration_axes(bins: &[ReliabilityBin]) -> ((Axis, Axis), [(f64, f64); 2], bool) {
    let (x, y) = ("promised probability", "share that came true");
    let smallest = bins.iter().map(|bin| bin.mean_score).fold(f64::INFINITY, f64::min).max(1e-6);
    let largest = bins.iter().map(|bin| bin.mean_score.max(bin.share_positive)).fold(0.0, f64::max);
    if largest / smallest < LOG_SCALE_RATIO {
        // A tenth more than the largest, so that its interval has room.
        let to = (largest * 1.1).min(1.0);
        return ((Axis::share_up_to(x, to), Axis::share_up_to(y, to)), [(0.0, 0.0), (to, to)], false);
    }
    let seen = bins.iter().map(|bin| bin.share_positive).filter(|share| *share > 0.0).fold(smallest, f64::min);
    let (from, to) = (10f64.powf(seen.log10().floor()), 10f64.powf(largest.log10().ceil()).min(1.0));
    ((Axis::log_share(x, from, to), Axis::log_share(y, from, to)), [(from, from), (to, to)], true)
}

/// 95 % interval of a share. Source: Wilson 1927.
fn wilson(bin: &ReliabilityBin) -> (f64, f64) {
    let (rows, share) = (bin.rows.max(1) as f64, bin.share_positive);
    let centre = (share + Z * Z / (2.0 * rows)) / (1.0 + Z * Z / rows);
    let half = Z / (1.0 + Z * Z / rows) * (share * (1.0 - share) / rows + Z * Z / (4.0 * rows * rows)).max(0.0).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

fn distribution(charts: &Charts, decision: Option<&DecisionRule>) -> Picture {
    let title = "Distribution of the scores";
    let histogram = &charts.histogram;
    let (Some(&from), Some(&to)) = (histogram.edges.first(), histogram.edges.last()) else {
        return Picture::empty(title, "the newest test fold holds no row");
    };
    let most = histogram.positives.iter().chain(&histogram.negatives).max().copied().unwrap_or(1);
    let axes = (Axis::log_odds("probability, spread by log-odds", from, to), Axis::log_count("rows", most));
    let mut plot = Plot::new(WIDTH, HEIGHT, axes.0, axes.1);
    for (rows, class, name) in
        [(&histogram.negatives, "negative", "negatives"), (&histogram.positives, "positive", "positives")]
    {
        for (edges, &rows) in histogram.edges.windows(2).zip(rows.iter()).filter(|(_, rows)| **rows > 0) {
            let words = format!("{} to {}: {} {name}", percent(edges[0]), percent(edges[1]), count(rows));
            plot.bar((edges[0], edges[1]), (0.0, rows as f64), class, &words);
        }
    }
    if let Some(rule) = decision.filter(|rule| (from..=to).contains(&rule.threshold)) {
        plot.line(&[(rule.threshold, 0.0), (rule.threshold, f64::MAX)], "threshold");
    }
    let negatives = format!("{} negatives", count(charts.rows - charts.positives.min(charts.rows)));
    plot.key(&[
        ("negative", "tick", negatives),
        ("positive", "tick", format!("{} positives", count(charts.positives))),
    ]);
    let line = if decision.is_some() { " The upright line is the threshold." } else { "" };
    let caption = format!(
        "{} rows have {} different probabilities. Positives stand in front. The upright scale is in powers of ten, so that the \
         rare ones are seen.{line}",
        count(charts.rows),
        count(charts.distinct)
    );
    Picture { title, svg: plot.finish("Rows by probability, positives against negatives"), caption }
}

fn importances(manifest: &Manifest) -> Picture {
    let title = "What moves the score";
    let shown: Vec<&(String, f64)> = manifest
        .importances
        .iter()
        .filter(|(_, share)| *share > 0.0 && share.is_finite())
        .take(IMPORTANCES_MAX)
        .collect();
    let Some(&(_, largest)) = shown.first() else {
        return Picture::empty(title, "no input has a share");
    };
    let letters = shown.iter().map(|(name, _)| cut(name).chars().count()).max().unwrap_or(0);
    let (bars_from, row) = (letters as f64 * LETTER + 10.0, 19.0);
    let room = WIDTH - bars_from - 58.0;
    let mut marks = String::new();
    for (at, (name, share)) in shown.iter().enumerate() {
        let (top, width) = (at as f64 * row + 4.0, (share / largest * room).max(0.5));
        let words = escape(&format!("{name}: {}", percent(*share)));
        marks.push_str(&format!(
            r#"<g><title>{words}</title>{}<rect class="solid" x="{bars_from:.1}" y="{top:.1}" width="{width:.1}" height="13"/>{}</g>"#,
            text(bars_from - 6.0, top + 11.0, Anchor::End, "tick", &cut(name)),
            text(bars_from + width + 5.0, top + 11.0, Anchor::Start, "tick", &percent(*share)),
        ));
    }
    let rest: f64 =
        manifest.importances.iter().skip(shown.len()).map(|(_, share)| share).filter(|share| share.is_finite()).sum();
    let others = manifest.importances.len() - shown.len();
    let others = if others > 0 { format!(" The other {others} share {}.", percent(rest)) } else { String::new() };
    let caption = format!("Each input's share {}. A share is not a cause.{others}", manifest.importances_of);
    let svg = drawing(WIDTH, shown.len() as f64 * row + 8.0, "Shares of the inputs, largest first", &marks);
    Picture { title, svg, caption }
}

/// The end of a long name tells it apart (`..._30d`), so the middle goes.
fn cut(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= NAME_LETTERS_MAX {
        return name.to_owned();
    }
    let half = (NAME_LETTERS_MAX - 1) / 2;
    letters[..half].iter().chain(&['…']).chain(&letters[letters.len() - half..]).collect()
}

type DayValue = fn(&DayPoint) -> Option<f64>;

fn by_day(charts: &Charts) -> Picture {
    let title = if charts.days_per_point == 1 { "By test day" } else { "By span of test days" };
    let places: Vec<(f64, &DayPoint)> =
        charts.by_day.iter().filter_map(|point| Some((day_number(&point.day)?, point))).collect();
    let (Some(&(first, _)), Some(&(last, _))) = (places.first(), places.last()) else {
        return Picture::empty(title, "the newest test fold holds no row");
    };
    let values = places.iter().flat_map(|(_, point)| [point.average_precision, point.precision_at_budget]).flatten();
    let highest = values.fold(0.0, f64::max);
    let day = if charts.days_per_point == 1 { "day" } else { "first day of each span" };
    let mut plot =
        Plot::new(WIDTH, HEIGHT, day_axis(day, first - 0.5, last + 0.5), Axis::share_up_to("share", highest));
    let budget = charts.flags_per_day.map(|flags| format!("precision at {} a day", count(u64::from(flags))));
    let series: [(&str, DayValue, [&str; 3]); 2] = [
        ("average precision", |point| point.average_precision, ["ours", "ours-text", "dot-ours"]),
        (budget.as_deref().unwrap_or(""), |point| point.precision_at_budget, ["other", "other-text", "dot-other"]),
    ];
    let mut key = Vec::new();
    for (name, value, [line, words_class, dot]) in series {
        let found: Vec<(f64, f64, &DayPoint)> =
            places.iter().filter_map(|(day, point)| Some((*day, value(point)?, *point))).collect();
        plot.line(&found.iter().map(|(day, value, _)| (*day, *value)).collect::<Vec<_>>(), line);
        for (day, value, point) in &found {
            let words = format!(
                "{}: {name} {}; {} positives in {} rows",
                point.day,
                figure(*value),
                count(point.positives),
                count(point.rows)
            );
            plot.dot(*day, *value, 3.2, dot, &words);
        }
        if !found.is_empty() {
            key.push((line, words_class, name.to_owned()));
        }
    }
    if key.is_empty() {
        return Picture::empty(title, "no day of the newest test fold holds a positive");
    }
    plot.key(&key);
    let caption =
        "Days without a positive have no average precision. Single days hold few positives and swing.".to_owned();
    Picture { title, svg: plot.finish("Metrics over the days of the newest test fold"), caption }
}

/// Days since 1970 of `2018-09-04`.
fn day_number(text: &str) -> Option<f64> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.signed_duration_since(NaiveDate::default()).num_days() as f64)
}

/// Days since 1970, named at round steps.
pub fn day_axis(label: &str, from: f64, to: f64) -> Axis {
    let steps = [1.0, 2.0, 7.0, 14.0, 30.0, 61.0, 91.0, 182.0, 365.0, 730.0, 1826.0, 3652.0];
    let step = steps.into_iter().find(|step| (to - from) / step <= 4.5).unwrap_or((to - from) / 4.0);
    let name = |day: f64| crate::split::day_name((day as i64).saturating_mul(crate::split::DAY));
    let ticks = (0..6).map(|at| from.ceil() + f64::from(at) * step).filter(|day| *day <= to);
    Axis::marked(label, from, to, ticks.map(|day| (day, name(day))).collect())
}

/// From its title, where a fold is a span of days: the first, and the one after the last.
fn span(fold: &FoldSummary) -> Option<(f64, f64)> {
    let (from, until) = fold.title.split_once(" to ")?;
    Some((day_number(from)?, day_number(until)?))
}

/// Test folds that share days with a validation fold: a reviewer should know, for those days helped to choose.
pub fn test_folds_in_validation(manifest: &Manifest) -> usize {
    let spans =
        |part: &str| manifest.folds.iter().filter(|fold| fold.part == part).filter_map(span).collect::<Vec<_>>();
    let validation = spans("validation");
    let shared = |test: &&(f64, f64)| validation.iter().any(|span| span.0 < test.1 && test.0 < span.1);
    spans("test").iter().filter(shared).count()
}

/// Test and validation spans on a line of time; `None` where folds are not spans of days.
pub fn timeline(manifest: &Manifest) -> Option<String> {
    let spans: Vec<(f64, f64)> = manifest.folds.iter().map(span).collect::<Option<_>>()?;
    let earliest = spans.iter().map(|span| span.0).reduce(f64::min)?;
    let latest = spans.iter().map(|span| span.1).reduce(f64::max)?;
    let from = day_number(&manifest.data_from).unwrap_or(earliest).min(earliest);
    let until = day_number(&manifest.data_until).map_or(latest, |day| day + 1.0).max(latest);
    let parts = [("test", "ours"), ("validation", "other")]
        .into_iter()
        .filter(|(part, _)| manifest.folds.iter().any(|fold| fold.part == *part));
    let ticks = parts.clone().enumerate().map(|(row, (part, _))| (row as f64 + 0.5, part.to_owned())).collect();
    let rows = parts.clone().count() as f64;
    let mut plot = Plot::new(WIDTH, 26.0 + rows * 24.0, day_axis("", from, until), Axis::marked("", 0.0, rows, ticks))
        .with_room(78.0, 4.0, 22.0);
    for (row, (part, class)) in parts.enumerate() {
        for (fold, (from, until)) in manifest.folds.iter().zip(&spans).filter(|(fold, _)| fold.part == part) {
            let class = if class == "ours" { "span-test" } else { "span-validation" };
            let words = format!(
                "{part} {}: {} rows, {} positives",
                fold.title,
                count(fold.test_rows as u64),
                count(fold.test_positives as u64)
            );
            plot.bar((*from, *until), (row as f64 + 0.15, row as f64 + 0.85), class, &words);
        }
    }
    Some(plot.finish("The folds on a line of time, from the first to the last day of the data"))
}

/// A metric's interval as a bar with its folds, and its baseline as a tick; the scale is the metric's own.
pub fn interval(name: &str, metric: &MetricValue) -> String {
    let (width, middle) = (190.0, 11.0);
    let all = [Some(metric.value), metric.low, metric.high, metric.baseline];
    let values: Vec<f64> = all
        .into_iter()
        .flatten()
        .chain(metric.by_fold.iter().copied().flatten())
        .filter(|value| value.is_finite())
        .collect();
    let (low, high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    if low > high {
        return String::new();
    }
    let pad = if high > low { (high - low) * 0.06 } else { low.abs().max(1e-6) * 0.1 };
    let (low, high) = (low - pad, high + pad);
    let at = |value: f64| 6.0 + (value - low) / (high - low) * (width - 12.0);
    let mut marks = stroke((6.0, middle), (width - 6.0, middle), "axis");
    if let (Some(from), Some(to)) =
        (metric.low.filter(|low| low.is_finite()), metric.high.filter(|high| high.is_finite()))
    {
        let (from, length) = (at(from), (at(to) - at(from)).max(1.0));
        marks.push_str(&format!(
            r#"<rect class="interval" x="{from:.1}" y="{:.1}" width="{length:.1}" height="9"/>"#,
            middle - 4.5
        ));
    }
    for value in metric.by_fold.iter().flatten().filter(|value| value.is_finite()) {
        marks.push_str(&format!(r#"<circle class="fold" cx="{:.1}" cy="{middle:.1}" r="2.2"/>"#, at(*value)));
    }
    let mut words = format!("{name}: {}", figure(metric.value));
    if let Some(baseline) = metric.baseline.filter(|baseline| baseline.is_finite()) {
        marks.push_str(&stroke((at(baseline), middle - 9.0), (at(baseline), middle + 9.0), "baseline"));
        words += &format!("; baseline {}", figure_like(baseline, metric.value));
    }
    if metric.value.is_finite() {
        marks.push_str(&format!(r#"<circle class="value" cx="{:.1}" cy="{middle:.1}" r="4"/>"#, at(metric.value)));
    }
    drawing(width, 22.0, &words, &format!("<title>{}</title>{marks}", escape(&words)))
}

/// The share of alerts that are right; `None` without an alert.
pub fn precision(rule: &DecisionRule) -> Option<f64> {
    share(rule.true_positive, rule.true_positive + rule.false_positive)
}

/// The share of positives found; `None` without a positive.
pub fn recall(rule: &DecisionRule) -> Option<f64> {
    share(rule.true_positive, rule.true_positive + rule.false_negative)
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
