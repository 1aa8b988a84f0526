//! A server of the program under test, and as much of an HTTP client as tests need.

use crate::machine::Machine;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// The port of the fraud domain before the offset.
const FRAUD_PORT: u16 = 8001;
const START: Duration = Duration::from_secs(60);

pub struct Server {
    child: Child,
    pub port: u16,
}

pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Free ports at the offset: the hub's, fraud's and the shop's, which stand side by side.
fn free_offset() -> u16 {
    loop {
        let probe = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = probe.local_addr().unwrap().port();
        let Some(offset) = port.checked_sub(FRAUD_PORT) else { continue };
        if [port - 1, port + 1].iter().all(|&beside| TcpListener::bind(("127.0.0.1", beside)).is_ok()) {
            return offset;
        }
    }
}

impl Server {
    /// `septet serve fraud` with more words before it, ready to answer.
    pub fn start(machine: &Machine, words: &[&str]) -> Server {
        Server::start_domain(machine, words, "fraud")
    }

    /// The same of another domain.
    pub fn start_domain(machine: &Machine, words: &[&str], domain: &str) -> Server {
        let server = Server::launch(machine, words, domain, None);
        server.wait_until_ready();
        server
    }

    /// The same with all that it prints in a file.
    pub fn start_logged(machine: &Machine, words: &[&str], domain: &str, log: &Path) -> Server {
        let server = Server::launch(machine, words, domain, Some(File::create(log).unwrap()));
        server.wait_until_ready();
        server
    }

    fn launch(machine: &Machine, words: &[&str], domain: &str, log: Option<File>) -> Server {
        let offset = free_offset();
        let mut command = machine.command(&[words, &["serve", domain]].concat());
        command.env("SEPTET_PORT_OFFSET", offset.to_string()).stdout(Stdio::null());
        if std::env::var_os("SEPTET_TEST_LOUD").is_none() {
            command.stderr(Stdio::null());
        }
        if let Some(log) = log {
            command.stdout(log.try_clone().unwrap()).stderr(log);
        }
        // The built-in shop answers beside fraud; copies of other domains take fraud's port.
        let own = if domain == "ecommerce" { FRAUD_PORT + 1 } else { FRAUD_PORT };
        Server { child: command.spawn().expect("the program starts"), port: own + offset }
    }

    fn wait_until_ready(&self) {
        let start = Instant::now();
        while self.try_ask("GET", "/readyz", &[], "").is_none_or(|reply| reply.status != 200) {
            assert!(start.elapsed() < START, "the service is not ready after {START:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its process id.
    pub fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// Asks it to end, and whether it did so well.
    pub fn terminate(mut self) -> bool {
        let id = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap().success()
    }

    pub fn post(&self, path: &str, body: &str) -> Reply {
        self.ask("POST", path, &[("content-type", "application/json")], body)
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], "")
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.try_ask(method, path, headers, body).expect("the service answers")
    }

    /// None where the connection breaks.
    pub fn try_ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Option<Reply> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let body = body.as_ref();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
        // The service may answer before it has read all, and close.
        let _ = stream.write_all(body);
        read_reply(&mut BufReader::new(stream))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_reply(reader: &mut BufReader<TcpStream>) -> Option<Reply> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let status = line.split_whitespace().nth(1)?.parse().ok()?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => break,
        }
    }
    let named =
        |name: &str| headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
    let body = match named("transfer-encoding") {
        Some(_) => read_chunks(reader)?,
        None => {
            let mut body = vec![0; named("content-length").and_then(|text| text.parse().ok()).unwrap_or(0)];
            reader.read_exact(&mut body).ok()?;
            body
        }
    };
    Some(Reply { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

fn read_chunks(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
