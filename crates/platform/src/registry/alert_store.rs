//! Alerts and what was sent of them, beside the registry.

use super::store::{Row, Store, now, text};
use crate::error::PlatformError;
use serde::Serialize;

pub const MIGRATIONS: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS alerts (
        domain TEXT NOT NULL, alert_id TEXT NOT NULL, watch TEXT NOT NULL, status TEXT NOT NULL, severity TEXT NOT NULL,
        since TEXT NOT NULL, last TEXT NOT NULL, opened_at TEXT NOT NULL, changed_at TEXT NOT NULL, changed_by TEXT NOT NULL,
        note TEXT NOT NULL, finding TEXT NOT NULL, PRIMARY KEY (domain, alert_id))",
    "CREATE TABLE IF NOT EXISTS deliveries (
        domain TEXT NOT NULL, alert_id TEXT NOT NULL, event TEXT NOT NULL, channel TEXT NOT NULL, status TEXT NOT NULL,
        attempts TEXT NOT NULL, next_at TEXT NOT NULL, error TEXT NOT NULL, PRIMARY KEY (domain, alert_id, event, channel))",
];

/// An alert as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct AlertRecord {
    pub domain: String,
    pub alert_id: String,
    pub watch: String,
    /// `open`, `acknowledged` or `resolved`.
    pub status: String,
    /// `page` or `notice`.
    pub severity: String,
    pub since: String,
    pub last: String,
    pub opened_at: String,
    pub changed_at: String,
    /// Who acknowledged or resolved it; `septet` where it ended by itself.
    pub changed_by: String,
    pub note: String,
    /// What was found, as JSON.
    pub finding: serde_json::Value,
}

/// One message of one alert by one channel.
#[derive(Clone, Debug, Serialize)]
pub struct DeliveryRecord {
    pub domain: String,
    pub alert_id: String,
    /// `opened` or `resolved`.
    pub event: String,
    pub channel: String,
    /// `waiting`, `sending`, `sent`, or `dead` after the last attempt.
    pub status: String,
    pub attempts: u32,
    pub next_at: String,
    pub error: String,
}

const ALERT: &str =
    "domain, alert_id, watch, status, severity, since, last, opened_at, changed_at, changed_by, note, finding";
const DELIVERY: &str = "domain, alert_id, event, channel, status, attempts, next_at, error";

fn alert(row: Row) -> AlertRecord {
    AlertRecord {
        domain: text(&row, 0),
        alert_id: text(&row, 1),
        watch: text(&row, 2),
        status: text(&row, 3),
        severity: text(&row, 4),
        since: text(&row, 5),
        last: text(&row, 6),
        opened_at: text(&row, 7),
        changed_at: text(&row, 8),
        changed_by: text(&row, 9),
        note: text(&row, 10),
        finding: serde_json::from_str(&text(&row, 11)).unwrap_or_default(),
    }
}

fn delivery(row: Row) -> DeliveryRecord {
    DeliveryRecord {
        domain: text(&row, 0),
        alert_id: text(&row, 1),
        event: text(&row, 2),
        channel: text(&row, 3),
        status: text(&row, 4),
        attempts: text(&row, 5).parse().unwrap_or(0),
        next_at: text(&row, 6),
        error: text(&row, 7),
    }
}

impl Store {
    /// Newest first.
    pub async fn alerts(&self, domain: &str) -> Result<Vec<AlertRecord>, PlatformError> {
        let sql = format!("SELECT {ALERT} FROM alerts WHERE domain = $1 ORDER BY since DESC, alert_id");
        Ok(self.rows(&sql, &[domain]).await?.into_iter().map(alert).collect())
    }

    /// Domains that have alerts.
    pub async fn alert_domains(&self) -> Result<Vec<String>, PlatformError> {
        let rows = self.rows("SELECT DISTINCT domain FROM alerts ORDER BY domain", &[]).await?;
        Ok(rows.iter().map(|row| text(row, 0)).collect())
    }

    /// False if it is there already: an alert opens once.
    pub(crate) async fn open_alert(&self, alert: &AlertRecord) -> Result<bool, PlatformError> {
        let sql = format!(
            "INSERT INTO alerts ({ALERT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING"
        );
        let (moment, finding) = (now(), alert.finding.to_string());
        let values = [
            &alert.domain,
            &alert.alert_id,
            &alert.watch,
            &alert.status,
            &alert.severity,
            &alert.since,
            &alert.last,
            &moment,
            &moment,
            &alert.changed_by,
            &alert.note,
            &finding,
        ];
        Ok(self.execute(&sql, &values.map(String::as_str)).await? == 1)
    }

    /// It goes on: the newest window and what was found there.
    pub(crate) async fn prolong_alert(
        &self,
        domain: &str,
        alert_id: &str,
        last: &str,
        finding: &str,
    ) -> Result<(), PlatformError> {
        let sql = "UPDATE alerts SET last = $1, finding = $2 WHERE domain = $3 AND alert_id = $4";
        self.execute(sql, &[last, finding, domain, alert_id]).await.map(drop)
    }

    /// Moves an alert on; false if it is unknown or resolved already.
    pub async fn change_alert(
        &self,
        domain: &str,
        alert_id: &str,
        status: &str,
        by: &str,
        note: &str,
    ) -> Result<bool, PlatformError> {
        let sql = "UPDATE alerts SET status = $1, changed_at = $2, changed_by = $3, note = $4
                   WHERE domain = $5 AND alert_id = $6 AND status <> 'resolved'";
        Ok(self.execute(sql, &[status, &now(), by, note, domain, alert_id]).await? == 1)
    }

    pub(crate) async fn put_delivery(
        &self,
        domain: &str,
        alert_id: &str,
        event: &str,
        channel: &str,
    ) -> Result<(), PlatformError> {
        let sql = format!(
            "INSERT INTO deliveries ({DELIVERY}) VALUES ($1, $2, $3, $4, 'waiting', '0', $5, '') ON CONFLICT DO NOTHING"
        );
        self.execute(&sql, &[domain, alert_id, event, channel, &now()]).await.map(drop)
    }

    /// Newest alert first.
    pub async fn deliveries(&self, domain: &str) -> Result<Vec<DeliveryRecord>, PlatformError> {
        let sql = format!("SELECT {DELIVERY} FROM deliveries WHERE domain = $1 ORDER BY alert_id DESC, event, channel");
        Ok(self.rows(&sql, &[domain]).await?.into_iter().map(delivery).collect())
    }

    /// Messages whose time has come, and those that a process began to send and never finished.
    pub(crate) async fn due_deliveries(&self, moment: &str) -> Result<Vec<DeliveryRecord>, PlatformError> {
        let sql = format!(
            "SELECT {DELIVERY} FROM deliveries WHERE status IN ('waiting', 'sending') AND next_at <= $1 ORDER BY next_at"
        );
        Ok(self.rows(&sql, &[moment]).await?.into_iter().map(delivery).collect())
    }

    /// Takes a message for sending, until `until`; false if another process took it.
    pub(crate) async fn claim_delivery(&self, delivery: &DeliveryRecord, until: &str) -> Result<bool, PlatformError> {
        let sql = "UPDATE deliveries SET status = 'sending', next_at = $1
                   WHERE domain = $2 AND alert_id = $3 AND event = $4 AND channel = $5 AND status = $6 AND next_at = $7";
        let DeliveryRecord { domain, alert_id, event, channel, status, next_at, .. } = delivery;
        Ok(self.execute(sql, &[until, domain, alert_id, event, channel, status, next_at]).await? == 1)
    }

    pub(crate) async fn finish_delivery(&self, delivery: &DeliveryRecord) -> Result<(), PlatformError> {
        let sql = "UPDATE deliveries SET status = $1, attempts = $2, next_at = $3, error = $4
                   WHERE domain = $5 AND alert_id = $6 AND event = $7 AND channel = $8";
        let DeliveryRecord { domain, alert_id, event, channel, status, attempts, next_at, error } = delivery;
        let attempts = attempts.to_string();
        self.execute(sql, &[status, &attempts, next_at, error, domain, alert_id, event, channel]).await.map(drop)
    }
}
