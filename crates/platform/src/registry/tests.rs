//! The same sentences about both databases; PostgreSQL where SEPTET_TEST_POSTGRES names a server.

use super::alert_store::*;
use super::store::*;
use std::path::Path;

async fn stores() -> Vec<(Store, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Store::open(&folder.path().join("store.sqlite"), None).await.unwrap();
    let mut stores = vec![(sqlite, Some(folder))];
    match std::env::var("SEPTET_TEST_POSTGRES") {
        Ok(url) => stores.push((Store::open(Path::new(""), Some(&url)).await.unwrap(), None)),
        Err(_) => eprintln!("skipped: PostgreSQL (SEPTET_TEST_POSTGRES is not set)"),
    }
    stores
}

const SIGNED: Signed<'static> = Signed { by: "ada", why: "a test" };

/// PostgreSQL keeps what earlier tests wrote: every test has a domain of its own.
fn fresh(name: &str) -> String {
    format!("{name}_{}", chrono::Utc::now().timestamp_nanos_opt().unwrap())
}

#[tokio::test]
async fn an_alias_moves_only_from_the_version_it_is_believed_to_name() {
    for (store, _folder) in stores().await {
        let domain = fresh("alias");
        assert!(store.move_alias(&domain, "champion", None, "a", SIGNED).await.unwrap());
        assert!(!store.move_alias(&domain, "champion", None, "b", SIGNED).await.unwrap());
        assert!(!store.move_alias(&domain, "champion", Some("x"), "b", SIGNED).await.unwrap());
        assert!(store.move_alias(&domain, "champion", Some("a"), "b", SIGNED).await.unwrap());
        assert_eq!(store.alias(&domain, "champion").await.unwrap().unwrap().version, "b");
    }
}

#[tokio::test]
async fn a_repeated_step_replaces_its_report() {
    for (store, _folder) in stores().await {
        let run = fresh("run");
        let record =
            RunRecord { run_id: run.clone(), domain: fresh("d"), status: "running".into(), options: "{}".into() };
        store.begin_run(&record).await.unwrap();
        store.put_step(&record.domain, &run, "extract", "1").await.unwrap();
        store.put_step(&record.domain, &run, "extract", "2").await.unwrap();
        assert_eq!(store.step(&record.domain, &run, "extract").await.unwrap().as_deref(), Some("2"));
        assert_eq!(store.step(&record.domain, &run, "load").await.unwrap(), None);
        assert_eq!(store.newest_run(&record.domain).await.unwrap(), Some(record.clone()));
        store.end_run(&record.domain, &run, "done", None).await.unwrap();
        assert_eq!(store.run(&record.domain, &run).await.unwrap().unwrap().status, "done");
    }
}

#[tokio::test]
async fn a_version_with_a_failed_gate_is_kept_and_marked() {
    for (store, _folder) in stores().await {
        let domain = fresh("version");
        store.put_version(&domain, "v1", "r", "{}").await.unwrap();
        let gate = |name: &str, passed| GateRecord { name: name.into(), passed, evidence: "seen".into() };
        store.judge_version(&domain, "v1", &[gate("a", true), gate("b", false)]).await.unwrap();
        let version = store.version(&domain, "v1").await.unwrap().unwrap();
        assert_eq!((version.status.as_str(), version.gates.len()), ("failed", 2));
    }
}

#[tokio::test]
async fn a_message_is_taken_by_one_sender_and_an_alert_opens_once() {
    for (store, _folder) in stores().await {
        let domain = fresh("alert");
        let alert = AlertRecord {
            domain: domain.clone(),
            alert_id: "rows-1".into(),
            watch: "rows".into(),
            status: "open".into(),
            severity: "page".into(),
            since: "2026-01-01T00:00:00Z".into(),
            last: "2026-01-01T00:00:00Z".into(),
            opened_at: String::new(),
            changed_at: String::new(),
            changed_by: String::new(),
            note: String::new(),
            finding: serde_json::json!({ "sentence": "few rows" }),
        };
        assert!(store.open_alert(&alert).await.unwrap());
        assert!(!store.open_alert(&alert).await.unwrap());
        assert_eq!(store.alerts(&domain).await.unwrap()[0].finding["sentence"], "few rows");
        store.put_delivery(&domain, "rows-1", "opened", "webhook").await.unwrap();
        let later = moment_after(std::time::Duration::from_secs(1));
        let due: Vec<DeliveryRecord> =
            store.due_deliveries(&later).await.unwrap().into_iter().filter(|one| one.domain == domain).collect();
        assert_eq!(due.len(), 1);
        let until = moment_after(std::time::Duration::from_secs(60));
        assert!(store.claim_delivery(&due[0], &until).await.unwrap());
        assert!(!store.claim_delivery(&due[0], &until).await.unwrap());
        let sent = DeliveryRecord { status: "sent".into(), attempts: 1, ..due[0].clone() };
        store.finish_delivery(&sent).await.unwrap();
        assert_eq!(store.deliveries(&domain).await.unwrap()[0].status, "sent");
    }
}
