//! Request bodies, one a line of a file, used in the file's order: a server with windows in time answers differently
//! when payments come shuffled.

use std::path::Path;

/// All bodies are held in memory so that reading never delays a request.
const FILE_BYTES_MAX: u64 = 1 << 30; // 5 times the Handbook's 1.75 million payments

/// At least one body; empty lines are left out.
pub struct Bodies {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Bodies {
    pub fn read(path: &Path) -> Result<Bodies, String> {
        let size = std::fs::metadata(path).map_err(|error| format!("bodies `{}`: {error}", path.display()))?.len();
        if size > FILE_BYTES_MAX {
            return Err(format!("`{}` has {size} bytes, more than {FILE_BYTES_MAX}: cut it", path.display()));
        }
        let bytes = std::fs::read(path).map_err(|error| format!("bodies `{}`: {error}", path.display()))?;
        Bodies::from_lines(&bytes).ok_or_else(|| format!("`{}` holds no body: one a line is needed", path.display()))
    }

    fn from_lines(text: &[u8]) -> Option<Bodies> {
        let mut bodies = Bodies { bytes: Vec::with_capacity(text.len()), ends: Vec::new() };
        for line in text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
            bodies.bytes.extend_from_slice(line);
            bodies.ends.push(bodies.bytes.len());
        }
        (!bodies.ends.is_empty()).then_some(bodies)
    }

    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// The body of request `number`, beginning again after the last one.
    pub fn get(&self, number: usize) -> &[u8] {
        let index = number % self.ends.len();
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_in_order_without_blanks_and_begin_again() {
        let bodies = Bodies::from_lines(b"{\"a\":1}\r\n\n  {}\n[]").expect("three lines hold a body");
        let got: Vec<&[u8]> = (0..4).map(|number| bodies.get(number)).collect();
        assert_eq!(got, [&b"{\"a\":1}"[..], b"{}", b"[]", b"{\"a\":1}"]);
    }

    #[test]
    fn a_file_without_a_body_is_refused() {
        assert!(Bodies::from_lines(b"\n \n").is_none());
    }
}
