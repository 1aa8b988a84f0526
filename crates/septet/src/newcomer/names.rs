//! What a column's name says: how it can be written without quotes, and whether it points at a person.

/// Names that mean something else in SQL, or that the program gives to columns of its own.
const TAKEN: [&str; 79] = [
    "all",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "between",
    "both",
    "by",
    "case",
    "cast",
    "column",
    "create",
    "cross",
    "current_date",
    "current_time",
    "default",
    "delete",
    "desc",
    "distinct",
    "drop",
    "else",
    "end",
    "escape",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "filter",
    "for",
    "from",
    "full",
    "group",
    "having",
    "if",
    "ilike",
    "in",
    "inner",
    "insert",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "left",
    "like",
    "limit",
    "natural",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "right",
    "rows",
    "select",
    "set",
    "table",
    "then",
    "true",
    "union",
    "unique",
    "using",
    "values",
    "when",
    "where",
    "window",
    "with",
    "action",
    "probability",
    "predicted",
    "reasons",
    "rules",
    "source",
];
const TAKEN_TOO: [&str; 9] =
    ["model_action", "window_start", "is_mature", "as_of", "until", "request_id", "version", "records", "domain"];

/// The name in lower case with `_` between words, as it can stand in SQL, JSON and TOML without quotes.
pub fn clean(name: &str) -> String {
    let mut out = String::new();
    let letters: Vec<char> = name.chars().collect();
    for (at, &letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| letters[at]);
        let next_is_lower = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        // MonthlyIncome, and XMLFile; not AMT1 or ID.
        let hump = letter.is_uppercase()
            && before.is_some_and(|before| before.is_lowercase() || before.is_uppercase() && next_is_lower);
        if hump && !out.ends_with('_') {
            out.push('_');
        }
        match letter {
            'ä' | 'Ä' => out.push_str("ae"),
            'ö' | 'Ö' => out.push_str("oe"),
            'ü' | 'Ü' => out.push_str("ue"),
            'ß' => out.push_str("ss"),
            'á' | 'à' | 'â' | 'ã' | 'å' => out.push('a'),
            'é' | 'è' | 'ê' => out.push('e'),
            'í' | 'ì' | 'î' => out.push('i'),
            'ó' | 'ò' | 'ô' | 'õ' => out.push('o'),
            'ú' | 'ù' | 'û' => out.push('u'),
            'ç' => out.push('c'),
            'ñ' => out.push('n'),
            _ if letter.is_ascii_alphanumeric() => out.push(letter.to_ascii_lowercase()),
            _ if !out.ends_with('_') => out.push('_'),
            _ => {}
        }
    }
    let out = out.trim_matches('_').to_owned();
    match out.chars().next() {
        None => "column".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("c_{out}"),
        Some(_) if TAKEN.contains(&out.as_str()) || TAKEN_TOO.contains(&out.as_str()) => format!("{out}_given"),
        Some(_) => out,
    }
}

/// The name, or the first of it with a number that nothing else has.
pub fn unique(name: String, taken: &[String]) -> String {
    if !taken.contains(&name) {
        return name;
    }
    (2..).map(|at| format!("{name}_{at}")).find(|name| !taken.contains(name)).unwrap_or(name)
}

/// A name in quotes for SQL.
pub fn quoted(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let first = name.chars().next().is_some_and(|letter| !letter.is_ascii_digit());
    match first && name.chars().all(plain) && !TAKEN.contains(&name) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// Whether a clean name is that of a key: `id`, `customer_id`, `employee_number`.
pub fn is_key(name: &str) -> bool {
    const LAST: [&str; 8] = ["id", "key", "uuid", "guid", "nbr", "nr", "no", "number"];
    const WHOLE: [&str; 4] = ["customerid", "userid", "orderid", "patientid"];
    name.rsplit('_').next().is_some_and(|last| LAST.contains(&last)) || WHOLE.contains(&name)
}

/// Whether a clean name is that of something that names one person.
pub fn names_a_person(name: &str) -> bool {
    const WORDS: [&str; 22] = [
        "email",
        "mail",
        "phone",
        "mobile",
        "telephone",
        "tel",
        "fax",
        "ssn",
        "iban",
        "passport",
        "surname",
        "firstname",
        "lastname",
        "fullname",
        "street",
        "address",
        "username",
        "nino",
        "birthname",
        "iban_number",
        "cpf",
        "ip",
    ];
    const PHRASES: [&str; 16] = [
        "first_name",
        "last_name",
        "full_name",
        "given_name",
        "family_name",
        "customer_name",
        "patient_name",
        "person_name",
        "employee_name",
        "client_name",
        "user_name",
        "e_mail",
        "card_number",
        "credit_card",
        "social_security",
        "national_id",
    ];
    name == "name"
        || name.split('_').any(|word| WORDS.contains(&word))
        || PHRASES.iter().any(|phrase| name.contains(phrase))
}

/// How a clean name points at a person together with others, as `personal` says it.
pub fn personal(name: &str) -> Option<&'static str> {
    const QUASI: [&str; 19] = [
        "age",
        "sex",
        "gender",
        "birth",
        "birthday",
        "birthdate",
        "dob",
        "zip",
        "zipcode",
        "postcode",
        "postal",
        "nationality",
        "race",
        "ethnicity",
        "marital",
        "marriage",
        "religion",
        "latitude",
        "longitude",
    ];
    const SENSITIVE: [&str; 11] = [
        "income",
        "salary",
        "wage",
        "diag",
        "diagnosis",
        "disease",
        "health",
        "disability",
        "pregnant",
        "diabetes",
        "hiv",
    ];
    let has = |words: &[&str]| name.split('_').any(|word| words.contains(&word));
    match (has(&SENSITIVE), has(&QUASI)) {
        (true, _) => Some("sensitive"),
        (false, true) => Some("quasi"),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_be_written_without_quotes() {
        for (name, expected) in [
            ("MonthlyIncome", "monthly_income"),
            ("BILL_AMT1", "bill_amt1"),
            ("default.payment.next.month", "default_payment_next_month"),
            ("Total Day Charge (€)", "total_day_charge"),
            ("Straße", "strasse"),
            ("EmployeeID", "employee_id"),
            ("order", "order_given"),
            ("30 days", "c_30_days"),
            ("客户", "column"),
            ("\"; DROP", "drop_given"),
        ] {
            assert_eq!(clean(name), expected, "{name}");
        }
        assert_eq!(unique("a".into(), &["a".into(), "a_2".into()]), "a_3");
        assert_eq!(
            (quoted("Group"), quoted("a\"b"), quoted("amount")),
            ("\"Group\"".into(), "\"a\"\"b\"".into(), "amount".into())
        );
    }

    #[test]
    fn people_are_known_by_the_names_of_their_columns() {
        for (name, person, part) in [
            ("email_address", true, None),
            ("customer_name", true, None),
            ("product_name", false, None),
            ("monthly_income", false, Some("sensitive")),
            ("age", false, Some("quasi")),
            ("page", false, None),
        ] {
            assert_eq!((names_a_person(name), personal(name)), (person, part), "{name}");
        }
    }
}
