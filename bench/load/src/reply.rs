//! Where a reply ends, because on a connection that is kept nothing else tells. As much of RFC 9112 as servers send:
//! a content length, chunks, or the end of the connection.

/// The head of a reply.
#[derive(Debug, PartialEq)]
pub struct Head {
    pub status: u16,
    pub body: Body,
    /// The server closes the connection after this reply.
    pub closes: bool,
    /// Bytes up to the first one of the body.
    pub bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Body {
    Length(usize),
    Chunks,
    UntilClosed,
}

/// A whole body: its content, and how many bytes it took on the wire.
#[derive(Debug, PartialEq)]
pub struct Content {
    pub content: Vec<u8>,
    pub bytes: usize,
}

/// The head at the start of `bytes`; none as long as it is not whole.
pub fn parse_head(bytes: &[u8]) -> Result<Option<Head>, String> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| "the reply's head is not text".to_owned())?;
    let (first, fields) = text.split_once("\r\n").unwrap_or((text, ""));
    let status =
        status(first).ok_or_else(|| format!("the reply begins with `{first}`, not with HTTP/1.x and a status"))?;
    let mut head = Head { status, body: Body::UntilClosed, closes: first.starts_with("HTTP/1.0"), bytes: end + 4 };
    for line in fields.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("the reply's header `{line}` has no colon"))?;
        read_field(&mut head, name, value.trim())?;
    }
    if matches!(status, 100..=199 | 204 | 304) {
        head.body = Body::Length(0);
    }
    head.closes |= head.body == Body::UntilClosed;
    Ok(Some(head))
}

/// The body's content once all its bytes are there. A body until the end of the connection is not told here.
pub fn parse_body(body: Body, bytes: &[u8]) -> Result<Option<Content>, String> {
    match body {
        Body::Length(length) if bytes.len() < length => Ok(None),
        Body::Length(length) => Ok(Some(Content { content: bytes[..length].to_vec(), bytes: length })),
        Body::Chunks => parse_chunks(bytes),
        Body::UntilClosed => Ok(None),
    }
}

fn parse_chunks(bytes: &[u8]) -> Result<Option<Content>, String> {
    let mut content = Vec::new();
    let mut position = 0;
    loop {
        let Some(line) = line_at(bytes, position) else { return Ok(None) };
        position += line.len() + 2;
        let size = chunk_size(line)?;
        if size == 0 {
            return Ok(trailers_end(bytes, position).map(|bytes| Content { content, bytes }));
        }
        let Some(chunk) = bytes.get(position..position.saturating_add(size).saturating_add(2)) else { return Ok(None) };
        if !chunk.ends_with(b"\r\n") {
            return Err(format!("a chunk of {size} bytes does not end where it says"));
        }
        content.extend_from_slice(&chunk[..size]);
        position += size + 2;
    }
}

/// After the last chunk come header lines, usually none, and an empty line.
fn trailers_end(bytes: &[u8], mut position: usize) -> Option<usize> {
    loop {
        let line = line_at(bytes, position)?;
        position += line.len() + 2;
        if line.is_empty() {
            return Some(position);
        }
    }
}

fn line_at(bytes: &[u8], position: usize) -> Option<&[u8]> {
    let rest = bytes.get(position..)?;
    find(rest, b"\r\n").map(|end| &rest[..end])
}

/// Hexadecimal; what follows a semicolon is an extension that nobody needs to know.
fn chunk_size(line: &[u8]) -> Result<usize, String> {
    let text = String::from_utf8_lossy(line);
    let digits = text.split(';').next().unwrap_or_default().trim();
    usize::from_str_radix(digits, 16).map_err(|_| format!("a chunk's size is `{digits}`, not a hexadecimal number"))
}

fn status(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "))?;
    rest.get(..3)?.parse().ok()
}

fn read_field(head: &mut Head, name: &str, value: &str) -> Result<(), String> {
    if name.eq_ignore_ascii_case("content-length") {
        let length = value.parse().map_err(|_| format!("the reply's content length is `{value}`, not a number"))?;
        if head.body != Body::Chunks {
            head.body = Body::Length(length);
        }
    } else if name.eq_ignore_ascii_case("transfer-encoding") {
        if !value.eq_ignore_ascii_case("chunked") {
            return Err(format!("the reply's transfer encoding is `{value}`; only chunked is understood"));
        }
        head.body = Body::Chunks;
    } else if name.eq_ignore_ascii_case("connection") {
        let says = |word: &str| value.split(',').any(|each| each.trim().eq_ignore_ascii_case(word));
        head.closes = says("close") || (head.closes && !says("keep-alive"));
    }
    Ok(())
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, content, whether the connection closes and the bytes left over; in every cut the whole must not be
    /// seen too early.
    fn check(text: &str, expected: (u16, &str, bool, &str)) {
        let bytes = text.as_bytes();
        let head = parse_head(bytes).expect("a head").expect("a whole head");
        let body = parse_body(head.body, &bytes[head.bytes..]).expect("a body").expect("a whole body");
        let end = head.bytes + body.bytes;
        let content = String::from_utf8_lossy(&body.content);
        assert_eq!((head.status, &*content, head.closes, &text[end..]), expected);
        for cut in 0..end {
            let early = parse_head(&bytes[..cut]).expect("no error in a part");
            let early =
                early.and_then(|head| parse_body(head.body, &bytes[head.bytes..cut]).expect("no error in a part"));
            assert_eq!(early, None, "after {cut} bytes");
        }
    }

    #[test]
    fn a_reply_ends_after_its_content_length() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP", (200, "{}", false, "HTTP"));
        check("HTTP/1.1 422 \r\ncontent-length:4\r\nConnection: close\r\n\r\nnull", (422, "null", true, ""));
        check("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", (200, "", true, ""));
        check("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", (200, "", false, ""));
    }

    #[test]
    fn a_reply_ends_after_its_last_chunk() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(
            &format!("{head}3\r\n{{\"a\r\nA;x=y\r\n\":12345678\r\n1\r\n}}\r\n0\r\n\r\nleft"),
            (200, "{\"a\":12345678}", false, "left"),
        );
        check(&format!("{head}0\r\nDigest: x\r\n\r\n"), (200, "", false, ""));
    }

    #[test]
    fn no_content_has_no_body_whatever_the_head_says() {
        check("HTTP/1.1 204 No Content\r\n\r\n", (204, "", false, ""));
    }

    #[test]
    fn a_body_without_length_lasts_until_the_connection_closes() {
        let head = parse_head(b"HTTP/1.1 200 OK\r\n\r\n{}").expect("a head").expect("a whole head");
        assert_eq!((head.body, head.closes), (Body::UntilClosed, true));
    }

    #[test]
    fn what_is_no_http_is_an_error() {
        for text in ["SSH-2.0\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"] {
            assert!(parse_head(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse_body(Body::Chunks, b"zz\r\n").is_err());
        assert!(parse_body(Body::Chunks, b"1\r\nabc\r\n").is_err());
        assert!(parse_body(Body::Chunks, b"ffffffffffffffff\r\nabc").is_ok_and(|body| body.is_none()));
    }
}
