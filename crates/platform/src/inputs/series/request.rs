//! What a request of a series is, and how it is read.

use super::*;

/// What a request of a series is: a key, or rows, or the features themselves; exactly one of the three.
#[derive(Debug)]
pub struct SeriesRequest {
    pub key: usize,
    pub sent: usize,
    pub as_of: usize,
    /// The field, the feature that it stands for, and whether it may be missing.
    pub given: Vec<(usize, usize, bool)>,
    /// Conditions, the field of each and what is told.
    checks: Option<RowExpressions>,
    told: Vec<(usize, String)>,
}

/// The columns of a request, and how it is read.
pub async fn request(
    engine: &Engine,
    domain: &Domain,
    spec: &Spanned<Series>,
    inputs: &SeriesInputs,
) -> Result<(Vec<EventColumn>, SeriesRequest), PlatformError> {
    let series = spec.get_ref();
    let key = Column {
        meaning: Some("looked up among the published rows".to_owned()),
        personal: key_personal(domain, series),
        ..Column::of_type(ColumnType::Text)
    };
    let mut columns = vec![EventColumn::new(series.key.get_ref().clone(), key)];
    let mut given = Vec::new();
    for (name, field) in &series.given {
        let feature = inputs.names.iter().position(|name| name == field.feature.get_ref());
        let feature = feature.ok_or_else(|| arrow_error(format!("no feature `{}`", field.feature.get_ref())))?;
        given.push((columns.len(), feature, field.optional));
        columns.push(EventColumn::new(name.get_ref().clone(), given_column(field)));
    }
    let sent = columns.len();
    let rows = Column { meaning: Some("all rows of one key".to_owned()), ..Column::of_type(ColumnType::Text) };
    let time = inputs.rows.columns.iter().position(|column| column.name == *series.at.get_ref()).unwrap_or(0);
    let of = RowsOf { columns: inputs.rows.columns.clone(), rows_max: series.rows_max, time };
    columns.push(EventColumn { rows: Some(Arc::new(of)), ..EventColumn::new(series.sent_as.get_ref().clone(), rows) });
    let as_of = columns.len();
    let moment = Column {
        meaning: Some(format!("with `{}`: the moment asked about; default: now", series.sent_as.get_ref())),
        ..Column::of_type(ColumnType::Timestamp)
    };
    columns.push(EventColumn::new(AS_OF.to_owned(), moment));
    let (checks, told) = compile_checks(engine, domain, series, &columns).await?;
    Ok((columns, SeriesRequest { key: 0, sent, as_of, given, checks, told }))
}

/// How the key points at a person, as the first input that has it says.
fn key_personal(domain: &Domain, series: &Series) -> Option<Personal> {
    let inputs = domain.spec.input.values();
    let columns = inputs.flat_map(|input| &input.columns).filter(|(name, _)| name.get_ref() == series.key.get_ref());
    columns.filter_map(|(_, column)| column.personal).next()
}

fn given_column(given: &GivenFeature) -> Column {
    Column {
        meaning: given.meaning.clone(),
        unit: given.unit.clone(),
        min: given.min,
        max: given.max,
        ..Column::of_type(given.kind)
    }
}

async fn compile_checks(
    engine: &Engine,
    domain: &Domain,
    series: &Series,
    columns: &[EventColumn],
) -> Result<(Option<RowExpressions>, Vec<(usize, String)>), PlatformError> {
    if series.check.is_empty() {
        return Ok((None, Vec::new()));
    }
    let fields = columns.iter().map(|column| Field::new(&column.name, arrow_type(column.kind), true));
    let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let table = series.rows.get_ref();
    for check in &series.check {
        let sql = format!("SELECT ({}) AS holds FROM {}", check.holds.get_ref(), quoted(table));
        let one = RowExpressions::compile(engine, &sql, table, schema.clone()).await;
        let one = one.map_err(|error| at_offset(domain, check.holds.span().start, error))?;
        if one.types[0] != DataType::Boolean {
            let message = format!("`holds` is a {}; expected a condition", one.types[0]);
            return Err(at_offset(domain, check.holds.span().start, TablesError::Sql { message, place: None }));
        }
    }
    let list: Vec<String> =
        series.check.iter().enumerate().map(|(at, check)| format!("({}) AS c{at}", check.holds.get_ref())).collect();
    let sql = format!("SELECT {} FROM {}", list.join(", "), quoted(table));
    let field = |check: &septet_domain::FieldCheck| {
        let at = columns.iter().position(|column| column.name == *check.field.get_ref()).unwrap_or(0);
        (at, check.says.clone())
    };
    let checks = RowExpressions::compile(engine, &sql, table, schema).await?;
    Ok((Some(checks), series.check.iter().map(field).collect()))
}

impl SeriesRequest {
    /// Says what is wrong with a request as a whole; its fields are sound.
    pub fn check(
        &self,
        cells: &[Cell],
        columns: &[EventColumn],
        pointer: &str,
        rows: &SeriesRows,
    ) -> Result<Vec<Violation>, PlatformError> {
        let given = |at: usize| cells[at] != Cell::Null;
        let say = |at: usize, code: &'static str, detail: String| Violation {
            pointer: format!("{pointer}/{}", escaped(&columns[at].name)),
            code,
            detail,
        };
        let ways = [given(self.key), given(self.sent), self.given.iter().any(|(at, ..)| given(*at))];
        if ways.iter().filter(|way| **way).count() != 1 {
            return Ok(vec![Violation { pointer: pointer.to_owned(), code: "required", detail: self.ways(columns) }]);
        }
        let mut wrong = Vec::new();
        if given(self.as_of) && !given(self.sent) {
            let detail = format!("only `{}` are read as of a time", columns[self.sent].name);
            wrong.push(say(self.as_of, "values", detail));
        }
        if let Cell::Text(key) = &cells[self.key] {
            if !rows.holds(key) {
                let detail = format!("not in the published rows; send its `{}`", columns[self.sent].name);
                wrong.push(say(self.key, "values", detail));
            }
            return Ok(wrong);
        }
        if let (Cell::Rows(sent), Cell::Time(as_of)) = (&cells[self.sent], &cells[self.as_of]) {
            if sent.first_time > *as_of {
                let detail = format!("every row comes after `{AS_OF}`");
                wrong.push(say(self.sent, "range", detail));
            }
            return Ok(wrong);
        }
        if given(self.sent) {
            return Ok(wrong);
        }
        let needed = self.given.iter().filter(|(.., optional)| !optional);
        let names: Vec<String> = needed.clone().map(|(at, ..)| format!("`{}`", columns[*at].name)).collect();
        for (at, ..) in needed.filter(|(at, ..)| !given(*at)) {
            wrong.push(say(*at, "required", format!("{} are needed together", names.join(", "))));
        }
        if wrong.is_empty() {
            wrong.extend(self.broken_check(cells, columns)?.map(|(at, detail)| say(at, "range", detail)));
        }
        Ok(wrong)
    }

    fn ways(&self, columns: &[EventColumn]) -> String {
        let name = |at: usize| format!("`{}`", columns[at].name);
        let given: Vec<String> = self.given.iter().map(|(at, ..)| name(*at)).collect();
        let more = if given.is_empty() { String::new() } else { format!(" and {}", given.join(", ")) };
        format!("give exactly one of {}, {}{more}", name(self.key), name(self.sent))
    }

    /// The first condition that does not hold.
    fn broken_check(&self, cells: &[Cell], columns: &[EventColumn]) -> Result<Option<(usize, String)>, PlatformError> {
        let Some(checks) = &self.checks else { return Ok(None) };
        let arrays = columns.iter().zip(cells).map(|(column, cell)| column.array(std::iter::once(cell)));
        let batch = RecordBatch::try_new(checks.schema().clone(), arrays.collect::<Result<Vec<_>, _>>()?);
        for (held, told) in checks.evaluate(&batch.map_err(arrow_error)?)?.iter().zip(&self.told) {
            let held = held.as_boolean();
            if held.is_valid(0) && !held.value(0) {
                return Ok(Some(told.clone()));
            }
        }
        Ok(None)
    }

    /// The features of a request that gives them.
    fn given_features(&self, cells: &[Cell], types: &[DataType]) -> Vec<OwnedValue> {
        let missing = |kind: &DataType| match is_text(kind) {
            true => OwnedValue::Word(None),
            false => OwnedValue::Number(f64::NAN),
        };
        let mut features: Vec<OwnedValue> = types.iter().map(missing).collect();
        for &(at, feature, _) in &self.given {
            features[feature] = match &cells[at] {
                Cell::Number(value) => OwnedValue::Number(*value),
                Cell::Integer(value) => OwnedValue::Number(*value as f64),
                Cell::Truth(value) => OwnedValue::Number(f64::from(u8::from(*value))),
                Cell::Text(text) => OwnedValue::Word(Some(text.clone())),
                _ => continue,
            };
        }
        features
    }

    /// The features of a sound request, asked at `now`; none where nothing that counts was known of the key by then.
    pub fn features(
        &self,
        cells: &[Cell],
        now: i64,
        inputs: &SeriesInputs,
    ) -> Result<Option<Vec<OwnedValue>>, PlatformError> {
        match (&cells[self.key], &cells[self.sent]) {
            (Cell::Text(key), _) => inputs.look_up(key, inputs.rows.end),
            (_, Cell::Rows(sent)) => {
                let as_of = if let Cell::Time(time) = cells[self.as_of] { time } else { now.max(sent.last_time) };
                inputs.of_sent(&sent.rows, as_of)
            }
            _ => Ok(Some(self.given_features(cells, &inputs.types))),
        }
    }
}

/// The rows of the newest keys as a request would send them, for the parity gate: key and JSON.
pub fn as_sent(rows: &SeriesRows, keys: Range<usize>, rows_max: usize) -> Result<Vec<(String, Value)>, PlatformError> {
    let mut all = Vec::with_capacity(keys.len());
    for key in keys {
        let own = rows.ranges[key].clone();
        let own = own.start.max(own.end.saturating_sub(rows_max))..own.end;
        let own = rows.batch.slice(own.start, own.len());
        let mut list = vec![serde_json::Map::new(); own.num_rows()];
        for (column, array) in rows.columns.iter().zip(&own.columns()[1..]) {
            for (row, cell) in list.iter_mut().zip(column.cells_of(array)?) {
                let value = match cell {
                    Cell::Number(value) => Value::from(value),
                    Cell::Integer(value) => Value::from(value),
                    Cell::Truth(value) => Value::from(value),
                    Cell::Text(text) => Value::from(text),
                    Cell::Time(time) => Value::from(instant_text(time).unwrap_or_default()),
                    Cell::Null | Cell::Rows(_) => continue,
                };
                row.insert(column.name.clone(), value);
            }
        }
        all.push((rows.keys[key].clone(), list.into_iter().map(Value::Object).collect()));
    }
    Ok(all)
}
