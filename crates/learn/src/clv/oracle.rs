//! Holds our numbers against others': the papers' formulas, computed at 60 digits by `bench/clv_oracle.py`, and the
//! Python package lifetimes 0.11.3, by `bench/clv_lifetimes.py`.

use super::bg_nbd::BgNbd;
use super::compressed::Compressed;
use super::fit::Parameters;
use super::gamma_gamma::GammaGamma;
use super::history::{History, Spend};
use super::pareto_nbd::ParetoNbd;
use super::value::{Horizon, PurchaseModel, lifetime_value};

const FORMULAS: &str = include_str!("oracle.tsv");
const LIFETIMES: &str = include_str!("lifetimes_expected.tsv");

/// Model and numbers of each line.
fn lines(text: &'static str) -> impl Iterator<Item = (&'static str, Vec<f64>)> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (model, numbers) = line.split_once('\t').unwrap();
        (model, numbers.split('\t').map(|number| number.parse().unwrap()).collect())
    })
}

#[test]
fn every_number_is_that_of_the_papers_formulas() {
    let mut checked = 0;
    for (model, numbers) in lines(FORMULAS) {
        let history = History::new(numbers[4] as u32, numbers[5], numbers[6]).unwrap();
        let customers = Compressed::from_customers(&[history]);
        let parameters = [numbers[0], numbers[1], numbers[2], numbers[3]];
        let (log_likelihood, model): (f64, Box<dyn PurchaseModel>) = match model {
            "bg" => {
                let model = BgNbd::from_values(parameters);
                (model.log_likelihood(&customers), Box::new(model))
            }
            "pareto" => {
                let model = ParetoNbd::from_values(parameters);
                (model.log_likelihood(&customers), Box::new(model))
            }
            other => panic!("the oracle names `{other}`"),
        };
        let predictions = [model.probability_alive(&history), model.expected_purchases(&history, numbers[7])];
        // Predictions are held relatively down to the smallest; a log-likelihood may be 0.
        let likely = (log_likelihood - numbers[8]).abs() <= 2e-11 * numbers[8].abs() + 1e-13;
        let agree = |(found, expected): (&f64, &f64)| (found - expected).abs() <= 2e-11 * expected.abs() + 1e-300;
        assert!(
            likely && predictions.iter().zip(&numbers[9..]).all(agree),
            "{numbers:?}: {log_likelihood} {predictions:?}"
        );
        checked += 1;
    }
    assert_eq!(checked, 300, "every line was looked at");
}

fn predictions(model: &impl PurchaseModel, history: &History, spend: Option<&Spend>) -> [f64; 5] {
    let money = GammaGamma { p: 6.25, q: 3.74, gamma: 15.44 };
    // The package has months of 4.345 weeks.
    let year = Horizon::new(12, 1.01f64.powi(12) - 1.0, 12.0 * 4.345).unwrap();
    [
        model.probability_alive(history),
        model.expected_purchases(history, 39.0),
        model.expected_purchases_new(39.0),
        money.expected_value(spend),
        lifetime_value(model, &money, history, spend, &year),
    ]
}

#[test]
fn every_prediction_is_that_of_lifetimes() {
    let mut checked = 0;
    for (model, numbers) in lines(LIFETIMES) {
        let history = History::new(numbers[0] as u32, numbers[1], numbers[2]).unwrap();
        let spend = Spend::new(numbers[0] as u32, numbers[3]).ok();
        let found = match model {
            "bg" => {
                let model = BgNbd { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };
                predictions(&model, &history, spend.as_ref())
            }
            "pareto" => {
                let model = ParetoNbd { r: 0.553, alpha: 10.578, s: 0.606, beta: 11.669 };
                predictions(&model, &history, spend.as_ref())
            }
            other => panic!("the oracle names `{other}`"),
        };
        for (found, expected) in found.into_iter().zip(&numbers[4..]) {
            assert!((found / expected - 1.0).abs() < 1e-10, "{model} {numbers:?}: found {found}");
        }
        checked += 1;
    }
    assert_eq!(checked, 10, "every line was looked at");
}
