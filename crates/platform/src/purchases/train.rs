//! The step `train` of a domain of purchases: models are fitted on what was known at a cut, chosen and judged on what came
//! after it, and fitted once more on everything.

use crate::PlatformError;
use crate::home::{make_folder, write_whole};
use crate::purchases::book::Book;
use crate::purchases::forecast::{BuyingFit, PurchaseModels};
use crate::purchases::judge::{Examined, Expected, examine, judge, naive, rmse};
use crate::purchases::{FEATURES, TARGET};
use crate::report::Charts;
use crate::run::{Made, Run, StepName};
use crate::split::{DAY, day_name};
use crate::steps::material::register_tables;
use crate::version::{Candidate, FORMAT, FeatureSchema, FoldSummary, Manifest, Model, to_json};
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
    run.progress.begin("train: fits", Some(6), "fits");
    let cut = book.end - spec.holdout.days() as i32;
    let examined = examine(&book, cut);
    if examined.is_empty() || cut <= book.first_day() {
        let days = book.end - book.first_day();
        let what = format!("the purchases span {days} days, the holdout is {}: shorten it", spec.holdout);
        return Err(PlatformError::Training(what));
    }
    let days = f64::from(book.end - cut);
    let late = examine(&book, book.end);
    let last = fits(&summaries(&late)?)?;
    run.progress.done(2);
    // A model that all customers together do not determine cannot be kept, whatever it told of the held-out time.
    let mut early = fits(&summaries(&examined)?)?;
    early.retain(|fit| last.iter().any(|kept| kept.name() == fit.name()));
    if early.is_empty() {
        let what = "no model of buying could be fitted both before the held-out time and on everything";
        return Err(PlatformError::Training(what.to_owned()));
    }
    run.progress.done(4);
    let side = |chooses: bool| examined.iter().filter(|one| one.chooses == chooses).collect::<Vec<&Examined>>();
    let (choosing, judging) = (side(true), side(false));
    let (best, candidates) = choose(&early, &choosing, days)?;
    let ours = Expected::of_model(early[best].name(), &early[best].model(), &judging, days)?;
    let early_money = money(&examined)?;
    run.progress.done(5);
    let lines = naive(&judging, days);
    let (metrics, advantage) = judge(&ours, &lines, &judging, &early_money.parameters, spec.seed);
    let buying = last.into_iter().find(|fit| fit.name() == early[best].name());
    let buying = buying.expect("kept above");
    let models = PurchaseModels::new(spec, buying, money(&late)?, typical(&late));
    run.progress.done(6);
    run.progress.end();
    let frame = frame(&late);
    let encoder = OneHot { min_count: usize::MAX }.fit(&frame);
    let encoder = encoder.map_err(|error| PlatformError::Training(error.to_string()))?;
    let truth: Vec<bool> = judging.iter().map(|one| one.bought > 0).collect();
    let charts = charts(&ours, &lines[0], &truth);
    let parts = [
        transformed.fingerprint.as_str(),
        &run.domain.fingerprint(),
        extracted.detail["layout"].as_str().unwrap_or_default(),
        &spec.seed.to_string(),
        env!("CARGO_PKG_VERSION"),
    ];
    let version = blake3::hash(parts.join("\n").as_bytes()).to_hex()[..12].to_owned();
    let parameters = plain(&models.buying).into_iter().chain(money_parameters(&models.money)).collect();
    let time = |day: i32| i64::from(day) * DAY;
    let test = FoldSummary {
        part: "test".to_owned(),
        title: format!("{} to {}", day_name(time(cut + 1)), day_name(time(book.end + 1))),
        train_rows: examined.len(),
        train_positives: examined.iter().filter(|one| one.summary.frequency > 0).count(),
        test_rows: judging.len(),
        test_positives: truth.iter().filter(|bought| **bought).count(),
    };
    let choice = FoldSummary {
        part: "validation".to_owned(),
        test_rows: choosing.len(),
        test_positives: choosing.iter().filter(|one| one.bought > 0).count(),
        ..test.clone()
    };
    let manifest = Manifest {
        format: FORMAT,
        domain: run.domain.name().to_owned(),
        version: version.clone(),
        title: run.domain.spec.title.clone(),
        question: run.domain.spec.question.clone(),
        kind: "clv".to_owned(),
        target: TARGET.to_owned(),
        layout: extracted.detail["layout"].as_str().unwrap_or_default().to_owned(),
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
        parameters,
        candidates,
        calibrator: Calibrator::Identity,
        estimates: Vec::new(),
        decision: None,
        folds: vec![choice, test],
        metrics,
        advantage,
        importances: Vec::new(),
    };
    let folder = run.run_folder().join("version");
    let _ = std::fs::remove_dir_all(&folder);
    make_folder(&folder)?;
    let (model_name, model_bytes) = Model::Purchases(Box::new(models)).file()?;
    let files = [
        ("manifest.json", to_json(&manifest)?),
        ("encoder.json", to_json(&encoder)?),
        (model_name, model_bytes),
        ("charts.json", to_json(&charts)?),
    ];
    let mut hasher = blake3::Hasher::new();
    for (name, bytes) in &files {
        write_whole(&folder.join(name), bytes)?;
        hasher.update(bytes);
    }
    Ok(Made {
        rows_in: transformed.rows_out,
        rows_out: examined.len() as u64,
        quarantined: 0,
        fingerprint: hasher.finalize().to_hex()[..32].to_owned(),
        detail: json!({ "version": version }),
    })
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

/// The model with the smaller error on the customers that choose, and all that were tried.
fn choose(fits: &[BuyingFit], choosing: &[&Examined], days: f64) -> Result<(usize, Vec<Candidate>), PlatformError> {
    let ones = vec![1; choosing.len()];
    let mut candidates = Vec::new();
    for fit in fits {
        let expected = Expected::of_model(fit.name(), &fit.model(), choosing, days)?;
        let validation = rmse(&expected.purchases, choosing, &ones).unwrap_or(f64::NAN);
        candidates.push(Candidate { parameters: plain(fit), validation, by_fold: vec![validation] });
    }
    let by_error = |a: &usize, b: &usize| candidates[*a].validation.total_cmp(&candidates[*b].validation);
    let best = (0..fits.len()).min_by(by_error).unwrap_or(0);
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
fn charts(ours: &Expected, line: &Expected, truth: &[bool]) -> Charts {
    let buys = ours.buys.clone().unwrap_or_default();
    let day = vec![0; truth.len()];
    Charts::new(&buys, &buys, truth, &day, Some((&line.name, &line.purchases)), None, CURVE_POINTS)
}
