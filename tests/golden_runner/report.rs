//! What came of the cases of a family.

use std::collections::BTreeMap;
use std::fmt;

use super::Stop;

pub(super) struct Report {
    pub(super) family: String,
    pub(super) double: Tally,
    pub(super) single: Tally,
}

/// How the cases of a family fared in one precision.
#[derive(Default)]
pub(super) struct Tally {
    passed: usize,
    failed: Vec<String>,
    /// How many cases are unknown, by operation and reason.
    unknown: BTreeMap<String, usize>,
    left_out: usize,
}

impl Tally {
    pub(super) fn count(&mut self, case: &super::Case, outcome: Result<(), Stop>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(Stop::Failed(fact)) => self.failed.push(format!("{}: {fact}", case.name())),
            Err(Stop::Unknown(reason) | Stop::Inexpressible(reason)) => {
                *self.unknown.entry(format!("{}: {reason}", case.op())).or_default() += 1;
            }
        }
    }

    pub(super) fn leave_out(&mut self) {
        self.left_out += 1;
    }
}

impl Report {
    pub(super) fn all_agree(&self) -> bool {
        self.double.failed.is_empty() && self.single.failed.is_empty()
    }

    /// Whether nothing is unknown, and something passed.
    pub(super) fn complete(&self) -> bool {
        self.double.passed > 0 && self.double.unknown.is_empty() && self.single.unknown.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (precision, tally) in [("f64", &self.double), ("f32", &self.single)] {
            let Tally { passed, failed, unknown, left_out } = tally;
            let (failed, unknown): (_, usize) = (failed.len(), unknown.values().sum());
            write!(
                f,
                "{:15} {precision} {passed:4} passed {failed:4} failed {unknown:4} unknown",
                self.family
            )?;
            writeln!(f, " {left_out:4} left out")?;
        }
        for (precision, tally) in [("f64", &self.double), ("f32", &self.single)] {
            for failure in &tally.failed {
                writeln!(f, "    failed in {precision}: {failure}")?;
            }
        }
        for (what, count) in &self.double.unknown {
            writeln!(f, "    unknown: {count} × {what}")?;
        }
        Ok(())
    }
}
