//! The one error type of Retrograd.

use std::fmt;
use std::panic::Location;

/// What went wrong: the operation, the fact with what was expected instead, and the line that called it.
///
/// ```text
/// matmul: inner dimensions differ: [64, 400] · [256, 120] (400 ≠ 256), at src/model.rs:31:34
/// ```
#[derive(Clone, thiserror::Error)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    op: &'static str,
    fact: String,
    at: Option<&'static Location<'static>>,
    path: String,
}

/// A result whose error is an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of operation `op`; `fact` says what was found and what was expected. The line is the caller's.
    #[track_caller]
    #[cold]
    pub fn new(op: &'static str, fact: impl Into<String>) -> Self {
        Self(Box::new(Inner { op, fact: fact.into(), at: Some(Location::caller()), path: String::new() }))
    }

    /// An error about something outside the program, such as a file, where the caller's line would not help.
    #[cold]
    pub fn outside(op: &'static str, fact: impl Into<String>) -> Self {
        Self(Box::new(Inner { op, fact: fact.into(), at: None, path: String::new() }))
    }

    /// The same error, one step further out in a model: `segment` is put before the path of the layer.
    pub fn within(mut self, segment: impl fmt::Display) -> Self {
        let dot = if self.0.path.is_empty() { "" } else { "." };
        self.0.path = format!("{segment}{dot}{}", self.0.path);
        self
    }

    /// The same error, called from another line: for a caller that calls on somebody's behalf.
    pub fn called_from(mut self, line: &'static Location<'static>) -> Self {
        self.0.at = Some(line);
        self
    }

    /// The operation that failed.
    pub fn op(&self) -> &'static str {
        self.0.op
    }

    /// What was found, and what was expected.
    pub fn fact(&self) -> &str {
        &self.0.fact
    }

    /// The line of the program that called the operation.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.0.at
    }

    /// The path of the layer inside its model, `features.3`, or nothing.
    pub fn path(&self) -> &str {
        &self.0.path
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { op, fact, at, path } = &*self.0;
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "{op}: {fact}")?;
        match at {
            Some(at) => write!(f, ", at {at}"),
            None => Ok(()),
        }
    }
}

/// As `Display`, so that a `main` that returns the error prints a sentence.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
