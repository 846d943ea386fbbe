//! Exit codes: documented in `docs/exit-codes.md`, never changed, only added to.

use loom_runbook::Kind;

/// How a command ended. Whoever reads an unknown code should take it for a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed; the node is as it was.
    Failed,
    /// The command line or the configuration is wrong; nothing was touched.
    Usage,
    /// Done, with warnings.
    Warnings,
    /// Done, and a store was found that the layout does not know.
    Unclassified,
    /// `check --max-age`: the last success is too old, or there is none.
    TooOld,
    /// Refused before anything was touched.
    Refused,
    /// Another run is going on.
    Busy,
    /// The backup or the repository is damaged; nothing was restored.
    Damaged,
    /// The storage cannot be used.
    Storage,
    /// Told to stop; the node is as it was.
    Interrupted,
    /// The node is not back in service: get up.
    NodeNotBack,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Warnings => 3,
            Self::Unclassified => 4,
            Self::TooOld => 5,
            Self::Refused => 10,
            Self::Busy => 11,
            Self::Damaged => 20,
            Self::Storage => 21,
            Self::Interrupted => 22,
            Self::NodeNotBack => 40,
        }
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Refused => Self::Refused,
            Kind::Busy => Self::Busy,
            Kind::Damaged => Self::Damaged,
            Kind::Storage => Self::Storage,
            Kind::Interrupted => Self::Interrupted,
            Kind::NodeNotBack => Self::NodeNotBack,
            _ => Self::Failed,
        }
    }
}
