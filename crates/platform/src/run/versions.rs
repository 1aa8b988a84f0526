//! What people do with versions: promote one, go back to the one before, pin one, delete one. Each is one compare-and-swap,
//! signed.

use crate::PlatformError;
use crate::registry::home::Home;
use crate::registry::store::{Signed, Store, VersionRecord};
use crate::registry::{CHAMPION, PINNED};

/// What is done with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionAction {
    /// It answers from now on.
    Promote,
    /// The champion before this one answers again, or the version that is named.
    Rollback,
    /// It answers and stays champion until it is unpinned: runs promote nothing.
    Pin,
    Unpin,
    /// Its folder and its record are removed.
    Delete,
}

/// Does it; a sentence of what was done. `anyway`: although gates of the version have failed.
pub async fn change_version(
    home: &Home,
    store: &Store,
    domain: &str,
    action: VersionAction,
    version: Option<&str>,
    anyway: bool,
    signed: Signed<'_>,
) -> Result<String, PlatformError> {
    let champion = store.alias(domain, CHAMPION).await?.map(|alias| alias.version);
    let pinned = store.alias(domain, PINNED).await?.map(|alias| alias.version);
    let named = || version.map(str::to_owned).ok_or_else(|| PlatformError::usage("no version is named", "name one"));
    match action {
        VersionAction::Promote => {
            let version = named()?;
            refuse_pinned(domain, pinned.as_deref(), &version)?;
            may_answer(home, store, domain, &version, anyway).await?;
            promote(store, domain, champion.as_deref(), &version, signed).await
        }
        VersionAction::Rollback => {
            let version = match version {
                Some(version) => version.to_owned(),
                None => previous(home, store, domain, champion.as_deref()).await?,
            };
            refuse_pinned(domain, pinned.as_deref(), &version)?;
            may_answer(home, store, domain, &version, anyway).await?;
            promote(store, domain, champion.as_deref(), &version, signed).await
        }
        VersionAction::Pin => {
            let version = named()?;
            may_answer(home, store, domain, &version, anyway).await?;
            swapped(store.move_alias(domain, PINNED, pinned.as_deref(), &version, signed).await?, domain)?;
            if champion.as_deref() != Some(version.as_str()) {
                promote(store, domain, champion.as_deref(), &version, signed).await?;
            }
            Ok(format!("`{version}` is pinned: it answers until `septet models {domain} unpin`"))
        }
        VersionAction::Unpin => {
            let none = || PlatformError::usage(format!("no version of `{domain}` is pinned"), "nothing to do");
            let version = pinned.ok_or_else(none)?;
            swapped(store.drop_alias(domain, PINNED, &version, signed).await?, domain)?;
            Ok(format!("`{version}` is no longer pinned: the next run that passes is promoted"))
        }
        VersionAction::Delete => {
            let version = named()?;
            if [&champion, &pinned].into_iter().flatten().any(|used| *used == version) {
                let what = format!("`{version}` is the champion or pinned");
                return Err(PlatformError::usage(what, "promote another or unpin it first"));
            }
            known(store, domain, &version).await?;
            // The record goes first: a folder without one answers nobody.
            swapped(store.delete_version(domain, &version, signed).await?, domain)?;
            let folder = home.version_folder(domain, &version);
            match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(PlatformError::io(folder, error));
                }
                _ => {}
            }
            Ok(format!("`{version}` is deleted"))
        }
    }
}

fn swapped(done: bool, domain: &str) -> Result<(), PlatformError> {
    match done {
        true => Ok(()),
        false => {
            let what = format!("the version of `{domain}` was changed by somebody else meanwhile; nothing was done");
            Err(PlatformError::usage(what, format!("look again: septet models {domain}")))
        }
    }
}

fn refuse_pinned(domain: &str, pinned: Option<&str>, version: &str) -> Result<(), PlatformError> {
    match pinned.filter(|pinned| *pinned != version) {
        None => Ok(()),
        Some(pinned) => {
            let what = format!("`{pinned}` is pinned");
            Err(PlatformError::usage(what, format!("first: septet models {domain} unpin")))
        }
    }
}

async fn promote(
    store: &Store,
    domain: &str,
    champion: Option<&str>,
    version: &str,
    signed: Signed<'_>,
) -> Result<String, PlatformError> {
    if champion == Some(version) {
        return Ok(format!("`{version}` is the champion already"));
    }
    swapped(store.move_alias(domain, CHAMPION, champion, version, signed).await?, domain)?;
    Ok(format!("`{version}` is the champion; services take it over within a second"))
}

async fn known(store: &Store, domain: &str, version: &str) -> Result<VersionRecord, PlatformError> {
    let versions = store.versions(domain).await?;
    let hint = septet_domain::did_you_mean(version, versions.iter().map(|record| record.version.as_str()));
    let found = versions.iter().find(|record| record.version == version).cloned();
    let hint = hint.unwrap_or_else(|| format!("septet models {domain} lists them"));
    found.ok_or_else(|| PlatformError::usage(format!("`{domain}` has no version `{version}`"), hint))
}

/// A version answers if its gates passed and its folder is there.
async fn may_answer(
    home: &Home,
    store: &Store,
    domain: &str,
    version: &str,
    anyway: bool,
) -> Result<(), PlatformError> {
    let record = known(store, domain, version).await?;
    let failed: Vec<&str> = record.gates.iter().filter(|gate| !gate.passed).map(|gate| gate.name.as_str()).collect();
    if (record.status != "passed" || !failed.is_empty()) && !anyway {
        let what = match failed.is_empty() {
            true => format!("`{version}` is {}, not passed", record.status),
            false => format!("`{version}` failed {}", failed.join(", ")),
        };
        return Err(PlatformError::usage(what, "--anyway promotes it all the same, with your name on it"));
    }
    crate::version::Scorer::load(&home.version_folder(domain, version)).map(drop)
}

/// The champion before this one whose folder is still there.
async fn previous(home: &Home, store: &Store, domain: &str, champion: Option<&str>) -> Result<String, PlatformError> {
    let changes = store.alias_changes(domain, CHAMPION).await?;
    let there = |version: &&String| {
        !version.is_empty() && Some(version.as_str()) != champion && home.version_folder(domain, version).exists()
    };
    let none = || PlatformError::usage(format!("`{domain}` had no champion before this one"), "name a version");
    changes.iter().map(|change| &change.previous).find(there).cloned().ok_or_else(none)
}
