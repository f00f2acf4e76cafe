//! A TCP proxy in front of a database, which can cut it off.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
};

const OPEN: u8 = 0;
const CUT: u8 = 1;
const FROZEN: u8 = 2;

/// Passes bytes on to one address, or does not.
pub struct Proxy {
    port: u16,
    line: Arc<Line>,
}

struct Line {
    state: AtomicU8,
    cut: Notify,
}

impl Proxy {
    /// In front of `127.0.0.1:port`.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Arc::new(Line { state: AtomicU8::new(OPEN), cut: Notify::new() });
        let own = Self { port: listener.local_addr().unwrap().port(), line: Arc::clone(&line) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, port, Arc::clone(&line)));
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

    /// Every connection breaks, and no new one comes about.
    pub fn cut(&self) {
        self.line.state.store(CUT, Ordering::SeqCst);
        self.line.cut.notify_waiters();
    }

    /// Connections stay and come about; nothing passes.
    pub fn freeze(&self) {
        self.line.state.store(FROZEN, Ordering::SeqCst);
    }

    /// Everything passes again; what was frozen stays lost.
    pub fn heal(&self) {
        self.line.state.store(OPEN, Ordering::SeqCst);
        self.line.cut.notify_waiters();
    }
}

async fn pass_on(client: TcpStream, port: u16, line: Arc<Line>) {
    // It waits from here on: a cut that comes while the other side is called is not missed.
    let cut = line.cut.notified();
    if line.state.load(Ordering::SeqCst) == CUT {
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    tokio::select! {
        () = copy(client_reads, server_writes, &line) => {}
        () = copy(server_reads, client_writes, &line) => {}
        () = cut => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, line: &Line) {
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
