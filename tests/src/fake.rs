//! A `systemctl` with one unit, `loom.service`, that obeys, unless a test says otherwise.

use std::{fs, os::unix::fs::symlink};

use crate::{Place, workspace};

const UP: &str = "Id=loom.service\nLoadState=loaded\nActiveState=active\nSubState=running\nMainPID=0\n\
    InvocationID=a\nResult=success\nNRestarts=0\nRestart=always\nUnitFileState=enabled\n";

/// The fake of one [`Place`], in its directory `systemd`.
#[derive(Debug)]
pub struct FakeSystemctl<'a>(&'a Place);

impl<'a> FakeSystemctl<'a> {
    /// Sets it up with the unit running, and configures the place to use it for the node in `home`.
    ///
    /// # Panics
    /// When there is one already.
    #[must_use]
    pub fn new(place: &'a Place) -> Self {
        fs::create_dir_all(place.path("systemd")).unwrap();
        symlink(workspace().join("tests/fake/systemctl.sh"), place.path("systemd/systemctl")).unwrap();
        fs::write(place.path("systemd/loom.service"), "[Service]\nExecStart=/usr/bin/loom run\n").unwrap();
        place.configure("service = \"loom\"\n[systemd]\nsystemctl = \"/T/systemd/systemctl\"\n");
        let fake = Self(place);
        fake.set_state(&format!("{UP}FragmentPath={}\n", place.path("systemd/loom.service").display()));
        fake
    }

    /// Sets what `show` says.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn set_state(&self, state: &str) {
        fs::write(self.0.path("systemd/state"), state).unwrap();
    }

    /// Has a verb do this first, in the words of a shell; `$dir` is the fake's directory, `$PPID` who called it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn on(&self, verb: &str, script: &str) {
        fs::write(self.0.path("systemd").join(format!("on-{verb}")), script).unwrap();
    }

    /// Has a verb do nothing special any more.
    ///
    /// # Panics
    /// When it did not.
    pub fn off(&self, verb: &str) {
        fs::remove_file(self.0.path("systemd").join(format!("on-{verb}"))).unwrap();
    }

    /// Whether the unit is running.
    ///
    /// # Panics
    /// When the fake is gone.
    #[must_use]
    pub fn is_up(&self) -> bool {
        fs::read_to_string(self.0.path("systemd/state")).unwrap().contains("ActiveState=active\n")
    }

    /// The stops and starts in their order: `stop start`.
    ///
    /// # Panics
    /// When it was never called.
    #[must_use]
    pub fn verbs(&self) -> String {
        let calls = fs::read_to_string(self.0.path("systemd/calls")).unwrap();
        let words = calls.split_whitespace().filter(|word| ["stop", "start"].contains(word));
        words.collect::<Vec<_>>().join(" ")
    }
}
