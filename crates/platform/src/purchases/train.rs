//! The step `train` of a domain of purchases: models are fitted on what was known at a cut, chosen and judged on what came
//! after it, and fitted once more on everything.

use crate::PlatformError;
use crate::progress::Progress;
use crate::purchases::book::Book;
use crate::purchases::forecast::{BuyingFit, PurchaseModels};
use crate::purchases::judge::{Examined, Expected, Verdict, examine, judge, naive, rmse};
use crate::purchases::{FEATURES, TARGET};
use crate::report::Charts;
use crate::run::{Made, Run, StepName, StepReport};
use crate::split::{DAY, day_name};
use crate::steps::material::register_tables;
use crate::steps::train::{version_name, write_version};
use crate::version::{Candidate, FORMAT, FeatureSchema, FoldSummary, Manifest, MetricValue, Model, to_json};
use septet_domain::Purchases;
use septet_learn::calibration::Calibrator;
use septet_learn::clv::bg_nbd::BgNbd;
use septet_learn::clv::compressed::Compressed;
use septet_learn::clv::error::ClvError;
use septet_learn::clv::fit::Fit;
use septet_learn::clv::gamma_gamma::GammaGamma;
use septet_learn::clv::history::{History, Spend};
use septet_learn::clv::nbd::Nbd;
use septet_learn::clv::pareto_nbd::ParetoNbd;
use septet_learn::encoding::OneHot;
use septet_learn::frame::{Column, Frame};
use serde_json::json;
use std::collections::BTreeMap;

/// Points of a curve in the report.
const CURVE_POINTS: usize = 100;

pub async fn run(run: &Run<'_>, spec: &Purchases) -> Result<Made, PlatformError> {
    let extracted = run.report_of(StepName::Extract).await?;
    let transformed = run.report_of(StepName::Transform).await?;
    let engine = run.engine()?;
    register_tables(run, &engine).await?;
    let book = Book::read(&engine, run.domain, spec).await?;
    let learned = learn(&book, spec, run.progress)?;
    let manifest = manifest(run, spec, &book, &learned, [&extracted, &transformed]);
    let encoder = OneHot { min_count: usize::MAX }.fit(&learned.frame);
    let encoder = encoder.map_err(|error| PlatformError::Training(error.to_string()))?;
    let (model_name, model_bytes) = Model::Purchases(Box::new(learned.models)).file()?;
    let files = [
        ("manifest.json", to_json(&manifest)?),
        ("encoder.json", to_json(&encoder)?),
        (model_name, model_bytes),
        ("charts.json", to_json(&learned.charts)?),
    ];
    Ok(Made {
        rows_in: transformed.rows_out,
        rows_out: book.customers.len() as u64,
        quarantined: 0,
        fingerprint: write_version(run, &files)?,
        detail: json!({ "version": manifest.version }),
    })
}

/// A fitted, chosen and judged model.
struct Learned {
    models: PurchaseModels,
    candidates: Vec<Candidate>,
    folds: Vec<FoldSummary>,
    metrics: BTreeMap<String, MetricValue>,
    advantage: BTreeMap<String, Option<(f64, f64)>>,
    charts: Charts,
    /// The inputs of all customers as of the end.
    frame: Frame,
}

fn learn(book: &Book, spec: &Purchases, progress: &dyn Progress) -> Result<Learned, PlatformError> {
    progress.begin("train: fits", Some(3), "parts");
    let cut = book.end - spec.holdout.days() as i32;
    if cut <= book.first_day() {
        let days = book.end - book.first_day();
        let what = format!("the purchases span {days} days, the holdout is {}: shorten it", spec.holdout);
        return Err(PlatformError::Training(what));
    }
    let (examined, late) = (examine(book, cut), examine(book, book.end));
    let last = fits(&summaries(&late)?)?;
    progress.done(1);
    // A model that all customers together do not determine cannot be kept, whatever it told of the held-out time.
    let mut early = fits(&summaries(&examined)?)?;
    early.retain(|fit| last.iter().any(|kept| kept.name() == fit.name()));
    progress.done(2);
    let days = f64::from(book.end - cut);
    let side = |chooses: bool| examined.iter().filter(|one| one.chooses == chooses).collect::<Vec<&Examined>>();
    let (choosing, judging) = (side(true), side(false));
    let (chosen, candidates) = choose(&early, &choosing, days)?;
    let ours = Expected::of_model(chosen.name(), &chosen.model(), &judging, days)?;
    let lines = naive(&judging, days);
    let Verdict { metrics, advantage } = judge(&ours, &lines, &judging, &money(&examined)?.parameters, spec.seed);
    let name = chosen.name();
    let buying = last.into_iter().find(|fit| fit.name() == name).expect("chosen among those");
    progress.end();
    Ok(Learned {
        models: PurchaseModels::new(spec, buying, money(&late)?, typical(&late)),
        folds: folds(book, cut, &examined, [("validation", &choosing), ("test", &judging)]),
        charts: charts(&ours, &lines[0], &judging),
        frame: frame(&late),
        candidates,
        metrics,
        advantage,
    })
}

/// Both sides of the customers have the same time before the cut and after it.
fn folds(book: &Book, cut: i32, examined: &[Examined], sides: [(&str, &[&Examined]); 2]) -> Vec<FoldSummary> {
    let day = |day: i32| day_name(i64::from(day) * DAY);
    let fold = |(part, customers): (&str, &[&Examined])| FoldSummary {
        part: part.to_owned(),
        title: format!("{} to {}", day(cut + 1), day(book.end + 1)),
        train_rows: examined.len(),
        train_positives: examined.iter().filter(|one| one.summary.frequency > 0).count(),
        test_rows: customers.len(),
        test_positives: customers.iter().filter(|one| one.bought > 0).count(),
    };
    sides.into_iter().map(fold).collect()
}

fn manifest(
    run: &Run,
    spec: &Purchases,
    book: &Book,
    learned: &Learned,
    [extracted, transformed]: [&StepReport; 2],
) -> Manifest {
    let layout = extracted.detail["layout"].as_str().unwrap_or_default().to_owned();
    let time = |day: i32| i64::from(day) * DAY;
    let models = &learned.models;
    Manifest {
        format: FORMAT,
        domain: run.domain.name().to_owned(),
        version: version_name(run, &transformed.fingerprint, &layout),
        title: run.domain.spec.title.clone(),
        question: run.domain.spec.question.clone(),
        kind: "clv".to_owned(),
        target: TARGET.to_owned(),
        layout,
        simulated: extracted.detail["simulated"] == true,
        seed: spec.seed,
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        domain_fingerprint: run.domain.fingerprint(),
        data_fingerprint: transformed.fingerprint.clone(),
        data_rows: extracted.rows_out,
        data_from: day_name(time(book.first_day())),
        data_until: day_name(time(book.end)),
        judged_until: Some(time(book.end + 1)),
        fitted_on: None,
        features: features(spec),
        extras: Vec::new(),
        parameters: plain(&models.buying).into_iter().chain(money_parameters(&models.money)).collect(),
        candidates: learned.candidates.clone(),
        calibrator: Calibrator::Identity,
        estimates: Vec::new(),
        decision: None,
        folds: learned.folds.clone(),
        metrics: learned.metrics.clone(),
        advantage: learned.advantage.clone(),
        importances: Vec::new(),
    }
}

fn features(spec: &Purchases) -> Vec<FeatureSchema> {
    let feature = |(name, meaning, unit): &(&str, &str, Option<&str>)| FeatureSchema {
        name: (*name).to_owned(),
        kind: "number".to_owned(),
        meaning: Some((*meaning).to_owned()),
        unit: if *name == "spend_mean" { spec.unit.clone() } else { unit.map(str::to_owned) },
    };
    FEATURES.iter().map(feature).collect()
}

fn summaries(customers: &[Examined]) -> Result<Vec<History>, PlatformError> {
    customers.iter().map(|customer| customer.summary.history()).collect()
}

fn failed(error: ClvError) -> PlatformError {
    PlatformError::Training(error.to_string())
}

/// The models that these customers can carry; an error if it is none of them.
fn fits(customers: &[History]) -> Result<Vec<BuyingFit>, PlatformError> {
    let customers = Compressed::from_customers(customers);
    let bg = BgNbd::fit(&customers).map(BuyingFit::BgNbd);
    let pareto = ParetoNbd::fit(&customers).map(BuyingFit::ParetoNbd);
    let (mut fits, mut refused) = (Vec::new(), None);
    // Where nothing says that anybody leaves, the likelihood of the two rises without end towards the third.
    let nbd = Nbd::fit(&customers).map(BuyingFit::Nbd);
    for fit in [bg, pareto, nbd] {
        match fit {
            Ok(fit) => fits.push(fit),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if fits.is_empty() => Err(failed(error)),
        _ => Ok(fits),
    }
}

/// Mean spent on days after the first: as published, the first purchase is left out of the money too.
fn money(customers: &[Examined]) -> Result<Fit<GammaGamma>, PlatformError> {
    let spends: Vec<Spend> = customers.iter().filter_map(|customer| customer.summary.spend()).collect();
    GammaGamma::fit(&Compressed::from_customers(&spends)).map_err(failed)
}

/// The model with the smallest error on the customers that choose, and all that were tried.
fn choose<'a>(
    fits: &'a [BuyingFit],
    choosing: &[&Examined],
    days: f64,
) -> Result<(&'a BuyingFit, Vec<Candidate>), PlatformError> {
    let ones = vec![1; choosing.len()];
    let mut candidates = Vec::new();
    for fit in fits {
        let expected = Expected::of_model(fit.name(), &fit.model(), choosing, days)?;
        let validation = rmse(&expected.purchases, choosing, &ones).unwrap_or(f64::NAN);
        candidates.push(Candidate { parameters: plain(fit), validation, by_fold: vec![validation] });
    }
    let best = fits.iter().zip(&candidates).min_by(|a, b| a.1.validation.total_cmp(&b.1.validation));
    let what = "no model of buying could be fitted both before the held-out time and on everything";
    let best = best.map(|(fit, _)| fit).ok_or_else(|| PlatformError::Training(what.to_owned()))?;
    Ok((best, candidates))
}

/// The median of each number; of the money among those who have one.
fn typical(customers: &[Examined]) -> [f64; 4] {
    let mut columns: [Vec<f64>; 4] = Default::default();
    for customer in customers {
        let own = columns.iter_mut().zip(customer.summary.features());
        own.filter(|(_, value)| !value.is_nan()).for_each(|(column, value)| column.push(value));
    }
    columns.map(|mut column| {
        column.sort_unstable_by(f64::total_cmp);
        column.get(column.len() / 2).copied().unwrap_or(f64::NAN)
    })
}

/// The inputs of all customers as of the end.
fn frame(customers: &[Examined]) -> Frame {
    let mut frame = Frame::default();
    for (at, (name, ..)) in FEATURES.iter().enumerate() {
        let values = customers.iter().map(|customer| customer.summary.features()[at]).collect();
        frame.push(*name, Column::Number(values));
    }
    frame
}

/// Parameters with their standard errors, as `NAME` and `NAME_error`.
fn plain(fit: &BuyingFit) -> BTreeMap<String, f64> {
    let both = fit.parameters().into_iter();
    both.flat_map(|(name, (value, error))| {
        [(format!("{}_{name}", fit.name()), value), (format!("{}_{name}_error", fit.name()), error)]
    })
    .collect()
}

fn money_parameters(fit: &Fit<GammaGamma>) -> Vec<(String, f64)> {
    let (p, e) = (&fit.parameters, &fit.standard_errors);
    let named = [("p", p.p, e.p), ("q", p.q, e.q), ("gamma", p.gamma, e.gamma)];
    let both = named.into_iter();
    both.flat_map(|(name, value, error)| {
        [(format!("gamma_gamma_{name}"), value), (format!("gamma_gamma_{name}_error"), error)]
    })
    .collect()
}

/// Who buys at all in the held-out time, as a picture.
fn charts(ours: &Expected, line: &Expected, judging: &[&Examined]) -> Charts {
    let buys = ours.buys.clone().unwrap_or_default();
    let (truth, day): (Vec<bool>, Vec<i32>) = judging.iter().map(|one| (one.bought > 0, 0)).unzip();
    Charts::new(&buys, &buys, &truth, &day, Some((&line.name, &line.purchases)), None, CURVE_POINTS)
}
