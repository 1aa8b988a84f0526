//! The store in PostgreSQL, for teams that have one.

use super::store::Row;
use crate::error::PlatformError;
use std::time::Duration;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls};

pub struct Postgres {
    client: Client,
}

/// The server's own words: the client's top message is only "db error". Neither holds the password.
fn error(error: tokio_postgres::Error) -> PlatformError {
    let text = error.as_db_error().map_or_else(|| error.to_string(), |inner| inner.message().to_owned());
    PlatformError::Store(text)
}

/// How long a server may take to be reached, and what was sent to be acknowledged: a silent network is a broken one.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection of its own; the password may come from `PGPASSWORD`.
pub async fn connect(url: &str) -> Result<Client, PlatformError> {
    let mut config: Config = url.parse().map_err(error)?;
    if config.get_password().is_none()
        && let Ok(password) = std::env::var("PGPASSWORD")
    {
        config.password(password);
    }
    config.connect_timeout(NETWORK_TIMEOUT).tcp_user_timeout(NETWORK_TIMEOUT);
    let (client, connection) = config.connect(NoTls).await.map_err(error)?;
    // Ends with the client.
    tokio::spawn(connection);
    Ok(client)
}

impl Postgres {
    pub async fn connect(url: &str) -> Result<Postgres, PlatformError> {
        Ok(Postgres { client: connect(url).await? })
    }

    async fn prepare(&self, sql: &str, values: usize) -> Result<tokio_postgres::Statement, PlatformError> {
        self.client.prepare_typed(sql, &vec![Type::TEXT; values]).await.map_err(error)
    }

    pub async fn execute(&self, sql: &str, values: &[&str]) -> Result<u64, PlatformError> {
        let statement = self.prepare(sql, values.len()).await?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        self.client.execute(&statement, &values).await.map_err(error)
    }

    pub async fn rows(&self, sql: &str, values: &[&str]) -> Result<Vec<Row>, PlatformError> {
        let statement = self.prepare(sql, values.len()).await?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let rows = self.client.query(&statement, &values).await.map_err(error)?;
        let row = |row: &tokio_postgres::Row| (0..row.len()).map(|at| row.try_get(at)).collect::<Result<Row, _>>();
        rows.iter().map(row).collect::<Result<_, _>>().map_err(error)
    }
}
