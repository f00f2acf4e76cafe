//! A TCP proxy in front of a database. It can cut the database off.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use mongodb::options::{ClientOptions, ServerAddress};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{TcpListener, TcpStream, UnixStream},
    sync::Notify,
};

const OPEN: u8 = 0;
const CUT: u8 = 1;
const FROZEN: u8 = 2;

/// Passes bytes on to one address, or stops doing so.
pub struct Proxy {
    port: u16,
    line: Arc<Line>,
}

struct Line {
    state: AtomicU8,
    cut: Notify,
}

impl Proxy {
    /// A proxy in front of the MongoDB at this URI, which may be on a Unix socket.
    pub async fn before(uri: &str) -> Self {
        let address = ClientOptions::parse(uri).await.unwrap().hosts.remove(0);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Arc::new(Line { state: AtomicU8::new(OPEN), cut: Notify::new() });
        let own = Self { port: listener.local_addr().unwrap().port(), line: Arc::clone(&line) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, address.clone(), Arc::clone(&line)));
            }
        });
        own
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn uri(&self) -> String {
        format!("mongodb://{}/?directConnection=true", self.address())
    }

    /// Breaks every connection, and refuses new ones.
    pub fn cut(&self) {
        self.line.state.store(CUT, Ordering::SeqCst);
        self.line.cut.notify_waiters();
    }

    /// Keeps and accepts connections, but passes nothing on.
    pub fn freeze(&self) {
        self.line.state.store(FROZEN, Ordering::SeqCst);
    }

    /// Passes everything on again. Frozen bytes stay lost.
    pub fn heal(&self) {
        self.line.state.store(OPEN, Ordering::SeqCst);
        self.line.cut.notify_waiters();
    }
}

async fn connect(address: &ServerAddress) -> io::Result<(Reader, Writer)> {
    match address {
        ServerAddress::Tcp { host, port } => {
            let (reader, writer) = split(TcpStream::connect((host.as_str(), port.unwrap_or(27017))).await?);
            Ok((Box::new(reader), Box::new(writer)))
        }
        ServerAddress::Unix { path } => {
            let (reader, writer) = split(UnixStream::connect(path).await?);
            Ok((Box::new(reader), Box::new(writer)))
        }
        other => panic!("{other}"),
    }
}

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

async fn pass_on(client: TcpStream, address: ServerAddress, line: Arc<Line>) {
    // Wait from here on, so that a cut during the connection attempt is not missed.
    let cut = line.cut.notified();
    if line.state.load(Ordering::SeqCst) == CUT {
        return;
    }
    let Ok((server_reads, server_writes)) = connect(&address).await else { return };
    let (client_reads, client_writes) = split(client);
    tokio::select! {
        () = copy(client_reads, server_writes, &line) => {}
        () = copy(server_reads, client_writes, &line) => {}
        () = cut => {}
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, line: &Line) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if line.state.load(Ordering::SeqCst) == FROZEN {
            std::future::pending::<()>().await;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
