//! A frame with two axes and marks in it, as SVG text. Colours are the page's classes, so that one drawing serves
//! light, dark and paper; marks that carry numbers carry them as tooltips too.

use crate::report::numbers;
use std::fmt::Write;

const LEFT: f64 = 60.0;
const RIGHT: f64 = 14.0;
/// Holds the key.
const TOP: f64 = 28.0;
const BOTTOM: f64 = 44.0;
/// Units per letter of the widest usual font at the size on a phone: what decides whether two labels would touch.
pub const LETTER: f64 = 7.8;
/// About as many ticks as people count at a glance.
const TICKS: f64 = 5.0;

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Spread {
    Linear,
    Log10,
    LogOdds,
}

/// A direction: its span, its ticks, its name with unit.
#[derive(Clone, Debug)]
pub struct Axis {
    label: String,
    spread: Spread,
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// 0 to 1, marked each fifth.
    pub fn share(label: &str) -> Axis {
        let ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0].map(|tick| (tick, short(tick))).to_vec();
        Axis { label: label.to_owned(), spread: Spread::Linear, from: 0.0, to: 1.0, ticks }
    }

    /// From 0 to a round share at or above `max`, for values that would lie on the floor of 0 to 1.
    pub fn share_up_to(label: &str, max: f64) -> Axis {
        let max = if max > 0.0 { max.min(1.0) } else { 1.0 };
        let step = nice_step(max / TICKS);
        let steps = (max / step - 1e-9).ceil() as usize;
        let ticks = (0..=steps).map(|at| at as f64 * step).map(|tick| (tick, short(tick))).collect();
        Axis { label: label.to_owned(), spread: Spread::Linear, from: 0.0, to: steps as f64 * step, ticks }
    }

    /// Counts from just below 1, so that a single row is seen, to a power of ten.
    pub fn log_count(label: &str, max: u64) -> Axis {
        let powers = (max.max(1) as f64).log10().ceil().max(1.0) as i32;
        let each = (powers / 6 + 1) as usize;
        let ticks =
            (0..=powers).step_by(each).map(|power| (10f64.powi(power), numbers::count(10u64.pow(power as u32))));
        Axis {
            label: label.to_owned(),
            spread: Spread::Log10,
            from: 0.6,
            to: 10f64.powi(powers),
            ticks: ticks.collect(),
        }
    }

    /// Probabilities on a scale of powers of ten; `from` and `to` above 0.
    pub fn log_share(label: &str, from: f64, to: f64) -> Axis {
        let ticks = (-9..=0).map(|power| 10f64.powi(power)).filter(|tick| (from..=to).contains(tick));
        let ticks = ticks.map(|tick| (tick, short_percent(tick))).collect();
        Axis { label: label.to_owned(), spread: Spread::Log10, from, to, ticks }
    }

    /// Probabilities spread by their log-odds, so that rare and near certain both have room.
    pub fn log_odds(label: &str, from: f64, to: f64) -> Axis {
        let coarse = [1e-6, 1e-5, 1e-4, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999];
        let fine = [0.002, 0.005, 0.02, 0.05, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.95, 0.98];
        let within = |tick: &f64| (from..=to).contains(tick);
        let mut marks: Vec<f64> = coarse.into_iter().filter(within).collect();
        if marks.len() < 3 {
            marks.extend(fine.into_iter().filter(within));
            marks.sort_by(f64::total_cmp);
        }
        let ticks = marks.into_iter().map(|tick| (tick, short_percent(tick))).collect();
        Axis { label: label.to_owned(), spread: Spread::LogOdds, from, to, ticks }
    }

    /// Numbers of any unit, with ticks at round steps.
    pub fn linear(label: &str, from: f64, to: f64) -> Axis {
        let step = nice_step(((to - from) / TICKS).max(f64::MIN_POSITIVE));
        let first = (from / step).ceil();
        let ticks = (0..12).map(|at| (first + f64::from(at)) * step).filter(|tick| *tick <= to);
        let ticks = ticks.map(|tick| (tick, numbers::figure(tick))).collect();
        Axis { label: label.to_owned(), spread: Spread::Linear, from, to, ticks }
    }

    /// Ticks of the caller's choice on a linear scale.
    pub fn marked(label: &str, from: f64, to: f64, ticks: Vec<(f64, String)>) -> Axis {
        Axis { label: label.to_owned(), spread: Spread::Linear, from, to, ticks }
    }

    /// 0 at `from`, 1 at `to`, held within; `None` for what has no place.
    fn place(&self, value: f64) -> Option<f64> {
        let (value, from, to) = (self.stretched(value), self.stretched(self.from), self.stretched(self.to));
        let place = if to > from { (value - from) / (to - from) } else { 0.5 };
        (!place.is_nan()).then(|| place.clamp(0.0, 1.0))
    }

    fn stretched(&self, value: f64) -> f64 {
        match self.spread {
            Spread::Linear => value,
            Spread::Log10 => value.max(f64::MIN_POSITIVE).log10(),
            Spread::LogOdds => (value / (1.0 - value)).ln(),
        }
    }
}

/// 1, 2 or 5 times a power of ten, at or above `step`.
fn nice_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let nice = [1.0, 2.0, 5.0, 10.0].into_iter().find(|nice| nice * power >= step * (1.0 - 1e-9));
    nice.unwrap_or(10.0) * power
}

/// `0`, `.2`, `.05`, `1`.
fn short(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.strip_prefix('0').filter(|fraction| !fraction.is_empty()).unwrap_or(text).to_owned()
}

/// `0.01 %`: without the zeros that a measured share would have.
fn short_percent(share: f64) -> String {
    format!("{} %", (share * 1e8).round() / 1e6)
}

/// Where text sits beside its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }
}

/// A drawing in progress, `width` by `height` units of about a pixel.
pub struct Plot {
    width: f64,
    height: f64,
    left: f64,
    top: f64,
    bottom: f64,
    x: Axis,
    y: Axis,
    marks: String,
}

impl Plot {
    pub fn new(width: f64, height: f64, x: Axis, y: Axis) -> Plot {
        Plot { width, height, left: LEFT, top: TOP, bottom: BOTTOM, x, y, marks: String::new() }
    }

    /// For a drawing without key and axis names, and with words in place of figures at the left.
    pub fn with_room(self, left: f64, top: f64, bottom: f64) -> Plot {
        Plot { left, top, bottom, ..self }
    }

    /// How far right a value of the x axis is drawn.
    pub fn across_of(&self, value: f64) -> f64 {
        self.across(value).unwrap_or(0.0)
    }

    fn across(&self, value: f64) -> Option<f64> {
        Some(self.left + self.x.place(value)? * (self.width - self.left - RIGHT))
    }

    fn up(&self, value: f64) -> Option<f64> {
        Some(self.height - self.bottom - self.y.place(value)? * (self.height - self.top - self.bottom))
    }

    fn at(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        Some((self.across(x)?, self.up(y)?))
    }

    /// Straight strokes; points without a place are passed over.
    pub fn line(&mut self, points: &[(f64, f64)], class: &str) {
        let placed: Vec<(f64, f64)> = points.iter().filter_map(|&(x, y)| self.at(x, y)).collect();
        if placed.len() > 1 {
            let path: Vec<String> = placed.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = write!(self.marks, r#"<polyline class="{class}" points="{}"/>"#, path.join(" "));
        }
    }

    pub fn bar(&mut self, x: (f64, f64), y: (f64, f64), class: &str, title: &str) {
        let (Some((left, bottom)), Some((right, top))) = (self.at(x.0, y.0), self.at(x.1, y.1)) else { return };
        let (width, height, title) = ((right - left).max(0.5), (bottom - top).max(0.5), escape(title));
        let _ = write!(
            self.marks,
            r#"<rect class="{class}" x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}"><title>{title}</title></rect>"#
        );
    }

    pub fn dot(&mut self, x: f64, y: f64, radius: f64, class: &str, title: &str) {
        if let Some((x, y)) = self.at(x, y) {
            let title = escape(title);
            let _ = write!(
                self.marks,
                r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"><title>{title}</title></circle>"#
            );
        }
    }

    /// `shift`: units right and down from the point, so that text clears its mark.
    pub fn label(&mut self, x: f64, y: f64, shift: (f64, f64), anchor: Anchor, class: &str, words: &str) {
        if let Some((x, y)) = self.at(x, y) {
            self.marks.push_str(&text(x + shift.0, y + shift.1, anchor, class, words));
        }
    }

    /// Names the lines and bars above the frame, where they hide no mark: class of the mark, class of the words, words.
    pub fn key(&mut self, entries: &[(&str, &str, String)]) {
        let mut x = self.left;
        for (mark, class, words) in entries {
            let sample =
                [(x, self.top - 14.0), (x + 20.0, self.top - 14.0)].map(|(x, y)| format!("{x:.1},{y:.1}")).join(" ");
            let _ = write!(self.marks, r#"<polyline class="{mark} sample" points="{sample}"/>"#);
            self.marks.push_str(&text(x + 25.0, self.top - 10.0, Anchor::Start, class, words));
            x += 41.0 + words.chars().count() as f64 * LETTER;
        }
    }

    /// The drawing; `description` is what it says to someone who does not see it.
    pub fn finish(self, description: &str) -> String {
        let grid = format!("{}{}", self.x_axis(), self.y_axis());
        drawing(self.width, self.height, description, &format!("{grid}{}", self.marks))
    }

    fn x_axis(&self) -> String {
        let (bottom, mut written, mut taken) = (self.height - self.bottom, String::new(), f64::NEG_INFINITY);
        for (tick, label) in &self.x.ticks {
            let Some(x) = self.across(*tick) else { continue };
            written.push_str(&stroke((x, self.top), (x, bottom), "grid"));
            // The last label may be moved in, so that it does not leave the drawing.
            let half = label.chars().count() as f64 * LETTER / 2.0;
            let centre = x.min(self.width - half - 1.0);
            if centre - half > taken + LETTER {
                written.push_str(&text(centre, bottom + 16.0, Anchor::Middle, "tick", label));
                taken = centre + half;
            }
        }
        written.push_str(&stroke((self.left, bottom), (self.width - RIGHT, bottom), "axis"));
        let middle = (self.left + self.width - RIGHT) / 2.0;
        written + &text(middle, self.height - 8.0, Anchor::Middle, "name", &self.x.label)
    }

    fn y_axis(&self) -> String {
        let mut written = String::new();
        for (tick, label) in &self.y.ticks {
            let Some(y) = self.up(*tick) else { continue };
            written.push_str(&stroke((self.left, y), (self.width - RIGHT, y), "grid"));
            written.push_str(&text(self.left - 6.0, y + 4.0, Anchor::End, "tick", label));
        }
        let (middle, label) = ((self.top + self.height - self.bottom) / 2.0, escape(&self.y.label));
        let _ = write!(
            written,
            r#"<text class="name" text-anchor="middle" transform="translate(11 {middle:.1}) rotate(-90)">{label}</text>"#
        );
        written
    }
}

pub fn drawing(width: f64, height: f64, description: &str, marks: &str) -> String {
    let description = escape(description);
    format!(r#"<svg viewBox="0 0 {width} {height}" role="img" aria-label="{description}">{marks}</svg>"#)
}

pub fn stroke(from: (f64, f64), to: (f64, f64), class: &str) -> String {
    format!(r#"<line class="{class}" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}"/>"#, from.0, from.1, to.0, to.1)
}

pub fn text(x: f64, y: f64, anchor: Anchor, class: &str, words: &str) -> String {
    let words = escape(words);
    format!(r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{}">{words}</text>"#, anchor.name())
}

pub fn escape(words: &str) -> String {
    let mut escaped = String::with_capacity(words.len());
    for letter in words.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}
