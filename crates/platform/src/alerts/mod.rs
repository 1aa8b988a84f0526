//! What becomes of a finding: it opens once, is told once by every channel, is acknowledged or resolved by a person, and
//! ends by itself when its cause does.

mod channels;

pub use channels::{Channels, Mail, deliver};

use crate::monitor::{Finding, MonitoringReport};
use crate::registry::alert_store::AlertRecord;
use crate::registry::clock::{instant_text, now_micros};
use crate::{PlatformError, Store};
use std::collections::HashSet;

/// Alerts of the machine, which no domain owns.
pub const SYSTEM: &str = "system";
/// Who ends an alert whose cause is over.
const ITSELF: &str = "septet";

/// The watch of runs that were stopped.
pub const STOPPED_RUN: &str = "stopped_run";

/// A run that was stopped because it holds less than what is in force.
pub fn stopped_run(run_id: &str, in_force: &str, what: &[String]) -> Finding {
    let now = instant_text(now_micros()).unwrap_or_default();
    Finding {
        watch: STOPPED_RUN.to_owned(),
        title: "run stopped: it holds less than what is in force".to_owned(),
        severity: "page",
        owner: "data engineering".to_owned(),
        since: now.clone(),
        found: now.clone(),
        last: now,
        active: true,
        sentence: format!("Run {run_id} holds less than run {in_force}, whose tables stay in force."),
        evidence: what.to_vec(),
        causes: Vec::new(),
        examples: Vec::new(),
    }
}

/// What a look changed.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub opened: Vec<String>,
    pub ended: Vec<String>,
    pub going_on: Vec<String>,
}

/// Brings the alerts of a look's watches to what it found.
pub async fn reconcile(store: &Store, look: &MonitoringReport, channels: &Channels) -> Result<Changes, PlatformError> {
    let mut watches: HashSet<String> = look.watches.iter().map(|watch| watch.name.clone()).collect();
    watches.extend(["drift", "freshness", "columns"].map(str::to_owned));
    reconcile_findings(store, &look.domain, &look.findings, &watches, channels).await
}

/// `watches`: those that were looked at; alerts of others stay as they are.
pub async fn reconcile_findings(
    store: &Store,
    domain: &str,
    findings: &[Finding],
    watches: &HashSet<String>,
    channels: &Channels,
) -> Result<Changes, PlatformError> {
    let known = store.alerts(domain).await?;
    let mut changes = Changes::default();
    let mut met = HashSet::new();
    for finding in findings {
        match known.iter().find(|alert| is_same(alert, finding)) {
            Some(alert) => {
                met.insert(alert.alert_id.clone());
                prolong(store, alert, finding, channels, &mut changes).await?;
            }
            None => open(store, domain, finding, channels, &mut changes).await?,
        }
    }
    let gone = |alert: &&AlertRecord| {
        alert.status != "resolved" && watches.contains(&alert.watch) && !met.contains(&alert.alert_id)
    };
    for alert in known.iter().filter(gone) {
        end(store, alert, "it is no longer found", channels, &mut changes).await?;
    }
    Ok(changes)
}

/// Of one watch and overlapping in time: an alert whose beginning is dated anew by late rows stays the same alert.
fn is_same(alert: &AlertRecord, finding: &Finding) -> bool {
    alert.watch == finding.watch && alert.since <= finding.last && finding.since <= alert.last
}

async fn prolong(
    store: &Store,
    alert: &AlertRecord,
    finding: &Finding,
    channels: &Channels,
    changes: &mut Changes,
) -> Result<(), PlatformError> {
    if alert.status == "resolved" {
        // Somebody, or the end of its cause, has closed it: the same episode does not open again.
        let last = finding.last.clone().max(alert.last.clone());
        return store.prolong_alert(&alert.domain, &alert.alert_id, &last, &alert.finding.to_string()).await;
    }
    store.prolong_alert(&alert.domain, &alert.alert_id, &finding.last, &json(finding)?.to_string()).await?;
    if finding.active {
        changes.going_on.push(alert.alert_id.clone());
        return Ok(());
    }
    end(store, alert, "its cause is over", channels, changes).await
}

async fn open(
    store: &Store,
    domain: &str,
    finding: &Finding,
    channels: &Channels,
    changes: &mut Changes,
) -> Result<(), PlatformError> {
    let digits: String = finding.since.chars().take(13).filter(char::is_ascii_digit).collect();
    let alert = AlertRecord {
        domain: domain.to_owned(),
        alert_id: format!("{}-{digits}", finding.watch),
        watch: finding.watch.clone(),
        // What was over before anybody looked is kept, and wakes nobody.
        status: if finding.active { "open" } else { "resolved" }.to_owned(),
        severity: finding.severity.to_owned(),
        since: finding.since.clone(),
        last: finding.last.clone(),
        opened_at: String::new(),
        changed_at: String::new(),
        changed_by: if finding.active { "" } else { ITSELF }.to_owned(),
        note: if finding.active { "" } else { "it was over when it was first seen" }.to_owned(),
        finding: json(finding)?,
    };
    if store.open_alert(&alert).await? && finding.active {
        tell(store, &alert, "opened", channels).await?;
        changes.opened.push(alert.alert_id);
    }
    Ok(())
}

async fn end(
    store: &Store,
    alert: &AlertRecord,
    why: &str,
    channels: &Channels,
    changes: &mut Changes,
) -> Result<(), PlatformError> {
    if store.change_alert(&alert.domain, &alert.alert_id, "resolved", ITSELF, why).await? {
        tell(store, alert, "resolved", channels).await?;
        changes.ended.push(alert.alert_id.clone());
    }
    Ok(())
}

/// Puts a message for every channel on its way; a notice goes to the log alone.
async fn tell(store: &Store, alert: &AlertRecord, event: &str, channels: &Channels) -> Result<(), PlatformError> {
    for channel in channels.names(&alert.severity) {
        store.put_delivery(&alert.domain, &alert.alert_id, event, channel).await?;
    }
    Ok(())
}

fn json(finding: &Finding) -> Result<serde_json::Value, PlatformError> {
    serde_json::to_value(finding).map_err(|error| PlatformError::Store(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn finding(since: &str, last: &str, active: bool) -> Finding {
        Finding {
            watch: "rows".to_owned(),
            title: "rows in 1d".to_owned(),
            severity: "page",
            owner: "data engineering".to_owned(),
            since: since.to_owned(),
            found: since.to_owned(),
            last: last.to_owned(),
            active,
            sentence: "rows are few".to_owned(),
            evidence: vec!["5 of 100".to_owned()],
            causes: vec![],
            examples: vec![],
        }
    }

    async fn look(store: &Store, found: &[Finding]) -> Changes {
        let watches = HashSet::from(["rows".to_owned()]);
        reconcile_findings(store, "shop", found, &watches, &Channels::default()).await.unwrap()
    }

    async fn store() -> (tempfile::TempDir, Arc<Store>) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), None).await.unwrap();
        (folder, Arc::new(store))
    }

    #[tokio::test]
    async fn an_alert_opens_once_goes_on_and_ends_with_its_cause() {
        let (_folder, store) = store().await;
        let (first, later) = ("2026-01-05T00:00:00Z", "2026-01-07T00:00:00Z");
        assert_eq!(look(&store, &[finding(first, first, true)]).await.opened, ["rows-2026010500"]);
        let again = look(&store, &[finding(first, later, true)]).await;
        assert_eq!((again.opened.len(), again.going_on.len()), (0, 1));
        // Late rows date its beginning anew: still the same.
        let earlier = look(&store, &[finding("2026-01-04T00:00:00Z", later, true)]).await;
        assert_eq!((earlier.opened.len(), earlier.going_on.len()), (0, 1));
        assert_eq!(look(&store, &[finding(first, later, false)]).await.ended, ["rows-2026010500"]);
        let sent = store.deliveries("shop").await.unwrap();
        let events: Vec<&str> = sent.iter().map(|delivery| delivery.event.as_str()).collect();
        assert_eq!(events, ["opened", "resolved"]);
        assert_eq!(look(&store, &[finding(first, later, false)]).await.opened.len(), 0);
    }

    #[tokio::test]
    async fn what_a_person_resolved_does_not_open_again_while_it_lasts() {
        let (_folder, store) = store().await;
        let first = "2026-01-05T00:00:00Z";
        look(&store, &[finding(first, first, true)]).await;
        assert!(store.change_alert("shop", "rows-2026010500", "acknowledged", "ann", "looking").await.unwrap());
        assert!(store.change_alert("shop", "rows-2026010500", "resolved", "ann", "known").await.unwrap());
        assert!(!store.change_alert("shop", "rows-2026010500", "acknowledged", "bob", "").await.unwrap());
        let again = look(&store, &[finding(first, "2026-01-08T00:00:00Z", true)]).await;
        assert!(again.opened.is_empty() && again.going_on.is_empty());
        // Another time is another alert.
        let other = look(&store, &[finding("2026-02-05T00:00:00Z", "2026-02-05T00:00:00Z", true)]).await;
        assert_eq!(other.opened.len(), 1);
    }

    #[tokio::test]
    async fn what_was_over_before_anybody_looked_wakes_nobody() {
        let (_folder, store) = store().await;
        let day = "2026-01-05T00:00:00Z";
        assert!(look(&store, &[finding(day, day, false)]).await.opened.is_empty());
        assert_eq!(store.alerts("shop").await.unwrap()[0].status, "resolved");
        assert!(store.deliveries("shop").await.unwrap().is_empty());
    }
}
