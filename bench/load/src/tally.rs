//! What a run came to: counts, and latency by two measures. From the intended start it holds what a user would have
//! waited; from the actual send it holds what the server took. They part when the server falls behind.

use crate::connection::{Fault, Reply};
use crate::histogram::Histogram;
use crate::pace::{Ticket, Tickets};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const COLLECTED_BYTES_MAX: usize = 1 << 30; // a million replies of a kilobyte

#[derive(Default)]
pub struct Tally {
    sent: u64,
    status: BTreeMap<u16, u64>,
    faults: BTreeMap<&'static str, u64>,
    first_fault: Option<String>,
    from_intended: Histogram,
    from_send: Histogram,
    last_answer: Option<Instant>,
}

impl Tally {
    pub fn send(&mut self, ticket: &Ticket) {
        self.sent += u64::from(ticket.measured);
    }

    pub fn answer(&mut self, ticket: &Ticket, sent: Instant, answered: Instant, result: &Result<Reply, Fault>) {
        if !ticket.measured {
            return;
        }
        match result {
            Ok(reply) => {
                *self.status.entry(reply.status).or_default() += 1;
                self.from_send.add(answered - sent);
                if let Some(intended) = ticket.intended {
                    self.from_intended.add(answered - intended);
                }
                self.last_answer = Some(answered);
            }
            Err(fault) => {
                *self.faults.entry(fault.name()).or_default() += 1;
                self.first_fault.get_or_insert_with(|| fault.message());
            }
        }
    }

    /// Of what was measured. Requests per second count answers of any status over the time until the last of them came,
    /// at a rate over no less than the time asked for. Latency is that of the answered.
    pub fn report(&self, tickets: &Tickets) -> Value {
        let (offered, clock) = (tickets.offered(), tickets.clock());
        let asked = offered.map_or(Duration::ZERO, |_| clock.end - clock.measured_from);
        let until_last = self.last_answer.map_or(Duration::ZERO, |last| last - clock.measured_from);
        let seconds = until_last.max(asked).as_secs_f64();
        let answered = self.from_send.count();
        let status: Map<String, Value> =
            self.status.iter().map(|(code, count)| (code.to_string(), json!(count))).collect();
        json!({
            "offered": offered.map_or(self.sent, |offered| offered as u64),
            "sent": self.sent,
            "answered": answered,
            "status": status,
            "errors": self.faults,
            "first_error": self.first_fault,
            "seconds": seconds,
            "requests_per_second": if answered > 0 { answered as f64 / seconds } else { 0.0 },
            "latency_from_intended_us": offered.map(|_| latency(&self.from_intended)),
            "latency_from_send_us": latency(&self.from_send),
        })
    }
}

fn latency(histogram: &Histogram) -> Value {
    let us = |time: Duration| time.as_nanos() as f64 / 1e3;
    let quantile = |share| us(histogram.quantile(share));
    json!({
        "p50": quantile(0.5),
        "p90": quantile(0.9),
        "p99": quantile(0.99),
        "p999": quantile(0.999),
        "max": us(histogram.max()),
        "mean": us(histogram.mean()),
    })
}

/// Reply bodies by the number of their request.
#[derive(Default)]
pub struct Collected {
    contents: Vec<Vec<u8>>,
    bytes: usize,
}

impl Collected {
    /// Past the limit the bytes are counted and dropped; `lines` then says so.
    pub fn add(&mut self, number: usize, content: Vec<u8>) {
        self.bytes += content.len();
        if self.contents.len() <= number {
            self.contents.resize(number + 1, Vec::new());
        }
        if self.bytes <= COLLECTED_BYTES_MAX {
            self.contents[number] = content;
        }
    }

    /// One line a request, in the order of requests, empty where nothing came back. Line breaks within a reply become
    /// blanks, which JSON does not tell apart.
    pub fn lines(mut self, requests: usize) -> Result<Vec<u8>, String> {
        if self.bytes > COLLECTED_BYTES_MAX {
            return Err(format!("the replies have {} bytes, more than {COLLECTED_BYTES_MAX}: send fewer", self.bytes));
        }
        self.contents.resize(requests, Vec::new());
        let mut lines = Vec::with_capacity(self.bytes + requests);
        for content in self.contents {
            lines.extend(
                content.trim_ascii().iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }),
            );
            lines.push(b'\n');
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_written_in_the_order_of_requests_one_a_line() {
        let mut collected = Collected::default();
        collected.add(2, b"{\n \"c\": 3\r\n}\n".to_vec());
        collected.add(0, b"{}".to_vec());
        let lines = collected.lines(4).expect("few bytes");
        assert_eq!(String::from_utf8_lossy(&lines), "{}\n\n{  \"c\": 3  }\n\n");
    }
}
