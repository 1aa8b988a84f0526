//! What a version of purchases must hold: it beats the naive lines, an answer from orders is the one from the look-up, what
//! comes later changes nothing before, its sum and its chances can be believed.

use crate::PlatformError;
use crate::purchases::book::{Book, Summary, days_of};
use crate::purchases::judge::CHOSEN;
use crate::purchases::question::{orders, summary_of};
use crate::run::Run;
use crate::serve::Cell;
use crate::split::DAY;
use crate::steps::material::{known_at, register_tables};
use crate::steps::validate::{GatesSpoiled, beats};
use crate::store::GateRecord;
use crate::version::Scorer;
use septet_domain::Purchases;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// How far the held-out sum of purchases may be off, as a share: our choice, about what a season moves.
const TOTAL_ERROR_MAX: f64 = 0.25;
/// Customers asked one by one.
const TIMED_CUSTOMERS: usize = 100;

/// All gates of a version; `spoil`: what is broken on purpose, to see that they notice.
pub async fn gates(
    run: &Run<'_>,
    spec: &Purchases,
    scorer: &Scorer,
    spoil: GatesSpoiled,
) -> Result<Vec<GateRecord>, PlatformError> {
    let engine = run.engine()?;
    register_tables(run, &engine).await?;
    let book = Book::read(&engine, run.domain, spec).await?;
    let limits = &run.domain.spec.gates;
    let metric = |name: &str| scorer.manifest.metrics.get(name).map_or(f64::NAN, |metric| metric.value);
    let mut gates: Vec<GateRecord> = scorer
        .manifest
        .advantage
        .iter()
        .map(|(name, advantage)| beats(CHOSEN, "customers held out", name, *advantage))
        .collect();
    gates.push(parity(&book, limits.parity_rows, spoil.parity)?);
    gates.push(no_look_ahead(run, &book, spec, spoil.look_ahead).await?);
    let error = metric("calibration_error");
    gates.push(GateRecord {
        name: "calibration".to_owned(),
        passed: error <= limits.calibration_error_max,
        evidence: format!(
            "chance of a purchase in the held-out time: calibration error {error:.4}; at most {}",
            limits.calibration_error_max
        ),
    });
    let total = metric("purchases_total_error");
    gates.push(GateRecord {
        name: "total".to_owned(),
        passed: total <= TOTAL_ERROR_MAX,
        evidence: format!(
            "sum of expected purchases off by {:.1} %; at most {:.0} %",
            100.0 * total,
            100.0 * TOTAL_ERROR_MAX
        ),
    });
    gates.push(time(&book, scorer, limits.prediction_us_max)?);
    Ok(gates)
}

/// The last customers again, from their orders as a request would send them: equal to the bit.
fn parity(book: &Book, customers: usize, spoil: bool) -> Result<GateRecord, PlatformError> {
    let first = book.customers.len().saturating_sub(customers);
    let mut different = 0;
    for customer in first..book.customers.len() {
        let sent = |(day, value): &(i32, f64)| {
            let at = crate::instant_text(i64::from(*day) * DAY).unwrap_or_default();
            json!({ "at": at, "value": value })
        };
        let sent: Vec<Value> = days_of(book.purchases(customer)).iter().map(sent).collect();
        if sent.is_empty() {
            continue;
        }
        let orders = orders(&Value::Array(sent)).map_err(|(_, what)| PlatformError::Training(what))?;
        let mut cells = vec![Cell::Null; 7];
        cells[crate::purchases::QuestionColumns::ORDERS] = orders;
        cells[crate::purchases::QuestionColumns::AS_OF] = Cell::Time(i64::from(book.end + i32::from(spoil)) * DAY);
        different += usize::from(summary_of(&cells, 0) != book.summary(customer, book.end));
    }
    let asked = book.customers.len() - first;
    let evidence = format!("{asked} customers told by their orders instead of looked up: {different} differ");
    Ok(GateRecord { name: "batch_equals_online".to_owned(), passed: different == 0, evidence })
}

/// Everybody as of the cut, from tables made of all inputs and from tables made of the inputs until then alone.
async fn no_look_ahead(run: &Run<'_>, book: &Book, spec: &Purchases, spoil: bool) -> Result<GateRecord, PlatformError> {
    let cut = book.end - spec.holdout.days() as i32;
    let until = (i64::from(cut) + 1) * DAY;
    let engine = known_at(run, until - 1, &[spec.table.get_ref()]).await?;
    let before = Book::read(&engine, run.domain, spec).await?;
    let as_of = if spoil { cut + 30 } else { cut };
    let summaries = |book: &Book| -> BTreeMap<String, Summary> {
        let one = |at: usize| Some((book.customers[at].clone(), book.summary(at, as_of)?));
        (0..book.customers.len()).filter_map(one).collect()
    };
    let (all, known) = (summaries(book), summaries(&before));
    let names: BTreeSet<&String> = all.keys().chain(known.keys()).collect();
    let different = names.iter().filter(|name| all.get(**name) != known.get(**name)).count();
    let evidence = format!(
        "inputs cut {} before the end and tables made again: {different} of {} customers differ",
        spec.holdout,
        names.len()
    );
    Ok(GateRecord { name: "no_look_ahead".to_owned(), passed: different == 0, evidence })
}

fn time(book: &Book, scorer: &Scorer, max: f64) -> Result<GateRecord, PlatformError> {
    let mut times = Vec::new();
    for customer in 0..book.customers.len().min(TIMED_CUSTOMERS) {
        let Some(summary) = book.summary(customer, book.end) else { continue };
        let start = Instant::now();
        std::hint::black_box(scorer.forecast(&summary)?);
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
    let evidence = format!("median {median:.0} us of {} customers, intervals with them; at most {max} us", times.len());
    Ok(GateRecord { name: "prediction_time".to_owned(), passed: median <= max, evidence })
}
