//! An answer made again from the log: windows as they stood when it was given, the version that gave it, and whether the
//! two are equal to the bit.

use crate::PlatformError;
use crate::serve::keys::key_hash;
use crate::serve::rebuild::{Rebuilding, count_logged};
use crate::serve::shared::ServiceOptions;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// What was found when an answer was made again.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    pub request_id: String,
    pub version: Arc<str>,
    pub run_id: Arc<str>,
    /// Features and answer are equal to the bit.
    pub equal: bool,
    pub features_equal: bool,
    pub answer_equal: bool,
    /// Feature, as logged, as made again.
    pub different_features: Vec<(String, Value, Value)>,
    /// The logged answer.
    pub answer: Value,
}

/// Makes a logged answer again. Blocks; must not run on a thread of the runtime.
pub fn replay(
    options: &ServiceOptions,
    runtime: &tokio::runtime::Handle,
    request_id: &str,
) -> Result<Replayed, PlatformError> {
    let log = runtime.block_on(options.log.open(options.domain.name()))?;
    let Some(decision) = log.by_request(request_id)? else {
        let what = format!("the decision log of `{}` has no request `{request_id}`", options.domain.name());
        return Err(PlatformError::usage(what, "a request's id is in its reply"));
    };
    let labels = log.outcomes(decision.answered_at)?;
    let rebuilding = Rebuilding { options, version: &decision.version, run_id: &decision.run_id, number: 1 };
    let mut loaded = runtime.block_on(rebuilding.loaded_from_history(&labels, &|_| {}))?;
    count_logged(&mut loaded, &log, decision.sequence - 1, &labels)?;
    let answerer = loaded.answerer.clone();
    let value: Value = serde_json::from_str(&decision.input).map_err(crate::error::arrow_error)?;
    let event = answerer.contract().read_as_of(&value, decision.input.clone(), "", decision.event_time).map_err(
        |violations| {
            let what = violations.iter().map(|v| format!("{}: {}", v.pointer, v.detail)).collect::<Vec<_>>().join("; ");
            PlatformError::usage(
                format!("the logged request breaks today's contract: {what}"),
                "take the program of that day",
            )
        },
    )?;
    let known = loaded.history_keys.contains(&key_hash(&event.key));
    let batch = answerer.contract().batch(&[&event])?;
    let windows = loaded.live.answer(&batch, &[event.time], &[known])?;
    let scored = answerer.score(&batch, answerer.features_of(&[&event], &batch, windows)?)?.swap_remove(0);
    let features = answerer.features_text(&scored)?;
    let logged: Value = serde_json::from_str(&format!("{}}}", decision.answer)).map_err(crate::error::arrow_error)?;
    let warnings: Vec<String> = serde_json::from_value(logged["warnings"].clone()).unwrap_or_default();
    let answer_equal = [false, true].into_iter().any(|fully| {
        let again = answerer.reply(&scored, &decision.request_id, fully, warnings.clone());
        again.is_ok_and(|again| *again == *decision.answer)
    });
    let features_equal = features == decision.features;
    Ok(Replayed {
        request_id: decision.request_id.to_string(),
        version: decision.version,
        run_id: decision.run_id,
        equal: features_equal && answer_equal,
        features_equal,
        answer_equal,
        different_features: different(&answerer.inputs.names, &decision.features, &features),
        answer: logged,
    })
}

fn different(names: &[String], logged: &str, again: &str) -> Vec<(String, Value, Value)> {
    let list = |text: &str| serde_json::from_str::<Vec<Value>>(text).unwrap_or_default();
    let pairs = list(logged).into_iter().zip(list(again));
    let named = names.iter().cloned().zip(pairs).filter(|(_, (a, b))| a != b);
    named.map(|(name, (a, b))| (name, a, b)).collect()
}
