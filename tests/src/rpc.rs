//! A node's RPC that always says the same.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
};

use crate::workspace;

/// Answers every request with a recorded `/status` (a name in `fixtures/rpc/`), until this process ends. Returns the port.
///
/// # Panics
/// When there is no such record.
#[must_use]
pub fn serve_status(recorded: &str) -> u16 {
    let body = std::fs::read(workspace().join("fixtures/rpc").join(recorded)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let lines = BufReader::new(&stream).lines();
            // The request ends with an empty line; it has no body.
            let _ = lines.map_while(Result::ok).find(String::is_empty);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    port
}
