//! The second way that features are had, for training: keys of a series as of a moment, or each of their rows.

use super::*;

pub(super) async fn of_series(
    engine: &Engine,
    domain: &Domain,
    spec: &Spanned<Series>,
    extracted: Extracted,
    progress: &dyn Progress,
) -> Result<TrainingData, PlatformError> {
    let context = context(domain)?;
    let series = spec.get_ref();
    let inputs = Arc::new(SeriesInputs::load(engine, domain, spec).await?);
    let rows = inputs.rows().clone();
    if rows.keys.is_empty() {
        return Err(PlatformError::Training(format!("table `{}` has no row", series.rows.get_ref())));
    }
    progress.begin("train: features", Some(rows.keys.len() as u64), "keys");
    let made = SeriesLabels::compile(engine, domain, spec, rows.clone()).await?;
    let target = domain.spec.model.target.get_ref().clone();
    let layout = domain.spec.layout.get(&extracted.layout);
    let split = domain.spec.model.split.get_ref();
    let held = split.test.unwrap_or_default().micros();
    let by_moment = split.by == SplitBy::Moment;
    // The last microsecond of a day, that the day itself is known whole.
    let moment = if by_moment { floor_day(rows.end) + DAY - held - 1 } else { rows.end };
    let examples = inputs.all(moment)?;
    if examples.keys.is_empty() {
        let what = format!("no key had a row {} before the end: hold out less", split.test.unwrap_or_default());
        return Err(PlatformError::Training(what));
    }
    let labels_of = |examples: &SeriesExamples, moment: i64, known: i64| {
        made.of_moment(examples, by_moment.then_some(moment), held, known)
    };
    let known_until = if by_moment { moment + held } else { rows.end };
    let (earlier, sides) = earlier_examples(&inputs, domain, moment, held, by_moment)?;
    let mut labels = labels_of(&examples, moment, known_until)?;
    let last_period = match by_moment {
        true => labels_of(&examples, moment - held, moment)?.remove(&target).unwrap_or_default(),
        false => Vec::new(),
    };
    let mut joined = SeriesExamples::default();
    if let Some(earlier) = earlier {
        let before = labels_of(&earlier, moment - held, moment)?;
        labels.iter_mut().for_each(|(name, values)| {
            let mut all = before.get(name).cloned().unwrap_or_default();
            all.append(values);
            *values = all;
        });
        joined = earlier;
    }
    let examples = joined.followed_by(examples, &mut labels, by_moment)?;
    let newest = if by_moment { inputs.all(rows.end)?.frame } else { examples.frame.clone() };
    progress.end();
    let keys = examples.names;
    let interned = |_: &str| -> Result<Arc<Interned>, PlatformError> {
        let words: ArrayRef = Arc::new(StringArray::from(keys.clone()));
        Ok(Arc::new(intern(&words)?))
    };
    let timeline = Timeline { times: &examples.times, codes: &interned, task: context.task };
    let label = labels.get(&target).cloned().unwrap_or_default();
    let plan = match by_moment {
        true => crate::split::by_moment(&timeline, &keys, moment, held, sides),
        false => plan(&timeline, domain, &label, layout)?,
    };
    let (columns, request) = request(engine, domain, spec, &inputs).await?;
    let contract = EventContract::of_questions(columns, request, inputs.clone(), 0);
    let mut last = vec![f64::NAN; keys.len() - last_period.len()];
    last.extend(last_period);
    let (first, rows_read) = first_and_count(engine, domain).await?;
    Ok(TrainingData {
        frame: examples.frame,
        times: examples.times,
        labels,
        context,
        plan,
        extras: Vec::new(),
        personal: personal_of_series(domain, &inputs.types),
        left_out: Vec::new(),
        tables: Vec::new(),
        rows_read,
        span: Some((first, rows.end)),
        data_fingerprint: extracted.fingerprint,
        layout: extracted.layout,
        simulated: extracted.simulated,
        target,
        source: Source::Series(Box::new(KeyRows {
            inputs,
            labels: made,
            contract,
            one_row: series.one_row,
            moment,
            held,
            newest,
            keys,
            last_period: last,
        })),
    })
}

/// Examples one period earlier, where a kind learns from the target: their labels are known at the moment that is judged.
fn earlier_examples(
    inputs: &SeriesInputs,
    domain: &Domain,
    moment: i64,
    held: i64,
    by_moment: bool,
) -> Result<(Option<SeriesExamples>, bool), PlatformError> {
    let choices = domain.spec.model.kinds();
    let learns = choices.iter().filter_map(|choice| kinds::find(choice.kind.get_ref())).any(|k| k.learns_from_target());
    if !learns || !by_moment {
        return Ok((None, false));
    }
    let earlier = inputs.all(moment - held)?;
    match earlier.keys.is_empty() {
        true => Err(PlatformError::Training("no key had a row two periods before the end: hold out less".to_owned())),
        false => Ok((Some(earlier), true)),
    }
}

async fn first_and_count(engine: &Engine, domain: &Domain) -> Result<(i64, u64), PlatformError> {
    let (table, input) = domain.spec.first_input();
    let time = input.time.get_ref();
    let sql = format!("SELECT min(\"{time}\") AS first, count(*) AS n FROM \"{table}\"");
    let (_, batches) = engine.query(&sql).await?;
    let batch = batches.first().ok_or_else(|| arrow_error("no count"))?;
    let first = crate::inputs::history::times_of(batch, "first")?.first().copied().unwrap_or(0);
    let rows = numbers(batch.column(1))?.first().copied().unwrap_or(0.0);
    Ok((first, rows as u64))
}

impl SeriesExamples {
    /// The rows of both, these first, in the order of their time.
    fn followed_by(
        self,
        later: SeriesExamples,
        labels: &mut BTreeMap<String, Vec<f64>>,
        in_order: bool,
    ) -> Result<SeriesExamples, PlatformError> {
        let SeriesExamples { mut keys, mut names, mut times, frame } = self;
        let frame = if keys.is_empty() { later.frame } else { frame.followed_by(&later.frame) };
        keys.extend(later.keys);
        names.extend(later.names);
        times.extend(later.times);
        if in_order {
            return Ok(SeriesExamples { keys, names, times, frame });
        }
        let mut order: Vec<u32> = (0..times.len() as u32).collect();
        order.sort_by_key(|&row| (times[row as usize], keys[row as usize]));
        let at = |&row: &u32| row as usize;
        for values in labels.values_mut() {
            *values = order.iter().map(|row| values[at(row)]).collect();
        }
        Ok(SeriesExamples {
            keys: order.iter().map(|row| keys[at(row)]).collect(),
            names: order.iter().map(|row| names[at(row)].clone()).collect(),
            times: order.iter().map(|row| times[at(row)]).collect(),
            frame: frame.take(&order),
        })
    }
}

/// Keys whose features are made again one by one: each is a query of its own.
const KEYS_COMPARED: usize = 500;

impl KeyRows {
    /// Labels known at the cut, from all rows and from those known then. Where a key has one row: of the moment whose labels are
    /// known at the cut.
    pub(super) fn labels_beside(
        &self,
        before: &SeriesInputs,
        then: &SeriesLabels,
        cut: i64,
    ) -> Result<Comparison, PlatformError> {
        let as_of = if self.one_row { cut - self.held } else { cut };
        let moment = self.one_row.then_some(as_of);
        let examples = before.all(as_of)?;
        let then = then.of_moment(&examples, moment, self.held, cut)?;
        let known_until = if self.one_row { cut } else { self.inputs.rows().end };
        let place = |name: &String| self.inputs.rows().place(name);
        let keys = examples.names.iter().map(|name| place(name).unwrap_or(usize::MAX)).collect();
        let all =
            SeriesExamples { keys, names: examples.names.clone(), times: examples.times.clone(), ..Default::default() };
        let now = self.labels.of_moment(&all, moment, self.held, known_until)?;
        let mut pairs = Vec::new();
        for (name, known_after) in self.labels.names() {
            let known = |(.., time): &((&f64, &f64), &i64)| self.one_row || time.saturating_add(*known_after) <= cut;
            let both = then[name].iter().zip(&now[name]).zip(&all.times).filter(known);
            pairs.extend(both.map(|((then, now), _)| (*then, *now)));
        }
        Ok(labels_compared(cut, pairs.into_iter()))
    }

    pub(super) fn parity(&self, keys: usize) -> Result<Comparison, PlatformError> {
        let (rows, keys) = (self.inputs.rows(), keys.min(KEYS_COMPARED));
        let all: Range<usize> = rows.keys.len().saturating_sub(keys)..rows.keys.len();
        let (mut looked_up, mut pairs) = (BTreeMap::new(), Vec::new());
        for (key, sent) in as_sent(rows, all, self.inputs.rows_max())? {
            let Some(batch) = self.inputs.look_up(&key, rows.end)? else { continue };
            let as_of = crate::registry::clock::instant_text(rows.end).unwrap_or_default();
            let sent = serde_json::json!({ self.contract.sent_field(): sent, "as_of": as_of });
            let event = self.contract.read(&sent, "", "").map_err(|violations| {
                let what = violations.iter().map(|one| format!("{}: {}", one.pointer, one.detail)).collect::<Vec<_>>();
                PlatformError::Training(format!("published rows are no request: {}", what.join("; ")))
            })?;
            looked_up.insert(key, batch.clone());
            pairs.push((batch, event.features.as_ref().map_or_else(Vec::new, |features| features.to_vec())));
        }
        let what = "keys asked with their rows instead of looked up";
        let asked = compared(what, pairs.len(), &self.newest.names, pairs.into_iter());
        self.with_batch(asked, &looked_up, keys)
    }

    /// Whether features are made for each of a key's rows: then the engine's sums slide over the rows, and what was added and taken
    /// away again before leaves its rounding behind.
    fn slides(&self) -> bool {
        !self.one_row
    }

    /// And the look-up of each key beside the query over all keys at once, which training uses.
    fn with_batch(
        &self,
        asked: Comparison,
        looked_up: &BTreeMap<String, Vec<OwnedValue>>,
        keys: usize,
    ) -> Result<Comparison, PlatformError> {
        let rows = self.inputs.rows();
        let all = self.inputs.all(rows.end)?;
        let first = rows.keys.len().saturating_sub(keys);
        let newest: BTreeMap<usize, usize> = all.keys.iter().enumerate().map(|(row, &key)| (key, row)).collect();
        let mut different = 0;
        for (&key, &row) in newest.range(first..) {
            let online = looked_up.get(&rows.keys[key]).map_or(&[][..], Vec::as_slice);
            let batch = frame_row(&all.frame, row);
            let apart = |(a, b): (&OwnedValue, &OwnedValue)| !(a.same(b) || self.slides() && a.almost(b));
            different += usize::from(batch.len() != online.len() || batch.iter().zip(online).any(apart));
        }
        let evidence = format!(
            "{}; {different} of {} looked up alone and with all differ",
            asked.evidence,
            newest.range(first..).count()
        );
        Ok(Comparison { different: asked.different + different, evidence })
    }

    /// Each key as of the cut, from all rows and from those known then. Where a key has several rows: those until the cut, as
    /// they are learned from.
    pub(super) fn features_beside(&self, before: &SeriesInputs, cut: i64) -> Result<Comparison, PlatformError> {
        let now = self.inputs.all(if self.one_row { cut } else { self.inputs.rows().end })?;
        let by_name = |examples: &SeriesExamples| -> BTreeMap<(String, i64), Vec<OwnedValue>> {
            let rows = examples.names.iter().zip(&examples.times).enumerate();
            let rows = rows.filter(|(_, (_, time))| **time <= cut);
            rows.map(|(row, (name, &time))| ((name.clone(), time), frame_row(&examples.frame, row))).collect()
        };
        let (now, then) = (by_name(&now), by_name(&before.all(cut)?));
        let same = |a: &Vec<OwnedValue>, b: &Vec<OwnedValue>| a.iter().zip(b).all(|(a, b)| a.same(b));
        let equal = now.iter().filter(|(at, row)| then.get(*at).is_some_and(|other| same(row, other))).count();
        let all = now.keys().chain(then.keys()).collect::<std::collections::BTreeSet<_>>().len();
        let day = crate::split::day_name(cut + 1);
        let evidence = format!("inputs cut at {day} and tables made again: {} of {all} rows differ", all - equal);
        Ok(Comparison { different: all - equal, evidence })
    }
}
