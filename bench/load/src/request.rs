//! What is sent, written by hand: two copies into a buffer that is kept are all that a request costs.

use std::io::Write;
use std::net::SocketAddr;

/// Where requests go and the part of their head that is the same for all.
pub struct Target {
    pub address: SocketAddr,
    head: Vec<u8>,
}

impl Target {
    /// `address` must be this machine's own: a load test of someone else's server is an attack.
    pub fn new(address: SocketAddr, path: &str, headers: &[String]) -> Result<Target, String> {
        if !address.ip().is_loopback() {
            return Err(format!("`{address}` is not a loopback address: only this machine's own servers are tested"));
        }
        if !path.starts_with('/') || path.contains(|letter: char| !letter.is_ascii_graphic()) {
            return Err(format!("path `{path}`: give one that begins with / and holds no blanks"));
        }
        if let Some(header) = headers.iter().find(|header| !is_header(header)) {
            return Err(format!("header `{header}`: give `Name: value`"));
        }
        let mut head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n");
        headers.iter().for_each(|header| head.extend([header, "\r\n"]));
        Ok(Target { address, head: head.into_bytes() })
    }

    /// Replaces what is in `buffer` by a request with this body.
    pub fn write(&self, body: &[u8], buffer: &mut Vec<u8>) {
        buffer.clear();
        buffer.extend_from_slice(&self.head);
        write!(buffer, "Content-Length: {}\r\n\r\n", body.len()).expect("memory takes any write");
        buffer.extend_from_slice(body);
    }
}

fn is_header(text: &str) -> bool {
    let named = text.split_once(':').is_some_and(|(name, _)| !name.is_empty() && !name.contains(' '));
    named && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(address: &str, path: &str, header: &str) -> Result<Target, String> {
        Target::new(address.parse().expect("an address"), path, &[header.to_owned()])
    }

    #[test]
    fn a_request_says_its_length_and_replaces_the_one_before() {
        let target = target("127.0.0.1:8001", "/predict", "X-Key: k").expect("all fits");
        let mut buffer = b"earlier".to_vec();
        target.write(b"{}", &mut buffer);
        let text = "POST /predict HTTP/1.1\r\nHost: 127.0.0.1:8001\r\nContent-Type: application/json\r\n\
                    X-Key: k\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(String::from_utf8_lossy(&buffer), text);
    }

    #[test]
    fn only_this_machine_is_a_target() {
        for address in ["10.0.0.1:80", "192.168.1.1:80", "8.8.8.8:80", "0.0.0.0:80", "[2001:db8::1]:80"] {
            assert!(target(address, "/", "A: b").is_err(), "{address}");
        }
        assert!(target("[::1]:80", "/", "A: b").is_ok());
    }

    #[test]
    fn a_path_or_header_that_would_break_the_head_is_refused() {
        assert!(target("127.0.0.1:80", "predict", "A: b").is_err());
        assert!(target("127.0.0.1:80", "/a b", "A: b").is_err());
        assert!(target("127.0.0.1:80", "/", "A").is_err());
        assert!(target("127.0.0.1:80", "/", "A: b\r\nC: d").is_err());
    }
}
