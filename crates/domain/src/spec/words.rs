//! What features are called for a person: said once, where they come from.

use super::*;

/// A meaning that fits "... is VALUE", and a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    pub meaning: Option<String>,
    pub unit: Option<String>,
}

impl DomainSpec {
    /// The words of a feature: those of `[features]`, and what these do not say from the contract's column, the window's column or
    /// the request's field that has its name or gives it.
    pub fn words_of(&self, feature: &str) -> Words {
        let declared = self.features.iter().find(|(name, _)| name.get_ref() == feature).map(|(_, words)| words.clone());
        let Feature { meaning, unit, .. } = declared.unwrap_or_default();
        let places = [DomainSpec::column_words, DomainSpec::window_words, DomainSpec::given_words];
        let inherited = places.into_iter().find_map(|of_place| of_place(self, feature)).unwrap_or_default();
        Words { meaning: meaning.or(inherited.meaning), unit: unit.or(inherited.unit) }
    }

    /// The window column that gives an output its name, and the length that it is over.
    pub fn window_column(&self, output: &str) -> Option<(&WindowColumn, Duration)> {
        let windows = self.window.iter().map(Spanned::get_ref);
        let outputs = windows.flat_map(|window| {
            window.columns.iter().flat_map(move |(name, column)| {
                let of = move |over: &Duration| (window.output_name(name.get_ref(), *over), column.get_ref(), *over);
                window.over.iter().map(of)
            })
        });
        outputs.into_iter().find(|(name, ..)| name == output).map(|(_, column, over)| (column, over))
    }

    fn column_words(&self, feature: &str) -> Option<Words> {
        let (_, column) = self.first_input().1.columns.iter().find(|(name, _)| name.get_ref() == feature)?;
        Some(Words { meaning: column.meaning.clone(), unit: column.unit.clone() })
    }

    fn window_words(&self, feature: &str) -> Option<Words> {
        let (column, over) = self.window_column(feature)?;
        let meaning = column.meaning.as_ref().map(|meaning| meaning.replace("{over}", &over.in_words()));
        Some(Words { meaning, unit: column.unit.clone() })
    }

    fn given_words(&self, feature: &str) -> Option<Words> {
        let mut given = self.series.as_ref()?.get_ref().given.values();
        let given = given.find(|given| given.feature.get_ref() == feature)?;
        Some(Words { meaning: given.meaning.clone(), unit: given.unit.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Domains, Words};

    #[test]
    fn a_feature_has_the_words_of_the_column_that_it_is_named_after() {
        let words = |domain: &str, feature: &str| {
            let Words { meaning, unit } = Domains::default().load(domain).unwrap().spec.words_of(feature);
            (meaning.unwrap_or_default(), unit.unwrap_or_default())
        };
        for (domain, feature, meaning, unit) in [
            ("fraud", "amount", "amount", "EUR"),
            ("fraud", "customer_amount_avg_1d", "mean amount of the card in 1 day", "EUR"),
            ("fraud", "terminal_fraud_share_30d", "share of frauds at the terminal in 30 days, a week ago", ""),
            ("fraud", "is_night", "paid before 7 in the morning, UTC (1) or not (0)", ""),
            ("fraud", "customer_earlier_amount_max_14d", "", ""),
            ("restaurant", "text", "what the guest wrote", ""),
            ("ecommerce", "age_days", "time since the first purchase", "days"),
        ] {
            assert_eq!(words(domain, feature), (meaning.to_owned(), unit.to_owned()), "{feature}");
        }
    }

    #[test]
    fn a_length_is_said_in_words() {
        for (text, expected) in
            [("1d", "1 day"), ("2w", "14 days"), ("36h", "36 hours"), ("1m", "1 minute"), ("90s", "90 seconds")]
        {
            assert_eq!(text.parse::<crate::Duration>().unwrap().in_words(), expected);
        }
    }
}
