//! One apostrophe for all that mean it: every phone writes `don’t`, and a negation that is not seen turns a complaint into praise.

use std::borrow::Cow;

/// Signs that stand for `'`: both typographic single quotation marks, the modifier letter, the full-width form, the acute accent by
/// itself and the backtick.
pub const APOSTROPHES: [char; 6] = ['\u{2019}', '\u{2018}', '\u{2bc}', '\u{ff07}', '\u{b4}', '`'];
/// Signs that stand for `"`.
pub const QUOTATION_MARKS: [char; 5] = ['\u{201c}', '\u{201d}', '\u{201e}', '\u{201f}', '\u{ff02}'];

pub(crate) fn is_apostrophe(character: char) -> bool {
    character == '\'' || APOSTROPHES.contains(&character)
}

pub(crate) fn is_quotation_mark(character: char) -> bool {
    character == '"' || QUOTATION_MARKS.contains(&character)
}

/// The text with `'` and `"` for all signs that mean them; the same text where there are none. O(length).
pub fn plain_quotes(text: &str) -> Cow<'_, str> {
    // Of the signs the backtick alone is ASCII, as most texts are.
    if text.is_ascii() && !text.contains('`') {
        return Cow::Borrowed(text);
    }
    if !text.contains(|character| APOSTROPHES.contains(&character) || QUOTATION_MARKS.contains(&character)) {
        return Cow::Borrowed(text);
    }
    let plain = |character: char| match character {
        other if is_apostrophe(other) => '\'',
        other if is_quotation_mark(other) => '"',
        other => other,
    };
    Cow::Owned(text.chars().map(plain).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_becomes_the_one_that_it_means() {
        for sign in APOSTROPHES {
            assert_eq!(plain_quotes(&format!("wasn{sign}t Crème")), "wasn't Crème");
        }
        for sign in QUOTATION_MARKS {
            assert_eq!(plain_quotes(&format!("{sign}so called{sign}")), "\"so called\"");
        }
        assert!(matches!(plain_quotes("Crème 'brûlée' 👍"), Cow::Borrowed(_)));
    }
}
