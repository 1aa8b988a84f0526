//! Prints the rules of a file of `basket<TAB>item` lines as TSV, and on the other stream how long finding them took.
//!
//! `rules_of_lines FILE SUPPORT_MIN CONFIDENCE_MIN Q_MAX ITEMS_MAX`

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use septet_learn::baskets::itemsets::{ItemsetSettings, frequent_itemsets};
use septet_learn::baskets::lists::Baskets;
use septet_learn::baskets::rules::{Rule, RuleSettings, association_rules};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, support_min, confidence_min, q_max, items_max] = arguments.as_slice() else {
        return Err("expected FILE SUPPORT_MIN CONFIDENCE_MIN Q_MAX ITEMS_MAX".into());
    };
    let itemsets = ItemsetSettings {
        support_min: support_min.parse()?,
        count_min: 1,
        items_max: items_max.parse()?,
        ..ItemsetSettings::default()
    };
    let settings = RuleSettings { itemsets, confidence_min: confidence_min.parse()?, q_max: q_max.parse()? };
    let text = std::fs::read_to_string(file)?;
    let (lists, names) = lists_and_names(&text)?;

    let started = Instant::now();
    let baskets = Baskets::from_lists(&lists)?;
    let itemsets = frequent_itemsets(&baskets, &settings.itemsets)?;
    let itemsets_ms = started.elapsed().as_secs_f64() * 1e3;
    let started = Instant::now();
    let rules = association_rules(&Baskets::from_lists(&lists)?, &settings)?;
    let rules_ms = started.elapsed().as_secs_f64() * 1e3;
    eprintln!(
        "{{\"baskets\": {}, \"items\": {}, \"itemsets\": {}, \"rules\": {}, \"itemsets_ms\": {itemsets_ms:.1}, \
         \"rules_ms\": {rules_ms:.1}}}",
        baskets.count(),
        names.len(),
        itemsets.all().len(),
        rules.len()
    );
    rules.iter().for_each(|rule| print(rule, &names));
    Ok(())
}

/// Each basket's items, and the name of each item; baskets and items numbered in the order of their names.
fn lists_and_names(text: &str) -> Result<(Vec<Vec<u32>>, Vec<&str>), String> {
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        lines.push(line.split_once('\t').ok_or_else(|| format!("line {number} has no tab: `{line}`"))?);
    }
    let mut items: BTreeMap<&str, u32> = lines.iter().map(|&(_, item)| (item, 0)).collect();
    (0..).zip(items.values_mut()).for_each(|(place, number)| *number = place);
    let mut lists: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    lines.iter().for_each(|(basket, item)| lists.entry(basket).or_default().push(items[item]));
    Ok((lists.into_values().collect(), items.into_keys().collect()))
}

fn print(rule: &Rule, names: &[&str]) {
    let antecedent: Vec<&str> = rule.antecedent.iter().map(|&item| names[item as usize]).collect();
    let conviction = rule.conviction.map_or("inf".to_string(), |value| value.to_string());
    println!(
        "{}\t{}\t{}\t{}\t{}\t{}\t{conviction}\t{}\t{}",
        antecedent.join(","),
        names[rule.consequent as usize],
        rule.support,
        rule.confidence,
        rule.lift,
        rule.leverage,
        rule.p_value,
        rule.q_value
    );
}
