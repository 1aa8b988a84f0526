//! Which numbers are alarms, and what is known of their causes.

use super::*;
use crate::report::figure;
use std::collections::BTreeSet;

/// The window of an alarm that lies farthest from what was usual, on the side that the alarm is about; none where a level is
/// watched, whose windows all lie beyond it.
fn peak<'a>(judged: &'a [Judged], episode: &Episode) -> Option<&'a Judged> {
    let within = || judged.iter().filter(|one| (episode.since..=episode.last).contains(&one.window));
    let net: f64 = within().filter_map(|one| one.deviations).sum();
    let far = |one: &Judged| one.deviations.map_or(f64::NEG_INFINITY, |deviations| deviations * net.signum());
    // Deviations are held at a most: among those that are, the value itself says which is the farthest.
    let beyond = |one: &Judged| one.value * net.signum();
    within()
        .filter(|one| one.deviations.is_some())
        .max_by(|a, b| far(a).total_cmp(&far(b)).then(beyond(a).total_cmp(&beyond(b))))
}

fn windows_of(judged: Option<&Judged>) -> BTreeSet<i64> {
    judged.map(|one| one.window).into_iter().collect()
}

fn usual(judged: &Judged) -> String {
    let single = if judged.deviations.is_some() { "a single window usually has " } else { "" };
    match (judged.low, judged.high) {
        (Some(low), Some(high)) => format!("{single}{} to {}", figure(low), figure(high)),
        (Some(low), None) => format!("{single}at least {}", figure(low)),
        (None, Some(high)) => format!("{single}at most {}", figure(high)),
        (None, None) => "no single value would be unusual".to_owned(),
    }
}

/// The statistic of a window beside its level.
fn statistic(judged: &Judged) -> String {
    match judged.deviations {
        Some(_) => format!("sum of deviations {:.1}, alarm above {:.1}", judged.sum, judged.sum_max),
        None => format!("{} in a row beyond the level, alarm from {}", judged.sum, judged.sum_max),
    }
}

/// What made it an alarm, in a sentence.
fn why(highest: &Judged, one_window: bool) -> String {
    if highest.deviations.is_none() {
        return format!(
            "Alarm because {} in a row {} beyond the level.",
            crate::report::numbers::counted(highest.sum as u64, "window"),
            if highest.sum == 1.0 { "was" } else { "were" }
        );
    }
    let together =
        if one_window { "" } else { ", which several windows can bring about that are each within their limits" };
    format!(
        "Alarm because the deviations from usual added up to {:.1} standard deviations where {:.1} are allowed{together}.",
        highest.sum, highest.sum_max
    )
}

impl Evaluator<'_> {
    pub(super) fn judge(&self, number: &Number, budget: &Budget) -> (WatchReport, Vec<Episode>) {
        let within = |windows: &std::ops::Range<i64>| {
            number.values.iter().filter(|value| windows.contains(&value.window)).copied().collect::<Vec<Value>>()
        };
        let (past, live) = (within(&self.grid.reference), within(&self.grid.watched));
        let (slots, run_length) = (self.grid.slots(), budget.run_length);
        let mut watched = match &number.rule {
            Rule::Level { above, below, windows } => by_level(&live, *above, *below, *windows),
            Rule::Band(side) => by_band(&past, &live, slots, *side, number.range == SHARE, run_length),
            Rule::Count(side) => by_trend(&past, &live, slots, *side, run_length),
        };
        watched.keep_reachable(number.range.0, number.range.1);
        let Watched { judged, episodes, mut unable } = watched;
        if let Some(why) = unable.as_mut().filter(|_| number.name == PERFORMANCE) {
            why.push_str("; those that the version learned from do not count");
        }
        let level = matches!(number.rule, Rule::Level { .. });
        let look = WatchReport {
            name: number.name.clone(),
            title: number.title.clone(),
            owner: number.owner.clone(),
            severity: severity_word(number.severity),
            kind: if level { "level" } else { "band" },
            statistic: if level { "windows" } else { "deviations" },
            peak: episodes.last().and_then(|episode| peak(&judged, episode)).map(|one| one.window),
            newest: live.last().map(|value| value.value),
            alarm: episodes.last().is_some_and(|episode| episode.active),
            past: past.iter().map(|value| (value.window, value.value)).collect(),
            judged,
            unable,
        };
        (look, episodes)
    }

    pub(super) fn number_finding(
        &self,
        number: &Number,
        look: &WatchReport,
        episode: &Episode,
    ) -> Result<Finding, PlatformError> {
        let at = |window: i64| look.judged.iter().find(|judged| judged.window == window);
        let peak = peak(&look.judged, episode);
        let mut evidence = Vec::new();
        for window in BTreeSet::from([episode.since, episode.found, episode.last]).union(&windows_of(peak)) {
            let Some(judged) = at(*window) else { continue };
            let mut marks = Vec::new();
            marks.extend((*window == episode.since).then_some("first sign"));
            marks.extend(peak.filter(|peak| peak.window == *window).map(|_| "farthest from usual"));
            marks.extend((*window == episode.found).then_some("became an alarm"));
            marks.extend((*window == episode.last && episode.last != episode.found).then_some("latest of it"));
            let what = marks.join(", ");
            evidence.push(format!(
                "{}: {} ({}); {what}; {}",
                self.grid.text(*window),
                figure(judged.value),
                usual(judged),
                statistic(judged)
            ));
        }
        let within = |judged: &&Judged| (episode.since..=episode.last).contains(&judged.window);
        let highest = look.judged.iter().filter(within).max_by(|a, b| a.sum.total_cmp(&b.sum));
        evidence.extend(highest.map(|highest| why(highest, episode.since == episode.last)));
        let shown = peak.or_else(|| at(episode.last)).map_or_else(String::new, |judged| {
            format!("{} on {}", figure(judged.value), self.grid.text(judged.window))
        });
        let words = if episode.active { "has been unusual since" } else { "was unusual from" };
        let until = if episode.active { String::new() } else { format!(" to {}", self.grid.text(episode.last)) };
        Ok(Finding {
            watch: number.name.clone(),
            title: number.title.clone(),
            severity: severity_word(number.severity),
            owner: number.owner.clone(),
            since: self.grid.text(episode.since),
            found: self.grid.text(episode.found),
            last: self.grid.text(episode.last),
            active: episode.active,
            sentence: format!("{} {words} {}{until}: {shown}", number.title, self.grid.text(episode.since)),
            evidence,
            causes: self.causes(episode)?,
            examples: Vec::new(),
        })
    }

    pub(super) fn drift_finding(&self, drift: &DriftSeen, episode: &Episode) -> Result<Finding, PlatformError> {
        let mut moved: Vec<(&ColumnSeen, &Point)> = Vec::new();
        for column in &drift.columns {
            let worst = column
                .points
                .iter()
                .filter(|point| (episode.found..=episode.last).contains(&point.window))
                .filter(|point| point.verdict == Verdict::Drifting)
                .min_by(|a, b| a.p_value.unwrap_or(1.0).total_cmp(&b.p_value.unwrap_or(1.0)));
            moved.extend(worst.map(|point| (column, point)));
        }
        moved.sort_by(|a, b| {
            let by_chance = a.1.p_value.unwrap_or(1.0).total_cmp(&b.1.p_value.unwrap_or(1.0));
            by_chance.then(b.1.psi.unwrap_or(0.0).total_cmp(&a.1.psi.unwrap_or(0.0)))
        });
        let names: Vec<String> =
            moved.iter().take(COLUMNS_TOLD).map(|(column, _)| format!("`{}`", column.name)).collect();
        let more = moved.len().saturating_sub(COLUMNS_TOLD);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let evidence = moved.iter().take(COLUMNS_TOLD).map(|(column, point)| {
            let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), crate::report::figure);
            let means = column.means.map_or_else(String::new, |(before, now)| {
                format!(", mean {} before, {} now", crate::report::figure(before), crate::report::figure(now))
            });
            format!(
                "`{}` on {}: PSI {}, Jensen-Shannon {}, chance without drift {}{means}",
                column.name,
                self.grid.text(point.window),
                figure(point.psi),
                figure(point.jensen_shannon),
                point.p_value.map_or_else(|| "-".to_owned(), |p| format!("{p:.1e}")),
            )
        });
        Ok(Finding {
            watch: "drift".to_owned(),
            title: "inputs and scores look other than when the model was judged".to_owned(),
            severity: "page",
            owner: "model owners".to_owned(),
            since: self.grid.text(episode.since),
            found: self.grid.text(episode.found),
            last: self.grid.text(episode.last),
            active: episode.active,
            sentence: format!(
                "{}{more} {} since {}",
                names.join(", "),
                if episode.active { "drift" } else { "drifted" },
                self.grid.text(episode.since)
            ),
            evidence: evidence.collect(),
            causes: self.causes(episode)?,
            examples: Vec::new(),
        })
    }

    pub(super) async fn examples(
        &self,
        number: &Number,
        episode: &Episode,
        mask: &Mask,
    ) -> Result<Vec<String>, PlatformError> {
        let Some(sql) = &number.examples else { return Ok(Vec::new()) };
        self.engine.forget(FINDING)?;
        observed::register_finding(self.engine, self.grid, episode.since..episode.last + 1)?;
        let place = |error| at_offset(self.domain(), sql.span().start, error);
        let (_, batches) = self.engine.query(sql.get_ref()).await.map_err(place)?;
        let mut examples = Vec::new();
        for batch in &batches {
            let column = cast(batch.column(0), &DataType::Utf8).map_err(arrow_error)?;
            let texts = column.as_string::<i32>().iter().flatten();
            examples.extend(texts.take(EXAMPLES_MAX - examples.len()).map(|text| shortened(&mask.parts(text))));
        }
        Ok(examples)
    }

    pub(super) fn causes(&self, episode: &Episode) -> Result<Vec<String>, PlatformError> {
        cause::causes(self.parts, self.grid, self.domain(), episode.since..episode.last + 1)
    }
}
