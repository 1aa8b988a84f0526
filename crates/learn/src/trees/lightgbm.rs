//! A safe door to LightGBM's C interface: data in, model text out. Nothing else of ours is unsafe.

use crate::frame::Matrix;
use lightgbm3_sys as sys;
use std::ffi::{CStr, CString, c_void};
use std::ptr::null_mut;

/// What is learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// A target of 0 or 1; the raw score is the log-odds of 1.
    #[default]
    Binary,
    /// Any finite target; the raw score is its mean.
    SquaredError,
    /// Any finite target; the raw score is its median.
    AbsoluteError,
}

impl Objective {
    fn name(self) -> &'static str {
        match self {
            Objective::Binary => "binary",
            Objective::SquaredError => "regression",
            Objective::AbsoluteError => "regression_l1",
        }
    }
}

/// What LightGBM is told, by its own names, plus how many trees to grow at the most.
#[derive(Clone, Debug)]
pub struct Settings {
    pub objective: Objective,
    pub trees_max: usize,
    /// Stop when the validation metric has not improved for so many trees. Needs a validation set.
    pub patience: Option<usize>,
    pub threads: usize,
    pub seed: u64,
    /// One a feature: 1 rising, -1 falling, 0 free. Empty if all are free.
    pub monotone: Vec<i8>,
    /// LightGBM parameters by name, such as `num_leaves`; they override our defaults.
    pub parameters: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            objective: Objective::Binary,
            trees_max: 100,
            patience: None,
            threads: 1,
            seed: 42,
            monotone: Vec::new(),
            parameters: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct TrainingSet<'a> {
    pub features: &'a Matrix,
    /// One a row, finite; 0 or 1 for [`Objective::Binary`].
    pub target: &'a [f64],
    /// One a row, above 0; none counts every row once.
    pub weight: Option<&'a [f32]>,
}

#[derive(Clone, Debug)]
pub struct Fitted {
    /// LightGBM's own text format.
    pub text: String,
    /// Trees kept: with patience, up to the best on validation.
    pub trees: usize,
    /// The validation metric at that tree.
    pub validation_metric: Option<f64>,
}

#[derive(Debug, thiserror::Error)]
pub enum FitError {
    #[error("LightGBM refused: {0}")]
    Refused(String),
    #[error("training needs rows of both classes; found {positives} positives among {rows} rows")]
    OneClass { rows: usize, positives: usize },
}

/// Grows trees. Deterministic for one seed and one number of threads.
/// `tree_grown` is told after each tree how many there are.
pub fn fit(
    training: TrainingSet,
    validation: Option<TrainingSet>,
    settings: &Settings,
    tree_grown: &mut dyn FnMut(usize),
) -> Result<Fitted, FitError> {
    let positives = training.target.iter().filter(|target| **target == 1.0).count();
    if settings.objective == Objective::Binary && (positives == 0 || positives == training.target.len()) {
        return Err(FitError::OneClass { rows: training.target.len(), positives });
    }
    let parameters = parameters(settings);
    let dataset = Dataset::new(training, &parameters, None)?;
    let validation = validation.map(|set| Dataset::new(set, &parameters, Some(&dataset))).transpose()?;
    let mut booster = Booster::new(&dataset, &parameters)?;
    if let Some(validation) = &validation {
        // SAFETY: both handles are alive and were made with the same parameters.
        check(unsafe { sys::LGBM_BoosterAddValidData(booster.0, validation.0) })?;
    }
    let (trees, validation_metric) = grow(&mut booster, validation.is_some(), settings, tree_grown)?;
    Ok(Fitted { text: booster.text(trees)?, trees, validation_metric })
}

fn grow(
    booster: &mut Booster,
    validated: bool,
    settings: &Settings,
    tree_grown: &mut dyn FnMut(usize),
) -> Result<(usize, Option<f64>), FitError> {
    let patience = settings.patience.filter(|_| validated);
    let larger_is_better = matches!(metric(settings), "average_precision" | "auc");
    let mut best: Option<(usize, f64)> = None;
    let mut grown = 0;
    while grown < settings.trees_max {
        let finished = booster.grow_one()?;
        if finished {
            break;
        }
        grown += 1;
        tree_grown(grown);
        let Some(patience) = patience else { continue };
        let value = booster.validation_metric()?;
        let better = best.is_none_or(|(_, before)| if larger_is_better { value > before } else { value < before });
        if better {
            best = Some((grown, value));
        }
        if best.is_some_and(|(at, _)| grown - at >= patience) {
            break;
        }
    }
    Ok(best.map_or((grown, None), |(at, value)| (at, Some(value))))
}

fn metric(settings: &Settings) -> &str {
    let given = settings.parameters.iter().rev().find(|(name, _)| name == "metric");
    given.map_or("binary_logloss", |(_, value)| value)
}

fn parameters(settings: &Settings) -> CString {
    let all = all_parameters(settings);
    let words: Vec<String> =
        all.iter().map(|(name, value)| format!("{name}={value}").replace(['\0', ' '], "")).collect();
    CString::new(words.join(" ")).expect("zero bytes were taken out one line above")
}

/// Our defaults with the settings on top, by LightGBM's names.
pub fn all_parameters(settings: &Settings) -> Vec<(String, String)> {
    let mut all = vec![
        ("objective".to_owned(), settings.objective.name().to_owned()),
        ("metric".to_owned(), "binary_logloss".to_owned()),
        ("verbosity".to_owned(), "-1".to_owned()),
        ("deterministic".to_owned(), "true".to_owned()),
        ("force_col_wise".to_owned(), "true".to_owned()),
        ("seed".to_owned(), settings.seed.to_string()),
        ("num_threads".to_owned(), settings.threads.to_string()),
    ];
    if settings.monotone.iter().any(|&direction| direction != 0) {
        let directions: Vec<String> = settings.monotone.iter().map(i8::to_string).collect();
        all.push(("monotone_constraints".to_owned(), directions.join(",")));
    }
    for (name, value) in &settings.parameters {
        all.retain(|(known, _)| known != name);
        all.push((name.clone(), value.clone()));
    }
    all
}

fn check(code: i32) -> Result<(), FitError> {
    if code == 0 {
        return Ok(());
    }
    // SAFETY: LightGBM returns a string that lives until its next error on this thread.
    let message = unsafe { CStr::from_ptr(sys::LGBM_GetLastError()) };
    Err(FitError::Refused(message.to_string_lossy().into_owned()))
}

struct Dataset(sys::DatasetHandle);

impl Dataset {
    fn new(set: TrainingSet, parameters: &CStr, like: Option<&Dataset>) -> Result<Dataset, FitError> {
        let (rows, columns) = (set.features.rows as i32, set.features.columns() as i32);
        let values = set.features.values.as_ptr().cast::<c_void>();
        let like = like.map_or(null_mut(), |like| like.0);
        let mut handle = null_mut();
        let type_f64 = sys::C_API_DTYPE_FLOAT64 as i32;
        // SAFETY: `values` holds rows * columns numbers, column by column, and outlives the call, which copies them.
        let code = unsafe {
            sys::LGBM_DatasetCreateFromMat(values, type_f64, rows, columns, 0, parameters.as_ptr(), like, &mut handle)
        };
        check(code)?;
        let dataset = Dataset(handle);
        let label: Vec<f32> = set.target.iter().map(|&target| target as f32).collect();
        dataset.set(c"label", &label)?;
        if let Some(weight) = set.weight {
            dataset.set(c"weight", weight)?;
        }
        dataset.number_columns(columns as usize)?;
        Ok(dataset)
    }

    fn set(&self, field: &CStr, values: &[f32]) -> Result<(), FitError> {
        let (data, length) = (values.as_ptr().cast::<c_void>(), values.len() as i32);
        // SAFETY: LightGBM copies `length` numbers of the type named.
        check(unsafe {
            sys::LGBM_DatasetSetField(self.0, field.as_ptr(), data, length, sys::C_API_DTYPE_FLOAT32 as i32)
        })
    }

    /// The columns become f0, f1, ... and so on: LightGBM takes letters of some scripts only, and two names that differ in others
    /// would be one. A model reads its features by their order; what they are called is in the version's schema.
    fn number_columns(&self, count: usize) -> Result<(), FitError> {
        let names: Vec<CString> =
            (0..count).map(|at| CString::new(format!("f{at}")).expect("a letter and digits")).collect();
        let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: the pointers live until the call returns; LightGBM copies the strings.
        check(unsafe { sys::LGBM_DatasetSetFeatureNames(self.0, pointers.as_mut_ptr(), pointers.len() as i32) })
    }
}

impl Drop for Dataset {
    fn drop(&mut self) {
        // SAFETY: made by LGBM_DatasetCreateFromMat and freed once.
        unsafe { sys::LGBM_DatasetFree(self.0) };
    }
}

struct Booster(sys::BoosterHandle);

impl Booster {
    fn new(dataset: &Dataset, parameters: &CStr) -> Result<Booster, FitError> {
        let mut handle = null_mut();
        // SAFETY: the dataset outlives the booster in `fit`, the only caller.
        check(unsafe { sys::LGBM_BoosterCreate(dataset.0, parameters.as_ptr(), &mut handle) })?;
        Ok(Booster(handle))
    }

    /// True if no further split was worth while.
    fn grow_one(&mut self) -> Result<bool, FitError> {
        let mut finished = 0;
        // SAFETY: plain call on a live handle.
        check(unsafe { sys::LGBM_BoosterUpdateOneIter(self.0, &mut finished) })?;
        Ok(finished != 0)
    }

    fn validation_metric(&self) -> Result<f64, FitError> {
        let (mut count, mut values) = (0, [0.0; 16]);
        // SAFETY: one metric is configured, and 16 places are offered.
        check(unsafe { sys::LGBM_BoosterGetEval(self.0, 1, &mut count, values.as_mut_ptr()) })?;
        Ok(values[0])
    }

    fn text(&self, trees: usize) -> Result<String, FitError> {
        let mut bytes = vec![0_u8; 1 << 20];
        loop {
            let mut needed = 0_i64;
            let (room, start) = (bytes.len() as i64, bytes.as_mut_ptr().cast());
            // SAFETY: LightGBM writes at most `room` bytes and says how many it needs.
            check(unsafe { sys::LGBM_BoosterSaveModelToString(self.0, 0, trees as i32, 1, room, &mut needed, start) })?;
            if needed <= room {
                bytes.truncate((needed as usize).saturating_sub(1));
                return Ok(String::from_utf8_lossy(&bytes).into_owned());
            }
            bytes.resize(needed as usize, 0);
        }
    }
}

impl Drop for Booster {
    fn drop(&mut self) {
        // SAFETY: made by LGBM_BoosterCreate and freed once.
        unsafe { sys::LGBM_BoosterFree(self.0) };
    }
}

/// The library's own answers, to hold ours against: raw scores, or with `contributions` SHAP values and base.
#[cfg(test)]
pub(super) fn predict_with_library(text: &str, features: &Matrix, contributions: bool) -> Vec<f64> {
    let text = CString::new(text).unwrap();
    let (mut handle, mut iterations, mut length) = (null_mut(), 0, 0_i64);
    let width = if contributions { features.columns() + 1 } else { 1 };
    let mut out = vec![0.0; features.rows * width];
    let kind = if contributions { sys::C_API_PREDICT_CONTRIB } else { sys::C_API_PREDICT_RAW_SCORE } as i32;
    // SAFETY: `out` has room for one answer a row, and the handle is freed below.
    unsafe {
        check(sys::LGBM_BoosterLoadModelFromString(text.as_ptr(), &mut iterations, &mut handle)).unwrap();
        let (rows, columns) = (features.rows as i32, features.columns() as i32);
        let values = features.values.as_ptr().cast::<c_void>();
        let type_f64 = sys::C_API_DTYPE_FLOAT64 as i32;
        let none = c"".as_ptr();
        let to = out.as_mut_ptr();
        check(sys::LGBM_BoosterPredictForMat(
            handle,
            values,
            type_f64,
            rows,
            columns,
            0,
            kind,
            0,
            -1,
            none,
            &mut length,
            to,
        ))
        .unwrap();
        sys::LGBM_BoosterFree(handle);
    }
    out
}
