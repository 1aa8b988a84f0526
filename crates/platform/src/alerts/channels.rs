//! How an alert reaches people: a line in the log, a webhook, an e-mail. Each message waits in the store until its channel
//! took it, is tried again with growing pauses, and after the last attempt lies in the table as `dead`, for somebody to see.

use crate::registry::alert_store::{AlertRecord, DeliveryRecord};
use crate::registry::store::moment_after;
use crate::{PlatformError, Store};
use lettre::message::{Mailbox, header};
use lettre::{Message, SmtpTransport, Transport};
use serde_json::{Value, json};
use std::time::Duration;
use tracing::{info, warn};

/// After so many attempts a message is dead: by then about half a day has passed.
const ATTEMPTS_MAX: u32 = 10;
/// Pause after the first failure; each further one is twice as long, up to the longest.
const PAUSE_FIRST: Duration = Duration::from_secs(15);
const PAUSE_MAX: Duration = Duration::from_secs(2 * 3_600);
/// A channel that takes longer has failed.
const CHANNEL_TIMEOUT: Duration = Duration::from_secs(10);
/// A process that died while sending gives a message back after this.
const CLAIM: Duration = Duration::from_secs(60);

/// Where alerts are sent.
#[derive(Clone, Debug, Default)]
pub struct Channels {
    /// Address that gets each alert as JSON by POST. May hold a secret: never shown.
    pub webhook: Option<String>,
    pub mail: Option<Mail>,
}

/// How mail goes out.
#[derive(Clone)]
pub struct Mail {
    /// `smtp://user:password@host:port`, `smtps://...`; `smtp://...?tls=required` for STARTTLS. Never shown.
    pub url: String,
    pub from: String,
    pub to: Vec<String>,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Mail {{ from: {:?}, to: {:?} }}", self.from, self.to)
    }
}

impl Channels {
    /// Those that get an alert of this severity: a notice wakes nobody.
    pub fn names(&self, severity: &str) -> Vec<&'static str> {
        let page = severity == "page";
        let webhook = self.webhook.as_ref().filter(|_| page).map(|_| "webhook");
        let mail = self.mail.as_ref().filter(|_| page).map(|_| "mail");
        ["log"].into_iter().chain(webhook).chain(mail).collect()
    }
}

/// Sends what is due; how many went out. A channel's failure is recorded with the message, not returned.
pub async fn deliver(store: &Store, channels: &Channels) -> Result<usize, PlatformError> {
    let mut sent = 0;
    for delivery in store.due_deliveries(&moment_after(Duration::ZERO)).await? {
        if !store.claim_delivery(&delivery, &moment_after(CLAIM)).await? {
            continue;
        }
        let alert = store.alerts(&delivery.domain).await?.into_iter().find(|alert| alert.alert_id == delivery.alert_id);
        let result = match alert {
            Some(alert) => send(channels, &delivery, &alert).await,
            None => Err("the alert is gone".to_owned()),
        };
        let attempts = delivery.attempts + 1;
        let (status, pause, error) = match result {
            Ok(()) => {
                sent += 1;
                ("sent", Duration::ZERO, String::new())
            }
            Err(error) if attempts >= ATTEMPTS_MAX => ("dead", Duration::ZERO, error),
            Err(error) => ("waiting", (PAUSE_FIRST * 2u32.pow(attempts - 1)).min(PAUSE_MAX), error),
        };
        if status != "sent" {
            warn!(domain = %delivery.domain, alert = %delivery.alert_id, channel = %delivery.channel, attempts, %error, "an alert could not be sent");
        }
        let status = status.to_owned();
        let done = DeliveryRecord { status, attempts, next_at: moment_after(pause), error, ..delivery };
        store.finish_delivery(&done).await?;
    }
    Ok(sent)
}

async fn send(channels: &Channels, delivery: &DeliveryRecord, alert: &AlertRecord) -> Result<(), String> {
    match (delivery.channel.as_str(), &channels.webhook, &channels.mail) {
        ("log", ..) => {
            let sentence = alert.finding["sentence"].as_str().unwrap_or_default();
            match alert.severity.as_str() {
                "page" => {
                    warn!(domain = %alert.domain, alert = %alert.alert_id, event = %delivery.event, sentence, "alert")
                }
                _ => info!(domain = %alert.domain, alert = %alert.alert_id, event = %delivery.event, sentence, "alert"),
            }
            Ok(())
        }
        ("webhook", Some(url), _) => post(url, delivery, alert).await,
        ("mail", _, Some(mail)) => {
            let (mail, message) = (mail.clone(), letter(mail, delivery, alert)?);
            let send = move || {
                let transport = SmtpTransport::from_url(&mail.url).map_err(|error| error.to_string())?;
                let transport = transport.timeout(Some(CHANNEL_TIMEOUT)).build();
                transport.send(&message).map(drop).map_err(|error| error.to_string())
            };
            tokio::task::spawn_blocking(send).await.map_err(|error| error.to_string())?
        }
        (channel, ..) => Err(format!("channel `{channel}` is not set up here")),
    }
}

/// The same for every attempt, so that a receiver can tell a repeated message from a new one.
fn message_key(delivery: &DeliveryRecord) -> String {
    format!("{}.{}.{}", delivery.domain, delivery.alert_id, delivery.event)
}

async fn post(url: &str, delivery: &DeliveryRecord, alert: &AlertRecord) -> Result<(), String> {
    let body: Value = json!({ "event": delivery.event, "key": message_key(delivery), "alert": alert });
    // An address may carry a token: errors are told without it.
    let told = |error: reqwest::Error| error.without_url().to_string();
    let client = reqwest::Client::builder().timeout(CHANNEL_TIMEOUT).build().map_err(told)?;
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("idempotency-key", message_key(delivery))
        .body(body.to_string());
    let response = request.send().await.map_err(told)?;
    match response.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("the webhook answered {status}")),
    }
}

fn letter(mail: &Mail, delivery: &DeliveryRecord, alert: &AlertRecord) -> Result<Message, String> {
    let address = |text: &str| text.parse::<Mailbox>().map_err(|error| format!("address `{text}`: {error}"));
    let finding = &alert.finding;
    let word = |key: &str| finding[key].as_str().unwrap_or_default();
    let list = |key: &str| {
        let lines = finding[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        lines.map(|line| format!("  {line}\n")).collect::<String>()
    };
    let mut body = format!(
        "{}\n\nConcerns: {}\nSince: {}\nLast seen: {}\n",
        word("sentence"),
        word("owner"),
        alert.since,
        alert.last
    );
    for (title, key) in [("Evidence", "evidence"), ("Where it changed most", "causes"), ("Examples", "examples")] {
        let lines = list(key);
        if !lines.is_empty() {
            body.push_str(&format!("\n{title}:\n{lines}"));
        }
    }
    body.push_str(&format!(
        "\nAcknowledge: septet alerts {domain} --acknowledge {id}\nResolve: septet alerts {domain} --resolve {id}\n",
        domain = alert.domain,
        id = alert.alert_id
    ));
    let subject = format!("[septet] {} {}: {}", alert.domain, delivery.event, word("title"));
    let mut builder = Message::builder()
        .from(address(&mail.from)?)
        .message_id(Some(format!("<{}@septet>", message_key(delivery))))
        .subject(subject)
        .header(header::ContentType::TEXT_PLAIN);
    for to in &mail.to {
        builder = builder.to(address(to)?);
    }
    builder.body(body).map_err(|error| error.to_string())
}
