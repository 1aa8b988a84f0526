//! The columns that a SELECT gives by name, with their places: of a column that is given twice the engine tells neither.

use crate::SqlPlace;
use datafusion::sql::sqlparser::ast::{Expr, Ident, SelectItem, SetExpr, Statement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use std::collections::BTreeSet;

/// Names that the outermost SELECT gives, in order; expressions without a name are left out. Empty if the text is no SELECT.
fn given_names(sql: &str) -> Vec<(String, SqlPlace)> {
    let Ok(statements) = Parser::parse_sql(&GenericDialect {}, sql) else { return Vec::new() };
    let [Statement::Query(query)] = statements.as_slice() else { return Vec::new() };
    let SetExpr::Select(select) = query.body.as_ref() else { return Vec::new() };
    select.projection.iter().filter_map(name_of).map(named).collect()
}

/// The first name that is given twice, and where each stands.
pub(crate) fn given_twice(sql: &str) -> Option<(String, SqlPlace, SqlPlace)> {
    let names = given_names(sql);
    names.iter().enumerate().find_map(|(at, (name, again))| {
        let (_, first) = names[..at].iter().find(|(known, _)| known == name)?;
        Some((name.clone(), *first, *again))
    })
}

fn name_of(item: &SelectItem) -> Option<&Ident> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last(),
        _ => None,
    }
}

/// As the engine reads it: in lower case unless it is quoted.
fn named(name: &Ident) -> (String, SqlPlace) {
    let word = if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() };
    (word, SqlPlace { line: name.span.start.line as usize, column: name.span.start.column as usize })
}

/// All words of an SQL text, as names of columns, and whether it asks for all columns (`*`). A name without quotes is in lower case.
pub fn words(sql: &str) -> (BTreeSet<String>, bool) {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize().unwrap_or_default();
    let tokens: Vec<&Token> = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    let begins_item = |token: &Token| match token {
        Token::Word(word) => matches!(word.value.to_lowercase().as_str(), "select" | "distinct"),
        token => matches!(token, Token::Comma | Token::Period),
    };
    let everything = tokens.windows(2).any(|pair| *pair[1] == Token::Mul && begins_item(pair[0]));
    let word = |token: &&Token| match token {
        Token::Word(word) if word.quote_style.is_some() => Some(word.value.clone()),
        Token::Word(word) => Some(word.value.to_lowercase()),
        _ => None,
    };
    (tokens.iter().filter_map(word).collect(), everything)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_engine_gives() {
        let names = |sql: &str| given_names(sql).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names("SELECT Amount, p.day, ln(x) AS \"Ln\", 1 + 1, * FROM p"), ["amount", "day", "Ln"]);
        assert_eq!(names("WITH a AS (SELECT 1 AS x) SELECT x AS y FROM a"), ["y"]);
        assert!(names("SELECT FROM WHERE").is_empty());
    }

    #[test]
    fn a_name_given_twice_is_told_with_both_places() {
        let place = |line, column| SqlPlace { line, column };
        let sql = "SELECT\n    amount,\n    day,\n    ln(amount) AS amount\nFROM p";
        assert_eq!(given_twice(sql), Some(("amount".to_owned(), place(2, 5), place(4, 19))));
        assert_eq!(given_twice("SELECT amount, \"Amount\" FROM p"), None);
    }
}
