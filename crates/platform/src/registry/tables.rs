//! A run's tables, by name, for an engine.

use crate::error::PlatformError;
use septet_domain::Domain;
use septet_tables::{Engine, TableFile};
use std::path::Path;

/// One table of the run in this folder.
pub async fn register_table(engine: &Engine, name: &str, folder: &Path) -> Result<(), PlatformError> {
    let path = folder.join(format!("{name}.parquet"));
    Ok(engine.register_file(&TableFile { name: name.to_owned(), path }).await?)
}

/// The domain's inputs, as the run in this folder extracted them.
pub async fn register_inputs(engine: &Engine, domain: &Domain, folder: &Path) -> Result<(), PlatformError> {
    for name in domain.spec.input.keys() {
        register_table(engine, name, folder).await?;
    }
    Ok(())
}

/// The tables that the run's transform made.
pub async fn register_made(engine: &Engine, domain: &Domain, folder: &Path) -> Result<(), PlatformError> {
    for (name, _) in domain.files_in("tables", ".sql") {
        register_table(engine, name, folder).await?;
    }
    Ok(())
}

/// Both.
pub async fn register_all(engine: &Engine, domain: &Domain, folder: &Path) -> Result<(), PlatformError> {
    register_inputs(engine, domain, folder).await?;
    register_made(engine, domain, folder).await
}
