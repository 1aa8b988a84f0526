//! The whole router in this process, asked with bodies that nobody meant to send: no panic, and nothing that is our fault.

use crate::machine::Machine;
use crate::serving::make_champion;
use axum::body::Body;
use axum::http::Request;
use septet_domain::Domains;
use septet_platform::monitor::SystemWatch;
use septet_platform::serve::{LogPlace, Service, ServiceOptions};
use septet_platform::{Home, Store};
use septet_server::{DomainState, Limits, Watched};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

/// Bodies sent where nobody asks for more: `SEPTET_BODIES=1000000` was run on 2026-11-25.
const BODIES: u64 = 30_000;

const ADDRESSES: [(&str, &str); 7] = [
    ("/predict", "application/json"),
    ("/predict?explain=full", "application/json"),
    ("/predict/batch", "application/json"),
    ("/predict/batch", "application/x-ndjson"),
    ("/predict/batch", "text/csv"),
    ("/feedback", "application/json"),
    ("/feedback", "application/x-ndjson"),
];

const PAYMENT: &str =
    r#"{"payment_id":"p1","paid_at":"2026-05-04T10:00:00Z","customer_id":"c1","terminal_id":"t1","amount":12.5}"#;
const OUTCOME: &str = r#"{"payment_id":"p1","is_fraud":true}"#;
const TABLE: &str = "payment_id,paid_at,customer_id,terminal_id,amount\np2,2026-05-04 10:00:00,c1,t1,3\n";

const PIECES: [&[u8]; 16] = [
    b"\"",
    b"{",
    b"}",
    b"[",
    b"null",
    b"1e999",
    b"-1e308",
    b"\\u0000",
    b"[[[[[[[[",
    b"2026-99-99T99:99:99Z",
    b"\xf0\x9f\x92\xb6",
    b"\xff",
    b"9223372036854775808",
    b"\n",
    b",",
    b"p1",
];

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

fn mutated(body: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = body.as_bytes().to_vec();
    for _ in 0..random.below(4) {
        let (from, length) = (random.below(bytes.len()), random.below(12));
        let until = (from + length).min(bytes.len());
        match random.below(4) {
            0 => drop(bytes.drain(from..until)),
            1 => drop(bytes.splice(from..until, PIECES[random.below(PIECES.len())].iter().copied())),
            2 => {
                let copied = bytes[from..until].to_vec();
                drop(bytes.splice(from..from, copied));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(from) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    bytes
}

async fn service(machine: &Machine, domains: &str) -> Arc<Service> {
    let home = Home::open(&machine.home()).unwrap();
    let store = Arc::new(Store::open(&home.store_file(), None).await.unwrap());
    let domain = Domains::find(Some(Path::new(domains))).unwrap().load("fraud").unwrap();
    let options = ServiceOptions {
        log: LogPlace::File(machine.path("decisions.sqlite")),
        home,
        store,
        domain: Arc::new(domain),
        memory_max: 1 << 28,
        clock_skew_max_micros: i64::MAX / 2,
        log_after: true,
        queue_max: 1_000,
    };
    let service = Service::start(options).unwrap();
    while !service.ready() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    service
}

#[test]
fn bodies_that_nobody_meant_cause_no_panic_and_no_5xx() {
    let machine = Machine::new();
    let domains = make_champion(&machine, "fraud");
    let bodies = std::env::var("SEPTET_BODIES").ok().and_then(|text| text.parse().ok()).unwrap_or(BODIES);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        septet_server::start_metrics().unwrap();
        let service = service(&machine, &domains).await;
        let limits = Limits {
            body_bytes_max: 1 << 16,
            batch_bytes_max: 1 << 20,
            rows_max: 1_000,
            concurrency_max: 10,
            request_timeout: Duration::from_secs(30),
            api_keys: Vec::new(),
        };
        let watched = Arc::new(Watched::new(Arc::new(SystemWatch::new(&machine.home()))));
        let state = DomainState::new(service.clone(), limits, Arc::default(), watched);
        let router = septet_server::domain(state);
        let (mut random, mut answered) = (Random(17), 0_u64);
        for number in 0..bodies {
            let (address, media) = ADDRESSES[random.below(ADDRESSES.len())];
            let body = match (address, media) {
                (_, "text/csv") => TABLE.to_owned(),
                ("/feedback", "application/json") => OUTCOME.to_owned(),
                ("/feedback", _) => format!("{OUTCOME}\n{OUTCOME}\n"),
                ("/predict/batch", "application/json") => format!("[{PAYMENT},{PAYMENT}]"),
                ("/predict/batch", _) => format!("{PAYMENT}\n{PAYMENT}\n"),
                _ => PAYMENT.to_owned(),
            };
            let body = mutated(&body, &mut random);
            let request = Request::post(address).header("content-type", media).body(Body::from(body.clone())).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            let status = response.status().as_u16();
            let reply = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
            let said = String::from_utf8_lossy(&reply);
            let ours = status >= 500 || said.contains("\"status\":500") || said.contains("\"status\":503");
            assert!(!ours, "body {number} to {address}: {:?} got {status}: {said}", String::from_utf8_lossy(&body));
            answered += u64::from(status == 200);
        }
        assert!(answered > bodies / 10, "{answered} of {bodies} were sound enough to be answered");
        assert!(service.ready());
        service.stop().await;
    });
}
