//! One connection that is kept open, and opened again when the server closes it.

use crate::reply::{Body, parse_body, parse_head};
use crate::request::Target;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REPLY_BYTES_MAX: usize = 16 << 20; // a batch of some thousand answers; a single one has a few hundred bytes
const READ_BYTES: usize = 4 << 10; // most replies in one read

/// What came back, whatever its status.
pub struct Reply {
    pub status: u16,
    pub content: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, PartialEq)]
pub enum Fault {
    Connect(String),
    /// The connection broke before the reply was whole.
    Closed,
    Timeout,
    /// What came was not a reply.
    Broken(String),
}

impl Fault {
    /// The name it is counted under.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Connect(_) => "connect",
            Fault::Closed => "closed",
            Fault::Timeout => "timeout",
            Fault::Broken(_) => "broken",
        }
    }

    pub fn message(&self) -> String {
        match self {
            Fault::Connect(why) | Fault::Broken(why) => why.clone(),
            Fault::Closed => "the server closed the connection before its reply was whole".to_owned(),
            Fault::Timeout => "no whole reply within the time allowed".to_owned(),
        }
    }
}

pub struct Connection {
    target: Rc<Target>,
    timeout: Duration,
    stream: Option<TcpStream>,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
}

impl Connection {
    pub async fn open(target: Rc<Target>, timeout: Duration) -> Result<Connection, Fault> {
        let stream = Some(connect(&target).await?);
        Ok(Connection { target, timeout, stream, outgoing: Vec::new(), incoming: Vec::with_capacity(READ_BYTES) })
    }

    /// Sends the body and waits for the whole reply. After a fault the next call opens a new connection.
    pub async fn ask(&mut self, body: &[u8]) -> Result<Reply, Fault> {
        self.incoming.clear();
        self.target.write(body, &mut self.outgoing);
        let timeout = self.timeout;
        match tokio::time::timeout(timeout, self.exchange()).await.unwrap_or(Err(Fault::Timeout)) {
            Ok((reply, closes)) => {
                self.stream = self.stream.take().filter(|_| !closes);
                Ok(reply)
            }
            Err(fault) => {
                self.stream = None;
                Err(fault)
            }
        }
    }

    /// The reply, and whether the server closes the connection after it.
    async fn exchange(&mut self) -> Result<(Reply, bool), Fault> {
        let stream = match self.stream.take().filter(is_open) {
            Some(stream) => stream,
            None => connect(&self.target).await?,
        };
        let stream = self.stream.insert(stream);
        stream.write_all(&self.outgoing).await.map_err(|_| Fault::Closed)?;
        loop {
            let ended = read_more(stream, &mut self.incoming).await?;
            if let Some(found) = whole_reply(&mut self.incoming, ended)? {
                return Ok(found);
            }
            if ended {
                return Err(Fault::Closed);
            }
        }
    }
}

async fn connect(target: &Target) -> Result<TcpStream, Fault> {
    let stream = TcpStream::connect(target.address).await;
    let stream = stream.map_err(|error| Fault::Connect(format!("cannot connect to `{}`: {error}", target.address)))?;
    // A request is one write: waiting to fill a packet would only delay it.
    stream.set_nodelay(true).map_err(|error| Fault::Connect(format!("cannot set TCP_NODELAY: {error}")))?;
    Ok(stream)
}

/// Servers close connections on which nothing was asked for some seconds; that is no fault of the next request.
fn is_open(stream: &TcpStream) -> bool {
    stream.try_read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// Whether the connection has ended.
async fn read_more(stream: &mut TcpStream, incoming: &mut Vec<u8>) -> Result<bool, Fault> {
    if incoming.len() > REPLY_BYTES_MAX {
        return Err(Fault::Broken(format!("the reply has more than {REPLY_BYTES_MAX} bytes")));
    }
    incoming.reserve(READ_BYTES);
    Ok(stream.read_buf(incoming).await.map_err(|_| Fault::Closed)? == 0)
}

/// The reply and whether the connection closes after it, once all of it has come. Interim replies (1xx) are dropped.
fn whole_reply(incoming: &mut Vec<u8>, ended: bool) -> Result<Option<(Reply, bool)>, Fault> {
    while let Some(head) = parse_head(incoming).map_err(Fault::Broken)? {
        let rest = &incoming[head.bytes..];
        if head.body == Body::UntilClosed {
            return Ok(ended.then(|| (Reply { status: head.status, content: rest.to_vec() }, true)));
        }
        let Some(body) = parse_body(head.body, rest).map_err(Fault::Broken)? else { return Ok(None) };
        let end = head.bytes + body.bytes;
        if head.status < 200 {
            incoming.drain(..end);
            continue;
        }
        if end < incoming.len() {
            return Err(Fault::Broken(format!("{} bytes follow the reply to one request", incoming.len() - end)));
        }
        return Ok(Some((Reply { status: head.status, content: body.content }, head.closes)));
    }
    Ok(None)
}
