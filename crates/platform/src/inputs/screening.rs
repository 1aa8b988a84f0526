//! Whether a column that nobody declared holds what points at a person: then it is no input by itself, and none of its values
//! is repeated.

use septet_tables::passes_luhn;

/// A pattern counts from this share of the different values on: one mail address in a free note makes no column of addresses,
/// yet some owners' columns are half filled with other things.
const SHARE_MIN: f64 = 0.2;
/// Different values that are looked at.
const VALUES_MAX: usize = 10_000;

/// Words in a column's name that say what it holds.
const NAMES: [&str; 21] = [
    "email",
    "mail",
    "phone",
    "telephone",
    "mobile",
    "fax",
    "iban",
    "ssn",
    "passport",
    "surname",
    "firstname",
    "lastname",
    "forename",
    "fullname",
    "address",
    "street",
    "birthday",
    "birthdate",
    "birth",
    "pan",
    "username",
];
/// Whose name it is, before the word `name`.
const WHOSE: [&str; 12] = [
    "customer",
    "guest",
    "user",
    "person",
    "holder",
    "cardholder",
    "first",
    "last",
    "full",
    "family",
    "given",
    "client",
];

/// What the column seems to hold, such as `mail addresses`; none if nothing personal was seen. `values`: the different ones;
/// `truth`: they are truth values, which only say whether there is such a thing.
pub fn personal_kind<'a>(name: &str, values: impl Iterator<Item = &'a str>, truth: bool) -> Option<&'static str> {
    type Looks = (&'static str, fn(&str) -> bool);
    let kinds: [Looks; 5] = [
        ("mail addresses", is_mail),
        ("bank accounts (IBAN)", is_iban),
        ("payment cards", is_card),
        ("national identity numbers", is_national_number),
        ("phone numbers", is_phone),
    ];
    let mut found = [0_usize; 5];
    let mut seen = 0;
    for value in values.take(VALUES_MAX) {
        seen += 1;
        let first = kinds.iter().position(|(_, fits)| fits(value.trim()));
        found.iter_mut().enumerate().filter(|(at, _)| Some(*at) == first).for_each(|(_, count)| *count += 1);
    }
    let many = |&at: &usize| found[at] > 0 && found[at] as f64 >= SHARE_MIN * seen as f64;
    let by_value = (0..kinds.len()).find(many).map(|at| kinds[at].0);
    by_value.or_else(|| (!truth && names_a_person(name)).then_some("names or addresses, by its own name"))
}

/// By the words of a column's name.
fn names_a_person(name: &str) -> bool {
    let lower = name.to_lowercase();
    let words: Vec<&str> = lower.split(|letter: char| !letter.is_alphanumeric()).collect();
    words.iter().any(|word| NAMES.contains(word))
        || words.windows(2).any(|pair| pair[1] == "name" && WHOSE.contains(&pair[0]))
}

fn is_mail(value: &str) -> bool {
    let Some((who, place)) = value.split_once('@') else { return false };
    let plain = |text: &str| !text.is_empty() && !text.contains(|letter: char| letter.is_whitespace() || letter == '@');
    plain(who) && plain(place) && place.rsplit_once('.').is_some_and(|(host, end)| !host.is_empty() && end.len() >= 2)
}

/// ISO 13616: two letters, two digits, and 97 divides the number with one left over.
fn is_iban(value: &str) -> bool {
    let text: String = value.chars().filter(|letter| !letter.is_whitespace()).collect();
    let form = text.len() >= 15
        && text.len() <= 34
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().take(2).all(|byte| byte.is_ascii_alphabetic())
        && text.bytes().skip(2).take(2).all(|byte| byte.is_ascii_digit());
    let digits = text.bytes().skip(4).chain(text.bytes().take(4));
    let remainder = digits.fold(0_u32, |rest, byte| match (byte as char).to_digit(36) {
        Some(digit) if digit < 10 => (rest * 10 + digit) % 97,
        Some(letter) => (rest * 100 + letter) % 97,
        None => rest,
    });
    form && remainder == 1
}

/// ISO/IEC 7812: 13 to 19 digits of a payment network, the last one by Luhn's rule.
fn is_card(value: &str) -> bool {
    let Some(digits) = digits_between(value, &[' ', '-']) else { return false };
    (13..=19).contains(&digits.len()) && (2..=6).contains(&digits[0]) && passes_luhn(digits.iter().copied())
}

/// As the United States (`123-45-6789`) and, with its check letter, Spain (`12345678Z`) write them.
fn is_national_number(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let social = parts.iter().map(|part| part.len()).eq([3, 2, 4]) && parts.iter().all(|part| all_digits(part));
    let spanish = value.len() == 9
        && value
            .get(..8)
            .filter(|digits| all_digits(digits))
            .and_then(|digits| digits.parse::<usize>().ok())
            .is_some_and(|number| {
                value.as_bytes().get(8).copied() == b"TRWAGMYFPDXBNJZSQVHLCKE".get(number % 23).copied()
            });
    social || spanish
}

/// With a plus, or with something between the digits: bare digits are as well a number.
fn is_phone(value: &str) -> bool {
    let (plus, rest) = value.strip_prefix('+').map_or((false, value), |rest| (true, rest));
    let between = rest.contains(['-', ' ', '(', '/']);
    let Some(digits) = digits_between(rest, &[' ', '-', '(', ')', '/']) else { return false };
    let looks_like_a_day = rest.len() == 10 && rest.bytes().filter(|byte| *byte == b'-').count() == 2;
    (plus || between) && (7..=15).contains(&digits.len()) && !looks_like_a_day && (plus || rest.starts_with(['0', '(']))
}

fn digits_between(value: &str, others: &[char]) -> Option<Vec<u32>> {
    value.chars().filter(|letter| !others.contains(letter)).map(|letter| letter.to_digit(10)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_points_at_a_person_is_told_from_what_does_not() {
        for (name, values, expected) in [
            ("contact", &["ann@example.org", "bob.b@mail.example.com", ""][..], Some("mail addresses")),
            ("account", &["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"], Some("bank accounts (IBAN)")),
            ("pay_with", &["4111111111111111", "5500-0055-5555-5559"], Some("payment cards")),
            ("number", &["123-45-6789", "12345678Z"], Some("national identity numbers")),
            ("call", &["+49 30 1234567", "(030) 123-4567", "030/1234567"], Some("phone numbers")),
            ("customer_name", &["x"], Some("names or addresses, by its own name")),
            ("E-Mail", &["-"], Some("names or addresses, by its own name")),
            ("channel", &["web", "shop"], None),
            ("product_name", &["soup"], None),
            ("day", &["2026-05-04", "2026-05-05"], None),
            ("score", &["0.25", "1e5", "-3"], None),
            ("order", &["4111111111111112", "9111111111111111"], None),
            ("code", &["030 1", "A-12", "user@", "DE00370400440532013000"], None),
            ("none", &[], None),
        ] {
            assert_eq!(personal_kind(name, values.iter().copied(), false), expected, "{name} {values:?}");
        }
    }
}
