//! Runs another program to its end, or until its time is up.
//!
//! Does not know what the programs are for.

use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// What a program said.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `command` without input and waits for its end, `limit` at most.
///
/// # Errors
/// It could not be started; or, with [`io::ErrorKind::TimedOut`], it did not end: it is killed then, if that
/// is allowed (a `sudo` of root's is not ours to kill), and never waited for.
pub(crate) fn run(command: &mut Command, limit: Duration) -> io::Result<Output> {
    let deadline = Instant::now() + limit;
    // In a process group of its own: a Ctrl-C is for us and must not end the call that brings the node back.
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    // Read in threads, not after the end: a program that fills a pipe would never end.
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    let output = (|| {
        let stdout = receive(&stdout, deadline)?;
        let stderr = receive(&stderr, deadline)?;
        Ok(Output { status: wait_until(&mut child, deadline)?, stdout, stderr })
    })();
    if output.is_err() {
        abandon(child);
    }
    output
}

/// Runs `work` in a thread of its own and waits for its answer, `limit` at most: for calls that have no
/// limit themselves. A thread that is late is left behind.
pub(crate) fn limited<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("systemctl".to_owned()).spawn(move || {
        // The receiver is gone when the time was up: nobody wants the answer any more.
        let _ = sender.send(work());
    })?;
    receiver.recv_timeout(limit).map_err(|_| timed_out())?
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> Receiver<io::Result<String>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut bytes));
        let _ = sender.send(read.map(|_| String::from_utf8_lossy(&bytes).into_owned()));
    });
    receiver
}

fn receive(receiver: &Receiver<io::Result<String>>, deadline: Instant) -> io::Result<String> {
    receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).map_err(|_| timed_out())?
}

/// Its pipes are closed, so it ends now, unless it is a daemon by trade.
fn wait_until(child: &mut Child, deadline: Instant) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            return Err(timed_out());
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn abandon(mut child: Child) {
    // It may have ended, or belong to root: either way there is nothing more to do about it.
    let _ = child.kill();
    thread::spawn(move || child.wait());
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it did not end in time")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_is_run_and_its_words_are_kept_apart() {
        let output = run(&mut shell("echo out; echo err >&2; exit 3"), Duration::from_mins(1)).unwrap();
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(output.status.code(), Some(3));
    }

    #[test]
    fn a_program_that_fills_its_pipe_ends() {
        let output = run(&mut shell("head -c 1000000 /dev/zero"), Duration::from_mins(1)).unwrap();
        assert_eq!(output.stdout.len(), 1_000_000);
    }

    #[test]
    fn a_program_that_hangs_is_left_behind() {
        for script in ["exec sleep 600", "sleep 600 & sleep 600", "exec >&- 2>&-; sleep 600"] {
            let error = run(&mut shell(script), Duration::from_millis(50)).err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{script}");
        }
        let (_never, late) = mpsc::channel::<()>();
        let error = limited(Duration::from_millis(10), move || Ok(late.recv().is_ok())).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
