//! Worlds whose truth is known: a fit must find it again, within what it says about its own doubt.

use super::bg_nbd::BgNbd;
use super::compressed::{Compressed, Counted};
use super::draws::{stream, unit};
use super::error::ClvError;
use super::fit::{Fit, Parameters};
use super::gamma_gamma::GammaGamma;
use super::history::{History, Spend};
use super::pareto_nbd::ParetoNbd;
use super::value::{PurchaseModel, purchase_intervals};
use crate::bootstrap::SplitMix64;

const CUSTOMERS: usize = 20_000;
const SEEDS: u64 = 6;

/// Ages from 20 to 80, each customer with a stream of its own.
fn world(seed: u64, simulate: impl Fn(f64, &mut SplitMix64) -> History) -> Vec<History> {
    let customer = |index| {
        let mut random = stream(seed, index);
        let age = 20.0 + 60.0 * unit(&mut random);
        simulate(age, &mut random)
    };
    (0..CUSTOMERS as u64).map(customer).collect()
}

/// How many standard errors, on the scale of logarithms, each parameter is off.
fn distances<P: Parameters<N>, const N: usize>(fit: &Fit<P>, truth: P) -> [f64; N] {
    let (found, errors, truth) = (fit.parameters.values(), fit.standard_errors.values(), truth.values());
    std::array::from_fn(|index| (found[index] / truth[index]).ln() * found[index] / errors[index])
}

/// All are within 4 errors, and their mean square is about 1: the errors are neither too small nor too large.
fn check<const N: usize>(distances: &[[f64; N]]) {
    let all: Vec<f64> = distances.iter().flatten().copied().collect();
    assert!(all.iter().all(|distance| distance.abs() < 4.0), "{distances:?}");
    let square = all.iter().map(|distance| distance * distance).sum::<f64>() / all.len() as f64;
    println!("mean square {square:.2}: {distances:.2?}");
    assert!((0.25..2.5).contains(&square), "{square}: {distances:?}");
}

#[test]
fn bg_nbd_finds_the_truth_again() {
    for truth in [BgNbd { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 }, BgNbd { r: 1.5, alpha: 12.0, a: 0.6, b: 3.0 }] {
        let fit_of =
            |seed| BgNbd::fit(&Compressed::from_customers(&world(seed, |age, random| truth.simulate(age, random))));
        check(&(0..SEEDS).map(|seed| distances(&fit_of(seed).unwrap(), truth)).collect::<Vec<_>>());
    }
}

#[test]
fn pareto_nbd_finds_the_truth_again() {
    for truth in [
        ParetoNbd { r: 0.553, alpha: 10.578, s: 0.606, beta: 11.669 },
        ParetoNbd { r: 2.0, alpha: 6.0, s: 1.2, beta: 30.0 },
    ] {
        let fit_of =
            |seed| ParetoNbd::fit(&Compressed::from_customers(&world(seed, |age, random| truth.simulate(age, random))));
        check(&(0..SEEDS).map(|seed| distances(&fit_of(seed).unwrap(), truth)).collect::<Vec<_>>());
    }
}

#[test]
fn gamma_gamma_finds_the_truth_again() {
    let truth = GammaGamma { p: 6.25, q: 3.74, gamma: 15.44 };
    let fit_of = |seed| {
        let customer = |index| {
            let mut random = stream(seed, index);
            let frequency = 1 + (4.0 * unit(&mut random)) as u32;
            truth.simulate(frequency, &mut random).unwrap()
        };
        GammaGamma::fit(&Compressed::from_customers(&(0..CUSTOMERS as u64).map(customer).collect::<Vec<Spend>>()))
    };
    check(&(0..SEEDS).map(|seed| distances(&fit_of(seed).unwrap(), truth)).collect::<Vec<_>>());
}

#[test]
fn draws_of_parameters_spread_like_the_standard_errors() {
    let truth = BgNbd { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };
    let fit = BgNbd::fit(&Compressed::from_customers(&world(1, |age, random| truth.simulate(age, random)))).unwrap();
    let draws = fit.draws(20_000, 9);
    let logs: Vec<f64> = draws.iter().map(|draw| (draw.b / fit.parameters.b).ln()).collect();
    let spread = (logs.iter().map(|log| log * log).sum::<f64>() / logs.len() as f64).sqrt();
    assert!((spread * fit.parameters.b / fit.standard_errors.b - 1.0).abs() < 0.03, "{spread}");
    assert_eq!(fit.draws(10, 9), draws[..10]);
    assert_ne!(fit.draws(1, 8), draws[..1]);
}

#[test]
fn ranges_hold_the_future_of_a_simulated_world() {
    let truth = BgNbd { r: 0.8, alpha: 6.0, a: 0.7, b: 3.0 };
    // The same stream makes the same customer, who is then watched for longer.
    let early = world(3, |age, random| truth.simulate(age, random));
    let late = world(3, |age, random| truth.simulate(age + 30.0, random));
    let fit = BgNbd::fit(&Compressed::from_customers(&early)).unwrap();
    let ranges = purchase_intervals(&fit.draws(400, 1), &early, 30.0, 2);
    let came = |at: usize| f64::from(late[at].frequency() - early[at].frequency());
    let inside = |at: usize| ranges[at].is_some_and(|range| range.low <= came(at) && came(at) <= range.high);
    let share = (0..CUSTOMERS).filter(|&at| inside(at)).count() as f64 / CUSTOMERS as f64;
    assert!((0.945..0.995).contains(&share), "{share}");
    let expected: f64 = early.iter().map(|history| fit.parameters.expected_purchases(history, 30.0)).sum();
    let total: f64 = (0..CUSTOMERS).map(came).sum();
    assert!((expected / total - 1.0).abs() < 0.03, "{expected} {total}");
}

/// Whole days, so that there is something to compress.
fn days(history: History) -> History {
    let (recency, age) = (history.recency().ceil(), history.age().ceil());
    History::new(history.frequency(), recency, age).unwrap()
}

#[test]
fn compression_changes_nothing() {
    let truth = ParetoNbd { r: 0.553, alpha: 10.578, s: 0.606, beta: 11.669 };
    let customers: Vec<History> = world(1, |age, random| days(truth.simulate(age, random)));
    let compressed = Compressed::from_customers(&customers);
    assert!(compressed.rows().len() * 2 < customers.len(), "{}", compressed.rows().len());
    let single: f64 =
        customers.iter().map(|&history| truth.log_likelihood(&Compressed::from_customers(&[history]))).sum();
    assert!((truth.log_likelihood(&compressed) / single - 1.0).abs() < 1e-12);
    // Each customer three times: the same maximum, a third of the variance.
    let thrice = compressed.rows().iter().map(|row| Counted { count: 3 * row.count, ..*row }).collect();
    let (once, thrice) = (BgNbd::fit(&compressed).unwrap(), BgNbd::fit(&Compressed::from_counted(thrice)).unwrap());
    for index in 0..4 {
        let ratio = once.parameters.values()[index] / thrice.parameters.values()[index];
        let errors = once.standard_errors.values()[index] / thrice.standard_errors.values()[index];
        assert!((ratio - 1.0).abs() < 1e-6 && (errors - 3f64.sqrt()).abs() < 1e-4, "{ratio} {errors}");
    }
    let mut reversed = customers;
    reversed.reverse();
    assert_eq!(BgNbd::fit(&Compressed::from_customers(&reversed)).unwrap(), once);
}

#[test]
fn a_fit_is_the_same_to_the_bit_for_any_number_of_threads() {
    let truth = BgNbd { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };
    let customers = world(2, |age, random| truth.simulate(age, random));
    let on_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let compressed = Compressed::from_customers(&customers);
            (BgNbd::fit(&compressed).unwrap(), ParetoNbd::fit(&compressed).unwrap())
        })
    };
    let one = on_threads(1);
    assert_eq!(one, on_threads(2));
    assert_eq!(one, on_threads(5));
}

#[test]
fn a_change_of_the_unit_of_time_changes_only_times() {
    let truth = BgNbd { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };
    let weeks = world(4, |age, random| truth.simulate(age, random));
    let in_days =
        |history: &History| History::new(history.frequency(), history.recency() * 7.0, history.age() * 7.0).unwrap();
    let found = BgNbd::fit(&Compressed::from_customers(&weeks)).unwrap().parameters;
    let daily =
        BgNbd::fit(&Compressed::from_customers(&weeks.iter().map(in_days).collect::<Vec<_>>())).unwrap().parameters;
    for (weekly, daily) in
        [(found.r, daily.r), (7.0 * found.alpha, daily.alpha), (found.a, daily.a), (found.b, daily.b)]
    {
        assert!((weekly / daily - 1.0).abs() < 1e-6, "{weekly} {daily}");
    }
}

#[test]
fn customers_who_teach_nothing_are_refused_in_words() {
    let refuse = |customers: &[History]| {
        let compressed = Compressed::from_customers(customers);
        (BgNbd::fit(&compressed).unwrap_err(), ParetoNbd::fit(&compressed).unwrap_err())
    };
    assert_eq!(refuse(&[]), (ClvError::NoCustomers, ClvError::NoCustomers));
    let single = History::new(0, 0.0, 9.0).unwrap();
    let none = ClvError::NoRepeatPurchase { customers: 3 };
    assert_eq!(refuse(&[single; 3]), (none.clone(), none));
    // One history only, and times that no shop has: the likelihood has no top.
    for customers in [
        vec![History::new(3, 8.0, 9.0).unwrap(); 50],
        vec![History::new(1, 1e-300, 1e300).unwrap(), History::new(u32::MAX, 1e-200, 1e200).unwrap()],
    ] {
        let refused = refuse(&customers);
        for error in [refused.0, refused.1] {
            assert!(matches!(error, ClvError::Unbounded { .. } | ClvError::NotIdentified { .. }), "{error}");
        }
    }
}
