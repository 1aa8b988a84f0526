//! The service's promises: it is served from the sandbox, asked everything, killed, and asked again.

use crate::Evidence;
use crate::sandbox::Sandbox;
use crate::schema::mismatch;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Answers asked for before and after the kill, and for the measure of time.
pub const ANSWERS: usize = 40;
const TIMED_ANSWERS: usize = 200;
/// Where the domain's own target is not given: an answer within a page's load.
const ANSWER_MS_MAX: f64 = 50.0;
/// A service that is not ready by then has failed.
const READY_MAX: Duration = Duration::from_secs(60);

/// What was seen of the service.
pub struct Served {
    pub api: Evidence,
    pub problems: Evidence,
    pub latency: Evidence,
    pub recovery: Evidence,
    pub secrets: Evidence,
}

/// Ends with whoever holds it.
struct Service {
    child: Child,
    base: String,
    log: PathBuf,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sandbox {
    fn start(&self, offset: u16, log: &Path) -> anyhow::Result<Service> {
        let mut command = self.program();
        command.env("SEPTET_PORT_OFFSET", offset.to_string()).env("SEPTET_LOG", "info").env("SEPTET_BIND", "127.0.0.1");
        command
            .args(["serve", self.domain.name()])
            .stdout(Stdio::null())
            .stderr(File::options().create(true).append(true).open(log)?);
        let port = self.domain.spec.port + offset;
        Ok(Service { child: command.spawn()?, base: format!("http://127.0.0.1:{port}"), log: log.to_owned() })
    }

    /// Serves the copy, asks everything, kills it, serves it again.
    pub async fn serve_and_ask(&self) -> anyhow::Result<Served> {
        let offset = free_offset(self.domain.spec.port)?;
        let log = self.folder().join("service.log");
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build()?;
        let mut service = self.start(offset, &log)?;
        let caller = Caller { client, base: service.base.clone() };
        caller.wait(&mut service).await?;
        let api = {
            let _broken = self.sabotage.break_pointer(self.home(), self.domain.name())?;
            self.ask_everything(&caller).await?
        };
        let problems = self.ask_wrongly(&caller).await?;
        let latency = {
            let _slowed = self.sabotage.slow_down(service.child.id());
            self.time_answers(&caller).await?
        };
        let mut given = Vec::new();
        for number in 10_000..10_000 + ANSWERS {
            let event = self.event(number);
            let answer = caller.predict(&event).await?;
            given.push((event, answer));
            if number + 1 == 10_000 + ANSWERS {
                service.child.kill()?;
                service.child.wait()?;
            }
        }
        let mut service = self.start(offset, &log)?;
        caller.wait(&mut service).await?;
        if self.sabotage.hits("recovery") {
            drop(service);
            // The newest answer is taken out of the log.
            let name = self.domain.name();
            septet_platform::serve::forget_newest(&self.home().decisions_file(name), name)?;
            service = self.start(offset, &log)?;
            caller.wait(&mut service).await?;
        }
        let recovery = self.recovered(&caller, &given).await?;
        self.sabotage.tell_a_secret(&log)?;
        let secrets = self.secrets(&service.log)?;
        Ok(Served { api, problems, latency, recovery, secrets })
    }

    async fn ask_everything(&self, caller: &Caller) -> anyhow::Result<Evidence> {
        let document = caller.get("/openapi.json").await?.1;
        let schemas = &document["components"]["schemas"];
        let (mut asked, mut wrong) = (0, Vec::new());
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            if methods.get("get").is_some() && !path.contains('{') {
                let (status, _) = caller.get(path).await?;
                asked += 1;
                // That a failure is documented makes it no good answer.
                if status >= 500 || methods["get"]["responses"].get(status.to_string()).is_none() {
                    wrong.push(format!("GET {path} answered {status}"));
                }
            }
        }
        let (status, answer) = caller.post("/predict", &self.event(1).to_string()).await?;
        asked += 1;
        if status != 200 {
            wrong.push(format!("POST /predict answered {status}: {answer}"));
        }
        wrong.extend(mismatch(&schemas["Answer"], &answer, schemas, ""));
        let batch = json!([self.event(2), { "no": "event" }, self.event(3)]).to_string();
        let (status, answers) = caller.post("/predict/batch", &batch).await?;
        asked += 1;
        let rows = answers["results"].as_array().map_or(0, Vec::len);
        if status != 200 || rows != 3 {
            wrong.push(format!("POST /predict/batch answered {status} with {rows} results for 3 rows"));
        }
        let words = format!(
            "{asked} addresses asked, answers held against their schema: {}",
            if wrong.is_empty() { "as documented".to_owned() } else { wrong.join("; ") }
        );
        Ok(Evidence::new(wrong.is_empty() && asked > 8, words))
    }

    async fn ask_wrongly(&self, caller: &Caller) -> anyhow::Result<Evidence> {
        let mut wrong = Vec::new();
        let mut bodies =
            vec![("{".to_owned(), 400), ("[]".to_owned(), 422), ("{}".to_owned(), 422), ("\u{0}".to_owned(), 400)];
        let required: Vec<&str> =
            self.columns().iter().filter(|(_, c)| c.required && !c.label).map(|(name, _)| *name).collect();
        for name in &required {
            for bad in [Value::Null, json!({ "a": 1 }), json!([1])] {
                let mut event = self.event(4);
                event[*name] = bad;
                bodies.push((event.to_string(), 422));
            }
        }
        for (body, expected) in &bodies {
            let (status, problem) = caller.post("/predict", body).await?;
            let pointed = *expected != 422 || problem["errors"].as_array().is_some_and(|errors| !errors.is_empty());
            if status != *expected || problem["code"].is_null() || !pointed {
                wrong.push(format!("{status} where {expected} was due"));
            }
        }
        let (status, _) = caller.get("/no/such/address").await?;
        if status != 404 {
            wrong.push(format!("an unknown address answered {status}"));
        }
        let words = format!(
            "{} bad requests: {}",
            bodies.len() + 1,
            if wrong.is_empty() { "each refused with its problem".to_owned() } else { wrong.join("; ") }
        );
        Ok(Evidence::new(wrong.is_empty(), words))
    }

    async fn time_answers(&self, caller: &Caller) -> anyhow::Result<Evidence> {
        let mut times = Vec::new();
        for number in 0..TIMED_ANSWERS {
            let event = self.event(1_000 + number);
            let start = Instant::now();
            caller.predict(&event).await?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        let words =
            format!("{TIMED_ANSWERS} answers one by one: p50 {p50:.2} ms, p99 {p99:.2} ms; at most {ANSWER_MS_MAX} ms");
        Ok(Evidence::new(p99 <= ANSWER_MS_MAX, words))
    }

    /// Every answer given before the kill is in the log once, and asking again gives the same.
    async fn recovered(&self, caller: &Caller, given: &[(Value, Value)]) -> anyhow::Result<Evidence> {
        let mut different = 0;
        for (event, answer) in given {
            let again = caller.predict(event).await?;
            let same =
                ["request_id", "prediction", "decision", "reasons"].iter().all(|part| again[*part] == answer[*part]);
            different += usize::from(!same);
        }
        let mut command = self.program();
        let sql = "SELECT request_id FROM decisions";
        command.args(["sql", "--format", "json", self.domain.name(), sql]);
        let output = command.output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let ids: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        for id in &ids {
            *counts.entry(id["request_id"].as_str().unwrap_or_default()).or_default() += 1;
        }
        let once = |answer: &Value| counts.get(answer["request_id"].as_str().unwrap_or_default()) == Some(&1);
        let missing = given.iter().filter(|(_, answer)| !once(answer)).count();
        let words = format!(
            "killed after {} answers: {missing} not in the log exactly once, {different} answered otherwise afterwards",
            given.len()
        );
        Ok(Evidence::new(missing == 0 && different == 0 && !given.is_empty(), words))
    }
}

struct Caller {
    client: reqwest::Client,
    base: String,
}

impl Caller {
    async fn wait(&self, service: &mut Service) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            if let Ok(response) = self.client.get(format!("{}/readyz", self.base)).send().await
                && response.status().is_success()
            {
                return Ok(());
            }
            if service.child.try_wait()?.is_some() || start.elapsed() > READY_MAX {
                bail!(
                    "the service did not become ready: {}",
                    std::fs::read_to_string(&service.log)?.lines().last().unwrap_or_default()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn get(&self, path: &str) -> anyhow::Result<(u16, Value)> {
        let response = self.client.get(format!("{}{path}", self.base)).send().await?;
        let status = response.status().as_u16();
        Ok((status, serde_json::from_str(&response.text().await?).unwrap_or_default()))
    }

    async fn post(&self, path: &str, body: &str) -> anyhow::Result<(u16, Value)> {
        self.post_once(path, body, None).await
    }

    async fn post_once(&self, path: &str, body: &str, key: Option<&str>) -> anyhow::Result<(u16, Value)> {
        let mut request = self.client.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = request.body(body.to_owned()).send().await?;
        let status = response.status().as_u16();
        Ok((status, serde_json::from_str(&response.text().await?).unwrap_or_default()))
    }

    /// The same event is the same request, whenever it is sent.
    async fn predict(&self, event: &Value) -> anyhow::Result<Value> {
        let body = event.to_string();
        let mut hasher = std::hash::DefaultHasher::new();
        body.hash(&mut hasher);
        let (status, answer) = self.post_once("/predict", &body, Some(&format!("{:x}", hasher.finish()))).await?;
        if status != 200 {
            bail!("/predict answered {status}: {answer}");
        }
        Ok(answer)
    }
}

/// A free port for the domain and for the hub, found by trying.
fn free_offset(port: u16) -> anyhow::Result<u16> {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let found = (1_000..40_000).step_by(617).find(|offset| free(port + offset) && free(8_000 + offset));
    found.context("no free port was found")
}
