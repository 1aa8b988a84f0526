use super::problem::{absolute_sum, add_scaled, dot};
use super::*;

// The expected numbers were printed by scikit-learn 1.9.1 (numpy 2) over the rows of `rows` below, in Python
//   x = [[((i*7 + j*13 + i*i*(j+1)) % 17) / 4 - 2 for j in range(p)] for i in range(40)]
//   real = [((i*i*3 + i*5) % 11) / 2 for i in range(40)]; y = [r < 2.5 for r in real]; w = [1 + i % 3 ...]
// with LogisticRegression(C, solver="newton-cholesky", tol=1e-12), for l1_ratio above 0 solver="saga", tol=1e-14.
fn rows(rows: usize, columns: usize) -> (Matrix, Vec<f64>) {
    let mut matrix = Matrix::with_rows(rows);
    for j in 0..columns {
        let value = |i: usize| ((i * 7 + j * 13 + i * i * (j + 1)) % 17) as f64 / 4.0 - 2.0;
        matrix.push(&(0..rows).map(value).collect::<Vec<f64>>());
    }
    (matrix, (0..rows).map(|i| ((i * i * 3 + i * 5) % 11) as f64 / 2.0).collect())
}

fn binary(real: &[f64]) -> Vec<f64> {
    real.iter().map(|&value| f64::from(value < 2.5)).collect()
}

fn logistic(c: f64, l1_ratio: f64) -> LinearSettings {
    LinearSettings { c, l1_ratio, ..LinearSettings::default() }
}

fn squared(c: f64, l1_ratio: f64) -> LinearSettings {
    LinearSettings { loss: Loss::Squared, ..logistic(c, l1_ratio) }
}

/// expected: the intercept, then three weights.
fn check(settings: LinearSettings, weights: Option<&[f64]>, expected: [f64; 4], tolerance: f64) {
    let (matrix, real) = rows(40, 3);
    let target = if settings.loss == Loss::Logistic { binary(&real) } else { real };
    let fitted = fit(&matrix, &target, weights, &settings).unwrap();
    assert!(fitted.converged, "{fitted:?}");
    let found = [&[fitted.model.intercept], fitted.model.weights.as_slice()].concat();
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{settings:?}: {fitted:?}, expected {expected}");
    }
}

fn uneven_weights(rows: usize) -> Vec<f64> {
    (0..rows).map(|i| (1 + i % 3) as f64).collect()
}

#[test]
fn ridge_logistic_weights_equal_those_of_scikit_learn() {
    let weights = uneven_weights(40);
    // class_weight="balanced": 22 rows are of class 1, 18 of class 0.
    let balance = |&label: &f64| if label == 1.0 { 40.0 / 44.0 } else { 40.0 / 36.0 };
    let balanced: Vec<f64> = binary(&rows(40, 3).1).iter().map(balance).collect();
    let plain = [0.013351986573814884, -0.011210600535545, -0.4770232714205994, -0.11261874233479026];
    let weighted = [0.04868754514109563, 0.08579196482467988, -0.45324656642730027, -0.2809119364067333];
    let even = [-0.19863393395282927, -0.02595814200080373, -0.5332406604887376, -0.10656751730068609];
    check(logistic(1.0, 0.0), None, plain, 1e-9);
    check(logistic(0.1, 0.0), Some(&weights), weighted, 1e-9);
    check(logistic(1000.0, 0.0), Some(&balanced), even, 1e-9);
}

#[test]
fn elastic_net_weights_equal_those_of_saga_and_its_zeros_are_exact() {
    let weights = uneven_weights(40);
    check(logistic(0.2, 0.5), None, [0.1375208640150307, 0.0, -0.24382086362121042, 0.0], 1e-7);
    let weighted = [0.022200556967788648, 0.0, -0.5388830738760657, -0.26439353694947293];
    check(logistic(0.3, 1.0), Some(&weights), weighted, 1e-7);
    let (matrix, real) = rows(40, 3);
    assert_eq!(fit(&matrix, &binary(&real), None, &logistic(0.2, 0.5)).unwrap().model.weights[0], 0.0);
}

#[test]
fn squared_loss_equals_ridge_and_elastic_net_regression() {
    let ridge = [2.1647630453316893, -0.10103676464406662, 0.36070148562661425, 0.32609769888210816];
    check(squared(0.5, 0.0), Some(&uneven_weights(40)), ridge, 1e-9); // Ridge(alpha=2)
    let net = [2.0504408037191264, 0.0, 0.14444785172073352, 0.05831452162599943];
    check(squared(0.1, 0.5), None, net, 1e-9); // ElasticNet(alpha=1/(40*.1), l1_ratio=.5)
}

#[test]
fn beyond_three_hundred_columns_lbfgs_finds_the_same_optimum() {
    let (matrix, real) = rows(40, 310);
    let fitted = fit(&matrix, &binary(&real), None, &logistic(0.5, 0.0)).unwrap();
    assert!(fitted.converged, "{} iterations, {}", fitted.iterations, fitted.gradient_norm);
    let weights = &fitted.model.weights;
    let found = [fitted.model.intercept, weights[0], weights[155], weights[309], dot(weights, weights)];
    let expected =
        [-0.04764803319556607, -0.00921523920098557, -0.002380022328733376, -0.03346294854465804, 0.31203673011676136];
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-8, "{found} for {expected}");
    }
}

#[test]
fn separable_data_has_an_optimum() {
    let (matrix, _) = rows(40, 3);
    let target: Vec<f64> = matrix.column(0).iter().map(|&value| f64::from(value > 0.0)).collect();
    let fitted = fit(&matrix, &target, None, &logistic(1e4, 0.0)).unwrap();
    assert!(fitted.converged, "{fitted:?}");
    let expected = [23.04639869155316, 8.071532334382207, -3.6526238207888246];
    for (found, expected) in fitted.model.weights.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
    }
}

#[test]
fn equal_and_constant_columns_share_a_weight_and_get_none() {
    let (three, real) = rows(40, 3);
    let mut matrix = Matrix::with_rows(40);
    for column in [three.column(1), three.column(1), &[0.0; 40], &[7.0; 40]] {
        matrix.push(column);
    }
    for settings in [logistic(1e9, 0.0), logistic(1.0, 0.5)] {
        let fitted = fit(&matrix, &binary(&real), None, &settings).unwrap();
        let weights = &fitted.model.weights;
        assert!(fitted.converged && weights[0] != 0.0 && weights[2] == 0.0, "{fitted:?}");
        assert!((weights[0] - weights[1]).abs() < 1e-5, "{fitted:?}");
    }
}

#[test]
fn a_weight_of_two_counts_as_the_row_twice() {
    let (matrix, real) = rows(40, 3);
    let mut twice = Matrix::with_rows(80);
    (0..3).for_each(|column| twice.push(&[matrix.column(column), matrix.column(column)].concat()));
    let target = binary(&real);
    let doubled = fit(&twice, &[&target[..], &target[..]].concat(), None, &logistic(1.0, 0.0)).unwrap().model;
    let weighted = fit(&matrix, &target, Some(&[2.0; 40]), &logistic(1.0, 0.0)).unwrap().model;
    let difference = add_scaled(&doubled.weights, -1.0, &weighted.weights);
    assert!(absolute_sum(&difference) < 1e-10, "{doubled:?} {weighted:?}");
}

#[test]
fn one_row_scores_as_in_a_batch_to_the_bit_also_when_read_back() {
    let (matrix, real) = rows(2_500, 7);
    let model = fit(&matrix, &binary(&real), None, &logistic(1.0, 0.0)).unwrap().model;
    let read_back: LinearModel = serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
    let mut row = vec![0.0; 7];
    for (index, raw) in model.predict_raw(&matrix).into_iter().enumerate() {
        matrix.row_into(index, &mut row);
        assert_eq!(raw.to_bits(), read_back.raw_row(&row).to_bits());
    }
}

#[test]
fn one_thread_and_three_agree_to_the_bit() {
    for (row_count, columns, l1_ratio) in [(5_000, 9, 0.0), (5_000, 9, 0.5), (1_100, 301, 0.0)] {
        let (matrix, real) = rows(row_count, columns);
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&matrix, &binary(&real), None, &logistic(0.01, l1_ratio)).unwrap())
        };
        let (one, three) = (with_threads(1), with_threads(3));
        assert!(one.converged, "{} {}", one.iterations, one.gradient_norm);
        assert_eq!(one, three);
    }
}

#[test]
fn contributions_lead_from_the_average_row_to_the_score() {
    let model = LinearModel { intercept: 0.5, weights: vec![2.0, -1.0] };
    let (row, means) = ([3.0, 4.0], [1.0, 6.0]);
    assert_eq!(model.contributions(&row, &means), [4.0, 2.0]);
    assert_eq!(model.raw_row(&means) + 6.0, model.raw_row(&row));
}

// Not from saga: its stopping rule looks at the weights only, and leaves the intercept too early when all are 0.
#[test]
fn a_penalty_above_all_slopes_leaves_the_log_odds_of_the_share() {
    let log_odds = (22.0_f64 / 18.0).ln();
    check(logistic(0.1, 1.0), None, [log_odds, 0.0, 0.0, 0.0], 1e-12);
}

#[test]
fn no_columns_leave_the_log_odds_of_the_share() {
    let fitted = fit(&Matrix::with_rows(4), &[1.0, 0.0, 0.0, 0.0], None, &LinearSettings::default()).unwrap();
    assert!(fitted.converged && (fitted.model.intercept - (1.0_f64 / 3.0).ln()).abs() < 1e-12);
}

#[test]
fn a_class_of_next_to_no_weight_and_an_overflow_are_not_called_converged_by_accident() {
    let (matrix, real) = rows(40, 3);
    let target = binary(&real);
    let faint: Vec<f64> = target.iter().map(|&value| if value == 1.0 { 1.0 } else { 1e-30 }).collect();
    assert!(fit(&matrix, &target, Some(&faint), &LinearSettings::default()).unwrap().model.intercept > 20.0);
    let mut huge = matrix.clone();
    huge.values[0] = 1e300;
    assert!(!fit(&huge, &target, None, &squared(1.0, 0.0)).unwrap().converged);
}

#[test]
fn what_cannot_be_fitted_is_named() {
    let (matrix, real) = rows(40, 3);
    let target = binary(&real);
    let refuse = |matrix: &Matrix, target: &[f64], weights: Option<&[f64]>, settings| {
        fit(matrix, target, weights, &settings).unwrap_err()
    };
    let plain = LinearSettings::default();
    assert_eq!(refuse(&Matrix::with_rows(0), &[], None, plain), LinearError::NoRows);
    assert_eq!(refuse(&matrix, &[1.0; 40], None, plain), LinearError::OneClass);
    assert_eq!(refuse(&matrix, &target, Some(&target), plain), LinearError::OneClass);
    assert!(matches!(refuse(&matrix, &real, None, plain), LinearError::Target { row: 1, .. }));
    assert!(matches!(refuse(&matrix, &target[1..], None, plain), LinearError::Lengths { found: 39, .. }));
    assert!(matches!(refuse(&matrix, &target, Some(&[-1.0; 40]), plain), LinearError::Weight { row: 0, .. }));
    assert!(matches!(refuse(&matrix, &target, None, logistic(0.0, 0.0)), LinearError::Setting { name: "c", .. }));
    let mut with_gap = matrix.clone();
    with_gap.values[45] = f64::NAN;
    let gap = refuse(&with_gap, &target, None, plain);
    assert!(matches!(gap, LinearError::NotFinite { column: 1, row: 5, .. }), "{gap}");
}
