//! What a text says: `plain_quotes`, `vader` and `aspects`.

use super::{Function, Over};
use crate::TablesError;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, ListBuilder, StringArray, StringBuilder, StructArray, StructBuilder,
    UInt32Builder,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use septet_language::aspects::aspects;
use septet_language::quotes::plain_quotes;
use septet_language::vader::vader;
use std::sync::{Arc, Mutex, PoisonError};

pub const PLAIN_QUOTES: Function = Function {
    name: "plain_quotes",
    arguments: "text",
    over: Over::Row,
    meaning: "the text with ' and \" for all signs that mean them: ’ ‘ ʼ ＇ ´ ` and “ ” „ ‟ ＂. `vader` knows ' alone, and phones write ’; \
              `aspects` reads all of them by itself",
    example: "SELECT vader(plain_quotes('The soup wasn’t good.'))['compound'] AS tone",
    register: |context| context.register_udf(function("plain_quotes", DataType::Utf8, plain_texts)),
};

pub const VADER: Function = Function {
    name: "vader",
    arguments: "text",
    over: Over::Row,
    meaning: "sentiment by VADER 3.3.2: a struct of `neg`, `neu`, `pos` (0 to 1) and `compound` (-1 to 1). Source: Hutto & Gilbert 2014",
    example: "SELECT vader('The food was great!')['compound'] AS tone",
    register: |context| context.register_udf(function("vader", DataType::Struct(sentiment_fields()), sentiments)),
};

pub const ASPECTS: Function = Function {
    name: "aspects",
    arguments: "text",
    over: Over::Row,
    meaning: "what a review speaks of: a list of structs of `aspect` (food, service, price, ambience, cleanliness, waiting), `dish` \
              (null but for a dish), `polarity` (-1 to 1), `label`, `quote`, `start` and `end` (bytes of the quote in the text). English",
    example: "SELECT unnest(aspects('Great food, but we waited an hour.'))['aspect'] AS aspect",
    register: |context| context.register_udf(function("aspects", aspects_type(), aspect_lists)),
};

fn function(name: &str, returns: DataType, of: fn(&[Option<&str>]) -> Result<ArrayRef, TablesError>) -> ScalarUDF {
    let latest = Mutex::new(None::<(ArrayRef, ArrayRef)>);
    let call = move |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        // Compiled expressions ask for one field of the same text after the other.
        let known = latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, made)) = known.filter(|(texts, _)| Arc::ptr_eq(texts, &arrays[0])) {
            return Ok(ColumnarValue::Array(made));
        }
        let texts = cast(&arrays[0], &DataType::Utf8)?;
        let texts: Vec<Option<&str>> = texts.as_string::<i32>().iter().collect();
        let made = of(&texts).map_err(|error| datafusion::error::DataFusionError::Execution(error.to_string()))?;
        *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((arrays[0].clone(), made.clone()));
        Ok(ColumnarValue::Array(made))
    };
    create_udf(name, vec![DataType::Utf8], returns, Volatility::Immutable, Arc::new(call))
}

fn plain_texts(texts: &[Option<&str>]) -> Result<ArrayRef, TablesError> {
    Ok(Arc::new(texts.iter().map(|text| text.map(plain_quotes)).collect::<StringArray>()))
}

fn sentiment_fields() -> Fields {
    ["neg", "neu", "pos", "compound"].map(|name| Field::new(name, DataType::Float64, true)).to_vec().into()
}

fn sentiments(texts: &[Option<&str>]) -> Result<ArrayRef, TablesError> {
    let mut columns: [Float64Builder; 4] = std::array::from_fn(|_| Float64Builder::with_capacity(texts.len()));
    for text in texts {
        let scores = text.map(vader);
        let scores = scores.map(|s| [s.negative, s.neutral, s.positive, s.compound]);
        for (at, column) in columns.iter_mut().enumerate() {
            column.append_option(scores.map(|scores| scores[at]));
        }
    }
    let arrays = columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
    let made = StructArray::try_new(sentiment_fields(), arrays, None);
    Ok(Arc::new(made.map_err(|error| TablesError::Engine(error.to_string()))?))
}

fn aspect_fields() -> Fields {
    vec![
        Field::new("aspect", DataType::Utf8, true),
        Field::new("dish", DataType::Utf8, true),
        Field::new("polarity", DataType::Float64, true),
        Field::new("label", DataType::Utf8, true),
        Field::new("quote", DataType::Utf8, true),
        Field::new("start", DataType::UInt32, true),
        Field::new("end", DataType::UInt32, true),
    ]
    .into()
}

fn aspects_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Struct(aspect_fields()), true)))
}

fn aspect_lists(texts: &[Option<&str>]) -> Result<ArrayRef, TablesError> {
    let mut lists = ListBuilder::new(StructBuilder::from_fields(aspect_fields(), texts.len()));
    for text in texts {
        let Some(text) = text else {
            lists.append_null();
            continue;
        };
        let rows = lists.values();
        for found in aspects(text) {
            let word = |rows: &mut StructBuilder, at: usize, text: Option<&str>| {
                let column = rows.field_builder::<StringBuilder>(at).expect("of these fields");
                column.append_option(text);
            };
            word(rows, 0, Some(found.aspect.name()));
            word(rows, 1, found.dish.as_deref());
            rows.field_builder::<Float64Builder>(2).expect("of these fields").append_value(found.polarity);
            let label = format!("{:?}", found.label).to_lowercase();
            word(rows, 3, Some(&label));
            word(rows, 4, Some(&found.quote));
            rows.field_builder::<UInt32Builder>(5).expect("of these fields").append_value(found.start as u32);
            rows.field_builder::<UInt32Builder>(6).expect("of these fields").append_value(found.end as u32);
            rows.append(true);
        }
        lists.append(true);
    }
    let made = lists.finish();
    debug_assert_eq!(made.data_type(), &aspects_type());
    Ok(Arc::new(made))
}

#[cfg(test)]
mod tests {
    use crate::{Engine, EngineSettings};

    async fn number(sql: &str) -> Option<f64> {
        let folder = tempfile::tempdir().unwrap();
        let settings = EngineSettings { memory_max: 1 << 28, spill_folder: folder.path().to_owned(), partitions: 1 };
        Engine::new(&settings).unwrap().number(sql).await.unwrap()
    }

    #[tokio::test]
    async fn functions_of_text_work_in_sql() {
        let text = "SELECT 'The food is really GOOD, but the service was slow!' AS t";
        assert!(number(&format!("SELECT vader(t)['compound'] FROM ({text})")).await > Some(0.2));
        assert_eq!(number("SELECT vader(CAST(NULL AS VARCHAR))['compound']").await, None);
        let unnested = format!("SELECT unnest(aspects(t)) AS a FROM ({text})");
        let service = format!("SELECT min(a['polarity']) FROM ({unnested}) WHERE a['aspect'] = 'service'");
        assert!(number(&service).await < Some(0.0));
    }

    /// The domain's own SQL over a review, for every sign that people write where they mean an apostrophe.
    #[tokio::test]
    async fn every_apostrophe_gives_the_same_features_tables_and_aspects() {
        const FEATURES: &str = include_str!("../../../../domains/restaurant/features.sql");
        const SENTIMENT: &str = include_str!("../../../../domains/restaurant/tables/sentiment.sql");
        const ASPECTS: &str = "SELECT found['aspect'] AS aspect, found['polarity'] AS polarity, found['label'] AS label \
                               FROM (SELECT unnest(aspects(text)) AS found FROM reviews) AS said";
        let folder = tempfile::tempdir().unwrap();
        let settings = EngineSettings { memory_max: 1 << 28, spill_folder: folder.path().to_owned(), partitions: 1 };
        let mut said: Vec<(char, String)> = Vec::new();
        for sign in std::iter::once('\'').chain(septet_language::quotes::APOSTROPHES) {
            let engine = Engine::new(&settings).unwrap();
            let text = format!("The soup wasn{sign}t good and I don{sign}t like the waiter.").replace('\'', "\'\'");
            let reviews = format!(
                "SELECT 'r1' AS review_id, 'b1' AS business_id, TIMESTAMP '2026-05-04' AS posted_at, 1 AS stars, '{text}' AS text"
            );
            let (schema, batches) = engine.query(&reviews).await.unwrap();
            engine.register_batches("reviews", schema, batches).unwrap();
            let mut own = String::new();
            for sql in [FEATURES, SENTIMENT, ASPECTS] {
                let (schema, batches) = engine.query(sql).await.unwrap();
                let names = schema.fields().iter().filter(|field| field.name() != "text").map(|field| field.name());
                names.for_each(|name| own += &format!("{name}: {:?}; ", batches[0].column_by_name(name)));
            }
            said.push((sign, own));
        }
        assert!(said[0].1.contains("negative") && said[0].1.contains("service"), "{}", said[0].1);
        for (sign, own) in &said {
            assert_eq!(own, &said[0].1, "{sign}");
        }
    }
}
