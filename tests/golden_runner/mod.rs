//! The runner: reads families of cases, has each checked in both precisions, and reports.

mod call;
mod case;
mod compare;
mod init;
mod lr_scheduler;
mod models;
mod operations;
mod optim;
mod refusals;
mod report;
mod values;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use retrograd::tensor::{Error, Float};

use case::{Case, Family};
use report::{Report, Tally};

/// Why a case did not pass.
enum Stop {
    /// It asks for something that Retrograd does not have.
    Unknown(String),
    /// It asks for what no program can write: a negative extent, an integer where numbers stand.
    Inexpressible(String),
    /// Retrograd differs from PyTorch.
    Failed(String),
}

impl Stop {
    fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown(reason.into())
    }

    fn inexpressible(what: impl Into<String>) -> Self {
        Self::Inexpressible(what.into())
    }
}

/// An operation that refuses what PyTorch computes differs from it.
impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

type Outcome<V = ()> = Result<V, Stop>;

/// Checks one case in the precision of `T`.
fn check<T: Float>(case: &Case) -> Outcome {
    match case.op() {
        "calculate_gain" | "layer_default" => init::check::<T>(case),
        op if op.starts_with("xavier_") || op.starts_with("kaiming_") => init::check::<T>(case),
        "lr_scheduler" => lr_scheduler::check::<T>(case),
        "optimize" => optim::check::<T>(case),
        "train" => models::check::<T>(case),
        _ => values::check::<T>(case),
    }
}

/// Where the families are.
pub(crate) struct Directory {
    path: PathBuf,
    /// Whether it is the project's own, in which every family must be there.
    own: bool,
}

impl Directory {
    pub(crate) fn find() -> Self {
        match std::env::var_os("RETROGRAD_GOLDEN") {
            Some(path) => Self { path: path.into(), own: false },
            None => Self { path: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden").into(), own: true },
        }
    }

    /// Runs every case of a family.
    ///
    /// # Panics
    /// If one fails, or if the project's own directory has no such family or a case there is unknown.
    pub(crate) fn check(&self, family: &str) {
        if !self.path.join(family).with_extension("json").exists() {
            assert!(!self.own, "{family}.json is missing in {}", self.path.display());
            return println!("{family}: not in {}", self.path.display());
        }
        let report = self.run(family);
        assert!(report.all_agree(), "{family} differs from PyTorch:\n{report}");
        assert!(!self.own || report.complete(), "not every case of {family} is known:\n{report}");
    }

    /// Runs every case of the families that are not in `checked`.
    ///
    /// # Panics
    /// If one fails, or if the project's own directory has such a family.
    pub(crate) fn check_others(&self, checked: &[&str]) {
        let entries = self.path.read_dir().unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        let paths = entries.map(|entry| entry.expect("a readable directory").path());
        let mut others: Vec<String> = paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .filter(|family| !checked.contains(&family.as_str()))
            .collect();
        others.sort();
        assert!(!self.own || others.is_empty(), "families without a test of their own: {others:?}");
        let reports: Vec<Report> = others.iter().map(|family| self.run(family)).collect();
        let failed: String =
            reports.iter().filter(|report| !report.all_agree()).map(Report::to_string).collect();
        assert!(failed.is_empty(), "families differ from PyTorch:\n{failed}");
    }

    fn run(&self, name: &str) -> Report {
        let family = Family::read(&self.path, name);
        let report =
            Report { family: name.to_owned(), double: tally::<f64>(&family), single: tally::<f32>(&family) };
        print!("{report}");
        report
    }
}

/// Checks every case of a family in the precision of `T`.
fn tally<T: Float>(family: &Family) -> Tally {
    let mut tally = Tally::default();
    for case in &family.cases {
        if T::NAME == "f32" && case.wants_double() {
            tally.leave_out();
            continue;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| check::<T>(case)));
        tally.count(case, outcome.unwrap_or_else(|panic| Err(Stop::Failed(panicked(panic.as_ref())))));
    }
    tally
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    let message =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
    format!("panicked: {}", message.unwrap_or("with something else than a text"))
}
