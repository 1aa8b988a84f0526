//! Which numbers are alarms, and what is known of their causes.

use super::*;

impl Evaluator<'_> {
    pub(super) fn judge(&self, number: &Number, budget: &Budget) -> (WatchReport, Vec<Episode>) {
        let within = |windows: &std::ops::Range<i64>| {
            number.values.iter().filter(|value| windows.contains(&value.window)).copied().collect::<Vec<Value>>()
        };
        let (past, live) = (within(&self.grid.reference), within(&self.grid.watched));
        let (slots, run_length) = (self.grid.slots(), budget.run_length);
        let Watched { judged, episodes, unable } = match &number.rule {
            Rule::Level { above, below, windows } => by_level(&live, *above, *below, *windows),
            Rule::Band(side) => by_band(&past, &live, slots, *side, run_length),
            Rule::Count(side) => by_trend(&past, &live, slots, *side, run_length),
        };
        let look = WatchReport {
            name: number.name.clone(),
            title: number.title.clone(),
            owner: number.owner.clone(),
            severity: severity_word(number.severity),
            kind: if matches!(number.rule, Rule::Level { .. }) { "level" } else { "band" },
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
        let figure = |value: f64| crate::report::figure(value);
        let usual = |judged: &Judged| match (judged.low, judged.high) {
            (Some(low), Some(high)) => format!("usual: {} to {}", figure(low), figure(high)),
            (Some(low), None) => format!("at least {}", figure(low)),
            (None, Some(high)) => format!("at most {}", figure(high)),
            (None, None) => "no line".to_owned(),
        };
        let told = |window: i64| {
            at(window).map(|judged| format!("{}: {} ({})", self.grid.text(window), figure(judged.value), usual(judged)))
        };
        let evidence: Vec<String> = [episode.since, episode.found, episode.last]
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .filter_map(told)
            .collect();
        let value = at(episode.last).map_or_else(String::new, |judged| figure(judged.value));
        let words = if episode.active { "is" } else { "was" };
        Ok(Finding {
            watch: number.name.clone(),
            title: number.title.clone(),
            severity: severity_word(number.severity),
            owner: number.owner.clone(),
            since: self.grid.text(episode.since),
            found: self.grid.text(episode.found),
            last: self.grid.text(episode.last),
            active: episode.active,
            sentence: format!("{} {words} {value}, not as usual since {}", number.title, self.grid.text(episode.since)),
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
