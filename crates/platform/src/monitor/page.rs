//! A look as one page that needs nothing beside itself. Its size does not grow with the data: windows, columns and pictures
//! are counted.

use crate::PlatformError;
use crate::monitor::drift::ColumnSeen;
use crate::monitor::performance::MetricSeen;
use crate::monitor::{Judged, MonitoringReport, Point, WatchReport};
use crate::report::numbers::{count, counted};
use crate::report::svg::{Axis, Plot};
use crate::report::{day_axis, environment, figure, template_value};
use minijinja::AutoEscape;
use septet_learn::drift::thresholds::Verdict;
use serde::Serialize;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 230.0;
/// Of the sum below a watched number.
const SUM_HEIGHT: f64 = 110.0;
/// Windows drawn, the newest.
const WINDOWS_MAX: usize = 90;
/// Of a metric: each window is a dot, a whisker and a band.
const METRIC_WINDOWS_MAX: i64 = 60;
const METRICS_MAX: usize = 5;
/// Pictures of watched numbers; rows of the table of columns; pictures of distributions.
const WATCHES_MAX: usize = 16;
const COLUMNS_MAX: usize = 60;
const HEAT_COLUMNS_MAX: usize = 40;
const SHAPES_MAX: usize = 6;
const DAY: f64 = 86_400e6;

#[derive(Serialize)]
struct View<'a> {
    look: &'a MonitoringReport,
    active: bool,
    verdict: String,
    performance: Vec<Picture>,
    watches: Vec<Picture>,
    heat: Option<String>,
    columns: Vec<ColumnRow<'a>>,
    shapes: Vec<Picture>,
}

#[derive(Serialize)]
struct Picture {
    title: String,
    svg: String,
    caption: String,
}

/// A column and its newest window.
#[derive(Serialize)]
struct ColumnRow<'a> {
    name: &'a str,
    /// Compared with the same weekdays of the reference only.
    weekdays: bool,
    point: &'a Point,
    chance: String,
}

/// The page; under 300 kB whatever the size of the data.
pub fn html(look: &MonitoringReport) -> Result<String, PlatformError> {
    let active = look.findings.iter().filter(|finding| finding.active).count();
    let over = look.findings.len() - active;
    let verdict = findings_in_words(active, over);
    let mut columns: Vec<&ColumnSeen> = look.drift.columns.iter().collect();
    let newest_chance = |column: &ColumnSeen| column.points.last().and_then(|point| point.p_value).unwrap_or(1.0);
    columns.sort_by(|a, b| newest_chance(a).total_cmp(&newest_chance(b)));
    let row = |column: &&'_ ColumnSeen| -> Option<(String, bool, Point)> {
        Some((column.name.clone(), column.compared_with == "same_slots", column.points.last()?.clone()))
    };
    let rows: Vec<(String, bool, Point)> = columns.iter().take(COLUMNS_MAX).filter_map(row).collect();
    let table = rows.iter().map(|(name, weekdays, point)| ColumnRow {
        name,
        weekdays: *weekdays,
        point,
        chance: point.p_value.map_or_else(|| "–".to_owned(), |p| if p < 1e-4 { format!("{p:.0e}") } else { figure(p) }),
    });
    let view = View {
        look,
        active: active > 0,
        verdict,
        performance: look.performance.iter().take(METRICS_MAX).map(|metric| drawn_metric(look, metric)).collect(),
        watches: look.watches.iter().take(WATCHES_MAX).map(|watch| drawn_watch(look, watch)).collect(),
        heat: heat(look),
        columns: table.collect(),
        shapes: columns.iter().take(SHAPES_MAX).filter_map(|column| shape(column)).collect(),
    };
    let failed = |error: &dyn std::fmt::Display| {
        PlatformError::Training(format!("the page of `{}`'s monitoring: {error:#}", look.domain))
    };
    let filled = || {
        let mut environment = environment()?;
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        let json = serde_json::to_value(&view).unwrap_or_default();
        environment.template_from_str(include_str!("page.html"))?.render(template_value(json))
    };
    filled().map_err(|error| failed(&error))
}

/// How many findings there are: `No open findings (1 ended).`
pub fn findings_in_words(open: usize, ended: usize) -> String {
    let open = match open {
        0 => "No open findings".to_owned(),
        open => counted(open as u64, "open finding"),
    };
    if ended == 0 { format!("{open}.") } else { format!("{open} ({ended} ended).") }
}

/// The middle of a window, in days since 1970: what axes of time are drawn by.
fn day(look: &MonitoringReport, window: i64) -> f64 {
    (window as f64 + 0.5) * look.grid.window as f64 / DAY
}

/// First and last window drawn.
fn drawn(look: &MonitoringReport) -> (i64, i64) {
    let last = look.grid.watched.end - 1;
    let first = look.grid.reference.start.min(look.grid.watched.start);
    (first.max(last + 1 - WINDOWS_MAX as i64), last)
}

/// A frame over the windows drawn, from `low` to `high` with some air, and time without labels shaded if asked for.
fn frame(look: &MonitoringReport, values: impl Iterator<Item = f64>, immature: bool) -> Option<Plot> {
    let (first, last) = drawn(look);
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), value| (l.min(value), h.max(value)));
    if low > high {
        return None;
    }
    let air = if high > low { (high - low) * 0.08 } else { high.abs().max(1e-6) * 0.2 };
    let floor = if low >= 0.0 { (low - air).max(0.0) } else { low - air };
    let step = (high + air - floor) / 4.0;
    let ticks = (0..=4).map(|at| floor + f64::from(at) * step).map(|value| (value, tick(value))).collect();
    let half = look.grid.window as f64 / DAY / 2.0;
    let axis = day_axis("", day(look, first) - half, day(look, last) + half);
    let mut plot =
        Plot::new(WIDTH, HEIGHT, axis, Axis::marked("", floor, high + air, ticks)).with_room(56.0, 22.0, 26.0);
    let young = look.grid.immature_from().max(first);
    if immature && young <= last {
        let from = day(look, young) - half;
        plot.bar((from, day(look, last) + half), (floor, high + air), "young", "labels are not known yet");
    }
    Some(plot)
}

fn tick(value: f64) -> String {
    match value.abs() {
        size if size >= 10_000.0 => count(value.round() as u64),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.1}"),
        _ => figure(value),
    }
}

fn drawn_watch(look: &MonitoringReport, watch: &WatchReport) -> Picture {
    let (first, _) = drawn(look);
    let past: Vec<&(i64, f64)> = watch.past.iter().filter(|(window, _)| *window >= first).collect();
    let judged: Vec<_> = watch.judged.iter().filter(|judged| judged.window >= first).collect();
    let lines = judged.iter().flat_map(|judged| [judged.low, judged.high]).flatten();
    let values = past.iter().map(|(_, value)| *value).chain(judged.iter().map(|judged| judged.value)).chain(lines);
    let title = watch.title.clone();
    let newest = judged.last().map_or_else(String::new, |one| format!("newest {}", figure(one.value)));
    let state = match (&watch.unable, watch.alarm) {
        (Some(why), _) => format!("not judged: {why}"),
        (None, true) => "alarm".to_owned(),
        (None, false) => "quiet".to_owned(),
    };
    let peak = judged.iter().find(|one| Some(one.window) == watch.peak);
    let peak = peak.map_or_else(String::new, |one| {
        format!("; farthest from usual: {} on {}", figure(one.value), look.grid.text(one.window))
    });
    let caption = format!("{newest}{peak}; {state}; owner: {}; {}", watch.owner, watch.severity);
    // One number is no course: it is said, with its level.
    if let ([], [one]) = (past.as_slice(), judged.as_slice()) {
        let level = match (one.low, one.high) {
            (Some(low), _) => format!(", at least {}", figure(low)),
            (None, Some(high)) => format!(", at most {}", figure(high)),
            (None, None) => String::new(),
        };
        let caption = format!("{}{level}; {state}; owner: {}; {}", figure(one.value), watch.owner, watch.severity);
        return Picture { title, svg: String::new(), caption };
    }
    let reason = watch.unable.clone();
    let labelled = watch.name == "label_share" || watch.name == "performance";
    let Some(mut plot) = frame(look, values, labelled) else {
        let caption = reason.unwrap_or_else(|| "no window has this number".to_owned());
        return Picture { title, svg: String::new(), caption };
    };
    for line in [|judged: &Judged| judged.low, |judged: &Judged| judged.high] {
        let points = judged.iter().filter_map(|judged| Some((day(look, judged.window), line(judged)?)));
        plot.line(&points.collect::<Vec<_>>(), "other");
    }
    let own = |windows: &[(f64, f64)], plot: &mut Plot, class: &str| plot.line(windows, class);
    own(&past.iter().map(|(window, value)| (day(look, *window), *value)).collect::<Vec<_>>(), &mut plot, "chance");
    own(&judged.iter().map(|one| (day(look, one.window), one.value)).collect::<Vec<_>>(), &mut plot, "ours");
    for one in judged.iter().filter(|one| one.alarm) {
        let words = format!("{}: {}, an alarm", look.grid.text(one.window), figure(one.value));
        plot.dot(day(look, one.window), one.value, 4.0, "alarm", &words);
    }
    if let Some(one) = judged.iter().find(|one| Some(one.window) == watch.peak) {
        let words = format!("{}: {}, farthest from usual", look.grid.text(one.window), figure(one.value));
        plot.dot(day(look, one.window), one.value, 6.0, "peak", &words);
    }
    let mut svg = plot.finish(&format!("{title} over time: {state}"));
    svg.extend(drawn_sum(look, watch, &judged));
    Picture { svg, title, caption }
}

/// The cumulative sum below the series, with the level at which it is an alarm: what the series alone does not show.
fn drawn_sum(look: &MonitoringReport, watch: &WatchReport, judged: &[&Judged]) -> Option<String> {
    let most = judged.last().filter(|one| one.deviations.is_some())?.sum_max;
    let (first, last) = drawn(look);
    let half = look.grid.window as f64 / DAY / 2.0;
    let highest = judged.iter().map(|one| one.sum).fold(most, f64::max) * 1.1;
    let ticks = vec![(0.0, "0".to_owned()), (most, format!("{most:.1}"))];
    let x = day_axis("", day(look, first) - half, day(look, last) + half);
    let mut plot = Plot::new(WIDTH, SUM_HEIGHT, x, Axis::marked("", 0.0, highest, ticks)).with_room(56.0, 22.0, 26.0);
    plot.line(&[(day(look, first), most), (day(look, last), most)], "threshold");
    plot.line(&judged.iter().map(|one| (day(look, one.window), one.sum)).collect::<Vec<_>>(), "ours");
    for one in judged.iter().filter(|one| one.alarm) {
        let words = format!("{}: sum {:.1}, alarm above {most:.1}", look.grid.text(one.window), one.sum);
        plot.dot(day(look, one.window), one.sum, 3.0, "alarm", &words);
    }
    plot.key(&[("ours", "ours-text", "sum of deviations".to_owned()), ("threshold", "note", "alarm".to_owned())]);
    Some(plot.finish(&format!("{}: sum of deviations and the level of an alarm", watch.title)))
}

fn drawn_metric(look: &MonitoringReport, metric: &MetricSeen) -> Picture {
    let (first, last) = drawn(look);
    let first = first.max(last + 1 - METRIC_WINDOWS_MAX);
    let realised: Vec<_> = metric.realised.iter().filter(|one| one.window >= first).collect();
    let estimated: Vec<_> = metric.estimated.iter().filter(|one| one.window >= first).collect();
    let ends = realised.iter().flat_map(|one| [Some(one.value), one.low, one.high]).flatten();
    let promised = estimated.iter().flat_map(|one| [one.low, one.high]);
    let title = metric.name.clone();
    let Some(mut plot) = frame(look, ends.chain(promised).chain(metric.when_judged), true) else {
        return Picture { title, svg: String::new(), caption: "no window has enough positives".to_owned() };
    };
    let half = look.grid.window as f64 / DAY * 0.45;
    for one in &estimated {
        let middle = day(look, one.window);
        let words = format!("{}: predicted {} to {}", look.grid.text(one.window), figure(one.low), figure(one.high));
        plot.bar((middle - half, middle + half), (one.low, one.high), "band", &words);
    }
    plot.line(&estimated.iter().map(|one| (day(look, one.window), one.value)).collect::<Vec<_>>(), "other");
    for one in &realised {
        if let (Some(low), Some(high)) = (one.low, one.high) {
            plot.line(&[(day(look, one.window), low), (day(look, one.window), high)], "whisker");
        }
        let words = format!(
            "{}: {}; {} positives in {} rows",
            look.grid.text(one.window),
            figure(one.value),
            count(one.positives as u64),
            count(one.rows as u64)
        );
        plot.dot(day(look, one.window), one.value, 3.0, "dot-ours", &words);
    }
    let mut key = vec![
        ("ours", "ours-text", "realised".to_owned()),
        ("other", "other-text", "predicted by its probabilities".to_owned()),
    ];
    if let Some(judged) = metric.when_judged {
        let (first, last) = drawn(look);
        plot.line(&[(day(look, first), judged), (day(look, last), judged)], "threshold");
        key.push(("threshold", "note", "when judged".to_owned()));
    }
    plot.key(&key);
    let side = if metric.larger_is_better { "higher is better" } else { "lower is better" };
    let caption = format!("{side}; whiskers: 95 % by resampling groups");
    Picture { svg: plot.finish(&format!("{title} by window")), title, caption }
}

/// Columns by windows, coloured by verdict.
fn heat(look: &MonitoringReport) -> Option<String> {
    let (first, last) = drawn(look);
    let first = first.max(look.grid.learned.end);
    let columns: Vec<&ColumnSeen> = look.drift.columns.iter().take(HEAT_COLUMNS_MAX).collect();
    if columns.is_empty() || columns.iter().all(|column| column.points.is_empty()) {
        return None;
    }
    let rows = columns.len() as f64;
    let names = columns.iter().enumerate().map(|(at, column)| {
        let name: String = column.name.chars().take(28).collect();
        (rows - at as f64 - 0.5, name)
    });
    let half = look.grid.window as f64 / DAY / 2.0;
    let axis = day_axis("", day(look, first) - half, day(look, last) + half);
    let y = Axis::marked("", 0.0, rows, names.collect());
    let mut plot = Plot::new(1_040.0, 40.0 + rows * 18.0, axis, y).with_room(230.0, 6.0, 26.0);
    for (at, column) in columns.iter().enumerate() {
        let bottom = rows - at as f64 - 1.0;
        let points: Vec<&Point> = column.points.iter().filter(|point| point.window >= first).collect();
        // Neighbours of one verdict are one box.
        for run in points.chunk_by(|one, next| one.verdict == next.verdict && one.window + 1 == next.window) {
            let (Some(point), Some(last)) = (run.first(), run.last()) else { continue };
            let class = match point.verdict {
                Verdict::Quiet => "quiet",
                Verdict::Suspicious => "suspicious",
                Verdict::Drifting => "drifting",
                Verdict::TooFewRows => "few",
            };
            let least = run.iter().filter_map(|point| point.p_value).fold(1.0, f64::min);
            let (from, until) = (look.grid.text(point.window), look.grid.text(last.window + 1));
            let words = format!("{} {class} from {from} to {until}, least chance {least:.1e}", column.name);
            let across = (day(look, point.window) - 0.9 * half, day(look, last.window) + 0.9 * half);
            plot.bar(across, (bottom + 0.1, bottom + 0.9), class, &words);
        }
    }
    Some(plot.finish("Verdicts on each column in each window"))
}

/// The reference's distribution and the newest window's, bin by bin.
fn shape(column: &ColumnSeen) -> Option<Picture> {
    let newest = column.points.last()?;
    let shares = || column.reference_shares.iter().chain(&column.newest_shares).copied();
    let highest = shares().fold(0.0, f64::max);
    let bins = column.reference_shares.len();
    if bins == 0 || column.newest_shares.len() != bins || highest <= 0.0 {
        return None;
    }
    let label = |bin: usize| {
        let text = match (column.kind, bin) {
            ("number", 0) => "below".to_owned(),
            ("number", bin) => column.bins.get(bin - 1).cloned().unwrap_or_default(),
            (_, bin) => column.bins.get(bin).cloned().unwrap_or_else(|| "others".to_owned()),
        };
        text.chars().take(8).collect::<String>()
    };
    let each = bins.div_ceil(6).max(1);
    let ticks = (0..bins).step_by(each).map(|bin| (bin as f64 + 0.5, label(bin))).collect();
    let x = Axis::marked("bins of equal count, by lower end", 0.0, bins as f64, ticks);
    let mut plot = Plot::new(WIDTH, HEIGHT, x, Axis::share_up_to("share of rows", highest));
    for (bin, (before, now)) in column.reference_shares.iter().zip(&column.newest_shares).enumerate() {
        let words = format!("{}: {:.2} % before, {:.2} % now", label(bin), 100.0 * before, 100.0 * now);
        let left = bin as f64;
        plot.bar((left + 0.1, left + 0.5), (0.0, *before), "negative", &words);
        plot.bar((left + 0.5, left + 0.9), (0.0, *now), "positive", &words);
    }
    plot.key(&[("negative", "note", "reference".to_owned()), ("positive", "note", "newest window".to_owned())]);
    let psi = newest.psi.map_or_else(String::new, |psi| format!("PSI {}", figure(psi)));
    let caption = format!("{psi}; {} rows in the newest window", count(newest.rows));
    Some(Picture { svg: plot.finish(&format!("Distribution of {}", column.name)), title: column.name.clone(), caption })
}
