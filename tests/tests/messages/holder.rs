//! Somebody else who holds a lock.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use loom_tests::Place;

/// A program that holds a file locked until it is killed.
pub(crate) struct Holder(pub(crate) Child);

impl Holder {
    pub(crate) fn of(place: &Place, path: &str) -> Self {
        let mut command = place.command(&format!("flock /T/{path} sh -c"));
        let mut child =
            command.arg("echo held; exec cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // `cat` ends with its input, and `flock` with `cat`.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
