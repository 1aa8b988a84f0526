//! `association_rules` for SQL: an aggregate that is handed basket and item and answers with the rules of all baskets.

use super::{Function, Over};
use crate::TablesError;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, ListBuilder, StringBuilder, StructBuilder, UInt32Builder,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Accumulator, AggregateUDF, Volatility, create_udaf};
use septet_learn::baskets::itemsets::ItemsetSettings;
use septet_learn::baskets::lists::Baskets;
use septet_learn::baskets::rules::{Rule, RuleSettings, association_rules};
use std::collections::HashMap;
use std::sync::Arc;

const NAME: &str = "association_rules";

pub const ASSOCIATION_RULES: Function = Function {
    name: NAME,
    arguments: "basket, item, support_min",
    over: Over::Rows,
    meaning: "what is bought together: a list of structs of `antecedent` (a list of one or two items), `consequent`, `baskets` (with \
              all of them), `support`, `confidence`, `lift`, `p_value` and `q_value`, best lift first; at least `support_min` of all \
              baskets, confidence .1 and a false discovery rate of .05 (FP-growth, Fisher's test, Benjamini-Hochberg). Leave very \
              large baskets out: what is in one goes with everything",
    example: "SELECT association_rules(basket, item, 0.1) AS rules FROM (VALUES ('1', 'tea'), ('1', 'cup'), ('2', 'tea')) AS t (basket, item)",
    register: |context| context.register_udaf(function()),
};

fn function() -> AggregateUDF {
    let text = || Arc::new(DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))));
    create_udaf(
        NAME,
        vec![DataType::Utf8, DataType::Utf8, DataType::Float64],
        Arc::new(rules_type()),
        Volatility::Immutable,
        Arc::new(|_| Ok(Box::<Collected>::default())),
        Arc::new(vec![text().as_ref().clone(), text().as_ref().clone(), DataType::Float64]),
    )
}

fn rule_fields() -> Fields {
    let items = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    vec![
        Field::new("antecedent", items, true),
        Field::new("consequent", DataType::Utf8, true),
        Field::new("baskets", DataType::UInt32, true),
        number("support"),
        number("confidence"),
        number("lift"),
        number("p_value"),
        number("q_value"),
    ]
    .into()
}

fn rules_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Struct(rule_fields()), true)))
}

/// Words as small numbers, in order of first appearance.
#[derive(Debug, Default)]
struct Words {
    codes: HashMap<String, u32>,
    words: Vec<String>,
}

impl Words {
    fn code(&mut self, word: &str) -> u32 {
        match self.codes.get(word) {
            Some(&code) => code,
            None => {
                let code = self.words.len() as u32;
                self.codes.insert(word.to_owned(), code);
                self.words.push(word.to_owned());
                code
            }
        }
    }
}

/// What came so far: pairs of basket and item.
#[derive(Debug, Default)]
struct Collected {
    baskets: Words,
    items: Words,
    pairs: Vec<(u32, u32)>,
    support_min: Option<f64>,
}

impl Collected {
    fn add(&mut self, baskets: &ArrayRef, items: &ArrayRef) -> Result<()> {
        let (baskets, items) = (cast(baskets, &DataType::Utf8)?, cast(items, &DataType::Utf8)?);
        for (basket, item) in baskets.as_string::<i32>().iter().zip(items.as_string::<i32>()) {
            if let (Some(basket), Some(item)) = (basket, item) {
                self.pairs.push((self.baskets.code(basket), self.items.code(item)));
            }
        }
        Ok(())
    }

    fn rules(&self) -> std::result::Result<(Vec<Rule>, Vec<&String>), TablesError> {
        // By name, so that the order of the rows tells nothing.
        let mut names: Vec<&String> = self.items.words.iter().collect();
        names.sort_unstable();
        let place: HashMap<&String, u32> = names.iter().enumerate().map(|(at, name)| (*name, at as u32)).collect();
        let mut lists = vec![Vec::new(); self.baskets.words.len()];
        for &(basket, item) in &self.pairs {
            lists[basket as usize].push(place[&self.items.words[item as usize]]);
        }
        let failed = |error: &dyn std::fmt::Display| TablesError::Engine(format!("{NAME}: {error}"));
        let baskets = Baskets::from_lists(&lists).map_err(|error| failed(&error))?;
        let usual = ItemsetSettings::default();
        let itemsets = ItemsetSettings { support_min: self.support_min.unwrap_or(usual.support_min), ..usual };
        let settings = RuleSettings { itemsets, ..RuleSettings::default() };
        let rules = if lists.is_empty() { Ok(Vec::new()) } else { association_rules(&baskets, &settings) };
        Ok((rules.map_err(|error| failed(&error))?, names))
    }
}

impl Accumulator for Collected {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let support = cast(&values[2], &DataType::Float64)?;
        let support = support.as_primitive::<Float64Type>().iter().flatten().next();
        self.support_min = self.support_min.or(support);
        self.add(&values[0], &values[1])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let support = states[2].as_primitive::<Float64Type>().iter().flatten().next();
        self.support_min = self.support_min.or(support);
        for row in 0..states[0].len() {
            let list = |at: usize| states[at].as_list::<i32>().value(row);
            self.add(&list(0), &list(1))?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let text = |word: &String| ScalarValue::Utf8(Some(word.clone()));
        let baskets: Vec<ScalarValue> =
            self.pairs.iter().map(|pair| text(&self.baskets.words[pair.0 as usize])).collect();
        let items: Vec<ScalarValue> = self.pairs.iter().map(|pair| text(&self.items.words[pair.1 as usize])).collect();
        Ok(vec![
            ScalarValue::List(ScalarValue::new_list_nullable(&baskets, &DataType::Utf8)),
            ScalarValue::List(ScalarValue::new_list_nullable(&items, &DataType::Utf8)),
            ScalarValue::Float64(self.support_min),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let (rules, names) = self.rules().map_err(|error| DataFusionError::Execution(error.to_string()))?;
        let mut list = ListBuilder::new(StructBuilder::from_fields(rule_fields(), rules.len()));
        for rule in &rules {
            push_rule(list.values(), rule, &names);
        }
        list.append(true);
        Ok(ScalarValue::List(Arc::new(list.finish())))
    }

    fn size(&self) -> usize {
        let words = |words: &Words| words.words.iter().map(|word| 2 * word.len() + 72).sum::<usize>();
        size_of_val(self) + words(&self.baskets) + words(&self.items) + self.pairs.capacity() * size_of::<(u32, u32)>()
    }
}

fn push_rule(row: &mut StructBuilder, rule: &Rule, names: &[&String]) {
    let name = |item: u32| names[item as usize].as_str();
    let items = row.field_builder::<ListBuilder<Box<dyn datafusion::arrow::array::ArrayBuilder>>>(0);
    let items = items.expect("of these fields");
    let words = items.values().as_any_mut().downcast_mut::<StringBuilder>().expect("a list of text");
    rule.antecedent.iter().for_each(|&item| words.append_value(name(item)));
    items.append(true);
    row.field_builder::<StringBuilder>(1).expect("of these fields").append_value(name(rule.consequent));
    row.field_builder::<UInt32Builder>(2).expect("of these fields").append_value(rule.counts.both);
    let numbers = [rule.support, rule.confidence, rule.lift, rule.p_value, rule.q_value];
    for (at, number) in numbers.into_iter().enumerate() {
        row.field_builder::<Float64Builder>(3 + at).expect("of these fields").append_value(number);
    }
    row.append(true);
}

#[cfg(test)]
mod tests {
    use crate::{Engine, EngineSettings};

    #[tokio::test]
    async fn what_is_always_bought_together_is_a_rule_and_the_rest_is_none() {
        let folder = tempfile::tempdir().unwrap();
        for partitions in [1, 3] {
            let settings = EngineSettings { memory_max: 1 << 28, spill_folder: folder.path().to_owned(), partitions };
            let engine = Engine::new(&settings).unwrap();
            let baskets = "SELECT CAST(value AS VARCHAR) AS b, CASE WHEN value % 10 = 0 THEN 'cup' END AS i FROM generate_series(1, 400)
                UNION ALL SELECT CAST(value AS VARCHAR), CASE WHEN value % 10 = 0 THEN 'saucer' END FROM generate_series(1, 400)
                UNION ALL SELECT CAST(value AS VARCHAR), 'item' || (value % 7) FROM generate_series(1, 400)";
            let rules = format!("SELECT unnest(association_rules(b, i, 0.02)) AS r FROM ({baskets}) AS t");
            let found = |what: &str| format!("SELECT {what} FROM ({rules}) AS rules");
            assert_eq!(engine.number(&found("count(*)")).await.unwrap(), Some(2.0));
            assert_eq!(engine.number(&found("min(r['lift'])")).await.unwrap(), Some(10.0));
            let cup = "sum(CASE WHEN r['antecedent'][1] = 'cup' AND r['consequent'] = 'saucer' THEN 1 ELSE 0 END)";
            assert_eq!(engine.number(&found(cup)).await.unwrap(), Some(1.0));
        }
    }
}
