//! A PostgreSQL query as a CSV file, equal whatever the server, its databases and its roles are set to.

use crate::guess::Claim;
use crate::{TablesError, redacted};
use futures::StreamExt;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use tokio::io::AsyncWriteExt;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, Error, NoTls};

/// How values are printed, as pg_dump sets it; money by its sign and point alone. Within one transaction, for poolers give each
/// one a connection that others have used.
const SESSION: &str = "BEGIN; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; \
                       SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'; SET LOCAL lc_monetary = 'C'; \
                       SET LOCAL xmlbinary = 'base64'";

/// What a fetched file is.
pub(crate) struct Fetched {
    /// The field that means null. No text is equal to it: whoever writes one cannot know it.
    pub null_word: String,
    /// What the server says of each column.
    pub claims: Vec<Claim>,
}

/// Runs a query by COPY into a CSV file, whose header names the columns.
pub(crate) async fn fetch(url: &str, query: &str, file: &Path) -> Result<Fetched, TablesError> {
    let open = |error: Error| TablesError::Open { location: redacted(url), reason: explain(&error) };
    let mut config: Config = url.parse().map_err(open)?;
    if config.get_password().is_none()
        && let Ok(password) = std::env::var("PGPASSWORD")
    {
        config.password(password);
    }
    let (client, connection) = config.connect(NoTls).await.map_err(open)?;
    let connection = tokio::spawn(connection);
    let query = query.trim().trim_end_matches(';');
    client.batch_execute(SESSION).await.map_err(open)?;
    let claims = claims_of(&client, query).await.map_err(open)?;
    let null_word = null_word();
    let copy = format!("COPY ({query}) TO STDOUT WITH (FORMAT csv, HEADER, NULL '{null_word}')");
    let mut rows = Box::pin(client.copy_out(copy.as_str()).await.map_err(open)?);
    let mut out = tokio::fs::File::create(file).await.map_err(|error| TablesError::io(file, error))?;
    while let Some(chunk) = rows.next().await {
        out.write_all(&chunk.map_err(open)?).await.map_err(|error| TablesError::io(file, error))?;
    }
    out.flush().await.map_err(|error| TablesError::io(file, error))?;
    drop(rows);
    // A query may call functions that write.
    client.batch_execute("COMMIT").await.map_err(open)?;
    drop(client);
    let _ = connection.await;
    Ok(Fetched { null_word, claims })
}

async fn claims_of(client: &Client, query: &str) -> Result<Vec<Claim>, Error> {
    let statement = client.prepare(query).await?;
    Ok(statement.columns().iter().map(|column| claim_of(column.type_())).collect())
}

fn claim_of(kind: &Type) -> Claim {
    match *kind {
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => Claim::Whole,
        Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => Claim::Number,
        Type::BOOL => Claim::Truth,
        Type::DATE | Type::TIMESTAMP | Type::TIMESTAMPTZ => Claim::Time,
        _ => Claim::Text,
    }
}

/// Quotation marks do not come through a CSV reader, so that any fixed word would also be a text.
fn null_word() -> String {
    let part = || RandomState::new().hash_one("null");
    format!("null-{:016x}{:016x}", part(), part())
}

/// The server's own words: the client's top message is only "db error".
fn explain(error: &Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |inner| inner.message().to_owned())
}
