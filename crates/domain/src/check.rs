//! What the types cannot say: that names refer to something, that labels are not used before they are
//! known, that a domain's parts fit together. Finds everything that is wrong, not only the first.

mod files;

use crate::Duration;
use crate::domain::Domain;
use crate::problem::{Problem, did_you_mean};
use crate::spec::*;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

pub(crate) fn check(domain: &Domain, folder: &str) -> Vec<Problem> {
    let mut check = Check { domain, problems: Vec::new() };
    check.identity(folder);
    check.inputs();
    check.windows();
    check.series();
    check.model();
    check.rules();
    check.actions();
    check.decision();
    check.estimates();
    check.lookups();
    check.watches();
    check.files();
    check.problems.sort();
    check.problems
}

/// Where all domains are reached, by default.
const HUB_PORT: u16 = 8000;

/// The SELECT that makes labels from later rows.
const LABEL_FILE: &str = "label.sql";

struct Check<'a> {
    domain: &'a Domain,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn say(&mut self, span: Range<usize>, message: String, hint: Option<String>) {
        let place = self.domain.place("domain.toml", span.start);
        self.problems.push(Problem { place, message, hint });
    }

    /// Says it where a line of `domain.toml` begins.
    fn say_of(&mut self, line: &str, message: String, hint: Option<String>) {
        let offset = self.domain.files.get("domain.toml").and_then(|text| line_that_begins(text, line)).unwrap_or(0);
        self.say(offset..offset, message, hint);
    }

    /// Says so unless `name` is one of `known`.
    fn refers<'k>(&mut self, what: &str, name: &Spanned<String>, known: impl Iterator<Item = &'k str> + Clone) {
        let found = name.get_ref();
        if !known.clone().any(|word| word == found) {
            let hint = did_you_mean(found, known);
            self.say(name.span(), format!("{what} `{found}` is not a column of this input"), hint);
        }
    }

    fn identity(&mut self, folder: &str) {
        let name = &self.domain.spec.name;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.get_ref() != folder {
            let message = format!("name is `{}` but the folder is `{folder}`; they must be the same", name.get_ref());
            self.say(name.span(), message, None);
        } else if !name.get_ref().chars().all(plain) {
            self.say(name.span(), "a name has lower case letters, digits and `_`".to_owned(), None);
        }
        let port = self.domain.spec.port;
        if port < 1024 {
            let hint = Some("take one from 1024 to 65535".to_owned());
            self.say_of("port", format!("port {port} is for programs of the system's administrator only"), hint);
        } else if port == HUB_PORT {
            let hint = Some(format!("take another one, such as {}", HUB_PORT + 1));
            self.say_of("port", format!("port {port} is the hub's, where all domains are reached"), hint);
        }
        let fields = self.domain.spec.schedule.split_whitespace().count();
        if fields != 5 {
            let message = format!("schedule has {fields} fields; expected 5, such as `0 2 * * *` (every day at 02:00)");
            self.say(0..0, message, None);
        }
        if self.domain.spec.input.is_empty() {
            self.say(0..0, "a domain has at least one input, such as `[input.payments]`".to_owned(), None);
        }
    }

    fn inputs(&mut self) {
        for input in self.domain.spec.input.values() {
            let names = input.columns.keys().map(|name| name.get_ref().as_str());
            self.refers("key", &input.key, names.clone());
            self.refers("time", &input.time, names);
            for (name, column) in &input.columns {
                self.column(input, name, column);
            }
        }
    }

    fn column(&mut self, input: &Input, name: &Spanned<String>, column: &Column) {
        let is = |word: &Spanned<String>| word.get_ref() == name.get_ref();
        if is(&input.time) && column.kind != ColumnType::Timestamp {
            self.say(name.span(), format!("`{}` is the event time; its type must be timestamp", name.get_ref()), None);
        }
        if (is(&input.time) || is(&input.key)) && !column.required {
            let message = format!("`{}` is the key or the time; it must have required = true", name.get_ref());
            self.say(name.span(), message, None);
        }
        let ordered = matches!(column.kind, ColumnType::Number | ColumnType::Integer);
        if let (Some(min), Some(max)) = (column.min, column.max)
            && min > max
        {
            self.say(name.span(), format!("`{}` has min = {min} above max = {max}", name.get_ref()), None);
        }
        if column.values.as_ref().is_some_and(|values| values.is_empty()) {
            self.say(
                name.span(),
                format!("`{}` has no values that it may have: leave `values` out", name.get_ref()),
                None,
            );
        }
        if (column.min.is_some() || column.max.is_some()) && !ordered {
            self.say(name.span(), format!("`{}` has min or max but is not a number", name.get_ref()), None);
        }
        if is(&input.key) && !matches!(column.kind, ColumnType::Text | ColumnType::Integer) {
            self.say(name.span(), format!("`{}` is the key; its type must be text or integer", name.get_ref()), None);
        }
        let labels = input.columns.iter().filter(|(_, column)| column.label).map(|(name, _)| name.get_ref().as_str());
        if let Some(label) = column.reveals.as_ref().filter(|label| !labels.clone().any(|own| own == label.get_ref())) {
            let message = format!("`{}` reveals `{}`, which is no label", name.get_ref(), label.get_ref());
            self.say(label.span(), message, did_you_mean(label.get_ref(), labels));
        }
        if let Some(from) = &column.from {
            if from.get_ref() != LABEL_FILE {
                let message = format!("a label comes from `{LABEL_FILE}`, not from `{}`", from.get_ref());
                self.say(from.span(), message, None);
            } else if !column.label || column.known_after.is_none() {
                let message =
                    format!("`{}` is made from later rows: it needs label = true and known_after", name.get_ref());
                self.say(from.span(), message, None);
            } else if column.required {
                let message = format!(
                    "`{}` is made from later rows: a row without one is whole, so it cannot be required",
                    name.get_ref()
                );
                self.say(from.span(), message, None);
            } else if !self.domain.files.contains_key(LABEL_FILE) {
                self.say(from.span(), format!("the folder has no {LABEL_FILE}"), None);
            }
        }
        if column.known_after.is_some() && !column.label {
            self.say(name.span(), format!("`{}` has known_after but not label = true", name.get_ref()), None);
        }
    }

    fn windows(&mut self) {
        let Some(input) = self.domain.spec.input.values().next() else { return };
        let columns: Vec<&str> = input.columns.keys().map(|name| name.get_ref().as_str()).collect();
        let of_input = |name: &&str| ((*name).to_owned(), "a column of the input".to_owned());
        // Each with what it is.
        let mut outputs: BTreeMap<String, String> = columns.iter().map(of_input).collect();
        for window in &self.domain.spec.window {
            self.refers("entity", &window.get_ref().entity, columns.iter().copied());
            if window.get_ref().over.iter().any(|over| over.micros() == 0) || window.get_ref().over.is_empty() {
                self.say(window.span(), "over needs at least one length above 0, such as `7d`".to_owned(), None);
            }
            for (name, text) in &window.get_ref().columns {
                match WindowExpression::parse(&text.get_ref().is) {
                    Ok(expression) => self.label_delay(input, window.get_ref(), text.span(), &expression),
                    Err(message) => self.say(text.span(), message, None),
                }
                let own = Window { columns: [(name.clone(), text.clone())].into(), ..window.get_ref().clone() };
                let place = self.domain.place("domain.toml", name.span().start);
                let what = format!("a column of the window at {}:{}", place.line, place.column);
                for output in own.output_names() {
                    if let Some(first) = outputs.insert(output.clone(), what.clone()) {
                        let hint = Some("give the window a `name` of its own".to_owned());
                        let message = format!("two columns would be called `{output}`: this one and {first}");
                        self.say(name.span(), message, hint);
                    }
                }
            }
        }
    }

    /// A label used before it is known would leak the future into training.
    fn label_delay(&mut self, input: &Input, window: &Window, span: Range<usize>, expression: &WindowExpression) {
        let Some(argument) = &expression.argument else { return };
        for (name, column) in input.columns.iter().filter(|(name, _)| mentions(argument, name.get_ref())) {
            if column.from.is_some() {
                let message =
                    format!("`{}` is made from later rows by {LABEL_FILE}: windows cannot read it", name.get_ref());
                self.say(span.clone(), message, None);
            }
            let revealed = column.reveals.as_ref().map(|label| label.get_ref());
            let label = input.columns.iter().find(|(known, own)| {
                own.label && (known.get_ref() == name.get_ref() || Some(known.get_ref()) == revealed)
            });
            let known_after = label.map(|(_, label)| label.known_after.unwrap_or_default());
            // Without a delay an event would see its own label.
            let needed = known_after.map(|after| after.max(Duration::SECOND));
            if let Some(needed) = needed.filter(|needed| window.delay < *needed) {
                let known_after = known_after.unwrap_or_default();
                let message = format!(
                    "`{}` is known after {known_after}, but this window's delay is {}",
                    name.get_ref(),
                    window.delay
                );
                self.say(span.clone(), message, Some(format!("set delay = \"{needed}\" for this window")));
            }
        }
    }

    fn model(&mut self) {
        let Some(input) = self.domain.spec.input.values().next() else { return };
        let domain = self.domain;
        let model = &domain.spec.model;
        let columns = input.columns.keys().map(|name| name.get_ref().as_str());
        let labels: Vec<&str> = domain.spec.labels().iter().map(|label| label.name).collect();
        if !labels.contains(&model.target.get_ref().as_str()) {
            let hint = labels.first().map(|label| format!("the labels of this domain: `{label}`"));
            let message = format!("target `{}` is not a column with label = true", model.target.get_ref());
            self.say(model.target.span(), message, hint);
        }
        let kinds = model.kinds();
        if kinds.is_empty() {
            self.say_of("[model]", "[model] has neither `kind` nor a [[model.candidate]]".to_owned(), None);
        }
        if model.kind.is_some() && !model.candidate.is_empty() {
            self.say_of(
                "[model]",
                "[model] has `kind` and [[model.candidate]]; give each kind as a candidate".to_owned(),
                None,
            );
        }
        let parameters = |of: &Parameters| of.first().map(|(name, _)| name.span());
        let search = |of: &Search| of.first().map(|(name, _)| name.span());
        if let Some(span) =
            parameters(&model.parameters).or_else(|| search(&model.search)).filter(|_| model.kind.is_none())
        {
            self.say(span, "parameters belong to a kind: put them into its [[model.candidate]]".to_owned(), None);
        }
        let split = model.split.get_ref();
        let of_input = [&split.exclude_known, &split.group, &model.interval_by, &model.entity];
        for name in of_input.into_iter().flatten() {
            self.refers("column", name, columns.clone());
        }
        let windows = domain.spec.window.iter().map(|window| &window.get_ref().entity);
        let measures = domain.spec.measure.iter().map(|measure| &measure.entity);
        for name in windows.chain(measures).chain(of_input.into_iter().flatten()) {
            self.names_an_entity(input, name);
        }
        for measure in &domain.spec.measure {
            self.refers("entity", &measure.entity, columns.clone());
        }
        self.split(&model.split);
    }

    fn series(&mut self) {
        let domain = self.domain;
        let Some(series) = &domain.spec.series else { return };
        let series = series.get_ref();
        if !domain.spec.input.contains_key(series.rows.get_ref()) {
            self.is_made(&series.rows);
        }
        if !domain.spec.window.is_empty() {
            self.say_of("[[window]]", "a series has no [[window]]: features.sql aggregates its rows".to_owned(), None);
        }
        if series.labels.is_empty() || !domain.files.contains_key(LABEL_FILE) {
            self.say_of(
                "[series]",
                format!("[series] needs [series.labels] and a file {LABEL_FILE} that makes them"),
                None,
            );
        }
        if series.rows_max == 0 {
            self.say_of("[series]", "[series] rows_max is at least 1".to_owned(), None);
        }
        if !series.given.is_empty() && !series.one_row {
            self.say_of("[series.given", "features can be given only where one_row = true".to_owned(), None);
        }
        for check in &series.check {
            self.refers("field", &check.field, series.given.keys().map(|name| name.get_ref().as_str()));
        }
        for (name, label) in &series.labels {
            if matches!(label.kind, ColumnType::Text | ColumnType::Timestamp) {
                let message = format!(
                    "label `{}` is a {:?}; expected a bool, a number or an integer",
                    name.get_ref(),
                    label.kind
                );
                self.say(name.span(), message.to_lowercase(), None);
            }
        }
    }

    fn lookups(&mut self) {
        self.domain.spec.lookup.values().for_each(|lookup| self.is_made(&lookup.table));
    }

    /// Says so unless there is a file that makes the table.
    fn is_made(&mut self, table: &Spanned<String>) {
        let domain = self.domain;
        let tables: Vec<&str> = domain.files_in("tables", ".sql").map(|(name, _)| name).collect();
        if !tables.contains(&table.get_ref().as_str()) {
            let hint = did_you_mean(table.get_ref(), tables);
            self.say(table.span(), format!("there is no tables/{}.sql", table.get_ref()), hint);
        }
    }

    /// Rows without an entity would be taken for one large entity; a label as entity would leak.
    fn names_an_entity(&mut self, input: &Input, name: &Spanned<String>) {
        let column =
            input.columns.iter().find(|(known, _)| known.get_ref() == name.get_ref()).map(|(_, column)| column);
        if column.is_some_and(|column| !column.required || column.label) {
            let message = format!("`{}` names an entity: it must have required = true and be no label", name.get_ref());
            self.say(name.span(), message, None);
        }
    }

    fn split(&mut self, split: &Spanned<Split>) {
        let plan = split.get_ref();
        match plan.by {
            SplitBy::Time if plan.train.is_none() || plan.test.is_none() => {
                self.say(split.span(), "a split by time needs `train` and `test`, such as `28d`".to_owned(), None);
            }
            SplitBy::Moment if plan.test.is_none() => {
                self.say(
                    split.span(),
                    "a split by moment needs `test`, the time held out, such as `91d`".to_owned(),
                    None,
                );
            }
            SplitBy::Moment if self.domain.spec.series.as_ref().is_none_or(|series| !series.get_ref().one_row) => {
                self.say(split.span(), "a split by moment needs a [series] with one_row = true".to_owned(), None);
            }
            SplitBy::Group if plan.group.is_none() => {
                self.say(split.span(), "a split by group needs `group`, a column".to_owned(), None);
            }
            _ => {}
        }
        if plan.folds == 0 || !(plan.holdout > 0.0 && plan.holdout < 1.0) {
            self.say(split.span(), "folds is at least 1 and holdout lies between 0 and 1".to_owned(), None);
        }
        let target = self.domain.spec.model.target.get_ref();
        let known_after = self.domain.spec.target().map(|label| label.known_after);
        if let Some(known_after) = known_after.filter(|after| plan.by == SplitBy::Time && plan.delay < *after) {
            let message = format!("`{target}` is known after {known_after}, but the split's delay is {}", plan.delay);
            self.say(split.span(), message, Some(format!("set delay = \"{known_after}\"")));
        }
    }

    fn rules(&mut self) {
        let mut known: Vec<&str> = Vec::new();
        for rule in &self.domain.spec.rule {
            let name = rule.name.get_ref();
            if known.contains(&name.as_str()) {
                self.say(rule.name.span(), format!("two rules are called `{name}`"), None);
            } else if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
                self.say(rule.name.span(), "a rule's name has lower case letters, digits and `_`".to_owned(), None);
            }
            known.push(name);
        }
    }

    /// Actions are words that people and programs act on: a slip of the keyboard would be a new one that nobody expects.
    fn actions(&mut self) {
        let Some(decision) = &self.domain.spec.decision else { return };
        let known = decision.actions();
        for rule in &self.domain.spec.rule {
            let action = rule.action.get_ref();
            if !known.contains(&action.as_str()) {
                let message = format!("action `{action}` is none of the decision's: {}", known.join(", "));
                let listed = || format!("if it is meant: [decision] further_actions = [\"{action}\"]");
                self.say(
                    rule.action.span(),
                    message,
                    did_you_mean(action, known.iter().copied()).or_else(|| Some(listed())),
                );
            }
        }
    }

    fn watches(&mut self) {
        let mut known: Vec<String> =
            ["rows", "quarantined", "outliers", "freshness", "columns", "label_share", "performance", "drift"]
                .map(str::to_owned)
                .into();
        known.extend(self.domain.spec.window.iter().map(|window| format!("new_{}", window.get_ref().entity.get_ref())));
        for watch in &self.domain.spec.watch {
            let (span, watch) = (watch.span(), watch.get_ref());
            let name = watch.name.get_ref();
            if known.contains(name) {
                let hint = Some(
                    "every domain is watched for rows, quarantined, outliers, freshness, columns, label_share, performance, drift and new_ENTITY"
                        .to_owned(),
                );
                self.say(watch.name.span(), format!("two watches are called `{name}`"), hint);
            } else if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
                self.say(watch.name.span(), "a watch's name has lower case letters, digits and `_`".to_owned(), None);
            }
            known.push(name.clone());
            if watch.forms() != 1 {
                let message = format!(
                    "watch `{name}` has {} of sql, share, mean, sum and count; expected exactly one",
                    watch.forms()
                );
                self.say(span.clone(), message, None);
            }
            if let Some(only) = watch.only.as_ref().filter(|_| watch.sql.is_some()) {
                self.say(
                    only.span(),
                    "`where` goes with share, mean, sum or count; `sql` has its own".to_owned(),
                    None,
                );
            }
            let level = watch.above.is_some() || watch.below.is_some();
            if level == watch.band.is_some() {
                let message = format!("watch `{name}` needs a level (above, below) or a band, and not both");
                self.say(span, message, None);
            }
        }
        let monitor = &self.domain.spec.monitor;
        if monitor.window.micros() == 0 || monitor.per.micros() == 0 || monitor.false_pages <= 0.0 {
            self.say_of("[monitor]", "[monitor] window, per and false_pages must be above 0".to_owned(), None);
        }
    }

    fn estimates(&mut self) {
        let Some(input) = self.domain.spec.input.values().next() else { return };
        for (name, estimate) in &self.domain.spec.estimate {
            self.refers("of", &estimate.of, input.columns.keys().map(|name| name.get_ref().as_str()));
            let of = input.columns.iter().find(|(known, _)| known.get_ref() == estimate.of.get_ref());
            if of.is_some_and(|(_, column)| !matches!(column.kind, ColumnType::Number | ColumnType::Integer)) {
                let message = format!("`{}` is no number: nothing can be estimated of it", estimate.of.get_ref());
                self.say(estimate.of.span(), message, None);
            }
            if input.columns.keys().any(|column| column.get_ref() == name.get_ref()) {
                let message = format!("`{}` is a column of the input; give the estimate another name", name.get_ref());
                self.say(name.span(), message, None);
            }
        }
    }

    fn decision(&mut self) {
        let Some(decision) = &self.domain.spec.decision else { return };
        let lines = decision.review.as_ref().map(|review| [review.flags_per_day.is_some(), review.threshold.is_some()]);
        if lines.is_some_and(|given| given[0] == given[1]) {
            self.say(0..0, "[decision.review] needs exactly one of flags_per_day and threshold".to_owned(), None);
        }
        let lines = [decision.threshold, decision.review.as_ref().and_then(|review| review.threshold)];
        if let Some(line) = lines.into_iter().flatten().find(|line| !(0.0..=1.0).contains(line)) {
            self.say_of("threshold", format!("threshold {line} is no probability: expected 0 to 1"), None);
        }
        let ways = [decision.flags_per_day.is_some(), decision.costs.is_some(), decision.threshold.is_some()];
        if decision.flags_per_day == Some(0) {
            self.say(0..0, "[decision] flags_per_day must be at least 1".to_owned(), None);
        }
        let ways = ways.iter().filter(|given| **given).count();
        if ways != 1 {
            let message = format!("[decision] has {ways} of flags_per_day, costs and threshold; expected exactly one");
            self.say_of("[decision]", message, None);
        }
    }
}

/// Where a line with this beginning begins.
fn line_that_begins(text: &str, beginning: &str) -> Option<usize> {
    let at_start = text.starts_with(beginning).then_some(0);
    at_start.or_else(|| text.find(&format!("\n{beginning}")).map(|at| at + 1)).or_else(|| text.find(beginning))
}

/// Whether an SQL expression mentions a column by name, as a word of its own.
fn mentions(expression: &str, column: &str) -> bool {
    expression.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word.eq_ignore_ascii_case(column))
}

#[cfg(test)]
mod tests;
