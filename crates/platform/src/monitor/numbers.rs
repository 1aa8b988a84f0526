//! The numbers that are watched: those of every domain, and those of its `[[watch]]`.

use super::*;

impl Evaluator<'_> {
    /// Rows a window; those before the first row of all are not there, those without a row are 0.
    pub(super) fn rows(&self) -> BTreeMap<i64, u64> {
        let mut rows = BTreeMap::new();
        for part in self.parts {
            part.times.iter().for_each(|&time| *rows.entry(self.grid.number(time)).or_insert(0) += 1);
        }
        if let Some(&first) = rows.keys().next() {
            for window in first..self.grid.watched.end {
                rows.entry(window).or_insert(0);
            }
        }
        rows
    }

    pub(super) fn value(&self, window: i64, value: f64, rows: Option<f64>) -> Value {
        Value { window, slot: self.grid.slot(window), value, rows }
    }

    /// What every domain is watched for.
    pub(super) async fn built_in(&self, published: &Published) -> Result<Vec<Number>, PlatformError> {
        let rows = self.rows();
        let number = |name: &str, title: String, owner: &str, rule: Rule, values: Vec<Value>| Number {
            name: name.to_owned(),
            title,
            owner: owner.to_owned(),
            severity: Severity::Page,
            rule,
            values,
            range: SHARE,
            examples: None,
        };
        let mut all = Vec::new();
        let counts = rows.iter().map(|(&window, &count)| self.value(window, count as f64, None)).collect();
        let monitor = &self.domain().spec.monitor;
        let title = format!("rows in {}", monitor.window);
        let counted = number("rows", title, "data engineering", Rule::Count(Direction::Both), counts);
        all.push(Number { range: (Some(0.0), None), ..counted });
        let broken = self.quarantined(published).await?;
        let shares = rows.iter().filter(|(_, count)| **count > 0).map(|(&window, &count)| {
            let broken = broken.get(&window).copied().unwrap_or(0) as f64;
            self.value(window, broken / (broken + count as f64), Some(broken + count as f64))
        });
        let title = "share of rows that break the contract".to_owned();
        all.push(number("quarantined", title, "data engineering", Rule::Band(Direction::Up), shares.collect()));
        for known in self.known {
            let shares = rows.iter().filter(|(_, count)| **count > 0).map(|(&window, &count)| {
                let new = known.new_rows.get(&window).copied().unwrap_or(0) as f64;
                self.value(window, (new / count as f64).min(1.0), Some(count as f64))
            });
            let title = format!("share of rows whose `{}` was never seen before", known.entity);
            let name = format!("new_{}", known.entity);
            all.push(number(&name, title, "data engineering", Rule::Band(Direction::Up), shares.collect()));
        }
        let outliers = number(
            "outliers",
            format!("share of rows with a number more than {ROBUST_Z_MAX} robust deviations from its median"),
            "data engineering",
            Rule::Band(Direction::Up),
            self.outlier_shares(),
        );
        all.push(Number { severity: Severity::Notice, ..outliers });
        if self.answerer.inputs.keeps_state() {
            let target = self.domain().spec.model.target.get_ref();
            let what = match self.answerer.scorer.task {
                Task::Label => "share",
                Task::Number | Task::Count => "mean",
            };
            let range = if what == "share" { SHARE } else { (None, None) };
            let share = number(
                "label_share",
                format!("{what} of `{target}`, labels that are known"),
                "model owners",
                Rule::Band(Direction::Both),
                self.label_shares(),
            );
            all.push(Number { range, ..share });
        }
        Ok(all)
    }

    /// Rows in which any number of the model's inputs lies far from where the reference's numbers are.
    pub(super) fn outlier_shares(&self) -> Vec<Value> {
        let Some(first) = self.parts.first() else { return Vec::new() };
        let scale = |at: usize| {
            let mut values = Vec::new();
            for part in self.parts {
                if let Column::Number(column) = &part.frame.columns[at] {
                    let own = column.iter().zip(&part.times);
                    values.extend(
                        own.filter(|(_, time)| self.grid.reference.contains(&self.grid.number(**time)))
                            .map(|(v, _)| *v),
                    );
                }
            }
            let apart = (values.len() / OUTLIER_SAMPLE).max(1);
            RobustScale::learn(&values.into_iter().step_by(apart).collect::<Vec<f64>>())
        };
        let scales: Vec<Option<RobustScale>> = (0..first.frame.columns.len()).map(scale).collect();
        let mut counts: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for part in self.parts {
            let mut far = vec![false; part.rows()];
            for (column, scale) in part.frame.columns.iter().zip(&scales) {
                if let (Column::Number(values), Some(scale)) = (column, scale) {
                    let beyond = |value: &f64| scale.standardise(*value).abs() > ROBUST_Z_MAX;
                    far.iter_mut().zip(values).for_each(|(far, value)| *far |= beyond(value));
                }
            }
            for (&time, far) in part.times.iter().zip(far) {
                let (outliers, rows) = counts.entry(self.grid.number(time)).or_default();
                *outliers += f64::from(u8::from(far));
                *rows += 1.0;
            }
        }
        counts.iter().map(|(&window, (outliers, rows))| self.value(window, outliers / rows, Some(*rows))).collect()
    }

    /// By the clock, where the domain asks for it and nobody asks about another time.
    pub(super) fn freshness(&self) -> Option<Finding> {
        let within = self.domain().spec.monitor.fresh_within?.micros();
        let newest = self.parts.iter().filter_map(|part| part.times.last().copied()).max()?;
        let now = crate::registry::clock::now_micros();
        if now - newest <= within || self.looking.as_of.is_some() || self.looking.rehearsal {
            return None;
        }
        let hours = (now - newest) as f64 / 3.6e9;
        Some(Finding {
            watch: "freshness".to_owned(),
            title: "no new rows".to_owned(),
            severity: "page",
            owner: "data engineering".to_owned(),
            since: time_text(newest + within),
            found: time_text(newest + within),
            last: time_text(now),
            active: true,
            sentence: format!("the newest row is {hours:.1} hours old, of {}", time_text(newest)),
            evidence: Vec::new(),
            causes: Vec::new(),
            examples: Vec::new(),
        })
    }

    /// Published tables no longer fit the version that answers.
    pub(super) fn changed_columns(&self) -> Option<Finding> {
        let notes = &self.answerer.notes;
        let sentence = match notes.as_slice() {
            [] => return None,
            [note] => note.clone(),
            _ => format!("{} columns no longer fit version `{}`", notes.len(), self.answerer.manifest().version),
        };
        let newest = self.grid.watched.end - 1;
        Some(Finding {
            watch: "columns".to_owned(),
            title: "columns no longer fit the version".to_owned(),
            severity: "notice",
            owner: "data engineering".to_owned(),
            // The runs before told of it too: what goes on from one to the next is one alert.
            since: self.grid.text(newest - 1),
            found: self.grid.text(newest),
            last: time_text(self.grid.as_of),
            active: true,
            sentence,
            evidence: if notes.len() > 1 { notes.clone() } else { Vec::new() },
            causes: Vec::new(),
            examples: Vec::new(),
        })
    }

    pub(super) fn label_shares(&self) -> Vec<Value> {
        let mut counts: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for part in self.parts {
            let known = part.times.iter().zip(&part.label).filter(|(_, label)| !label.is_nan());
            for (&time, label) in known.filter(|(time, _)| self.grid.is_mature(**time)) {
                let (positives, rows) = counts.entry(self.grid.number(time)).or_default();
                *positives += label;
                *rows += 1.0;
            }
        }
        counts.iter().map(|(&window, (positives, rows))| self.value(window, positives / rows, Some(*rows))).collect()
    }

    /// Rows in quarantine by window, where their time could be read.
    pub(super) async fn quarantined(&self, published: &Published) -> Result<BTreeMap<i64, u64>, PlatformError> {
        let folder = self.looking.home.tables_folder(self.domain().name(), &published.run_id);
        let path = folder.join("quarantine.parquet");
        let mut counts = BTreeMap::new();
        if !path.exists() {
            return Ok(counts);
        }
        self.engine.forget("quarantine")?;
        self.engine.register_file(&TableFile { name: "quarantine".to_owned(), path }).await?;
        let schema = self.engine.plan("SELECT * FROM quarantine").await?;
        if schema.index_of("at").is_err() {
            return Ok(counts);
        }
        let (_, batches) = self.engine.query("SELECT \"at\" FROM quarantine WHERE \"at\" IS NOT NULL").await?;
        for batch in &batches {
            for micros in instants(batch, 0)?.into_iter().flatten() {
                *counts.entry(self.grid.number(micros)).or_insert(0) += 1;
            }
        }
        Ok(counts)
    }

    /// A `[[watch]]`: its SELECT is a series, or one number that stands for the newest window.
    pub(super) async fn declared(&self, watch: &Watch) -> Result<Number, PlatformError> {
        let (sql, offset) = watch.query();
        let place = |error| at_offset(self.domain(), offset, error);
        let (schema, batches) = self.engine.query(&sql).await.map_err(place)?;
        let mut values = Vec::new();
        match (schema.index_of("at"), schema.index_of("value")) {
            (Ok(at), Ok(value)) => {
                let rows = schema.index_of("rows").ok();
                for batch in &batches {
                    let figures = numbers(batch.column(value))?;
                    let counts = rows.map(|rows| numbers(batch.column(rows))).transpose()?;
                    for (row, micros) in instants(batch, at)?.into_iter().enumerate() {
                        let Some(window) = micros.map(|micros| self.grid.number(micros)) else { continue };
                        let count = counts.as_ref().map(|counts| counts[row]).filter(|count| !count.is_nan());
                        if !figures[row].is_nan() && window < self.grid.watched.end {
                            values.push(self.value(window, figures[row], count));
                        }
                    }
                }
                values.sort_by_key(|value| value.window);
                values.dedup_by_key(|value| value.window);
            }
            _ => {
                let number = self.engine.number(&sql).await.map_err(place)?;
                // One number is one look: it counts as if it had been so for as long as asked.
                let newest = self.grid.watched.end - 1;
                let back = i64::from(watch.windows.max(1)) - 1;
                values.extend((newest - back..=newest).flat_map(|window| Some(self.value(window, number?, None))));
            }
        }
        let rule = match watch.band {
            Some(BandSide::Up) => Rule::Band(Direction::Up),
            Some(BandSide::Down) => Rule::Band(Direction::Down),
            Some(BandSide::Both) => Rule::Band(Direction::Both),
            None => Rule::Level { above: watch.above, below: watch.below, windows: watch.windows },
        };
        Ok(Number {
            name: watch.name.get_ref().clone(),
            title: watch.title.clone(),
            owner: watch.owner.clone(),
            severity: watch.severity,
            range: if values.iter().any(|value| value.rows.is_some()) && watch.band.is_some() {
                SHARE
            } else {
                (None, None)
            },
            rule,
            values,
            examples: watch.examples.clone(),
        })
    }

    /// The metric of choice on matured labels, held against its own past.
    pub(super) fn earned(&self, metric: &MetricSeen) -> Number {
        let side = if metric.larger_is_better { Direction::Down } else { Direction::Up };
        Number {
            name: PERFORMANCE.to_owned(),
            title: format!("{} on labels that are known", metric.name),
            owner: "model owners".to_owned(),
            severity: Severity::Page,
            rule: Rule::Band(side),
            // Every measure is at least 0, and one of which more is better is a share.
            range: (Some(0.0), metric.larger_is_better.then_some(1.0)),
            examples: None,
            // What a model says of rows that it learned from is better than it will ever be again.
            values: performance::series(metric, self.grid)
                .into_iter()
                .filter(|value| !self.fitted_on(value.window))
                .collect(),
        }
    }

    /// Whether the champion was fitted on rows of this window.
    pub(super) fn fitted_on(&self, window: i64) -> bool {
        let span = self.answerer.manifest().fitted_on;
        span.is_some_and(|(from, until)| (self.grid.number(from)..=self.grid.number(until)).contains(&window))
    }
}
